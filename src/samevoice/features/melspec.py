"""Mel-filtered power spectra without logarithm, as librosa's defaults compute them.

Periodic Hann window, power 2, triangular filters on Slaney's mel scale, each of unit area ("slaney" norm).

Knows: this recipe. Does not know: levels, windows over frames, networks.
Source: Slaney, "Auditory Toolbox", 1998 (the mel scale: linear to 1 kHz, logarithmic above).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples
from samevoice.features.framing import framewise, periodic_hann
from samevoice.features.frontend import Features, Frontend, FrontendSpec, check_spec

RATE = 16_000  # of the published network; any other will do
BANDS = 40  # likewise
FRAME_WIDTH_MS = 25
FRAME_HOP_MS = 10

LINEAR_HZ_PER_MEL = 200.0 / 3.0
BREAK_HZ = 1000.0
BREAK_MEL = BREAK_HZ / LINEAR_HZ_PER_MEL
LOG_STEP = np.log(6.4) / 27.0


class MelPower(Frontend):
    """Mel powers; frame i covers samples i x hop to i x hop + width, nothing is centred or padded.

    Args:
        spec: kind "mel-power"; no options.

    Raises:
        ModelError: the spec carries an option, or an impossible rate or number of bands.
    """

    def __init__(self, spec: FrontendSpec) -> None:
        """Fix window and filters; no state is kept between calls."""
        check_spec(spec)
        self.spec = spec
        self.width = spec.rate * FRAME_WIDTH_MS // 1000
        self.hop = spec.rate * FRAME_HOP_MS // 1000
        self._window = periodic_hann(self.width).astype(np.float32)
        self._filters = mel_filters(spec.rate, self.width, spec.bands).T.copy()

    def frames(self, samples: Samples, /, count: int | None = None) -> Features:
        """Mel powers, shape (count, bands); see `Frontend.frames`."""
        size = {"width": self.width, "hop": self.hop, "bands": self.spec.bands}
        return framewise(samples, self._describe, **size, count=count)

    def normalise(self, features: Features, /) -> Features:
        """Nothing: the recipe has no step over the whole stretch."""
        return features

    def _describe(self, frames: NDArray[Any]) -> Features:
        """Frames (m, width) to mel powers (m, bands)."""
        spectrum = np.fft.rfft(frames * self._window, axis=1)
        powers: Features = (np.square(spectrum.real) + np.square(spectrum.imag)).astype(np.float32) @ self._filters
        return powers


def mel_filters(rate: int, width: int, bands: int) -> NDArray[np.float32]:
    """Triangular filters of unit area, evenly spaced in mel from 0 Hz to half the rate.

    Args:
        rate: in Hz.
        width: length of the Fourier transform in samples.
        bands: how many filters.

    Returns:
        Shape (bands, width // 2 + 1), to be multiplied with a power spectrum.
    """
    bins = np.fft.rfftfreq(width, 1.0 / rate)
    corners = hz_of(np.linspace(0.0, float(mel_of(np.array(rate / 2.0))), bands + 2))
    lower, centre, upper = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (upper - lower)
    return filters.astype(np.float32)


def mel_of(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel of a frequency in Hz."""
    above = BREAK_MEL + np.log(np.maximum(hz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hz < BREAK_HZ, hz / LINEAR_HZ_PER_MEL, above)


def hz_of(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The frequency in Hz of Slaney's mel."""
    above = BREAK_HZ * np.exp(LOG_STEP * (np.maximum(mel, BREAK_MEL) - BREAK_MEL))
    return np.where(mel < BREAK_MEL, mel * LINEAR_HZ_PER_MEL, above)
