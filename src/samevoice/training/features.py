"""The front ends once more in torch, for batches of sound that lie on the device where a network is trained.

Each twin gives what its front end in `samevoice.features` gives, for every recording of a batch by itself: neither
its neighbours nor its padding change it. They work in double precision, because a logarithm shows the rounding of
faint bands beside loud ones.

Knows: psf-64, log-mel, kaldi-fbank and spectrogram. Does not know: networks, crops.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from samevoice.errors import AudioError, ModelError
from samevoice.features import logmel, psf, spectrogram
from samevoice.features.framing import BLOCK, periodic_hann
from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.features.mel import mel_triangles
from samevoice.losses.checks import holds_whole_numbers


class FrontendTwin(nn.Module, ABC):
    """A front end for batches.

    Attributes:
        frontend: the one in numpy that it equals; gives the sizes.

    Args:
        spec: the recipe.

    Raises:
        ModelError: the front end cannot do what the spec asks for.
    """

    filters: Tensor
    window: Tensor
    lead = 0  # samples before its start that a frame takes in; pre-emphasis happens before frames are cut

    def __init__(self, spec: FrontendSpec) -> None:
        """Take over the sizes; no parameters are trained."""
        super().__init__()
        self.frontend = build_frontend(spec)

    def forward(self, samples: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The whole recipe on each recording of a batch.

        Args:
            samples: float, shape (batch, n), in [-1, 1], at the rate of the spec.
            lengths: integers, shape (batch,): samples of each recording, from 1 to n; what follows them is not
                looked at. By default all are n long.

        Returns:
            Features, float32 (batch, frames, bands), zero beyond each recording's own frames; and how many those
            are, int64 (batch,).

        Raises:
            AudioError: a wrong shape, values that are not finite, or a recording of less than one frame.
        """
        if samples.ndim != 2 or not samples.is_floating_point():
            raise AudioError(f"{self._kind}: got {samples.dtype} {tuple(samples.shape)}; give floats (batch, samples)")
        if lengths is None:
            lengths = torch.full((len(samples),), samples.shape[1], device=samples.device)
        counts = self._counts(lengths, samples)
        inside = torch.arange(samples.shape[1], device=samples.device) < lengths.to(samples.device)[:, None]
        sound = self._prepare(samples.double()).masked_fill(~inside, 0.0)
        if not sound.isfinite().all():
            raise AudioError(f"{self._kind}: NaN or infinite samples; clean or record the signal again")
        most, width, hop = int(counts.max()), self.frontend.width, self.frontend.hop
        missing = max(0, (most - 1) * hop + width - sound.shape[1])
        frames = pad(sound, (self.lead, missing)).unfold(1, self.lead + width, hop)[:, :most]
        valid = (torch.arange(most, device=samples.device) < counts[:, None])[..., None]
        # A few recordings at once: spectra that outgrow the processor's cache take three times as long.
        groups = torch.split(frames, max(1, BLOCK // most))
        features = torch.cat([self._describe(group) for group in groups]).masked_fill(~valid, 0.0)
        return self._normalise(features, counts[:, None, None]).masked_fill(~valid, 0.0).float(), counts

    @property
    def _kind(self) -> str:
        """What to call it in messages."""
        return self.frontend.spec.kind

    def _counts(self, lengths: Tensor, samples: Tensor) -> Tensor:
        """Frames of each recording, on the device of the samples."""
        batch, longest = samples.shape
        whole = isinstance(lengths, Tensor) and holds_whole_numbers(lengths)
        if not whole or lengths.shape != (batch,) or not ((lengths > 0) & (lengths <= longest)).all() or not batch:
            raise AudioError(f"{self._kind}: lengths do not fit samples {batch, longest}; give integers (batch,), 1..n")
        counts = [self.frontend.count(length) for length in lengths.tolist()]
        if not min(counts):
            raise AudioError(f"{self._kind}: a recording holds no frame; give at least {self.frontend.width} samples")
        return torch.tensor(counts, device=samples.device)

    def _prepare(self, sound: Tensor) -> Tensor:
        """What the recipe does to sound (batch, n) before it is cut into frames."""
        return sound

    @abstractmethod
    def _describe(self, frames: Tensor) -> Tensor:
        """Frames (batch, frames, lead + width) to numbers (batch, frames, bands)."""

    def _normalise(self, features: Tensor, counts: Tensor) -> Tensor:  # noqa: ARG002
        """What the recipe does over each recording; its `counts` (batch, 1, 1) frames are followed by zeros."""
        return features


class PsfTwin(FrontendTwin):
    """`samevoice.features.psf.Psf64` for batches."""

    def __init__(self, spec: FrontendSpec) -> None:
        """Put the filters where `to` moves them."""
        super().__init__(spec)
        self.register_buffer("filters", torch.from_numpy(psf.psf_filters().T.copy()), persistent=False)

    def _prepare(self, sound: Tensor) -> Tensor:
        return sound - psf.PRE_EMPHASIS * pad(sound, (1, 0))[:, :-1]

    def _describe(self, frames: Tensor) -> Tensor:
        energies = _power(frames, psf.FFT) / psf.FFT @ self.filters
        energies = energies.masked_fill(energies == 0.0, psf.ENERGY_FLOOR)
        centred = energies - energies.mean(dim=2, keepdim=True)
        deviation = torch.std(energies, dim=2, correction=0, keepdim=True)
        return torch.div(centred, deviation.clamp_min(psf.LEAST_STD))


class LogMelTwin(FrontendTwin):
    """`samevoice.features.logmel.LogMel` for batches."""

    def __init__(self, spec: FrontendSpec) -> None:
        """Put window and filters where `to` moves them."""
        super().__init__(spec)
        filters = mel_triangles(logmel.RATE, logmel.WIDTH, logmel.BANDS, low=logmel.LOW_HZ, high=logmel.HIGH_HZ)
        self.register_buffer("filters", torch.from_numpy(filters.T.copy()), persistent=False)
        self.register_buffer("window", torch.from_numpy(periodic_hann(logmel.WIDTH)), persistent=False)

    def _describe(self, frames: Tensor) -> Tensor:
        magnitudes = _power(frames * self.window, logmel.WIDTH).sqrt()
        return torch.log(magnitudes @ self.filters + logmel.MAGNITUDE_FLOOR)

    def _normalise(self, features: Tensor, counts: Tensor) -> Tensor:
        size = counts * logmel.BANDS
        mean = features.sum(dim=(1, 2), keepdim=True) / size
        variance = features.square().sum(dim=(1, 2), keepdim=True) / size - mean.square()
        return (features - mean) / variance.clamp_min(logmel.LEAST_STD**2).sqrt()


class KaldiTwin(FrontendTwin):
    """`samevoice.features.kaldi.KaldiFbank` for batches.

    Source: Kaldi's feature-window.cc and mel-computations.cc: mean removed and pre-emphasised within the frame, Povey
    window, power spectrum of the next power of two, triangles in mel from 20 Hz to half the rate, floored logarithm.
    """

    PRE_EMPHASIS = 0.97
    POVEY_EXPONENT = 0.85
    LOW_HZ = 20.0
    ENERGY_FLOOR = torch.finfo(torch.float32).eps

    def __init__(self, spec: FrontendSpec) -> None:
        """Put window and filters where `to` moves them."""
        super().__init__(spec)
        width = self.frontend.width
        self._size = 1 << (width - 1).bit_length()
        filters = mel_triangles(spec.rate, self._size, spec.bands, low=self.LOW_HZ, high=spec.rate / 2)
        self.register_buffer("filters", torch.from_numpy(filters.T.copy()), persistent=False)
        hann = torch.hann_window(width, periodic=False, dtype=torch.float64)
        self.register_buffer("window", hann**self.POVEY_EXPONENT, persistent=False)

    def _describe(self, frames: Tensor) -> Tensor:
        frames = frames - frames.mean(dim=2, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)  # the first sample stands before itself
        frames = (frames - self.PRE_EMPHASIS * before) * self.window
        energies = _power(frames, self._size) @ self.filters
        return torch.log(energies.clamp_min(self.ENERGY_FLOOR))

    def _normalise(self, features: Tensor, counts: Tensor) -> Tensor:
        return features - features.sum(dim=1, keepdim=True) / counts


class SpectrogramTwin(FrontendTwin):
    """`samevoice.features.spectrogram.Spectrogram` for batches."""

    lead = spectrogram.Spectrogram.lead

    def __init__(self, spec: FrontendSpec) -> None:
        """Put window and bands where `to` moves them."""
        super().__init__(spec)
        self.register_buffer("filters", torch.from_numpy(spectrogram.band_weights().T.copy()), persistent=False)
        self.register_buffer("window", torch.from_numpy(periodic_hann(spectrogram.FFT)), persistent=False)

    def _describe(self, frames: Tensor) -> Tensor:
        magnitudes = _power(frames * self.window, spectrogram.FFT).sqrt()
        return 20.0 * torch.log10(magnitudes.clamp_min(spectrogram.LEAST_MAGNITUDE)) @ self.filters

    def _normalise(self, features: Tensor, counts: Tensor) -> Tensor:
        outside = torch.arange(features.shape[1], device=features.device)[:, None] >= counts
        highest = features.masked_fill(outside, -math.inf).amax(dim=(1, 2), keepdim=True)
        lowest = features.masked_fill(outside, math.inf).amin(dim=(1, 2), keepdim=True)
        span = highest - torch.maximum(lowest, highest - spectrogram.RANGE_DB)
        scaled = ((features - highest) / span.clamp_min(spectrogram.LEAST_RANGE_DB) + 1.0).clamp(0.0, 1.0)
        return scaled.masked_fill(span < spectrogram.LEAST_RANGE_DB, 0.0)


TWINS: dict[str, type[FrontendTwin]] = {
    "kaldi-fbank": KaldiTwin,
    "log-mel": LogMelTwin,
    "psf-64": PsfTwin,
    "spectrogram": SpectrogramTwin,
}


def build_twin(spec: FrontendSpec) -> FrontendTwin:
    """The twin of the front end that a spec describes.

    Raises:
        ModelError: that kind has no twin, or cannot do what the spec asks for.
    """
    if spec.kind not in TWINS:
        raise ModelError(f"front end {spec.kind!r} has no twin in torch; use one of {', '.join(sorted(TWINS))}")
    return TWINS[spec.kind](spec)


def _power(frames: Tensor, size: int) -> Tensor:
    """|X|^2 of frames (..., width) by a transform of so many points, shape (..., size // 2 + 1)."""
    spectrum = torch.fft.rfft(frames, size)
    return torch.square(spectrum.real) + torch.square(spectrum.imag)
