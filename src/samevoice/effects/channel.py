"""The way from the lips to the file: level, band, and the colour of a microphone.

Knows: gains over frequency. Does not know: codecs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samevoice.audio.waveform import Samples
from samevoice.effects.fourier import fast_size, filtered

TELEPHONE_HZ = (300.0, 3_400.0)
EDGE_HZ = 100.0  # from full level to nothing
RINGING_SECONDS = 0.05  # after which an edge that steep has died away


def gain(samples: Samples, level_db: float) -> Samples:
    """A sound made louder or softer; nothing is clipped.

    Args:
        samples: shape (n,).
        level_db: in dB; +6 is about twice the amplitude.
    """
    return (samples * 10 ** (level_db / 20)).astype(np.float32)


def band_limited(samples: Samples, rate: int, low: float, high: float) -> Samples:
    """What passes between two frequencies, without delay.

    Args:
        samples: shape (n,).
        rate: in Hz.
        low: full level from here, nothing 100 Hz below; 0 to cut nothing there, not even a constant.
        high: full level up to here, nothing 100 Hz above; from half the rate on, nothing is cut.
    """
    size = fast_size(len(samples) + round(RINGING_SECONDS * rate))
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    outside = np.maximum(low - frequencies, frequencies - high)  # Hz beyond the nearer edge
    return filtered(samples, 0.5 + 0.5 * np.cos(np.pi * np.clip(outside / EDGE_HZ, 0, 1)), size)


def coloured(samples: Samples, knots_db: ArrayLike) -> Samples:
    """A sound through a smooth frequency response, like that of another microphone.

    Args:
        samples: shape (n,).
        knots_db: gains in dB at equal steps from 0 Hz to half the rate, at least two; straight lines join them.
    """
    # Five knots at 16 kHz ring for less than a millisecond: what wraps around the ends cannot be heard.
    gains: NDArray[np.float64] = np.asarray(knots_db, dtype=np.float64)
    places = np.linspace(0, len(gains) - 1, len(samples) // 2 + 1)
    return filtered(samples, 10 ** (np.interp(places, np.arange(len(gains)), gains) / 20), len(samples))
