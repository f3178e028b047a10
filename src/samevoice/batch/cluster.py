"""Workers on a Ray cluster: actors that keep the model loaded, one per core.

The cluster's machines need samevoice, the model, and the recordings under the same paths; the embeddings come back to
the machine of the command, which alone writes the dataset.

Knows: Ray. Does not know: what is worked on, what happens to lost blocks.
Source: Ray's documentation, "Actors" (fault tolerance) and "Usage stats collection".
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from samevoice.batch.pool import Answer, Lost, Task
from samevoice.batch.worker import Job, Worker
from samevoice.errors import ConfigError, SamevoiceError

LOCAL = "local"
KNOCK = 10.0  # seconds
STORE_BYTES = 128 << 20  # of a local cluster: answers are a megabyte each
# Ray would report to its makers, and warn about devices that it hides from workers that ask for none.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@dataclass(slots=True)
class _Seat:
    """An actor, what it is at, and the promise of its answer; the first task of all is to load the model."""

    actor: Any
    promise: Any
    task: Task | None = None


class RayPool:
    """Actors that live as long as the context.

    Args:
        job: what they must know.
        address: of a cluster, such as "ray://host:10001", "host:6379" or "auto"; "local" to start one here.
        workers: how many; None for one per core of the cluster.
    """

    def __init__(self, job: Job, address: str, workers: int | None) -> None:
        """Start nothing yet."""
        self._job = job
        self._address = address
        self._workers = workers
        self._seats: list[_Seat] = []
        self._stack = ExitStack()
        self._ray: Any = None

    def __enter__(self) -> RayPool:
        """Join or start the cluster, and start the actors.

        Raises:
            ConfigError: Ray is not installed, the cluster cannot be reached, or it has no free core.
        """
        self._ray = ray = _import_ray(self._address)
        with self._stack:
            self._stack.callback(ray.shutdown)
            self._join()
            count = self._workers or int(ray.cluster_resources().get("CPU", 0))
            if not count:
                raise ConfigError(f"--ray {self._address}: this cluster has no core for a worker; add machines to it")
            self._actor = ray.remote(num_cpus=1, max_restarts=0)(Worker)
            self._seats = [self._seat() for _ in range(count)]
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the actors, and the cluster if it was started here."""
        with self._stack:
            for seat in self._seats:
                self._ray.kill(seat.actor)

    @property
    def idle(self) -> int:
        """How many actors wait for a task."""
        return sum(seat.promise is None for seat in self._seats)

    @property
    def busy(self) -> bool:
        """Whether a task is being worked on."""
        return any(seat.task is not None for seat in self._seats)

    def submit(self, task: Task) -> None:
        """Give a task to an idle actor."""
        seat = next(seat for seat in self._seats if seat.promise is None)
        seat.task, seat.promise = task, seat.actor.answer.remote(task.items)

    def wait(self) -> tuple[Task | None, Answer]:
        """The next task that is over, and its answer; no task where an actor became ready, or was lost before.

        Raises:
            SamevoiceError: an actor cannot work at all.
        """
        (ready, *_), _ = self._ray.wait([seat.promise for seat in self._seats if seat.promise is not None])
        seat = next(seat for seat in self._seats if seat.promise == ready)
        task, seat.task, seat.promise = seat.task, None, None
        try:
            answer: Answer | SamevoiceError = self._ray.get(ready)
        except self._ray.exceptions.RayError as error:  # the actor, its machine, or the way between is gone
            self._ray.kill(seat.actor)
            self._seats[self._seats.index(seat)] = self._seat()
            answer = Lost(f"{type(error).__name__}: {_last_line(error)}")
        if isinstance(answer, SamevoiceError):
            raise answer
        return task, answer

    def _seat(self) -> _Seat:
        """Start an actor, wherever there is a free core, and have it load its model."""
        actor = self._actor.remote(self._job)
        return _Seat(actor, actor.answer.remote(()))

    def _join(self) -> None:
        """Connect; a cluster of our own has a password that nobody knows, and leaves no files behind."""
        logging.getLogger("ray").setLevel(logging.ERROR)
        options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if self._address == LOCAL:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sv-ray-"))  # paths of sockets: short
            self._stack.callback(self._ray.shutdown)  # before the folder goes
            options |= {
                "num_cpus": self._workers,
                "include_dashboard": False,
                "object_store_memory": STORE_BYTES,
                "_temp_dir": folder,
            }
        try:
            _knock(self._address)
            self._ray.init(self._address, **options)
        except (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError) as error:
            raise ConfigError(
                f"--ray {self._address}: no cluster can be used there ({_last_line(error)}); check the address, "
                f"or take {LOCAL}"
            ) from error


def _last_line(error: Exception) -> str:
    """Where Ray's long messages come to the point."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()[:200]


def _knock(address: str) -> None:
    """Fail at once where nobody answers; Ray itself would try for minutes.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK).close()


def _import_ray(address: str) -> Any:
    """Ray, told to be quiet before it starts."""
    os.environ.update(QUIET)
    if address == LOCAL:  # Ray listens to the network, and would keep its password in the user's home
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--ray needs Ray; install it with: pip install 'samevoice[scale]'") from error
    return ray
