"""The filter-bank of the Deep Speaker re-implementations: 64 linear mel energies, each frame normalised by itself.

    pre-emphasis   y[t] = x[t] - 0.97 x[t - 1], x[-1] = 0
    frames         400 samples every 160, 1 + ceil((n - 400) / 160) of them; zeros follow the emphasised sound
    spectrum       no window, 512-point transform, |X|^2 / 512
    filters        64 triangles of unit peak, 0 to 8,000 Hz, corners floored to bins; no logarithm
    normalisation  per frame: (v - mean) / max(std, 1e-12); a frame of zeros stays zeros

Knows: this recipe, exactly. Does not know: clips and slices of frames (`cuts`).
Source: seeds voice-embeddings, deep-speaker and You-Only-Speak-Once (FBankNet), which call it "fbank" or "MFCC";
the energies are those of python_speech_features 0.6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples
from samevoice.features.framing import framewise
from samevoice.features.frontend import Features, Frontend, FrontendSpec, check_spec

RATE = 16_000
BANDS = 64
WIDTH = 400  # 25 ms
HOP = 160  # 10 ms
FFT = 512
PRE_EMPHASIS = 0.97
ENERGY_FLOOR = float(np.finfo(np.float64).eps)  # stands for an energy of exactly zero
LEAST_STD = 1e-12


class Psf64(Frontend):
    """64 mel energies per frame, of zero mean and unit deviation within the frame.

    Args:
        spec: kind "psf-64", 16,000 Hz, 64 bands; no options.

    Raises:
        ModelError: the spec has another rate or size, or carries an option.
    """

    lead = 1  # pre-emphasis looks one sample back
    width = WIDTH
    hop = HOP

    def __init__(self, spec: FrontendSpec) -> None:
        """Fix the filters; no state is kept between calls."""
        check_spec(spec, rate=RATE, bands=BANDS)
        self.spec = spec
        self._filters = psf_filters().T.copy()

    def count(self, samples: int) -> int:
        """1 + ceil((n - 400) / 160), and 1 when 1 <= n <= 400: the last frame is padded, never dropped."""
        return 1 + max(0, -((WIDTH - samples) // HOP)) if samples > 0 else 0

    def frames(self, samples: Samples, /, count: int | None = None) -> Features:
        """Normalised mel energies, shape (count, 64); see `Frontend.frames`."""
        sound = samples.astype(np.float64)
        emphasised = sound[1:] - PRE_EMPHASIS * sound[:-1]
        return framewise(emphasised, self._describe, width=WIDTH, hop=HOP, bands=BANDS, count=count)

    def normalise(self, features: Features, /) -> Features:
        """Nothing: every frame was normalised by itself."""
        return features

    def _describe(self, frames: NDArray[Any]) -> NDArray[np.float64]:
        """Emphasised frames (m, 400) to normalised energies (m, 64)."""
        spectrum = np.fft.rfft(frames, FFT)
        energies = (np.square(spectrum.real) + np.square(spectrum.imag)) / FFT @ self._filters
        energies[energies == 0.0] = ENERGY_FLOOR
        centred = energies - energies.mean(axis=1, keepdims=True)
        normalised: NDArray[np.float64] = centred / np.maximum(energies.std(axis=1, keepdims=True), LEAST_STD)
        return normalised


def psf_filters() -> NDArray[np.float64]:
    """Triangles of unit peak whose corners lie on bins, shape (64, 257), to be multiplied with a power spectrum."""
    mels = np.linspace(0.0, 2595.0 * np.log10(1.0 + RATE / 2 / 700.0), BANDS + 2)
    corners = np.floor((FFT + 1) * 700.0 * (10.0 ** (mels / 2595.0) - 1.0) / RATE)
    bins = np.arange(FFT // 2 + 1)
    filters = np.zeros((BANDS, len(bins)))
    for row, left, centre, right in zip(filters, corners, corners[1:], corners[2:], strict=False):
        rising, falling = (left <= bins) & (bins < centre), (centre <= bins) & (bins < right)
        row[rising] = (bins[rising] - left) / (centre - left)
        row[falling] = (right - bins[falling]) / (right - centre)
    return filters
