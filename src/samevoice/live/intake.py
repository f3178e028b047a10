"""A thread that fetches sound, and a queue of bounded length between it and whoever listens.

Where listening is slower than the sound, the thread waits: a pipe then makes its writer wait, and nothing is lost.

Knows: threads, queues. Does not know: what is in the blocks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Semaphore, Thread

from samevoice.audio.waveform import Samples
from samevoice.errors import SamevoiceError
from samevoice.live.feed import Feed, Note

WAITING = 100  # blocks, a second or less each


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """Something from a feed.

    Args:
        item: samples or a note.
        waited: seconds since it came.
    """

    item: Samples | Note
    waited: float


class Intake:
    """What a feed brings, fetched in the background.

    Args:
        feed: is read from now on.
        most: how many blocks may wait.
    """

    def __init__(self, feed: Feed, most: int = WAITING) -> None:
        """Start to fetch."""
        self._queue: SimpleQueue[tuple[float, Samples | Note] | BaseException | None] = SimpleQueue()
        self._room = Semaphore(most)
        self._over = False
        Thread(target=self._fetch, args=(feed,), name=f"listening to {feed.name}", daemon=True).start()

    def stop(self) -> None:
        """End after what has come so far; a signal handler may call this at any time."""
        self._queue.put(None)

    def __iter__(self) -> Iterator[Arrived]:
        """What came, in order, until the feed ends or `stop`.

        Raises:
            SamevoiceError: the feed failed before anything was heard; if it fails later, that is a note at the end.
        """
        heard = False
        try:
            while (found := self._queue.get()) is not None:
                if isinstance(found, SamevoiceError) and heard:
                    yield Arrived(Note(str(found)), 0.0)
                    return
                if isinstance(found, BaseException):
                    raise found
                self._room.release()
                came, item = found
                heard = heard or not isinstance(item, Note)
                yield Arrived(item, time.monotonic() - came)
        finally:
            self._over = True
            self._room.release()  # a thread that waits for room ends

    def _fetch(self, feed: Feed) -> None:
        """The thread."""
        try:
            for item in feed.items:
                came = time.monotonic()
                self._room.acquire()
                if self._over:
                    return
                self._queue.put((came, item))
            self._queue.put(None)
        except BaseException as error:
            self._queue.put(error)
