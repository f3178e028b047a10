"""The recordings of earlier logins: whoever sends one of them again is not let in.

What is kept is a trace of each welcomed recording (`gallery.replay`), in memory, for a day; a new start forgets them.
The recordings of refused attempts leave none: they would be refused again, and could be sent to crowd out the others.

Knows: traces, public ids of people, times. Does not know: sounds, names, requests.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from samevoice.gallery.replay import SAME_SOUND, likeness

KEPT_SECONDS = 24 * 3600.0
EACH = 100  # logins of one person that are kept; the oldest goes first
PEOPLE = 5_000  # of whom logins are kept; whoever logged in longest ago goes first

Traces = Sequence[bytes]


class Earlier:
    """The traces of those who were welcome lately; for several threads at once.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with none."""
        self._clock = clock
        self._heard: dict[str, deque[tuple[float, Traces]]] = {}  # whoever logged in longest ago comes first
        self._lock = threading.Lock()

    def is_new(self, person: str, traces: Traces) -> bool:
        """Whether nothing of a sound was heard before; if so it is kept, and of two that come at once only one is new.

        Args:
            person: public id.
            traces: of the parts of the sound.
        """
        with self._lock:
            now = self._clock()
            logins = self._heard.pop(person, deque(maxlen=EACH))
            while logins and logins[0][0] <= now - KEPT_SECONDS:
                logins.popleft()
            new = not any(is_alike(traces, before) for _, before in logins)
            if new:
                logins.append((now, traces))
            while len(self._heard) >= PEOPLE:
                del self._heard[next(iter(self._heard))]
            self._heard[person] = logins
        return new

    def forget(self, person: str) -> None:
        """Keep nothing of somebody who was deleted; `person` is the public id."""
        with self._lock:
            self._heard.pop(person, None)

    def __len__(self) -> int:
        """How many people something is kept of."""
        return len(self._heard)


def is_alike(some: Iterable[bytes], others: Traces) -> bool:
    """Whether any two of the traces are of one recording."""
    return any(likeness(one, other) >= SAME_SOUND for one in some for other in others)
