"""The sound value: one channel of samples and their rate.

Knows: shape and range of sound. Does not know: files, codecs, speech, models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samevoice.errors import AudioError

Samples = NDArray[np.float32]

MIN_RATE = 4_000
MAX_RATE = 768_000
MAX_CHANNELS = 64
MAX_PEAK = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """A mono sound, read-only.

    Args:
        samples: shape (n,), n >= 1, any real dtype; floats are taken as in [-1, 1], integers are scaled by
            their full range; kept as float32. Shape (n, channels), at most 64 channels, is averaged to mono.
        rate: samples per second in Hz, 4,000 to 768,000.

    Raises:
        AudioError: no samples, NaN or infinity among them, values far beyond full scale, a wrong shape,
            or a rate out of range.
    """

    samples: Samples
    rate: int

    def __init__(self, samples: ArrayLike, rate: int) -> None:
        """Check the promises of the class and freeze a view, never the caller's array."""
        check_rate(rate, "waveform")
        raw = np.asarray(samples)
        if raw.ndim not in (1, 2):
            raise AudioError(f"waveform: samples have shape {raw.shape}; give (n,) or (n, channels)")
        if raw.ndim == 2 and raw.shape[1] > MAX_CHANNELS:
            raise AudioError(f"waveform: samples of shape {raw.shape}: give (n, channels); transpose it")
        if raw.size == 0:
            raise AudioError("waveform: no samples; give at least one")
        if raw.ndim == 2:
            raw = as_float(raw).mean(axis=1, dtype=np.float32)
        view = as_float(raw).view()
        check_samples(view, "waveform")
        view.flags.writeable = False
        object.__setattr__(self, "samples", view)
        object.__setattr__(self, "rate", rate)

    def __reduce__(self) -> tuple[type[Waveform], tuple[Samples, int]]:
        """Rebuild through the constructor, so that a copy is read-only again."""
        return Waveform, (self.samples, self.rate)

    def __repr__(self) -> str:
        """Duration and rate at a glance."""
        return f"Waveform({self.duration:.3f} s, {self.rate} Hz)"

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate

    def cut(self, start: float, end: float) -> Waveform:
        """The part from `start` to `end` seconds, clipped to what exists.

        Args:
            start: in seconds.
            end: in seconds, after the start.

        Raises:
            AudioError: nothing lies between the two.
            ValueError: a bound is NaN or infinite.
        """
        if not (math.isfinite(start) and math.isfinite(end)):
            raise ValueError(f"a cut needs finite bounds in seconds, got {start} and {end}")
        first, last = (round(min(max(bound, 0.0), self.duration) * self.rate) for bound in (start, end))
        return Waveform(self.samples[first:last], self.rate)


def check_rate(rate: int, name: str) -> None:
    """Refuse a sample rate that no recording of speech has.

    Raises:
        AudioError: `rate` lies outside 4,000 to 768,000 Hz.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(f"{name}: a sample rate of {rate} Hz is outside {MIN_RATE} to {MAX_RATE} Hz")


def check_samples(samples: Samples, name: str, offset: float = 0.0) -> None:
    """Refuse what no microphone records.

    Args:
        samples: any shape.
        name: what to call the recording.
        offset: where in the recording the samples begin, in seconds.

    Raises:
        AudioError: NaN, infinity, or values so far beyond [-1, 1] that the scale must be wrong.
    """
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))  # both are NaN where one sample is
    if not peak <= MAX_PEAK:
        if np.isfinite(samples).all():
            raise AudioError(f"{name}: samples reach {peak:.3g} while full scale is 1; divide 16-bit values by 32768")
        raise AudioError(f"{name}: NaN or infinite samples after {offset:.0f} s; clean or record the signal again")


def as_float(samples: NDArray[np.generic]) -> Samples:
    """Any real samples as float32; integers are divided by their full scale (int16: 32,768).

    Raises:
        AudioError: the dtype is not a real number type.
    """
    if np.issubdtype(samples.dtype, np.integer):
        bounds = np.iinfo(str(samples.dtype))
        middle = (int(bounds.max) + int(bounds.min) + 1) // 2
        return ((samples.astype(np.float64) - middle) / (int(bounds.max) + 1 - middle)).astype(np.float32)
    if np.issubdtype(samples.dtype, np.floating):
        with np.errstate(over="ignore"):
            return samples.astype(np.float32, copy=False)
    raise AudioError(f"waveform: samples of type {samples.dtype} are not sound; give floats in [-1, 1] or integers")
