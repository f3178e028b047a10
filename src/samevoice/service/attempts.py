"""How often somebody may try to log in: guessing with many voices, or with one voice at many names, must take long.

Attempts of the last minute are counted three times: of one caller at one person, and, up to ten times as many, at one
person by whoever and of one caller at whomever. So no caller can close the door to a person for the others. Neither a
welcome nor an upload in which there was nothing to compare is counted.

Knows: times, names as keys. Does not know: voices, requests.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from samevoice.gallery.names import name_key
from samevoice.service.problems import Refusal

WINDOW = 60.0  # seconds
MANY = 10  # times as many at one person by all callers, and of one caller at all people, as of one at the other
CROWD = 1_000  # counts from which on those whose minute is over are looked for

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was let through.

    Args:
        keys: of what it counts for.
        at: when, by the clock of `Attempts`.
    """

    keys: tuple[Key, ...] = field(repr=False)  # a name
    at: float


class Attempts:
    """The attempts of the last minute; for several threads at once.

    Args:
        per_minute: how many there may be of one caller at one person.
        clock: seconds that never go back.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with none."""
        self._most = {"both": per_minute, "person": MANY * per_minute, "caller": MANY * per_minute}
        self._clock = clock
        self._times: dict[Key, deque[float]] = {}
        self._lock = threading.Lock()

    def begin(self, person: str, caller: str) -> Attempt:
        """Count an attempt.

        Args:
            person: the name as it was typed; all spellings of one name count as one, and so do those of nobody.
            caller: who asks.

        Raises:
            Refusal: there were too many (429); says when the next may be made.
        """
        who = name_key(person)
        keys: tuple[Key, ...] = (("both", who, caller), ("person", who), ("caller", caller))
        with self._lock:
            now = self._clock()
            self._let_go(now)
            full = [times[0] for key in keys if len(times := self._recent(key, now)) >= self._most[key[0]]]
            if full:
                wait = max(1, math.ceil(max(full) + WINDOW - now))
                raise Refusal(429, "attempts", f"too many attempts to log in; wait {wait} s", retry_after=wait)
            for key in keys:
                self._times.setdefault(key, deque()).append(now)
        return Attempt(keys, now)

    def take_back(self, attempt: Attempt) -> None:
        """Count an attempt no longer: it was who it had to be, or nothing was compared."""
        with self._lock:
            for key in attempt.keys:
                times = self._times.get(key, deque())
                if attempt.at in times:  # its minute may be over
                    times.remove(attempt.at)

    def __len__(self) -> int:
        """How many counts there are, of people, of callers and of both."""
        return len(self._times)

    def _recent(self, key: Key, now: float) -> deque[float]:
        """The attempts of the last minute, the oldest first."""
        times = self._times.get(key, deque())
        while times and times[0] <= now - WINDOW:
            times.popleft()
        return times

    def _let_go(self, now: float) -> None:
        """Forget the names of those who have not tried for a minute."""
        if len(self._times) >= CROWD:
            self._times = {key: times for key in self._times if (times := self._recent(key, now))}
