"""Silero's voice activity network (version 6, 16 kHz), shaped so that a whole recording is one call.

The published graph takes one window of 32 ms per call, and most of its time is the call. Here the windows are
the rows of one image, convolved along its columns only, and then the sequence of the LSTM: the same
probabilities, from a few large products of matrices instead of thousands of small ones.

Knows: the network. Does not know: how windows are cut, or what is done with the probabilities.
Source: the graph published as silero-vad 6.2 (MIT), read as data.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

WINDOW = 576  # 64 samples of context and 512 new ones
BINS = 129
STRIDE = 128
HIDDEN = 128


class Spectrum(nn.Module):
    """Magnitudes of a short-time Fourier transform whose basis is stored with the weights."""

    forward_basis_buffer: Tensor

    def __init__(self) -> None:
        """Reserve the basis: 129 real rows, then 129 imaginary ones, over 256 samples."""
        super().__init__()
        self.register_buffer("forward_basis_buffer", torch.zeros(2 * BINS, 1, 2 * STRIDE))

    def forward(self, windows: Tensor) -> Tensor:
        """(N, 576) -> (1, 129, N, 4)."""
        padded = F.pad(windows.unsqueeze(0), (0, 64), mode="reflect").unsqueeze(0)
        parts = F.conv2d(padded, self.forward_basis_buffer.unsqueeze(2), stride=(1, STRIDE))
        return (parts[:, :BINS].square() + parts[:, BINS:].square()).sqrt()


class Stage(nn.Module):
    """One convolution of the encoder, with ReLU."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        """Lay out the convolution."""
        super().__init__()
        self.reparam_conv = nn.Conv1d(channels, out, 3, stride=stride, padding=1)

    def forward(self, rows: Tensor) -> Tensor:
        """(1, C, N, t) -> (1, out, N, t / stride): each row by itself."""
        convolution = self.reparam_conv
        kernel, stride = convolution.weight.unsqueeze(2), (1, convolution.stride[0])
        return F.relu(F.conv2d(rows, kernel, convolution.bias, stride=stride, padding=(0, 1)))


class Decoder(nn.Module):
    """The memory over windows, and the probability read from it."""

    def __init__(self) -> None:
        """Lay out the recurrence and the read-out under the published names."""
        super().__init__()
        self.rnn = nn.LSTMCell(HIDDEN, HIDDEN)
        self.decoder = nn.Sequential(nn.Dropout(0.1), nn.ReLU(), nn.Conv1d(HIDDEN, 1, 1))

    def forward(self, sequence: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 128) and (2, 1, 128) -> (N,) and (2, 1, 128)."""
        cell = self.rnn
        weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
        start = [state[0:1], state[1:2]]
        outputs, hidden, memory = torch.lstm(sequence.unsqueeze(1), start, weights, True, 1, 0.0, False, False, False)
        probabilities = torch.sigmoid(self.decoder(outputs.permute(1, 2, 0)))
        return probabilities.flatten(), torch.cat([hidden, memory])


class Silero(nn.Module):
    """Probability of speech in each window of 32 ms; 243,585 parameters beside the Fourier basis."""

    def __init__(self) -> None:
        """Lay out spectrum, encoder and decoder."""
        super().__init__()
        self.stft = Spectrum()
        self.encoder = nn.Sequential(Stage(BINS, 128, 1), Stage(128, 64, 2), Stage(64, 64, 2), Stage(64, 128, 1))
        self.decoder = Decoder()

    def forward(self, windows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Walk through consecutive windows.

        Args:
            windows: samples in [-1, 1] at 16 kHz, shape (N, 576): the last 64 samples of the past, 512 new ones.
            state: shape (2, 1, 128), hidden and cell; zeros at the start of a recording.

        Returns:
            Probabilities of shape (N,) and the state behind the last window.
        """
        encoded = self.encoder(self.stft(windows)).squeeze(3).squeeze(0).t()
        found: tuple[Tensor, Tensor] = self.decoder(encoded, state)
        return found
