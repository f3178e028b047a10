"""The small network of samevoice: the plan of CAM++ with a fifth of its parameters and of its operations.

Time is halved at once, by the first convolution, and few channels see the spectrum at full width; the dense blocks are
narrower. What is pooled has as many channels as in CAM++ and the exit has its names, so that the small network can be
taught what CAM++ pools moment by moment, begin with its exit, and stand in for it wherever moments are wanted.

Shapes: B recordings, T frames of the front end, t = ceil(T / 2).

Knows: the network. Does not know: features, weights, training.
Source: the layers are those of Wang et al., "CAM++", arXiv 2303.00332; the plan is our own.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.networks.campplus import BANDS, DIMENSION, Backbone, DenselyConnected, Residual, Shape
from samevoice.networks.embedding import halved
from samevoice.networks.options import checked_bands, checked_dimension

SHAPE = Shape(width=128, blocks=((6, 1), (10, 2), (7, 2)), growth=32, bottleneck=64, kernel=3, stride=1, pooled=512)
NARROW, WIDE = 16, 32  # channels that see 40 rows, and 20 or 10


class Head(nn.Module):
    """The 2-D front: 80 bands become 10 rows of 32 channels, time is halved."""

    def __init__(self) -> None:
        """Lay out a strided convolution and four residual blocks."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, NARROW, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(NARROW)
        first, second, third = Residual(NARROW, NARROW, 1), Residual(NARROW, WIDE, 2), Residual(WIDE, WIDE, 1)
        self.layers = nn.Sequential(first, second, third, Residual(WIDE, WIDE, 2))

    def forward(self, features: Tensor) -> Tensor:
        """(B, 80, T) -> (B, 320, t), channels before rows."""
        image = F.relu(self.bn1(self.conv1(features.unsqueeze(1))))
        rows: Tensor = self.layers(image)
        return rows.flatten(1, 2)


class Small(DenselyConnected):
    """A network for 80 log mel bands that one core runs in a few milliseconds; 1,439,472 trainable parameters.

    Args:
        dimension: length of an embedding.
        bands: numbers per frame.

    Raises:
        ConfigError: there cannot be so many bands or dimensions.
    """

    def __init__(self, *, dimension: int = DIMENSION, bands: int = BANDS) -> None:
        """Lay out head and backbone."""
        xvector = Backbone(WIDE * halved(checked_bands(bands), 3), checked_dimension(dimension), SHAPE)
        super().__init__(Head(), xvector, dimension=dimension, bands=bands)
