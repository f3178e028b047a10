"""What rooms and filters share: lengths that are quick to transform, filters without delay, and power.

Knows: spectra. Does not know: what they stand for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples

_ODD_PARTS = (8, 9, 10, 12, 15)


def fast_size(least: int) -> int:
    """The first length from `least` on that is 2^k times 1, 3, 5, 9 or 15: an FFT of it is quick."""
    doublings = max(0, (least - 1).bit_length() - 4)
    sizes = (part << power for part in _ODD_PARTS for power in (doublings, doublings + 1))
    return min(size for size in sizes if size >= least)


def mean_power(samples: NDArray[np.floating[Any]]) -> float:
    """Mean of the squares, in double precision, so that the faintest sound has one above 0."""
    return float(np.mean(np.square(samples, dtype=np.float64)))


def filtered(samples: Samples, gains: NDArray[np.float64], size: int) -> Samples:
    """Multiply a spectrum by real gains: a filter of linear phase without any delay.

    Args:
        samples: shape (n,).
        gains: factor of each frequency of a transform of `size` points, shape (size // 2 + 1,).
        size: at least n; what exceeds n keeps the end of the sound from reaching into its beginning.
    """
    spectrum = np.fft.rfft(samples, size) * gains
    return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)
