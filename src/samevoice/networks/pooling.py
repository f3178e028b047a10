"""Pooling: from a sequence of any length to one vector.

Knows: statistics over time. Does not know: which network calls it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StatisticsPooling(nn.Module):
    """Mean and unbiased standard deviation of each channel over time, one after the other.

    Source: Snyder et al., "X-vectors: Robust DNN Embeddings for Speaker Recognition", ICASSP 2018.
    """

    def forward(self, sequence: Tensor) -> Tensor:
        """Pool over the last axis.

        Args:
            sequence: shape (B, C, T), T >= 2; one frame has no deviation and gives NaN.

        Returns:
            Shape (B, 2 C): all means, then all deviations.
        """
        mean = sequence.mean(dim=-1, keepdim=True)
        # Written out, because ONNX has no operator for the unbiased deviation.
        squares = (sequence - mean).square().sum(dim=-1)
        deviation = (squares / (sequence.shape[-1] - 1)).sqrt()
        return torch.cat([mean.squeeze(-1), deviation], dim=-1)
