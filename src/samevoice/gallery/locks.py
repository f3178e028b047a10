"""One writer at a time, among threads and processes.

Knows: lock files of both kinds of system. Does not know: what is written.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

SUFFIX = ".lock"


def lock_file(path: Path) -> Path:
    """The file by which the writers of a file take turns; once made it stays."""
    return path.with_name(path.name + SUFFIX)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only writer of a file; waits for its turn. A killed writer holds no lock.

    Raises:
        OSError: the lock file cannot be made.
    """
    descriptor = os.open(lock_file(path), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)  # which unlocks


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        """Wait for the lock; this system gives up after 10 s, we do not."""
        while True:
            with contextlib.suppress(OSError):
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
                return
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        """Wait for the lock, which belongs to the open file and so keeps threads apart too."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)
