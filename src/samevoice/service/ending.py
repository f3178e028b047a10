"""The end of a service: one deadline for everybody, and who has to be told.

Knows: seconds, callbacks. Does not know: who they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from samevoice.service.problems import Refusal

GRACE = 10.0  # seconds from the signal to the end
LAST = 1.5  # of these, for the answers to those who are not served any more


class Stopping(Refusal):
    """The service stops before the request is done."""

    def __init__(self) -> None:
        """Compose the answer."""
        super().__init__(503, "stopping", "the service is stopping; try again in a while", retry_after=30)


class Ending:
    """Whether a service ends, and how long that may take.

    `at_once` are called when it begins, `at_last` when there is no time left to finish anything; whoever is done
    before takes itself out. Both are for the thread of the event loop.
    """

    def __init__(self) -> None:
        """It goes on for ever, as far as is known."""
        self._end: float | None = None
        self.at_once: set[Callable[[], object]] = set()
        self.at_last: set[Callable[[], Awaitable[None]]] = set()

    @property
    def begun(self) -> bool:
        """Whether the service ends."""
        return self._end is not None

    @property
    def left(self) -> float:
        """Seconds until everything has to be over."""
        return GRACE if self._end is None else max(self._end - time.monotonic(), 0.0)

    def begin(self) -> None:
        """Tell those who can stop at once; a second time nothing happens."""
        if self._end is None:
            self._end = time.monotonic() + GRACE
            for tell in tuple(self.at_once):
                tell()

    async def cut(self) -> None:
        """Wait until there is no time left, and tell those who are still there."""
        await asyncio.sleep(max(self.left - LAST, 0.0))
        await asyncio.gather(*(tell() for tell in tuple(self.at_last)), return_exceptions=True)
