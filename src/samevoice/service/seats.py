"""Seats for what takes long: so many in all, and so many of one caller, so that nobody has them all.

Knows: counts by caller, in the memory of an application. Does not know: what a seat is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from starlette.requests import HTTPConnection

from samevoice.service.access import Caller
from samevoice.service.problems import Busy, Refusal


class Seats:
    """Seats to take and to leave; to be used from one event loop.

    Args:
        each: at most so many of one caller; those without keys cannot be told apart, and are not counted.
        most: at most so many in all; None for any number.
        later: seconds after which to try again.
    """

    def __init__(self, each: int, most: int | None, later: int) -> None:
        """All are free."""
        self._each, self._most, self._later = each, most, later
        self._taken: Counter[str] = Counter()

    def take(self, caller: Caller) -> Callable[[], None]:
        """Take a seat; what is returned gives it back, however often it is called.

        Raises:
            Busy: all are taken.
            Refusal: 429, the caller has as many as one may.
        """
        if self._most is not None and self._taken.total() >= self._most:
            raise Busy(self._later)
        if caller.has_key and self._taken[caller.id] >= self._each:
            told = f"your key has {self._each} of these at work already; wait for one to end"
            raise Refusal(429, "busy", told, retry_after=self._later)
        self._taken[caller.id] += 1
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._taken[caller.id] -= 1
                self._taken += Counter()  # forgets who has none

        return leave


def seats_of(connection: HTTPConnection, kind: str, *, each: int, most: int | None, later: int) -> Seats:
    """The seats of one kind in the application that serves a request; made when they are first asked for.

    Args:
        connection: the request.
        kind: what they are called.
        each: as in `Seats`.
        most: as in `Seats`.
        later: as in `Seats`.
    """
    state = connection.app.state
    if not hasattr(state, "seats"):
        state.seats = {}
    kinds: dict[str, Seats] = state.seats
    if kind not in kinds:
        kinds[kind] = Seats(each, most, later)
    return kinds[kind]
