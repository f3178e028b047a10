"""The same sound once more, a stretch of two minutes at a time, as `samevoice diarize` hears it.

A thread does so while listening goes on; only evidence is kept.

Knows: stretches, a thread. Does not know: where sound comes from, what is shown meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Queue
from threading import Thread

from samevoice.audio.waveform import Samples
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.hearing import Stretch, stretches

WAITING = 256  # blocks that may wait while a stretch is heard

Hear = Callable[[Stretch], Evidence]


class Background:
    """Hears stretches as soon as they are complete.

    Args:
        hear: what makes evidence of a stretch.
    """

    def __init__(self, hear: Hear) -> None:
        """Wait for sound."""
        self._hear = hear
        self._queue: Queue[Samples | None] = Queue(WAITING)
        self._parts: list[Evidence] = []
        self._failure: BaseException | None = None
        self._over = False
        self._thread = Thread(target=self._run, name="hearing stretches", daemon=True)
        self._thread.start()

    def push(self, samples: Samples) -> None:
        """More sound at 16 kHz; waits where too much of it waits already.

        Raises:
            SamevoiceError: hearing failed.
        """
        if self._failure:
            raise self._failure
        self._queue.put(samples)

    def finish(self) -> list[Evidence]:
        """What was heard in all stretches; none where there was no sound.

        Raises:
            SamevoiceError: hearing failed.
        """
        self.close()
        self._thread.join()
        if self._failure:
            raise self._failure
        return self._parts

    def close(self) -> None:
        """No more sound will come."""
        self._queue.put(None)

    def _run(self) -> None:
        """The thread."""
        try:
            for stretch in stretches(self._blocks()):
                self._parts.append(self._hear(stretch))
        except BaseException as error:
            self._failure = error
            for _ in self._blocks():  # nobody waits for room
                pass

    def _blocks(self) -> Iterator[Samples]:
        """What was pushed."""
        while not self._over:
            if (samples := self._queue.get()) is None:
                self._over = True
            else:
                yield samples
