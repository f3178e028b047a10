"""Speech as it goes on: the segments of `Hysteresis`, handed out piece by piece as soon as they are certain.

Joined, the pieces are exactly the segments that the whole recording gives. A piece comes late by what makes it certain:
the first one of a segment by the shortest speech, the last one by the shortest pause.

Knows: probabilities. Does not know: sound.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from samevoice.speech.timeline import Seconds, Segment
from samevoice.speech.vad import Hysteresis


class Gate:
    """Lets speech through.

    Args:
        hysteresis: how probabilities become segments.
        hop: seconds per probability.
    """

    def __init__(self, hysteresis: Hysteresis, hop: Seconds) -> None:
        """Begin at time 0, in silence."""
        self._rules, self._hop = hysteresis, hop
        self._heard = 0  # windows
        self._loud = False  # in a run of windows above the offset that has reached the onset
        self._first: int | None = None  # windows of the segment that is open
        self._end = 0
        self._given: Seconds = 0.0  # where the newest piece ended

    @property
    def speaking(self) -> bool:
        """Whether the newest piece may go on."""
        return self._first is not None and self._enough

    @property
    def settled(self) -> Seconds:
        """Pieces to come begin here or later."""
        since = self._heard if self._first is None else self._first
        return max(self._given, since * self._hop - self._rules.padding)

    def push(self, probabilities: NDArray[np.float32]) -> Iterator[Segment]:
        """Pieces that are certain with these probabilities, in order; they touch where they are one segment.

        The padding may reach beyond the recording.

        Args:
            probabilities: the next ones, any number, shape (n,), in [0, 1].
        """
        goes_on = (probabilities >= self._rules.offset).tolist()  # in single precision, like the whole
        begins = (probabilities >= self._rules.onset).tolist()
        for some, loud in zip(goes_on, begins, strict=True):
            self._loud = some and (self._loud or loud)
            self._heard += 1
            if self._loud:
                self._first = self._heard - 1 if self._first is None else self._first
                self._end = self._heard
            elif (self._heard - self._end) * self._hop >= self._rules.min_silence:
                yield from self.finish()
        yield from self._until(self._end * self._hop)

    def finish(self) -> Iterator[Segment]:
        """The end of the open segment, for want of more speech."""
        yield from self._until(self._end * self._hop + self._rules.padding)
        self._first = None

    @property
    def _enough(self) -> bool:
        """Whether the open segment is long enough to be one."""
        return (self._end - (self._first or 0)) * self._hop >= self._rules.min_speech

    def _until(self, end: Seconds) -> Iterator[Segment]:
        """What was not handed out of the open segment."""
        if self._first is None or not self._enough:
            return
        start = max(self._first * self._hop - self._rules.padding, self._given)
        if end > start:
            self._given = end
            yield Segment(start, end)
