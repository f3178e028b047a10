"""PyanNet: who of at most three local speakers talks in each 17 ms of a few seconds, two at once included.

Sinc filters and two convolutions over samples, four bidirectional LSTM layers, and one class per *set* of speakers
(the powerset), so that overlap is a class of its own and needs no threshold.

Knows: the network. Does not know: how windows are cut, or which local speaker of one window is which of the next.
Source: Bredin and Laurent, "End-to-end speaker segmentation for overlap-aware resegmentation", Interspeech 2021;
Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization", Interspeech 2023;
Ravanelli and Bengio, "Speaker recognition from raw waveform with SincNet", SLT 2018; Pariente et al., "Filterbank
design for end-to-end speech separation", ICASSP 2020 (the filters' odd halves). Names of tensors are those of the
published checkpoint pyannote/segmentation-3.0 (MIT).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

RATE = 16_000
CLASSES = 7  # nobody; 0, 1, 2; 0+1, 0+2, 1+2
PAIRS = 40  # of an even and an odd filter
HALF = 125  # samples on each side of a filter's centre
STRIDE = 10
LEAST_HZ = 50.0  # of a lower edge, and of a width
CHANNELS = 60
HIDDEN = 128
LAYERS = 4


class SincFilters(nn.Module):
    """Band-pass filters of which only the edges are weights.

    For each band an even filter, the average of its cosines under a Hamming window, and an odd one, that of its sines.
    """

    window_: Tensor
    n_: Tensor

    def __init__(self) -> None:
        """Lay out bands of equal width in mel from 30 Hz up, the left half of a Hamming window, and its times."""
        super().__init__()
        mel = torch.linspace(_mel(30.0), _mel(RATE / 2 - 2 * LEAST_HZ), PAIRS + 1)
        edges = 700 * (10 ** (mel / 2595) - 1)
        self.low_hz_ = nn.Parameter(edges[:-1].unsqueeze(1))
        self.band_hz_ = nn.Parameter(edges.diff().unsqueeze(1))
        self.register_buffer("window_", torch.hamming_window(2 * HALF + 1, periodic=False)[:HALF])
        self.register_buffer("n_", 2 * torch.pi * torch.arange(-HALF, 0.0).unsqueeze(0) / RATE)

    def forward(self) -> Tensor:
        """The filters, shape (80, 1, 251): even ones, then odd ones."""
        low = LEAST_HZ + self.low_hz_.abs()
        high = torch.clamp(low + LEAST_HZ + self.band_hz_.abs(), LEAST_HZ, RATE / 2)
        lower, upper, width = low @ self.n_, high @ self.n_, 2 * (high - low)
        taper = self.window_ / (self.n_ / 2) / width
        even, odd = (upper.sin() - lower.sin()) * taper, (lower.cos() - upper.cos()) * taper
        centre = torch.ones_like(width)
        evens = torch.cat([even, centre, even.flip(1)], dim=1)
        odds = torch.cat([odd, 0 * centre, -odd.flip(1)], dim=1)
        return torch.cat([evens, odds]).unsqueeze(1)


class SincEncoder(nn.Module):
    """Magnitudes of the filters' answers."""

    def __init__(self) -> None:
        """Lay out the filters under the published name."""
        super().__init__()
        self.filterbank = SincFilters()

    def forward(self, sound: Tensor) -> Tensor:
        """(B, 1, 1, samples) -> (B, 80, 1, n)."""
        found = F.conv2d(sound, self.filterbank().unsqueeze(1), stride=(1, STRIDE))
        return F.leaky_relu(found, -1.0)  # the magnitude, in a form that ONNX Runtime computes within the convolution


class Convolution(nn.Conv1d):
    """A convolution over time."""

    def forward(self, rows: Tensor) -> Tensor:
        """(B, C, 1, n) -> (B, out, 1, n - 4)."""
        return F.conv2d(rows, self.weight.unsqueeze(2), self.bias)


class Normalisation(nn.InstanceNorm1d):
    """Zero mean and unit variance of each channel over the window, then an affine map."""

    def __init__(self, channels: int) -> None:
        """Lay out the affine map."""
        super().__init__(channels, affine=True)

    def forward(self, rows: Tensor) -> Tensor:
        """(B, C, 1, n) -> the same shape."""
        return F.instance_norm(rows, weight=self.weight, bias=self.bias)


class SincNet(nn.Module):
    """From samples to 60 numbers per 270 samples, each seeing 991.

    Sound is led through as images of one row, for which ONNX Runtime has its fastest convolutions.
    """

    def __init__(self) -> None:
        """Lay out three convolutions, each with its normalisation, under the published names."""
        super().__init__()
        bands = 2 * PAIRS
        self.wav_norm1d = Normalisation(1)
        self.conv1d = nn.ModuleList(
            [SincEncoder(), Convolution(bands, CHANNELS, 5), Convolution(CHANNELS, CHANNELS, 5)]
        )
        self.norm1d = nn.ModuleList([Normalisation(size) for size in (bands, CHANNELS, CHANNELS)])

    def forward(self, samples: Tensor) -> Tensor:
        """(B, samples) -> (B, 60, frames)."""
        found: Tensor = self.wav_norm1d(samples[:, None, None])
        for convolution, normalisation in zip(self.conv1d, self.norm1d, strict=True):
            found = F.leaky_relu(normalisation(F.max_pool2d(convolution(found), (1, 3))))
        return found.squeeze(2)


class PyanNet(nn.Module):
    """Log-probabilities of the seven sets of speakers per frame; 1,473,265 trainable parameters."""

    def __init__(self) -> None:
        """Lay out convolutions, recurrence and read-out under the published names."""
        super().__init__()
        self.sincnet = SincNet()
        self.lstm = nn.LSTM(CHANNELS, HIDDEN, LAYERS, batch_first=True, bidirectional=True)
        self.linear = nn.ModuleList([nn.Linear(2 * HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)])
        self.classifier = nn.Linear(HIDDEN, CLASSES)

    def forward(self, samples: Tensor) -> Tensor:
        """Segment windows.

        Args:
            samples: in [-1, 1] at 16 kHz, shape (batch, samples), at least 1,261; trained on 10 s.

        Returns:
            Natural log-probabilities, shape (batch, frames, 7), one frame per 270 samples.
        """
        found: Tensor = self.sincnet(samples).transpose(1, 2)
        found, _ = self.lstm(found)
        for layer in self.linear:
            found = F.leaky_relu(layer(found))
        return F.log_softmax(self.classifier(found), dim=-1)


def _mel(hertz: float) -> float:
    """Pitch on O'Shaughnessy's scale."""
    return 2595 * math.log10(1 + hertz / 700)
