"""Cut samples into overlapping frames and describe them, a bounded number at a time.

Knows: framing, its Hann window and the zeros after the end. Does not know: what a description is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.features.frontend import Features

BLOCK = 1024  # frames described at once, so that an hour of speech needs no hour of spectra


def framewise(
    samples: NDArray[np.floating[Any]],
    describe: Callable[[NDArray[Any]], NDArray[np.floating[Any]]],
    *,
    width: int,
    hop: int,
    bands: int,
    count: int | None = None,
) -> Features:
    """Describe each frame of some samples.

    Args:
        samples: shape (n,).
        describe: from frames (m, width) to numbers (m, bands), row by row.
        width: samples per frame.
        hop: samples from one frame to the next.
        bands: numbers per frame.
        count: how many frames; zeros follow the samples where those end too early. By default the frames
            that lie inside.

    Returns:
        Shape (count, bands).
    """
    if count is None:
        count = max(0, 1 + (len(samples) - width) // hop)
    found = np.empty((count, bands), dtype=np.float32)
    if count:
        missing = (count - 1) * hop + width - len(samples)
        padded = np.pad(samples, (0, missing)) if missing > 0 else samples
        frames = np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]
        for start in range(0, count, BLOCK):
            stop = min(start + BLOCK, count)
            found[start:stop] = describe(frames[start:stop])
    return found


def periodic_hann(width: int) -> NDArray[np.float64]:
    """The window 0.5 - 0.5 cos(2 pi n / width), shape (width,)."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(width) / width))
