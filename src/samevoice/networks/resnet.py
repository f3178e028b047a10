"""ResNet34 for speakers: residual blocks over bands and time, statistics pooling, one dense layer.

    layer      what                                     output (C, F, T)       parameters
    conv       3x3, 32                                  32, 80, T                     352
    stage 1    3 x block(32)                            32, 80, T                  55,680
    stage 2    4 x block(64), the first / 2             64, 40, T / 2             279,680
    stage 3    6 x block(128), the first / 2            128, 20, T / 4          1,707,264
    stage 4    3 x block(256), the first / 2            256, 10, T / 8          3,280,384
    pooling    mean and deviation over time             5120
    dense      5120 -> 256                              256                     1,310,976

Knows: the network. Does not know: features, losses, training.
Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1; Zeinali et al., "BUT System
Description to VoxCeleb Speaker Recognition Challenge 2019", table 1, for the widths and the pooling.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.networks.embedding import EmbeddingNetwork, halved
from samevoice.networks.options import checked_bands, checked_dimension
from samevoice.networks.pooling import StatisticsPooling

BANDS = 80
DIMENSION = 256
STAGES = ((3, 32), (4, 64), (6, 128), (3, 256))  # (blocks, channels)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        """Lay out branch and shortcut."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != out:
            self.shortcut.append(nn.Conv2d(channels, out, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(out))

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, F, T) -> (B, out, ceil(F / stride), ceil(T / stride))."""
        branch = F.relu(self.bn1(self.conv1(image)))
        return F.relu(self.bn2(self.conv2(branch)) + self.shortcut(image))


def stage(blocks: int, channels: int, out: int, stride: int) -> nn.Sequential:
    """Blocks of one width, the first of which may halve bands and time."""
    first = BasicBlock(channels, out, stride)
    return nn.Sequential(first, *(BasicBlock(out, out, 1) for _ in range(blocks - 1)))


class ResNet34(EmbeddingNetwork):
    """ResNet34 with statistics pooling, usually on 80 log mel bands; 6.63 million trainable parameters.

    Args:
        bands: numbers per frame.
        dimension: length of an embedding.

    Raises:
        ConfigError: there cannot be so many bands or dimensions.
    """

    frontend = "kaldi-fbank"
    least_frames = 9  # two are left for the deviation behind three halvings

    def __init__(self, *, bands: int = BANDS, dimension: int = DIMENSION) -> None:
        """Lay out the stages."""
        super().__init__()
        self.bands = checked_bands(bands)
        self.dimension = checked_dimension(dimension)
        width = STAGES[0][1]
        self.conv = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.stages = nn.Sequential()
        for index, (blocks, channels) in enumerate(STAGES):
            self.stages.append(stage(blocks, width, channels, stride=1 if index == 0 else 2))
            width = channels
        self.pooling = StatisticsPooling()
        self.dense = nn.Linear(2 * width * halved(bands, len(STAGES) - 1), dimension)

    def forward(self, features: Tensor) -> Tensor:
        """Embed a batch of equally long utterances.

        Args:
            features: log mel energies with their mean over time removed, float32, shape (B, T, 80), T >= 9.

        Returns:
            Embeddings, not of unit length, shape (B, dimension).

        Raises:
            ModelError: the features have another shape, or are not finite.
        """
        self.require(features)
        image = self.stages(F.relu(self.bn(self.conv(features.transpose(1, 2).unsqueeze(1)))))
        embedding: Tensor = self.dense(self.pooling(image.flatten(1, 2)))
        return embedding
