"""Digits to be spoken at a login: a recording that was made before cannot know them.

Whether the digits were spoken is not heard here, since there is no speech recogniser: a person who listens, or a
recogniser of yours, has to. What is kept here is that a challenge is used once, soon, for the person and by the caller
that it was made for.

Knows: times, names as keys, random numbers. Does not know: who is enrolled, what is spoken.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from samevoice.gallery.names import name_key
from samevoice.service.problems import Refusal

LASTS = 120.0  # seconds
DIGITS = 6
MOST = 1_000  # open at once for one caller, who loses the oldest of them by asking for more


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is to be spoken.

    Args:
        id: to be sent with the recording; random, and known to nobody else.
        digits: such as "4 7 1 9 0 3".
        expires: after which it is worth nothing.
    """

    id: str = field(repr=False)
    digits: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True, slots=True)
class _Open:
    """A challenge that was not used yet: for whom, and until when by the clock."""

    person: str
    until: float


class Challenges:
    """The challenges that are open; for several threads at once.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with none."""
        self._clock = clock
        self._open: dict[str, dict[str, _Open]] = {}  # caller -> id -> challenge, the oldest first
        self._lock = threading.Lock()

    def issue(self, person: str, caller: str) -> Challenge:
        """A new challenge, whether somebody of that name is enrolled or not.

        Args:
            person: the name as it was typed.
            caller: who asks.
        """
        identity = secrets.token_urlsafe(16)
        with self._lock:
            now = self._clock()
            mine = {key: one for key, one in self._open.pop(caller, {}).items() if one.until > now}
            while len(mine) >= MOST:
                del mine[next(iter(mine))]
            mine[identity] = _Open(name_key(person), now + LASTS)
            self._open[caller] = mine
        digits = " ".join(str(secrets.randbelow(10)) for _ in range(DIGITS))
        return Challenge(identity, digits, datetime.now(UTC) + timedelta(seconds=LASTS))

    def redeem(self, identity: str, person: str, caller: str) -> None:
        """Use a challenge up, whatever comes of the login.

        Raises:
            Refusal: it is unknown, used, too old, or was made for somebody else (409); which of these is not said.
        """
        with self._lock:
            found = self._open.get(caller, {}).pop(identity, None)
            now = self._clock()
        if found is None or found.until <= now or found.person != name_key(person):
            advice = "ask for a new one and speak its digits"
            raise Refusal(409, "challenge", f"this challenge is not open for this login; {advice}")

    def __len__(self) -> int:
        """How many are kept, those that are too old included until their caller asks for another."""
        return sum(map(len, self._open.values()))
