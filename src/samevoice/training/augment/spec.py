"""SpecAugment: stretches of time and of band that the network must do without.

Knows: features of shape (batch, frames, bands), normalised to a mean of 0. Does not know: sound.
Source: Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition", Interspeech
2019, section 2, without time warping.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from samevoice.errors import ModelError
from samevoice.options import checked_size

MOST_MASKED = 0.5  # of the frames and of the bands, by all masks of a clip together


class SpecAugment:
    """Masks with values of 0, drawn anew for every clip.

    The width of each mask is even from 0 to the given one, and its place even over the clip. On a short clip the
    widths shrink, so that all its masks together hide at most half of its frames and half of the bands.

    Args:
        time_masks: masks of all bands over some frames, 0 or more.
        time_width: their greatest width in frames.
        band_masks: masks of all frames over some bands, 0 or more.
        band_width: their greatest width in bands.

    Raises:
        ConfigError: an option is not a whole number of at least 0.
    """

    def __init__(self, time_masks: int = 2, time_width: int = 10, band_masks: int = 2, band_width: int = 8) -> None:
        self.time_masks = checked_size("mask.time_masks", time_masks, 0, 100)
        self.time_width = checked_size("mask.time_width", time_width, 0)
        self.band_masks = checked_size("mask.band_masks", band_masks, 0, 100)
        self.band_width = checked_size("mask.band_width", band_width, 0)

    def __call__(self, features: Tensor, lengths: Tensor | None, random: Sequence[np.random.Generator]) -> Tensor:
        """The features with some of them set to 0.

        Args:
            features: shape (batch, frames, bands); left as they are.
            lengths: frames of each clip that are not filling, shape (batch,); None where all are.
            random: draws the masks, one for each clip, so that a clip's masks do not hang on its neighbours.

        Returns:
            Shape (batch, frames, bands), on the device of the features.

        Raises:
            ModelError: the shapes do not fit.
        """
        fitting = lengths is None or lengths.shape == features.shape[:1]
        if features.ndim != 3 or not fitting or len(random) != len(features):
            sizes = None if lengths is None else tuple(lengths.shape)
            raise ModelError(
                "SpecAugment needs features of shape (batch, frames, bands), lengths of shape (batch,) and batch "
                f"generators, got {tuple(features.shape)}, {sizes} and {len(random)}"
            )
        batch, frames, bands = features.shape
        counts = [frames] * batch if lengths is None else [min(int(one), frames) for one in lengths.tolist()]
        drawn = list(zip(counts, random, strict=True))
        times = np.stack([_hidden(frames, count, self.time_masks, self.time_width, own) for count, own in drawn])
        heights = np.stack([_hidden(bands, bands, self.band_masks, self.band_width, own) for _, own in drawn])
        hidden = torch.from_numpy(times[:, :, None] | heights[:, None, :])
        return features.masked_fill(hidden.to(features.device), 0.0)


def _hidden(
    size: int, length: int, masks: int, width: int, random: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of `size` places lie under the masks of the first `length`."""
    hidden = np.zeros(size, dtype=np.bool_)
    widest = min(width, int(MOST_MASKED * length / max(masks, 1)))
    for _ in range(masks):
        wide = int(random.integers(widest + 1))
        start = int(random.integers(length - wide + 1))
        hidden[start : start + wide] = True
    return hidden
