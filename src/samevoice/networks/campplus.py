"""CAM++: a densely connected time-delay network whose every layer is masked by its context.

Parameters carry the names of the published checkpoint (3D-Speaker, "zh-en common advanced"), so its weights
load strictly. Shapes: B recordings, T frames of the front end, t = ceil(T / 2) frames behind the first stride.

Knows: the network. Does not know: features, weights, training.
Source: Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking",
arXiv 2303.00332.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.networks.dtdnn import DenseBlock, batch_norm, segment_maps
from samevoice.networks.embedding import EmbeddingNetwork, halved
from samevoice.networks.options import checked_bands, checked_dimension
from samevoice.networks.pooling import StatisticsPooling

BANDS = 80
DIMENSION = 192


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the 1-D part is.

    Args:
        width: channels behind the entry.
        blocks: (dense layers, dilation) of each dense block.
        growth: channels that a dense layer appends.
        bottleneck: channels within a dense layer.
        kernel: of the entry in time.
        stride: likewise.
        pooled: channels that are pooled; None for half of what the last block gives.
    """

    width: int = 128
    blocks: tuple[tuple[int, int], ...] = ((12, 1), (24, 2), (16, 2))
    growth: int = 32
    bottleneck: int = 128
    kernel: int = 5
    stride: int = 2
    pooled: int | None = None


PUBLISHED = Shape()


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut; a stride works on frequency only."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        """Lay out the convolutions; where nothing changes its shape, the shortcut is the identity."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != out:
            self.shortcut.append(nn.Conv2d(channels, out, 1, stride=(stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(out))

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, F, T) -> (B, out, F / stride, T)."""
        inner = F.relu(self.bn1(self.conv1(image)))
        return F.relu(self.bn2(self.conv2(inner)) + self.shortcut(image))


class Head(nn.Module):
    """The 2-D front: 80 bands become 10 rows of 32 channels, time is kept."""

    def __init__(self, channels: int = 32) -> None:
        """Lay out two stages of two residual blocks between two plain convolutions."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = nn.Sequential(Residual(channels, channels, 2), Residual(channels, channels, 1))
        self.layer2 = nn.Sequential(Residual(channels, channels, 2), Residual(channels, channels, 1))
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, 80, T) -> (B, 320, T), channels before rows."""
        image = F.relu(self.bn1(self.conv1(features.unsqueeze(1))))
        image = self.layer2(self.layer1(image))
        return F.relu(self.bn2(self.conv2(image))).flatten(1, 2)


class TimeDelay(nn.Module):
    """The entry: a convolution, strided in time where the head is not."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int) -> None:
        """Lay out convolution and normalisation."""
        super().__init__()
        self.linear = nn.Conv1d(channels, out, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.nonlinear = batch_norm(out)

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, C, T) -> (B, width, ceil(T / stride))."""
        activated: Tensor = self.nonlinear(self.linear(sequence))
        return activated


class Transit(nn.Module):
    """Behind a dense block: fewer channels."""

    def __init__(self, channels: int, out: int) -> None:
        """Lay out normalisation and projection."""
        super().__init__()
        self.nonlinear = batch_norm(channels)
        self.linear = nn.Conv1d(channels, out, 1, bias=False)

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, C, t) -> (B, out, t)."""
        projected: Tensor = self.linear(self.nonlinear(sequence))
        return projected


class Projection(nn.Module):
    """The exit: pooled statistics to the embedding, normalised without learned scale."""

    def __init__(self, channels: int, dimension: int) -> None:
        """Lay out projection and normalisation."""
        super().__init__()
        self.linear = nn.Conv1d(channels, dimension, 1, bias=False)
        self.nonlinear = batch_norm(dimension, affine=False, relu=False)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, C) -> (B, dimension)."""
        projected: Tensor = self.nonlinear(self.linear(pooled.unsqueeze(-1)))
        return projected.squeeze(-1)


class Backbone(nn.Module):
    """The 1-D part: entry, dense blocks with their transits, pooling and projection."""

    def __init__(self, channels: int, dimension: int, shape: Shape = PUBLISHED) -> None:
        """Lay out everything behind the head."""
        super().__init__()
        width = shape.width
        self.tdnn = TimeDelay(channels, width, shape.kernel, shape.stride)
        self._blocks = len(shape.blocks)
        for number, (layers, dilation) in enumerate(shape.blocks, start=1):
            block = DenseBlock(width, layers, shape.bottleneck, shape.growth, dilation)
            self.add_module(f"block{number}", block)
            width += layers * shape.growth
            out = shape.pooled if shape.pooled and number == self._blocks else width // 2
            self.add_module(f"transit{number}", Transit(width, out))
            width = out
        self.out_nonlinear = batch_norm(width)
        self.stats = StatisticsPooling()
        self.dense = Projection(2 * width, dimension)

    def moments(self, sequence: Tensor) -> Tensor:
        """What is pooled: (B, C, T) -> (B, pooled, t)."""
        sequence = self.tdnn(sequence)
        gather, spread = segment_maps(sequence)
        for number in range(1, self._blocks + 1):
            sequence = self.get_submodule(f"block{number}")(sequence, gather, spread)
            sequence = self.get_submodule(f"transit{number}")(sequence)
        activated: Tensor = self.out_nonlinear(sequence)
        return activated

    def pool(self, moments: Tensor) -> Tensor:
        """(B, pooled, t) -> (B, dimension)."""
        embedding: Tensor = self.dense(self.stats(moments))
        return embedding

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, C, T) -> (B, dimension)."""
        return self.pool(self.moments(sequence))


class DenselyConnected(EmbeddingNetwork):
    """A 2-D head, a densely connected 1-D part, statistics, and an exit.

    Args:
        head: (B, bands, T) -> (B, channels, T or t).
        xvector: the rest.
        dimension: length of an embedding.
        bands: numbers per frame.

    Raises:
        ConfigError: there cannot be so many bands or dimensions.
    """

    frontend = "kaldi-fbank"
    least_frames = 3
    least_batch = 2

    def __init__(self, head: nn.Module, xvector: Backbone, *, dimension: int, bands: int) -> None:
        """Keep the parts."""
        super().__init__()
        self.bands, self.dimension = bands, dimension
        self.head, self.xvector = head, xvector

    def entry(self, features: Tensor) -> Tensor:
        """What the dense blocks are given: (B, T, 80) -> (B, width, t).

        Raises:
            ModelError: as in a call.
        """
        self.require(features)
        entered: Tensor = self.xvector.tdnn(self.head(features.transpose(1, 2)))
        return entered

    def moments(self, features: Tensor) -> Tensor:
        """What is known of each moment, a column for every two frames: (B, T, 80) -> (B, 512, t).

        Raises:
            ModelError: as in a call.
        """
        self.require(features)
        found: Tensor = self.xvector.moments(self.head(features.transpose(1, 2)))
        return found

    def pooled(self, features: Tensor) -> Tensor:
        """What the exit is given: means and deviations of the moments, (B, T, 80) -> (B, 1024).

        Raises:
            ModelError: as in a call.
        """
        found: Tensor = self.xvector.stats(self.moments(features))
        return found

    def pool(self, moments: Tensor) -> Tensor:
        """Raw embeddings of moments: (B, 512, t) -> (B, dimension), t >= 2."""
        return self.xvector.pool(moments)

    def forward(self, features: Tensor) -> Tensor:
        """Embed a batch of equally long recordings.

        Args:
            features: log mel energies with their mean over time removed, shape (B, T, 80), T >= 3.

        Returns:
            Raw embeddings, not L2-normalised, shape (B, dimension).

        Raises:
            ModelError: the features have another shape, or are not finite; one recording alone in training.
        """
        self.require(features)
        # By the modules' own calls, whose names an exported graph carries.
        embedding: Tensor = self.xvector(self.head(features.transpose(1, 2)))
        return embedding


class CamPlusPlus(DenselyConnected):
    """CAM++ for 80 log mel bands; 6,848,544 trainable parameters.

    Args:
        dimension: length of an embedding; 192 as published with the weights, 512 in the paper's tables.
        bands: numbers per frame.

    Raises:
        ConfigError: there cannot be so many bands or dimensions.
    """

    def __init__(self, *, dimension: int = DIMENSION, bands: int = BANDS) -> None:
        """Lay out head and backbone."""
        xvector = Backbone(32 * halved(checked_bands(bands), 3), checked_dimension(dimension))
        super().__init__(Head(), xvector, dimension=dimension, bands=bands)
