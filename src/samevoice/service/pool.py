"""The workers: a bounded number of threads for all that takes longer than a moment, so that the rest goes on.

Inference runs in native code that lets other Python threads run, so threads are enough.

Knows: threads, who waits, who left. Does not know: what is done.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from samevoice.service.problems import Busy, Gone

NICE = 5  # of workers, above that of the service
Result = TypeVar("Result")

# Set for each request: comes back once its client has gone away. Work that nobody waits for any more is not begun.
departure: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("departure", default=None)


class Pool:
    """Worker threads with a bounded queue; to be used from one event loop.

    Args:
        workers: how many work at once.
        waiting: how many more may wait.
    """

    def __init__(self, workers: int, waiting: int) -> None:
        """Start no thread before it is needed."""
        self.workers = workers
        self._most = workers + waiting
        self._inside: set[Future[Any]] = set()
        self._executor = ThreadPoolExecutor(workers, "samevoice-worker", initializer=step_back)

    @property
    def running(self) -> int:
        """Workers that work."""
        return min(len(self._inside), self.workers)

    @property
    def waiting(self) -> int:
        """Requests that wait for one."""
        return max(len(self._inside) - self.workers, 0)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do something in a worker.

        What has begun is finished, even if its request is cancelled meanwhile: files and galleries stay whole.

        Args:
            work: must not need the event loop.

        Raises:
            Busy: too many wait already.
            Gone: the client left before a worker was free.
            Exception: whatever `work` raises.
        """
        if len(self._inside) >= self._most:
            raise Busy
        future = self._executor.submit(work)
        self._inside.add(future)
        done = asyncio.wrap_future(future)
        done.add_done_callback(partial(self._leave, future))
        try:
            if (gone := departure.get()) is not None:
                await _either(done, gone)
                if not done.done() and future.cancel():
                    raise Gone
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not future.cancel():
                await asyncio.wait([done])
            raise

    def close(self, patience: float) -> None:
        """Begin nothing more, and wait for what runs.

        Args:
            patience: seconds, at most.
        """
        self._executor.shutdown(wait=False, cancel_futures=True)
        wait(set(self._inside), patience)

    def _leave(self, future: Future[Any], done: asyncio.Future[Any]) -> None:
        """One less; an error that nobody asks for any more is no news."""
        self._inside.discard(future)
        if not done.cancelled():
            done.exception()


def step_back() -> None:
    """Let the event loop have a core first, where a thread has a priority of its own (Linux)."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICE)


async def _either(done: asyncio.Future[Any], gone: Callable[[], Awaitable[None]]) -> None:
    """Wait until the work is done or the client is gone."""
    leaving: asyncio.Future[Any] = asyncio.ensure_future(gone())
    try:
        await asyncio.wait([done, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
