"""ECAPA-TDNN: squeeze-and-excitation Res2 blocks, all layers aggregated, attentive statistics.

    layer      what                                                    output (C, T)
    conv       k5, ReLU, batch norm                                    C, T
    block 1-3  SE-Res2, k3, dilation 2, 3, 4; the input of each is     C, T
               the sum of everything before it
    aggregate  the three blocks beside each other, k1, ReLU            1536, T
    pooling    attentive statistics, batch norm                        3072
    dense      batch norm                                              192

With C = 512 it has 6.2 million parameters, with C = 1024 14.7 million.

Knows: the network. Does not know: features, losses, training.
Source: Desplanques et al., "ECAPA-TDNN: Emphasized Channel Attention, Propagation and Aggregation in TDNN Based
Speaker Verification", Interspeech 2020, figures 1 and 2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.errors import ConfigError
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.networks.options import checked_bands, checked_dimension
from samevoice.networks.pooling import AttentiveStatisticsPooling, TemporalMean

BANDS = 80
DIMENSION = 192
AGGREGATED = 1536
SCALE = 8  # groups of channels in a Res2 layer
SQUEEZED = 128
DILATIONS = (2, 3, 4)


class TimeDelay(nn.Module):
    """A convolution over time that keeps its length, then ReLU, then batch normalisation."""

    def __init__(self, channels: int, out: int, kernel: int = 1, dilation: int = 1) -> None:
        """Lay out convolution and normalisation."""
        super().__init__()
        self.conv = nn.Conv1d(channels, out, kernel, dilation=dilation, padding=kernel // 2 * dilation)
        self.bn = nn.BatchNorm1d(out)

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, C, T) -> (B, out, T)."""
        activated: Tensor = self.bn(F.relu(self.conv(sequence)))
        return activated


class Res2(nn.Module):
    """Groups of channels, each convolved together with the result of the group before it; the first passes through.

    Source: Gao et al., "Res2Net: A New Multi-scale Backbone Architecture", TPAMI 2021.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        """Lay out a convolution for every group but the first."""
        super().__init__()
        width = channels // SCALE
        self.groups = nn.ModuleList(TimeDelay(width, width, 3, dilation) for _ in range(SCALE - 1))

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, C, T), shape unchanged."""
        passed, *others = sequence.chunk(SCALE, dim=1)
        done = [passed]
        for index, (layer, group) in enumerate(zip(self.groups, others, strict=True)):
            done.append(layer(group if index == 0 else group + done[-1]))
        return torch.cat(done, dim=1)


class SqueezeExcitation(nn.Module):
    """Scale every channel by what the means of all channels over time say.

    Source: Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018.
    """

    def __init__(self, channels: int) -> None:
        """Lay out the two dense layers."""
        super().__init__()
        self.mean = TemporalMean()
        self.squeeze = nn.Linear(channels, SQUEEZED)
        self.excite = nn.Linear(SQUEEZED, channels)

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, C, T), shape unchanged."""
        scale = torch.sigmoid(self.excite(F.relu(self.squeeze(self.mean(sequence)))))
        return sequence * scale.unsqueeze(-1)


class SeRes2Block(nn.Module):
    """Dense, Res2, dense, squeeze-and-excitation, beside the identity."""

    def __init__(self, channels: int, dilation: int) -> None:
        """Lay out the branch."""
        super().__init__()
        self.branch = nn.Sequential(
            TimeDelay(channels, channels),
            Res2(channels, dilation),
            TimeDelay(channels, channels),
            SqueezeExcitation(channels),
        )

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, C, T), shape unchanged."""
        branch: Tensor = self.branch(sequence)
        return sequence + branch


class EcapaTdnn(EmbeddingNetwork):
    """ECAPA-TDNN for 80 log mel bands.

    Args:
        channels: C, of all layers up to the aggregation; a multiple of 8.
        bands: numbers per frame.
        dimension: length of an embedding.

    Raises:
        ConfigError: the channels do not divide by 8, or there cannot be so many bands or dimensions.
    """

    frontend = "kaldi-fbank"
    least_frames = 2
    least_batch = 2

    def __init__(self, channels: int, *, bands: int = BANDS, dimension: int = DIMENSION) -> None:
        """Lay out the layers."""
        super().__init__()
        self.bands = checked_bands(bands)
        self.dimension = checked_dimension(dimension)
        if channels < 1 or channels % SCALE:
            raise ConfigError(f"channels must be a multiple of {SCALE}, got {channels}")
        self.entry = TimeDelay(bands, channels, 5)
        self.blocks = nn.ModuleList(SeRes2Block(channels, dilation) for dilation in DILATIONS)
        self.aggregate = nn.Conv1d(len(DILATIONS) * channels, AGGREGATED, 1)
        self.pooling = AttentiveStatisticsPooling(AGGREGATED)
        self.bn_pooled = nn.BatchNorm1d(2 * AGGREGATED)
        self.dense = nn.Linear(2 * AGGREGATED, dimension)
        self.bn = nn.BatchNorm1d(dimension)

    def forward(self, features: Tensor) -> Tensor:
        """Embed a batch of equally long utterances.

        Args:
            features: log mel energies with their mean over time removed, float32, shape (B, T, 80), T >= 2.

        Returns:
            Embeddings, not of unit length, shape (B, dimension).

        Raises:
            ModelError: the features have another shape, or are not finite; one utterance alone in training.
        """
        self.require(features)
        total = self.entry(features.transpose(1, 2))
        outputs = []
        for block in self.blocks:
            outputs.append(block(total))
            total = total + outputs[-1]
        aggregated = F.relu(self.aggregate(torch.cat(outputs, dim=1)))
        embedding: Tensor = self.bn(self.dense(self.bn_pooled(self.pooling(aggregated))))
        return embedding


def ecapa_512(*, bands: int = BANDS, dimension: int = DIMENSION) -> EcapaTdnn:
    """The smaller of the paper's two networks."""
    return EcapaTdnn(512, bands=bands, dimension=dimension)


def ecapa_1024(*, bands: int = BANDS, dimension: int = DIMENSION) -> EcapaTdnn:
    """The larger of the paper's two networks."""
    return EcapaTdnn(1024, bands=bands, dimension=dimension)
