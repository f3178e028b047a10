"""The mel scale of HTK and Kaldi, and triangles on it.

Knows: this scale. Does not know: Slaney's scale (`melspec`), filters floored to bins (`psf`).
Source: Young et al., "The HTK Book", 2006, section 5.6: mel = 1127 ln(1 + f / 700).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mel_triangles(rate: int, size: int, bands: int, *, low: float, high: float) -> NDArray[np.float64]:
    """Triangular filters of unit peak, evenly spaced and straight-sided in mel.

    Args:
        rate: in Hz.
        size: length of the Fourier transform in samples.
        bands: how many filters.
        low: where the first filter begins, in Hz, > 0, so that the zeroth bin has no weight.
        high: where the last filter ends, in Hz, <= rate / 2.

    Returns:
        Shape (bands, size // 2 + 1), to be multiplied with a spectrum.
    """
    bins = hz_to_mel(np.arange(size // 2 + 1) * rate / size)
    corners = np.linspace(hz_to_mel(np.array(low)), hz_to_mel(np.array(high)), bands + 2)
    lower, centre, upper = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    return np.maximum(0.0, np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)))


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mel of a frequency in Hz."""
    return np.asarray(1127.0 * np.log1p(hz / 700.0))
