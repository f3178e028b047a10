"""Speech as it goes on: the segments of `Hysteresis`, handed out piece by piece as soon as they are certain.

Joined, the pieces are exactly the segments that the whole recording gives. A piece comes late by what makes it certain:
the first one of a segment by the shortest speech, the last one by the shortest pause.

Knows: probabilities. Does not know: sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.speech.timeline import Seconds, Segment
from samevoice.speech.vad import Hysteresis


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a segment of speech.

    Args:
        segment: when; the padding of the segment's ends may reach beyond the recording.
        last: whether the segment ends with it.
    """

    segment: Segment
    last: bool


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
        self._given: Seconds | None = None  # how far it was handed out

    @property
    def settled(self) -> Seconds:
        """All speech before this moment was handed out."""
        if self._given is not None:
            return self._given
        open_since = self._heard if self._first is None else self._first
        return max(open_since * self._hop - self._rules.padding, 0.0)

    def push(self, probabilities: NDArray[np.float32]) -> Iterator[Piece]:
        """Pieces that are certain with these probabilities, in order.

        Args:
            probabilities: the next ones, any number, shape (n,), in [0, 1].
        """
        for probability in probabilities.tolist():
            self._loud = probability >= self._rules.offset and (self._loud or probability >= self._rules.onset)
            if self._loud:
                self._first = self._heard if self._first is None else self._first
                self._end = self._heard + 1
            self._heard += 1
            if self._first is not None and (self._heard - self._end) * self._hop >= self._rules.min_silence:
                yield from self._closed()
        yield from self._more(self._end * self._hop, last=False)

    def finish(self) -> Iterator[Piece]:
        """What is left at the end of the recording."""
        yield from self._closed()

    def _closed(self) -> Iterator[Piece]:
        """The rest of the open segment; the next speech begins another one."""
        yield from self._more(self._end * self._hop + self._rules.padding, last=True)
        self._first = self._given = None

    def _more(self, end: Seconds, *, last: bool) -> Iterator[Piece]:
        """The open segment up to here, if it is long enough to be one."""
        if self._first is None or (self._end - self._first) * self._hop < self._rules.min_speech:
            return
        start = max(self._first * self._hop - self._rules.padding, 0.0) if self._given is None else self._given
        if end > start:
            yield Piece(Segment(start, end), last)
            self._given = end
