"""Playing speed: a recording played faster or slower, its pitch with it.

Knows: lengths. Does not know: whether the voice then counts as another speaker.
Source: Ko et al., "Audio Augmentation for Speech Recognition", Interspeech 2015; as further speakers: Yamamoto et al.,
"Speaker Augmentation and Bandwidth Extension for Deep Speaker Embedding", Interspeech 2019.
"""

from __future__ import annotations

import numpy as np
import soxr

from samevoice.audio.resample import QUALITY
from samevoice.audio.waveform import Samples

SLOWEST, FASTEST = 0.5, 2.0


def change_speed(samples: Samples, rate: int, factor: float) -> Samples:
    """A recording played at another speed.

    Args:
        samples: shape (n,).
        rate: in Hz.
        factor: of speed and pitch, 0.5 to 2; above 1 is faster, shorter, higher.

    Returns:
        Shape (round(n / factor),), one sample at least.

    Raises:
        ValueError: the factor is out of range.
    """
    if not SLOWEST <= factor <= FASTEST:
        raise ValueError(f"a speed must lie between {SLOWEST} and {FASTEST}, got {factor}")
    if factor == 1:
        return samples
    size = max(1, round(len(samples) / factor))
    played: Samples = soxr.resample(np.ascontiguousarray(samples), rate * factor, rate, quality=QUALITY)
    return fitted(played, size)


def fitted(samples: Samples, size: int) -> Samples:
    """Cut to a length, or filled up with silence."""
    return np.pad(samples[:size], (0, max(0, size - len(samples))))
