"""The running parts of a service, and how a route gets at them.

Knows: which parts there are. Does not know: how they are made (`app`).
"""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from samevoice.gallery.gallery import Gallery
from samevoice.service.jobs import Jobs
from samevoice.service.keys import Keys
from samevoice.service.metrics import Metrics
from samevoice.service.options import Options
from samevoice.service.pool import Pool
from samevoice.service.traffic import Traffic

GRACE = 10.0  # seconds that running work has to finish when the service stops


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
        ready: set once the model has answered.
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
    ready: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        """End everything, in the order in which one part needs another."""
        self.ready.clear()
        self.pool.close(GRACE)
        self.jobs.close()
        self.gallery.close()
        shutil.rmtree(self.uploads, ignore_errors=True)


def service_of(connection: HTTPConnection) -> Service:
    """The service behind a request or a WebSocket."""
    return cast("Service", connection.app.state.service)


async def _service(connection: HTTPConnection) -> Service:
    """As a dependency: a coroutine, which needs no thread."""
    return service_of(connection)


Serving = Annotated[Service, Depends(_service)]
