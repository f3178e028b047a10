"""The last half minute of speech, and when each sample of it was said.

Knows: samples, places. Does not know: what is speech, who speaks.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples
from samevoice.speech.timeline import Seconds

KEPT: Seconds = 30.0


class SpeechRing:
    """A bounded store that only speech enters; what is oldest leaves.

    Args:
        rate: in Hz.
        seconds: how much is kept, above 0.
    """

    def __init__(self, rate: int, seconds: Seconds = KEPT) -> None:
        """Begin empty."""
        self.rate = rate
        self.capacity = round(seconds * rate)
        self.total = 0
        self._parts: deque[tuple[int, Samples]] = deque()
        self._held = 0

    def __len__(self) -> int:
        """Samples held, at most `capacity`."""
        return self._held

    @property
    def seconds(self) -> Seconds:
        """How much is held."""
        return self._held / self.rate

    def push(self, first: int, samples: Samples) -> None:
        """Keep speech.

        Args:
            first: its place in the source, in samples; not before the end of what was pushed before.
            samples: shape (n,); kept as they are.
        """
        self._parts.append((first, samples))
        self._held += len(samples)
        self.total += len(samples)
        while self._held > self.capacity:
            start, oldest = self._parts.popleft()
            surplus = self._held - self.capacity
            self._held -= len(oldest)
            if surplus < len(oldest):
                self._parts.appendleft((start + surplus, oldest[surplus:]))
                self._held += len(oldest) - surplus

    def last(self, count: int) -> Samples:
        """The newest samples, at most so many, whatever pauses lay between them; shape (n,)."""
        held: Samples = np.concatenate([np.empty(0, dtype=np.float32), *(samples for _, samples in self._parts)])
        return held[max(self._held - count, 0) :]

    def times(self) -> NDArray[np.float64]:
        """When each sample held was said, in seconds of the source, rising; shape (n,)."""
        places = (first + np.arange(len(samples)) for first, samples in self._parts)
        return np.concatenate([np.empty(0), *places]) / self.rate

    def time_of(self, back: int) -> Seconds:
        """When the sample was said that lies so many before the end; 1 is the newest, at most `len`.

        Raises:
            ValueError: there is no such sample.
        """
        left = back
        for first, samples in reversed(self._parts):
            if 0 < left <= len(samples):
                return (first + len(samples) - left) / self.rate
            left -= len(samples)
        raise ValueError(f"sample {back} from the end is not among {self._held}")
