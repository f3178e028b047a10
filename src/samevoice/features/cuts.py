"""Cut features to the lengths that the seeds' networks were trained on: clips and slices.

A clip is a stretch of a given number of frames from a random place, padded when the recording is shorter; slices are
consecutive stretches that do not overlap.

Knows: stretches of frames. Does not know: how frames are made, which recordings make a batch.
Source: the Deep Speaker seeds (clips of 160 frames), You-Only-Speak-Once FBankNet (slices of 64 frames).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np

from samevoice.audio.waveform import Samples, Waveform
from samevoice.errors import AudioError, ConfigError
from samevoice.features.frontend import Features, Frontend, samples_at_rate

CLIP_FRAMES = 160
SLICE_FRAMES = 64
EDGE_SECONDS = 0.25  # FBankNet leaves out as much at both ends of a recording


def clip(features: Features, generator: np.random.Generator, *, frames: int = CLIP_FRAMES) -> Features:
    """A stretch of exactly so many frames; every start from 0 to T - frames is equally likely.

    Args:
        features: shape (T, bands), T >= 1, finite.
        generator: draws the start; not used when there is nothing to choose.
        frames: length of the clip, >= 1.

    Returns:
        Shape (frames, bands); a recording of fewer frames comes whole, with rows of zeros behind it.

    Raises:
        AudioError: the features have another shape, no frame, or values that are not finite.
        ConfigError: a clip of so many frames cannot be.
    """
    _check_length("clip", frames)
    _check(features)
    spare = len(features) - frames
    if spare <= 0:
        return np.pad(features, ((0, -spare), (0, 0)))
    start = int(generator.integers(spare + 1))
    return features[start : start + frames]


def clips(recordings: Sequence[Features], generator: np.random.Generator, *, frames: int = CLIP_FRAMES) -> Features:
    """One clip of each recording, as a batch that is never ragged.

    Args:
        recordings: features of shape (T, bands) each, of any lengths T >= 1.
        generator: draws the starts, in the order of the recordings.
        frames: length of the clips, >= 1.

    Returns:
        Shape (recordings, frames, bands).

    Raises:
        AudioError: there are no recordings, their bands differ, or one of them is nothing to clip.
        ConfigError: a clip of so many frames cannot be.
    """
    sizes = {features.shape[-1] for features in recordings if features.ndim}
    if len(sizes) != 1:
        raise AudioError(f"clips: recordings have {sorted(sizes)} bands; give at least one, all of one front end")
    return np.stack([clip(features, generator, frames=frames) for features in recordings])


def slices(features: Features, *, frames: int = SLICE_FRAMES) -> Features:
    """All consecutive stretches of so many frames; what remains at the end is left out.

    Args:
        features: shape (T, bands), finite.
        frames: length of a slice, >= 1.

    Returns:
        Shape (T // frames, frames, bands).

    Raises:
        AudioError: there are fewer frames than one slice has, or values that are not finite.
        ConfigError: a slice of so many frames cannot be.
    """
    _check_length("slice", frames)
    _check(features)
    number = len(features) // frames
    if number == 0:
        raise AudioError(f"slices: {len(features)} frames are too few; give at least {frames}")
    return features[: number * frames].reshape(number, frames, features.shape[1])


def recording_slices(sound: Samples | Waveform, frontend: Frontend, *, frames: int = SLICE_FRAMES) -> Features:
    """FBankNet's inputs from a recording: 0.25 s are cut off both ends, the rest is sliced.

    Args:
        sound: a `Waveform`, or bare samples of shape (n,), which must have the rate of the front end; with psf-64 at
            least 18,321 samples.
        frontend: usually psf-64.
        frames: length of a slice, >= 1.

    Returns:
        Shape (slices, frames, bands).

    Raises:
        AudioError: the recording is too short for one slice (the message names the least), has another rate, or is
            no finite sound of one channel.
        ConfigError: a slice of so many frames cannot be.
    """
    _check_length("slice", frames)
    samples, rate = samples_at_rate(sound, frontend.spec), frontend.spec.rate
    edge = round(EDGE_SECONDS * rate)
    if samples.ndim == 1 and frontend.count(len(samples) - 2 * edge) < frames:
        least = 2 * edge + next(length for length in count(1) if frontend.count(length) >= frames)
        raise AudioError(
            f"slices: {len(samples)} samples at {rate} Hz are too few; give at least {least} ({least / rate:.4f} s)"
        )
    return slices(frontend(samples[edge : len(samples) - edge]), frames=frames)


def _check_length(what: str, frames: int) -> None:
    """Refuse an option that asks for no frame, or for fewer."""
    if frames < 1:
        raise ConfigError(f"a {what} of {frames} frames cannot be; choose at least 1")


def _check(features: Features) -> None:
    """Refuse what is no matrix of finite numbers."""
    if features.ndim != 2 or 0 in features.shape:
        raise AudioError(f"features have shape {features.shape}; give (frames, bands) with at least one of each")
    if not np.isfinite(features).all():
        raise AudioError("features hold NaN or infinite values; make them again from a finite sound")
