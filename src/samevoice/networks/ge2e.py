"""The GE2E encoder of Resemblyzer: three LSTM layers and a projection of the last hidden state.

Knows: the network. Does not know: features, windows, weights.
Source: Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018, equation 4; sizes and
parameter names of the published Resemblyzer weights.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.networks.embedding import EmbeddingNetwork

BANDS = 40
DIMENSION = 256


class Ge2e(EmbeddingNetwork):
    """GE2E for windows of 160 frames of 40 mel powers; 1,423,616 parameters."""

    frontend = "mel-power"
    bands = BANDS
    dimension = DIMENSION

    def __init__(self) -> None:
        """Lay out recurrence and projection."""
        super().__init__()
        self.lstm = nn.LSTM(BANDS, DIMENSION, num_layers=3, batch_first=True)
        self.linear = nn.Linear(DIMENSION, DIMENSION)

    def forward(self, features: Tensor) -> Tensor:
        """Embed a batch of equally long windows.

        Args:
            features: mel powers without logarithm, shape (B, T, 40), T >= 1.

        Returns:
            Raw embeddings, none negative, not L2-normalised, shape (B, 256).

        Raises:
            ModelError: the features have another shape, or are not finite.
        """
        self.require(features)
        _, (hidden, _) = self.lstm(features)
        return F.relu(self.linear(hidden[-1]))
