"""SpeechIdentity's network: two bidirectional LSTM layers and a dense layer.

    layer      what                                        output       parameters
    lstm 1     128 units each way, every frame             T, 256          214,016
    lstm 2     128 units each way, last states             256             394,240
    dense      256 -> 128, unit length                     128              32,896

Knows: the network. Does not know: features, losses, training.
Source: the seed SpeechIdentity; Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 1997.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from samevoice.errors import ModelError
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.networks.keras import initialise, initialise_lstm, unit_length
from samevoice.networks.options import checked_bands

BANDS = 80
UNITS = 128
DIMENSION = 128


class BiLstm(EmbeddingNetwork):
    """Two bidirectional LSTM layers, one bias per gate; 641,152 trainable parameters.

    Args:
        bands: numbers per frame.

    Raises:
        ConfigError: there cannot be so many bands.
    """

    frontend = "log-mel"
    dimension = DIMENSION

    def __init__(self, *, bands: int = BANDS) -> None:
        """Lay out recurrence and dense layer."""
        super().__init__()
        self.bands = checked_bands(bands)
        self.lstm = nn.LSTM(bands, UNITS, num_layers=2, batch_first=True, bidirectional=True)
        self.dense = nn.Linear(2 * UNITS, DIMENSION)
        initialise(self)
        initialise_lstm(self.lstm)

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Embed a batch of utterances.

        Args:
            features: log mel energies, normalised per utterance, float32, shape (B, T, 80), T >= 1.
            lengths: how many frames of each utterance are its own, whole numbers from 1 to T, shape (B,); what lies
                behind them changes nothing. None if all are.

        Returns:
            Embeddings of unit length, shape (B, 128): from the state behind the last frame, read forwards, and the
            state behind the first, read backwards.

        Raises:
            ModelError: the features have another shape or are not finite, or the lengths do not fit them.
        """
        if lengths is None:
            self.require(features)
            _, (hidden, _) = self.lstm(features)
        else:
            check_lengths(lengths, features, self.bands)
            valid = torch.arange(features.shape[1], device=features.device) < lengths.to(features.device).unsqueeze(1)
            self.require(features.masked_fill(~valid.unsqueeze(-1), 0.0))
            packed = pack_padded_sequence(features, lengths.cpu(), batch_first=True, enforce_sorted=False)
            _, (hidden, _) = self.lstm(packed)
        return unit_length(self.dense(torch.cat([hidden[-2], hidden[-1]], dim=-1)))


def check_lengths(lengths: Tensor, features: Tensor, bands: int) -> None:
    """Refuse lengths that do not fit the features.

    Raises:
        ModelError: not a tensor of one whole number from 1 to T per utterance.
    """
    if features.ndim != 3:
        raise ModelError(f"BiLstm takes features (batch, frames, {bands}), got {tuple(features.shape)}")
    batch, frames = features.shape[:2]
    wanted = f"BiLstm takes lengths ({batch},), whole numbers from 1 to {frames}"
    if not isinstance(lengths, Tensor):
        raise ModelError(f"{wanted}, as a tensor, got {type(lengths).__name__}")
    whole = not (lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool)
    if lengths.shape != (batch,) or not whole or bool(((lengths < 1) | (lengths > frames)).any()):
        raise ModelError(f"{wanted}, got {lengths.tolist()}")
