"""The front end of SpeechIdentity: log mel magnitudes at 48 kHz, normalised per recording.

    frames         1,024 samples every 256 (5.33 ms), ceil(n / 256) of them; zeros follow the sound
    spectrum       periodic Hann window, 1,024-point transform, magnitude |X|
    filters        80 triangles of unit peak, straight-sided in mel, 80 to 10,000 Hz
    logarithm      ln(m + 1e-6)
    normalisation  (v - mean) / max(std, 0.01), one mean and deviation over all frames and bands of the recording

Knows: this recipe. Does not know: batches; the seed took mean and deviation over a batch with its padding, so that
a clip's features depended on its neighbours.
Source: seed SpeechIdentity (douglas125), with its normalisation mended.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples
from samevoice.features.framing import framewise, periodic_hann
from samevoice.features.frontend import Features, Frontend, FrontendSpec, check_spec
from samevoice.features.mel import mel_triangles

RATE = 48_000
BANDS = 80
WIDTH = 1024
HOP = 256
LOW_HZ, HIGH_HZ = 80.0, 10_000.0
MAGNITUDE_FLOOR = 1e-6
LEAST_STD = 1e-2  # far below any audible sound's, far above what rounding adds to silence


class LogMel(Frontend):
    """80 log mel magnitudes per frame; zero mean and unit deviation over a recording.

    Args:
        spec: kind "log-mel", 48,000 Hz, 80 bands; no options.

    Raises:
        ModelError: the spec has another rate or size, or carries an option.
    """

    width = WIDTH
    hop = HOP

    def __init__(self, spec: FrontendSpec) -> None:
        """Fix window and filters; no state is kept between calls."""
        check_spec(spec, rate=RATE, bands=BANDS)
        self.spec = spec
        self._window = periodic_hann(WIDTH)
        self._filters = mel_triangles(RATE, WIDTH, BANDS, low=LOW_HZ, high=HIGH_HZ).T.copy()

    def count(self, samples: int) -> int:
        """ceil(n / 256): a frame for every hop that begins within the sound."""
        return -(-samples // HOP)

    def frames(self, samples: Samples, /, count: int | None = None) -> Features:
        """Log mel magnitudes before normalisation, shape (count, 80); see `Frontend.frames`."""
        return framewise(samples, self._describe, width=WIDTH, hop=HOP, bands=BANDS, count=count)

    def normalise(self, features: Features, /) -> Features:
        """Subtract the mean and divide by the deviation, both over all frames and bands; silence becomes zeros."""
        wide = features.astype(np.float64)
        normalised: Features = ((wide - wide.mean()) / max(float(wide.std()), LEAST_STD)).astype(np.float32)
        return normalised

    def _describe(self, frames: NDArray[Any]) -> NDArray[np.float64]:
        """Frames (m, 1024) to log mel magnitudes (m, 80)."""
        # Double precision: single loses bands that lie 100 dB below a loud one, far above the floor of 1e-6.
        magnitudes = np.abs(np.fft.rfft(frames * self._window))
        return np.log(magnitudes @ self._filters + MAGNITUDE_FLOOR)
