"""What a pool of workers is to those who give it work, wherever the workers run.

Knows: tasks, answers. Does not know: processes, clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from samevoice.batch.listing import Item
from samevoice.batch.parts import Outcome


@dataclass(frozen=True, slots=True)
class Task:
    """Some or all recordings of a block.

    Args:
        block: its number.
        start: place of the first recording in the block.
        items: the recordings.
        losses: how many workers were lost over them.
    """

    block: int
    start: int
    items: tuple[Item, ...]
    losses: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker ended before the task did.

    Args:
        how: in a few words.
    """

    how: str


Answer = list[Outcome] | Lost


class Pool(Protocol):
    """Workers that take a task each; a lost worker is replaced by the pool, its task is the caller's business."""

    def __enter__(self) -> Pool:
        """Start the workers."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the workers, busy or not."""
        ...

    @property
    def idle(self) -> int:
        """How many workers wait for a task."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a task is being worked on."""
        ...

    def submit(self, task: Task) -> None:
        """Give a task to an idle worker, of which there must be one."""
        ...

    def wait(self) -> tuple[Task | None, Answer]:
        """The next task that is over, and its answer; no task where a worker became idle, or was lost before it was.

        Raises:
            SamevoiceError: a worker cannot work at all.
        """
        ...
