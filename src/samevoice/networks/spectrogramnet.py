"""SpectrogramNet of You-Only-Speak-Once: two small convolutions over a picture of sound, then one huge dense layer.

    layer                                        output (C, T, F)   parameters
    reflection pad, conv 3x3, ReLU, batch norm   4, 227, 227                48
    reflection pad, conv 3x3, ReLU, batch norm   8, 227, 227               312
    flatten, dense, ReLU                         512               211,063,296
    |a - b|, dense                               2                       1,026

Without any pooling the dense layer weighs 844 MB, so the faithful network is built only when asked for. The pooled
one averages the 8 maps over time and over every 4 bands first: what it keeps is the shape of the spectrum, which is
the speaker's, and what it loses is where in the picture it was.

Knows: the networks. Does not know: how pictures are made, losses, training.
Source: the seed You-Only-Speak-Once, both of its versions.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.errors import ConfigError, ModelError
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.networks.options import checked_dropout, checked_word

SIDE = 227  # frames and bands of a picture
DIMENSION = 512
HEADS = ("cross-entropy", "contrastive")


def convolution(channels: int, out: int) -> nn.Sequential:
    """Reflection padding, 3x3 convolution, ReLU, and only then batch normalisation."""
    return nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(channels, out, 3), nn.ReLU(), nn.BatchNorm2d(out))


class Spectrum(nn.Module):
    """Each map's mean over time, in groups of 4 bands; the first group has 3."""

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, 227, 227) -> (B, C, 57)."""
        return F.avg_pool1d(maps.mean(dim=2), 4, padding=1, count_include_pad=False)


class PictureNetwork(EmbeddingNetwork):
    """What all builds share: pictures in, convolutions, then a stack that makes the embedding.

    Args:
        side: frames and bands of a picture; the front end makes no other than 227.
    """

    frontend = "spectrogram"
    maps: nn.Module
    stack: nn.Module

    def __init__(self, side: int) -> None:
        """Remember the size of a picture."""
        super().__init__()
        self.bands = side
        self.frames = side

    def forward(self, features: Tensor) -> Tensor:
        """Embed pictures.

        Args:
            features: spectrograms in dB scaled to [0, 1], float32, shape (B, 227, 227), time before frequency.

        Returns:
            Embeddings, not of unit length, shape (B, dimension).

        Raises:
            ModelError: the features have another shape, or are not finite.
        """
        self.require(features)
        embedding: Tensor = self.stack(self.maps(features.unsqueeze(1)))
        return embedding


class SpectrogramNet(PictureNetwork):
    """The cross-entropy version: 235,370 trainable parameters, or 211,064,682 as the seed has it.

    Args:
        side: frames and bands of a picture.
        faithful: flatten the maps, as the seed does, instead of pooling them; needs 844 MB.
        dropout: share of the embedding that is zeroed in training, in [0, 1); one run of the seed had 0.3.

    Raises:
        ConfigError: the dropout is no such share.
    """

    dimension = DIMENSION

    def __init__(self, side: int = SIDE, *, faithful: bool = False, dropout: float = 0.0) -> None:
        """Lay out the tower and the head that compares two embeddings."""
        super().__init__(side)
        self.maps = nn.Sequential(convolution(1, 4), convolution(4, 8))
        inputs = 8 * side * side if faithful else 8 * ((side + 2) // 4)
        pooling = nn.Identity() if faithful else Spectrum()
        self.stack = nn.Sequential(
            pooling, nn.Flatten(), nn.Linear(inputs, DIMENSION), nn.ReLU(), nn.Dropout(checked_dropout(dropout))
        )
        self.head = nn.Linear(DIMENSION, 2)

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """Scores for "different" and "same", from how far two embeddings differ; the order of the two is nothing to it.

        Args:
            first: embeddings, shape (B, 512).
            second: embeddings to compare them with, row by row, shape (B, 512).

        Returns:
            Unnormalised log probabilities, shape (B, 2): column 0 different, column 1 same.

        Raises:
            ModelError: the embeddings have another shape, or not the same one.
        """
        if first.shape != second.shape or first.ndim != 2 or first.shape[1] != DIMENSION:
            given = f"{tuple(first.shape)} and {tuple(second.shape)}"
            raise ModelError(f"SpectrogramNet compares embeddings (batch, {DIMENSION}), got {given}; embed both first")
        scores: Tensor = self.head((first - second).abs())
        return scores


class ContrastiveSpectrogramNet(PictureNetwork):
    """The contrastive version: one more convolution and three dense layers; 206,370,465 trainable parameters.

    Args:
        side: frames and bands of a picture.
    """

    dimension = 5

    def __init__(self, side: int = SIDE) -> None:
        """Lay out the tower; its distance is Euclidean, so there is no head."""
        super().__init__(side)
        self.maps = nn.Sequential(convolution(1, 4), convolution(4, 8), convolution(8, 8))
        hidden = nn.Sequential(nn.Linear(8 * side * side, 500), nn.ReLU(), nn.Linear(500, 500), nn.ReLU())
        self.stack = nn.Sequential(nn.Flatten(), hidden, nn.Linear(500, self.dimension))


def pooled(*, dropout: float = 0.0) -> SpectrogramNet:
    """The build with pooling; 235,370 trainable parameters."""
    return SpectrogramNet(dropout=dropout)


def faithful(*, head: str = "cross-entropy", dropout: float = 0.0) -> PictureNetwork:
    """The seed's networks: 211,064,682 trainable parameters with the cross-entropy head, 206,370,465 without one.

    Args:
        head: "cross-entropy" over two embeddings, or "contrastive" for embeddings whose distance is Euclidean.
        dropout: as `SpectrogramNet`; the contrastive version has none.

    Raises:
        ConfigError: the head is none of these, or the dropout does not fit it.
    """
    if checked_word("head", head, HEADS) == "cross-entropy":
        return SpectrogramNet(faithful=True, dropout=dropout)
    if checked_dropout(dropout) > 0:
        raise ConfigError(f"dropout must be 0 with the contrastive head, got {dropout!r}")
    return ContrastiveSpectrogramNet()
