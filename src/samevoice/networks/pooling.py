"""Pooling: from a sequence of any length to one vector.

Knows: statistics over time. Does not know: which network calls it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from samevoice.networks.precision import at_least_single

FLOOR = 1e-12  # of a variance, so that its square root has a finite gradient where a channel is constant


def deviation(variance: Tensor) -> Tensor:
    """The square root of a variance, shape unchanged; never less than 1e-6, but where it is traced for export."""
    return (variance if torch.onnx.is_in_onnx_export() else variance.clamp(min=FLOOR)).sqrt()


@at_least_single
def statistics(sequence: Tensor) -> Tensor:
    """Means and unbiased deviations over the last axis: (B, C, T) -> (B, 2 C)."""
    mean = sequence.mean(dim=-1, keepdim=True)
    # Written out, because ONNX has no operator for the unbiased deviation.
    squares = (sequence - mean).square().sum(dim=-1)
    spread = deviation(squares / (sequence.shape[-1] - 1))
    return torch.cat([mean.squeeze(-1), spread], dim=-1)


@at_least_single
def weighted_statistics(weights: Tensor, sequence: Tensor) -> Tensor:
    """Weighted means and deviations over the last axis: twice (B, C, T) -> (B, 2 C)."""
    mean = (weights * sequence).sum(dim=-1, keepdim=True)  # (3)
    variance = (weights * (sequence - mean).square()).sum(dim=-1)  # (4), centred so that it is never negative
    return torch.cat([mean.squeeze(-1), deviation(variance)], dim=-1)


class TemporalMean(nn.Module):
    """Mean of each channel over time: (B, C, T) -> (B, C)."""

    def forward(self, sequence: Tensor) -> Tensor:
        """Pool over the last axis, T >= 1."""
        return sequence.mean(dim=-1)


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
        return statistics(sequence)


class AttentiveStatisticsPooling(nn.Module):
    """Weighted mean and deviation over time, where every channel weighs the frames for itself.

    The weights see each frame beside the mean and deviation of the whole utterance (the context).

    Args:
        channels: C of the sequence.
        bottleneck: width of the layer that all channels share (the paper's R).

    Source: Desplanques et al., "ECAPA-TDNN", Interspeech 2020, section 3.1, equations 1 to 4 (tanh for its f);
    Okabe et al., "Attentive Statistics Pooling for Deep Speaker Embedding", Interspeech 2018.
    """

    def __init__(self, channels: int, bottleneck: int = 128) -> None:
        """Lay out the two layers of the weights."""
        super().__init__()
        self.context = StatisticsPooling()
        self.shared = nn.Conv1d(3 * channels, bottleneck, 1)
        self.weights = nn.Conv1d(bottleneck, channels, 1)

    def forward(self, sequence: Tensor) -> Tensor:
        """Pool over the last axis.

        Args:
            sequence: shape (B, C, T), T >= 2.

        Returns:
            Shape (B, 2 C): all weighted means, then all weighted deviations.
        """
        context = self.context(sequence).unsqueeze(-1).expand(-1, -1, sequence.shape[-1])
        scores = self.weights(torch.tanh(self.shared(torch.cat([sequence, context], dim=1))))  # (1)
        weights = torch.softmax(scores, dim=-1)  # (2)
        return weighted_statistics(weights, sequence)
