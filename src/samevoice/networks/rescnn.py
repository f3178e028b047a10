"""Deep Speaker's residual network, its three-stage relative, and the variant with one more clip.

Shapes: B utterances, T frames of 64 mel energies; each stage halves time and bands and doubles the channels.

    stage      layers                                         output (T, F, C) for T = 160    parameters
    1          conv 5x5 / 2, 64;  3 x residual(64)            80, 32, 64                         224,128
    2          conv 5x5 / 2, 128; 3 x residual(128)           40, 16, 128                      1,092,224
    3          conv 5x5 / 2, 256; 3 x residual(256)           20, 8, 256                       4,363,520
    4          conv 5x5 / 2, 512; 3 x residual(512)           10, 4, 512                      17,443,328
    mean       rows of 4 x 512, mean over time                2048
    affine     2048 -> 512, unit length                       512                              1,049,088

Every convolution is followed by batch normalisation, and that by a ReLU clipped at 20.

Knows: the networks. Does not know: features, losses, training.
Source: Li et al., "Deep Speaker: an End-to-End Neural Speaker Embedding System", arXiv 1705.02304, table 2; the
seeds Deep_Speaker-speaker_recognition_system, voice-embeddings ("simple") and deep-speaker ("clipped").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from samevoice.networks.embedding import EmbeddingNetwork, halved
from samevoice.networks.keras import HalvingConvolution, batch_norm, clipped_relu, initialise, rows, unit_length
from samevoice.networks.options import checked_bands

BANDS = 64
DIMENSION = 512
BLOCKS = 3  # per stage


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity.

    Args:
        channels: in and out.
        clips_branch: clip once more before the addition, so that the branch never takes anything away.
    """

    def __init__(self, channels: int, *, clips_branch: bool = False) -> None:
        """Lay out the branch."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = batch_norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = batch_norm(channels)
        self.clips_branch = clips_branch

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, T, F), shape unchanged."""
        branch = clipped_relu(self.bn1(self.conv1(image)))
        branch = self.bn2(self.conv2(branch))
        if self.clips_branch:
            branch = clipped_relu(branch)
        return clipped_relu(branch + image)


def clipping_residual(channels: int) -> Residual:
    """The residual block of the seed deep-speaker."""
    return Residual(channels, clips_branch=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside the identity, all with the same number of channels."""

    def __init__(self, channels: int) -> None:
        """Lay out the branch."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1)
        self.bn1 = batch_norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = batch_norm(channels)
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.bn3 = batch_norm(channels)

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, T, F), shape unchanged."""
        branch = clipped_relu(self.bn1(self.conv1(image)))
        branch = clipped_relu(self.bn2(self.conv2(branch)))
        return clipped_relu(self.bn3(self.conv3(branch)) + image)


class Stage(nn.Module):
    """A convolution that halves time and bands, and the blocks behind it."""

    def __init__(self, channels: int, out: int, block: Callable[[int], nn.Module]) -> None:
        """Lay out convolution and blocks."""
        super().__init__()
        self.conv = HalvingConvolution(channels, out, 5)
        self.bn = batch_norm(out)
        self.blocks = nn.Sequential(*(block(out) for _ in range(BLOCKS)))

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, T, F) -> (B, out, ceil(T / 2), ceil(F / 2))."""
        refined: Tensor = self.blocks(clipped_relu(self.bn(self.conv(image))))
        return refined


class ResCnn(EmbeddingNetwork):
    """Residual stages, mean over time, affine layer, unit length; 24,172,288 trainable parameters by default.

    Args:
        channels: of each stage.
        block: makes a residual block of so many channels.
        bands: numbers per frame.

    Raises:
        ConfigError: there cannot be so many bands.
    """

    frontend = "psf-64"
    dimension = DIMENSION

    def __init__(
        self,
        channels: tuple[int, ...] = (64, 128, 256, 512),
        block: Callable[[int], nn.Module] = Residual,
        *,
        bands: int = BANDS,
    ) -> None:
        """Lay out the stages and the affine layer."""
        super().__init__()
        self.bands = checked_bands(bands)
        inputs = (1, *channels[:-1])
        self.stages = nn.Sequential(*(Stage(*pair, block) for pair in zip(inputs, channels, strict=True)))
        self.affine = nn.Linear(halved(bands, len(channels)) * channels[-1], DIMENSION)
        initialise(self)
        # The layout in which convolutions copy least, and `rows` nothing.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def steps(self, features: Tensor) -> Tensor:
        """What is averaged over time: (B, T, 64) -> (B, ceil(T / 16), 2048), or ceil(T / 8) with three stages."""
        self.require(features)
        return rows(self.stages(features.unsqueeze(1)))

    def forward(self, features: Tensor) -> Tensor:
        """Embed a batch of equally long utterances.

        Args:
            features: mel energies normalised per frame (psf-64), float32, shape (B, T, 64), T >= 1; the seeds use 160.

        Returns:
            Embeddings of unit length, shape (B, 512).

        Raises:
            ModelError: the features have another shape, or are not finite.
        """
        return unit_length(self.affine(self.steps(features).mean(dim=1)))


def simple(*, bands: int = BANDS) -> ResCnn:
    """Three stages of bottleneck blocks; 4,926,656 trainable parameters."""
    return ResCnn((64, 128, 256), Bottleneck, bands=bands)


def clipped(*, bands: int = BANDS) -> ResCnn:
    """The same weights as `ResCnn`, another function: the branch of every block is clipped before it is added."""
    return ResCnn(block=clipping_residual, bands=bands)
