"""The running parts of a service, and how a route gets at them.

Knows: which parts there are. Does not know: how they are made (`app`).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from samevoice.gallery.gallery import Gallery
from samevoice.service.ending import Ending
from samevoice.service.jobs import Jobs
from samevoice.service.keys import Keys
from samevoice.service.metrics import Metrics
from samevoice.service.options import Options
from samevoice.service.pool import Pool
from samevoice.service.traffic import Traffic

RECENT = 1.0  # seconds


class Recent:
    """A number that may be a second old, so that asking for it again and again costs nothing.

    Args:
        count: gives it; may take a while.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        """Nobody has asked yet."""
        self._count = count
        self._counting = threading.Lock()
        self._found = 0
        self._when = -math.inf

    def get(self) -> int:
        """The number; in a worker thread, since it may have to be counted."""
        with self._counting:
            if time.monotonic() - self._when > RECENT:
                self._found, self._when = self._count(), time.monotonic()
            return self._found


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """A service and its parts.

    Args:
        options: what it was told.
        gallery: the people; its model is loaded.
        pool: the workers for everything that takes longer than a moment.
        jobs: long work that goes on between requests.
        keys: who may ask.
        metrics: what is counted.
        traffic: how often a caller may ask.
        uploads: folder of what is being worked on; nothing in it outlives its request.
        held: what is given back at the end: jobs, gallery, folder.
        ready: set once the model has answered.
        failed: set if it could not.
        people: how many are enrolled.
        ending: whether the service stops, and how long that may take.
        started: monotonic seconds.
    """

    options: Options
    gallery: Gallery
    pool: Pool
    jobs: Jobs
    keys: Keys
    metrics: Metrics
    traffic: Traffic
    uploads: Path
    held: ExitStack
    ready: threading.Event = field(default_factory=threading.Event)
    failed: threading.Event = field(default_factory=threading.Event)
    people: Recent = field(init=False)
    ending: Ending = field(default_factory=Ending)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Count the people of this gallery."""
        object.__setattr__(self, "people", Recent(lambda: self.gallery.store.size().people))

    def stop(self) -> None:
        """Begin to end: what goes on by itself is told; in the thread of the event loop where there is one."""
        self.ready.clear()
        self.ending.begin()

    def close(self) -> None:
        """End everything, in the order in which one part needs another, and within one deadline."""
        self.stop()
        self.pool.close(self.ending.left)
        self.held.close()


def service_of(connection: HTTPConnection) -> Service:
    """The service behind a request or a WebSocket."""
    return cast("Service", connection.app.state.service)


async def _service(connection: HTTPConnection) -> Service:
    """As a dependency: a coroutine, which needs no thread."""
    return service_of(connection)


Serving = Annotated[Service, Depends(_service)]
