"""The level gates of the first small projects, kept to compare with and to train as they did.

Both look at loudness alone: noise passes, quiet speech does not. Use `vad.SileroVad` to decide anything.

Source: the voice activity detection of two Deep Speaker re-implementations, with their faults mended: the last
chunk counts, and a recording is never silently replaced by zeros.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from samevoice.audio.waveform import Samples, Waveform
from samevoice.errors import AudioError
from samevoice.speech.timeline import Seconds, Segment, Timeline
from samevoice.speech.vad import runs


@dataclass(frozen=True, slots=True)
class LevelGate:
    """Keep chunks of 50 ms whose level reaches a threshold.

    The level of a chunk of N samples is 20 log10(sqrt(sum((32768 x)^2)) / N + 1e-12): the divisor is N and not
    its root, so the figure lies 10 log10(N) below the usual RMS in dB of 16-bit steps (29.03 dB at 16 kHz).
    Threshold 15 thus means -46.3 dBFS, 20 means -41.3 dBFS. It is absolute: a quiet recording is all silence, unless
    `level_dbfs` makes the gate blind to gain.

    Args:
        threshold: lowest level that is kept; 15 and 20 were used.
        chunk: seconds per chunk; a last, shorter one is judged like the others.
        level_dbfs: judge every recording as if the root mean square of all its samples were at this level, in dB of
            full scale; None to judge it as it is, as the origin does.
        keep_last: False to drop the last chunk, even a complete one, as the origin does.
    """

    threshold: float = 15.0
    chunk: Seconds = 0.05
    level_dbfs: float | None = None
    keep_last: bool = True

    def __call__(self, blocks: Iterable[Waveform], /) -> Timeline:
        """The timeline of chunks that are loud enough."""
        whole = joined(blocks)
        size = max(1, round(self.chunk * whole.rate))
        starts = np.arange(0, len(whole.samples), size)
        sums = np.add.reduceat(np.square(32768.0 * whole.samples.astype(np.float64)), starts)
        lengths = np.diff(np.append(starts, len(whole.samples)))
        total = float(sums.sum())
        if self.level_dbfs is not None and total > 0:
            sums *= 32768.0**2 * 10 ** (self.level_dbfs / 10) * len(whole.samples) / total
        levels = 20 * np.log10(np.sqrt(sums) / lengths + 1e-12)
        loud = levels >= self.threshold
        loud[-1] &= self.keep_last
        kept = runs(loud)
        return Timeline((_span(whole, first * size, last * size) for first, last in kept), whole.duration)


@dataclass(frozen=True, slots=True)
class EdgeTrim:
    """Cut both ends at the first and last sample louder than a percentile; pauses inside stay.

    Args:
        percentile: of the absolute sample values, 0 to 100; 95 was used. The last loud sample is left out, as
            in the origin.
    """

    percentile: float = 95.0

    def __call__(self, blocks: Iterable[Waveform], /) -> Timeline:
        """A timeline of one segment, or of none when no sample exceeds the percentile."""
        whole = joined(blocks)
        size = np.abs(whole.samples)
        loud = np.flatnonzero(size > np.percentile(size, self.percentile))
        if len(loud) < 2:
            return Timeline((), whole.duration)
        return Timeline([_span(whole, int(loud[0]), int(loud[-1]))], whole.duration)


def joined(blocks: Iterable[Waveform]) -> Waveform:
    """Consecutive blocks of one recording as one waveform.

    Raises:
        AudioError: there are no blocks.
    """
    parts: list[Samples] = []
    rate = 0
    for block in blocks:
        parts.append(block.samples)
        rate = block.rate
    if not parts:
        raise AudioError("no sound was given; give at least one block")
    return Waveform(np.concatenate(parts), rate)


def _span(whole: Waveform, first: int, last: int) -> Segment:
    """Sample indices as seconds."""
    return Segment(first / whole.rate, last / whole.rate)
