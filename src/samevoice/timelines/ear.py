"""What is measured while a recording passes by: probabilities of speech, level, the outline of its waveform.

Knows: blocks of sound, Silero's probabilities. Does not know: models of voices, slices' embeddings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.blocks import regroup
from samevoice.audio.waveform import Samples, Waveform
from samevoice.speech.timeline import Timeline
from samevoice.speech.vad import RATE, Hysteresis, SileroVad
from samevoice.timelines.grid import Times
from samevoice.timelines.table import Column

CELL = RATE // 100  # samples: 10 ms
OUTLINE = 4_000  # parts of an envelope: more than a picture has dots


class Ear:
    """A detector that keeps what it heard; for one recording.

    Args:
        detector: finds the speech.
        hysteresis: how its probabilities become segments.
    """

    def __init__(self, detector: SileroVad, hysteresis: Hysteresis) -> None:
        """Start with nothing heard."""
        self._detector, self._hysteresis = detector, hysteresis
        self._probabilities: Column = np.empty(0, dtype=np.float32)
        self._energy: list[Column] = []
        self._low: list[Column] = []
        self._high: list[Column] = []
        self._samples = 0

    def __call__(self, blocks: Iterable[Waveform], /) -> Timeline:
        """The timeline of speech over consecutive 16 kHz blocks of one recording."""
        self._probabilities, extent = self._detector.probabilities(self._measured(blocks))
        return self._hysteresis.segments(self._probabilities, self._detector.hop, extent)

    def probability(self, starts: Times, ends: Times) -> Column:
        """Mean probability of speech between moments, float32 (n,), whatever part of 32 ms lies between them."""
        edges = np.arange(len(self._probabilities) + 1) * self._detector.hop
        return np.clip(_between(edges, self._probabilities * self._detector.hop, starts, ends), 0.0, 1.0)

    def level_dbfs(self, starts: Times, ends: Times) -> Column:
        """Level of the mono mix at 16 kHz between moments, float32 (n,); exact where they are multiples of 10 ms."""
        edges = np.minimum(np.arange(len(_joined(self._energy)) + 1) * CELL, self._samples) / RATE
        power = _between(edges, _joined(self._energy) / RATE, starts, ends)
        level: Column = np.maximum(10 * np.log10(np.maximum(power, 1e-20)), -200.0).astype(np.float32)
        return level

    def envelope(self) -> Column:
        """Lowest and highest sample in equal parts of the recording, at most 4,000 of them, float32 (2, k)."""
        low, high = _joined(self._low), _joined(self._high)
        if not len(low):
            return np.zeros((2, 1), dtype=np.float32)
        first = np.linspace(0, len(low), min(len(low), OUTLINE), endpoint=False).astype(int)
        return np.stack([np.minimum.reduceat(low, first), np.maximum.reduceat(high, first)])

    def _measured(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        """Measure in passing, in cells that do not depend on how the sound was cut."""
        for samples in regroup((block.samples for block in blocks), 100 * CELL):
            self._measure(samples)
            yield Waveform(samples, RATE)

    def _measure(self, samples: Samples) -> None:
        """Add a second, or what is left at the end."""
        self._samples += len(samples)
        first = np.arange(0, len(samples), CELL)
        self._energy.append(np.add.reduceat(np.square(samples, dtype=np.float64), first).astype(np.float32))
        self._low.append(np.minimum.reduceat(samples, first))
        self._high.append(np.maximum.reduceat(samples, first))


def _joined(parts: list[Column]) -> Column:
    """One array of many."""
    return np.concatenate([np.empty(0, dtype=np.float32), *parts])


def _between(edges: NDArray[Any], amounts: NDArray[Any], starts: Times, ends: Times) -> Column:
    """Mean rate of what comes in amounts (n,) between edges (n + 1,), taken from starts to ends."""
    passed = np.concatenate([[0.0], np.cumsum(amounts, dtype=np.float64)])
    within = np.interp(ends, edges, passed) - np.interp(starts, edges, passed)
    length = np.minimum(ends, edges[-1]) - np.minimum(starts, edges[-1])
    rate: Column = (within / np.maximum(length, 1e-9)).astype(np.float32)
    return rate
