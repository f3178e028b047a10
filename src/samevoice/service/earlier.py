"""The recordings of earlier logins: whoever sends one of them again is not let in, by whatever name.

What is kept is a trace of each welcomed recording (`gallery.replay`), in memory, for a day; a new start forgets them.
The recordings of refused attempts leave none: they would be refused again, and could be sent to crowd out the others.

One book is kept for all people, since one voice may be enrolled by two names. With the newest logins of the same person
a recording is compared as closely as can be. Of all others, which are too many for that, those are looked for first
that have words of their traces in common with it at one shift: that finds what was sent again nearly as it was.

Knows: traces, public ids of people, times. Does not know: sounds, names, requests.
Source: Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002, section 4.3
(looking up words, and those that differ from them in one bit, before comparing).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from samevoice.gallery.replay import BITS, SAME_SOUND, likeness

KEPT_SECONDS = 24 * 3600.0
EACH = 100  # logins of one person that are kept; the oldest goes first
LOGINS = 5_000  # of all people; the oldest goes first
BYTES = 2 << 20  # of their traces; the oldest goes first
SHIFTS = 4  # words that are taken for one shift
LEAST_COMMON = 3  # words in common at one shift, from which on traces are compared
LIKELIEST = 16  # shifts that are looked at

Traces = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class _Login:
    """Somebody who was welcome: when by the clock, the public id, the traces of the parts of the sound."""

    at: float
    person: str
    traces: Traces

    @property
    def size(self) -> int:
        """Bytes of the traces."""
        return sum(map(len, self.traces))


class Earlier:
    """The traces of those who were welcome lately; for several threads at once.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with none."""
        self._clock = clock
        self._book: list[_Login] = []  # the oldest first
        self._lock = threading.Lock()

    def is_new(self, person: str, traces: Traces) -> bool:
        """Whether nothing of a sound was heard before; if so it is kept, and of two that come at once only one is new.

        Args:
            person: public id.
            traces: of the parts of the sound.
        """
        with self._lock:
            now = self._clock()
            self._book = [one for one in self._book if one.at > now - KEPT_SECONDS]
            mine = [one for one in self._book if one.person == person]
            others = [one for one in self._book if one.person != person]
            before = [one.traces for one in mine] + _likely(traces, [one.traces for one in others])
            new = not any(is_alike(traces, one) for one in before)
            if new:
                if len(mine) >= EACH:
                    self._book.remove(mine[0])
                self._book.append(_Login(now, person, traces))
                self._let_go()
        return new

    def merge(self, person: str, into: str) -> None:
        """Count what was heard of somebody as heard of another one; both are public ids."""
        with self._lock:
            self._book = [_Login(one.at, into, one.traces) if one.person == person else one for one in self._book]

    def forget(self, person: str) -> None:
        """Keep nothing of somebody who is gone; `person` is the public id."""
        with self._lock:
            self._book = [one for one in self._book if one.person != person]

    @property
    def people(self) -> set[str]:
        """Public ids of those of whom logins are kept."""
        with self._lock:
            return {one.person for one in self._book}

    def __len__(self) -> int:
        """How many logins are kept."""
        return len(self._book)

    def _let_go(self) -> None:
        """Keep within the bounds."""
        size, first = sum(one.size for one in self._book), 0
        while size > BYTES or len(self._book) - first > LOGINS:
            size -= self._book[first].size
            first += 1
        del self._book[:first]


def is_alike(some: Iterable[bytes], others: Traces) -> bool:
    """Whether any two of the traces are of one recording."""
    return any(likeness(one, other) >= SAME_SOUND for one in some for other in others)


def _likely(traces: Traces, book: Sequence[Traces]) -> list[Traces]:
    """Those of many that have the most in common with a sound, where that is enough to compare them."""
    if not book:
        return []
    told = [b"".join(one) for one in book]
    words = np.frombuffer(b"".join(told), dtype=np.uint16)
    ends = np.cumsum([len(one) // words.itemsize for one in told])
    mine = np.frombuffer(b"".join(traces), dtype=np.uint16)
    sought = np.full(1 << BITS, -1)  # for each word, where this sound has it
    for flip in [1 << bit for bit in range(BITS)] + [0]:  # its own words last, since they tell the most
        sought[mine ^ np.uint16(flip)] = np.arange(len(mine))
    sought[0] = -1  # silence
    places = sought[words]
    found = np.flatnonzero(places >= 0)
    shifts, counts = np.unique((found - places[found]) // SHIFTS, return_counts=True)
    both = counts + np.where(np.diff(shifts, append=shifts[-1:]) == 1, np.append(counts[1:], 0), 0)
    best = np.argsort(both)[::-1][:LIKELIEST]
    best = best[both[best] >= LEAST_COMMON]
    near = found[np.isin((found - places[found]) // SHIFTS, shifts[best])]
    return [book[number] for number in np.unique(np.searchsorted(ends, near, side="right"))]
