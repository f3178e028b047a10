"""The data folder of a service: for one service at a time, with a folder of its own for what is being uploaded.

A service that was killed leaves its uploads behind, which are voices of people. The next one sweeps them, and only
while it holds the lock: nobody else's can be among them then. The lock of a killed service is gone with it.

Knows: lock files of both kinds of system, folders of uploads. Does not know: what is uploaded.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samevoice.errors import ConfigError
from samevoice.gallery.locks import lock_file

NAME = "service"
PREFIX = "samevoice-uploads-"  # that nobody else would call a folder, for what is left of it is removed


@contextmanager
def occupied(folder: Path) -> Iterator[Path]:
    """Be the only service that uses a folder.

    Args:
        folder: of the data; made where it is not there.

    Yields:
        A new folder for uploads, for its owner only; it is removed at the end.

    Raises:
        ConfigError: another service uses the folder, or it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock_file(folder / NAME), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        if not _locked(descriptor):
            raise ConfigError(f"{folder}: another service uses this folder; stop it, or name another with --data")
        try:
            for left in folder.glob(f"{PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)
            uploads = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            yield uploads
        finally:
            shutil.rmtree(uploads, ignore_errors=True)
    finally:
        os.close(descriptor)  # which unlocks


def _unusable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{folder}: cannot be used ({error.strerror}); name another folder with --data")


if sys.platform == "win32":
    import msvcrt

    def _locked(descriptor: int) -> bool:
        """Take the lock if it is free."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _locked(descriptor: int) -> bool:
        """Take the lock if it is free; it belongs to the open file, so it keeps two services of one process apart."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
