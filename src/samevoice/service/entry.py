"""A job in memory.

Knows: how far it is, whether it was deleted. Does not know: the queue, who may see it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from samevoice.service.jobfiles import Folder, Record


@dataclass(slots=True, eq=False)
class Entry:
    """A job in memory.

    Args:
        record: how it stands.
        folder: where its files are.
        size: bytes of the recording as it came.
        progress: share that is done, in [0, 1].
        told: monotonic seconds of the latest progress.
        gone: whether it was deleted.
        idle: set while nobody works on it.
    """

    record: Record
    folder: Folder
    size: int = 0
    progress: float = 0.0
    told: float = 0.0
    gone: bool = False
    idle: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        """Nobody works on it."""
        self.idle.set()
