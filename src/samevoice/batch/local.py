"""Worker processes on this machine.

Each is a fresh Python process with a pipe of its own, so that one that is killed, or that a broken file brings down,
takes only its own block with it.

Knows: processes, pipes, signals. Does not know: what is worked on, what happens to lost blocks.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from types import TracebackType

from samevoice.batch.parts import Outcome
from samevoice.batch.pool import Answer, Lost, Task
from samevoice.batch.worker import Job, Worker
from samevoice.errors import SamevoiceError

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PATIENCE = 5.0  # seconds that an idle worker has to end by itself


@dataclass(slots=True)
class _Seat:
    """A worker process and what it is at."""

    process: BaseProcess
    pipe: connection.Connection
    task: Task | None = None


class LocalPool:
    """Worker processes that live as long as the context.

    Args:
        job: what they must know.
        workers: how many, at least 1.
    """

    def __init__(self, job: Job, workers: int) -> None:
        """Start nothing yet."""
        self._job = job
        self._workers = workers
        self._seats: list[_Seat] = []

    def __enter__(self) -> LocalPool:
        """Start the workers."""
        self._seats = [self._seat() for _ in range(self._workers)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the workers: idle ones by closing their pipe, busy ones at once."""
        for seat in self._seats:
            seat.pipe.close()
            if seat.task is not None:
                seat.process.kill()
        for seat in self._seats:
            seat.process.join(PATIENCE)
            seat.process.kill()
            seat.process.join()
            seat.process.close()

    @property
    def idle(self) -> int:
        """How many workers wait for a task."""
        return sum(seat.task is None for seat in self._seats)

    @property
    def busy(self) -> bool:
        """Whether a task is being worked on."""
        return self.idle < len(self._seats)

    def submit(self, task: Task) -> None:
        """Give a task to an idle worker."""
        seat = next(seat for seat in self._seats if seat.task is None)
        seat.task = task
        with suppress(OSError):  # it is dead, which `wait` will find
            seat.pipe.send(task.items)

    def wait(self) -> tuple[Task, Answer]:
        """The next task that is over, and its answer.

        Raises:
            SamevoiceError: a worker cannot work at all.
        """
        working = {seat.pipe: (seat, seat.task) for seat in self._seats if seat.task is not None}
        seat, task = working[next(pipe for pipe in connection.wait(list(working)) if pipe in working)]
        seat.task = None
        try:
            answer: list[Outcome] | SamevoiceError = seat.pipe.recv()
        except (EOFError, OSError):
            self._seats[self._seats.index(seat)] = self._seat()
            return task, Lost(_burial(seat))
        if isinstance(answer, SamevoiceError):
            raise answer
        return task, answer

    def _seat(self) -> _Seat:
        """Start a worker."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self._job, theirs), daemon=True)
        with _one_thread():
            process.start()
        theirs.close()
        return _Seat(process, ours)


def _burial(seat: _Seat) -> str:
    """Clear away a dead worker, and say how it ended."""
    seat.pipe.close()
    seat.process.join()
    code = seat.process.exitcode or 0
    seat.process.close()
    return f"signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have new processes compute on one thread each; libraries read this only when they start."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(job: Job, pipe: connection.Connection) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, who gets it too, decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = Worker(job)
    with suppress(EOFError, OSError):  # the parent has closed the pipe: there is no more to do
        while True:
            pipe.send(worker.answer(pipe.recv()))


def _end_with_parent() -> None:
    """Stop at once when the parent is killed."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
