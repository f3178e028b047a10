"""Densely connected time-delay layers, each masked by its context: the body of CAM++.

Every layer appends a few channels (its growth: 32 in CAM++) to its input and scales them by a mask made from the mean
over all time and the mean over the segment of 100 frames around. Names of parameters are those of the published
checkpoint.

Shapes: B recordings, t frames, s = ceil(t / 100) segments, G = growth, N = bottleneck.

Knows: the layers. Does not know: the network around them, features, weights.
Source: Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking",
arXiv 2303.00332, section 2.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

SEGMENT = 100  # frames (after halving) that share one local context


def batch_norm(channels: int, *, affine: bool = True, relu: bool = True) -> nn.Sequential:
    """Batch normalisation and ReLU under the names the checkpoint uses."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(batchnorm=nn.BatchNorm1d(channels, affine=affine))
    if relu:
        layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


class MaskedConvolution(nn.Module):
    """A dilated convolution whose output is masked by what surrounds it (the paper's equations 3 to 6)."""

    def __init__(self, bottleneck: int, growth: int, dilation: int) -> None:
        """Lay out the convolution and the two-layer mask."""
        super().__init__()
        self.linear_local = nn.Conv1d(bottleneck, growth, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(bottleneck, bottleneck // 2, 1)
        self.linear2 = nn.Conv1d(bottleneck // 2, growth, 1)

    def forward(self, sequence: Tensor, gather: Tensor, spread: Tensor) -> Tensor:
        """(B, N, t) -> (B, G, t), given both maps of `segment_maps`."""
        # The context is constant within a segment, and so is the mask: both are computed once per segment.
        context = sequence @ gather
        mask = torch.sigmoid(self.linear2(F.relu(self.linear1(context))))
        masked: Tensor = self.linear_local(sequence) * (mask @ spread)
        return masked


class DenseLayer(nn.Module):
    """One layer of a dense block: its outputs are appended to its input."""

    def __init__(self, channels: int, bottleneck: int, growth: int, dilation: int) -> None:
        """Lay out the bottleneck and the masked convolution."""
        super().__init__()
        self.nonlinear1 = batch_norm(channels)
        self.linear1 = nn.Conv1d(channels, bottleneck, 1, bias=False)
        self.nonlinear2 = batch_norm(bottleneck)
        self.cam_layer = MaskedConvolution(bottleneck, growth, dilation)

    def forward(self, sequence: Tensor, gather: Tensor, spread: Tensor) -> Tensor:
        """(B, C, t) -> (B, C + G, t)."""
        inner = self.nonlinear2(self.linear1(self.nonlinear1(sequence)))
        return torch.cat([sequence, self.cam_layer(inner, gather, spread)], dim=1)


class DenseBlock(nn.Module):
    """Dense layers one after the other."""

    def __init__(self, channels: int, layers: int, bottleneck: int, growth: int, dilation: int) -> None:
        """Lay out the layers, each with `growth` more input channels than the one before."""
        super().__init__()
        for index in range(layers):
            self.add_module(f"tdnnd{index + 1}", DenseLayer(channels + index * growth, bottleneck, growth, dilation))

    def forward(self, sequence: Tensor, gather: Tensor, spread: Tensor) -> Tensor:
        """(B, C, t) -> (B, C + G layers, t)."""
        for layer in self.children():
            sequence = layer(sequence, gather, spread)
        return sequence


def segment_maps(sequence: Tensor) -> tuple[Tensor, Tensor]:
    """Two matrices that gather a sequence into contexts and spread masks back over it.

    `sequence @ gather` is the mean over all time plus the mean over each segment, the last segment averaged
    over its own length; `mask @ spread` repeats each segment's column over its frames. As products they are
    exact for every length, differentiable, and the same in ONNX.

    Args:
        sequence: shape (B, C, t); only its length and kind are used.

    Returns:
        gather of shape (t, s) and spread of shape (s, t).
    """
    count = sequence.shape[-1]
    frame = torch.arange(count, device=sequence.device).unsqueeze(0)
    begin = torch.arange(0, count, SEGMENT, device=sequence.device).unsqueeze(1)
    spread = ((frame >= begin) & (frame < begin + SEGMENT)).to(sequence.dtype)
    gather = spread / spread.sum(dim=1, keepdim=True) + 1.0 / count
    return gather.t(), spread
