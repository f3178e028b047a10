"""The pictures of SpectrogramNet, computed instead of plotted: levels in dB over time and logarithmic frequency.

    pictures       5 s of sound every 4 s; 227 frames by 227 bands, row = moment, column = frequency (low to high)
    frames         2,048 samples around every 486th; 5 s give 227 of them
    spectrum       periodic Hann window, 20 log10(max(|X|, 1e-5)) dB
    bands          227 frequencies, evenly spaced up to 65.4 Hz, then by equal ratios up to 11,025 Hz
    normalisation  at most 80 dB below the loudest point, then scaled to [0, 1] per picture

The seed drew 216 frames (one per 512 samples) as a coloured plot and shrank it to a grey picture; taking a frame per
row of the picture leaves out the stretching, the colours and the white margins. Before and behind a picture's own 5 s
lie zeros here, where the seed's library reflected the sound: two or three rows at either edge differ by that.

Knows: this recipe. Does not know: picture files.
Source: seed You-Only-Speak-Once (SpectrogramNet).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples, Waveform
from samevoice.errors import AudioError
from samevoice.features.framing import framewise, periodic_hann
from samevoice.features.frontend import Features, Frontend, FrontendSpec, check_spec, samples_at_rate

RATE = 22_050
BANDS = 227
FFT = 2048
HOP = 486  # the shortest hop that gives no more than 227 frames in 5 s: ceil(5 x 22,050 / 227)
LEAST_MAGNITUDE = 1e-5
RANGE_DB = 80.0
LEAST_RANGE_DB = 1e-3  # a picture that varies less is of one shade: zeros
LINEAR_HZ = 65.4064  # C2; the octave above it is drawn as high as everything below it

PICTURE_SECONDS = 5
STEP_SECONDS = 4


class Spectrogram(Frontend):
    """Levels at 227 frequencies per frame, in dB; scaled to [0, 1] over a stretch.

    Args:
        spec: kind "spectrogram", 22,050 Hz, 227 bands; no options.

    Raises:
        ModelError: the spec has another rate or size, or carries an option.
    """

    lead = FFT // 2  # a frame is centred at its start
    width = FFT // 2
    hop = HOP

    def __init__(self, spec: FrontendSpec) -> None:
        """Fix window and bands; no state is kept between calls."""
        check_spec(spec, rate=RATE, bands=BANDS)
        self.spec = spec
        self._window = periodic_hann(FFT)
        self._weights = band_weights().T.copy()

    def count(self, samples: int) -> int:
        """1 + n // 486: a frame around every hop, the first around the first sample."""
        return 1 + samples // HOP if samples > 0 else 0

    def frames(self, samples: Samples, /, count: int | None = None) -> Features:
        """Levels in dB, -100 or more, shape (count, 227); see `Frontend.frames`."""
        return framewise(samples, self._describe, width=FFT, hop=HOP, bands=BANDS, count=count)

    def normalise(self, features: Features, /) -> Features:
        """From dB to [0, 1]: the loudest point is 1, the faintest of the upper 80 dB is 0."""
        highest = float(features.max())
        lowest = max(float(features.min()), highest - RANGE_DB)
        if highest - lowest < LEAST_RANGE_DB:
            return np.zeros_like(features)
        scaled: Features = np.clip((features - np.float32(lowest)) / np.float32(highest - lowest), 0.0, 1.0)
        return scaled

    def _describe(self, frames: NDArray[Any]) -> NDArray[np.float64]:
        """Frames (m, 2048) to levels (m, 227)."""
        magnitudes = np.abs(np.fft.rfft(frames * self._window))
        levels: NDArray[np.float64] = 20.0 * np.log10(np.maximum(magnitudes, LEAST_MAGNITUDE)) @ self._weights
        return levels


def pictures(sound: Samples | Waveform, frontend: Frontend) -> Features:
    """The pictures of a recording: 5 s each, one every 4 s while more than 5 s remain.

    Args:
        sound: a `Waveform`, or bare samples of shape (n,), which must have the rate of the front end.
        frontend: a `Spectrogram`.

    Returns:
        Shape (pictures, 227, 227), in [0, 1].

    Raises:
        AudioError: the recording is no longer than 5 s, has another rate, or is no finite sound of one channel.
    """
    samples, rate = samples_at_rate(sound, frontend.spec), frontend.spec.rate
    length, step = PICTURE_SECONDS * rate, STEP_SECONDS * rate
    starts = range(0, len(samples) - length, step)  # as in the seed, a picture never ends with the recording
    if not starts:
        raise AudioError(f"pictures: {len(samples)} samples at {rate} Hz are too few; give more than {length} (5 s)")
    return np.stack([frontend(samples[start : start + length]) for start in starts])


def band_frequencies() -> NDArray[np.float64]:
    """The 227 frequencies of a picture's columns in Hz, from 0 to 11,025."""
    octaves = np.linspace(0.0, 1.0 + np.log2(RATE / 2 / LINEAR_HZ), BANDS)
    return np.asarray(LINEAR_HZ * np.where(octaves < 1.0, octaves, 2.0 ** (octaves - 1.0)))


def band_weights() -> NDArray[np.float64]:
    """How much each bin of the spectrum counts in each band, shape (227, 1025); rows sum to 1.

    A triangle from neighbour to neighbour averages the many bins of a high band; where bands lie closer than bins it
    is at least two bins wide, which makes it linear interpolation.
    """
    bins, spacing = np.fft.rfftfreq(FFT, 1.0 / RATE), RATE / FFT
    centre = band_frequencies()
    lower = centre - np.maximum(np.diff(centre, prepend=-spacing), spacing)
    upper = centre + np.maximum(np.diff(centre, append=RATE), spacing)
    rising = (bins - lower[:, None]) / (centre - lower)[:, None]
    falling = (upper[:, None] - bins) / (upper - centre)[:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
