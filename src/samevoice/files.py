"""Files that appear whole or not at all.

Knows: temporary names, renames, home folders, permissions. Does not know: what is written.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from samevoice.errors import ConfigError


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file in one step: a reader sees the old file or the new one, never a part; a link stays a link.

    The file has the permissions that the process gives to new files (its umask).

    Args:
        path: where; its folder must be there.
        write: puts the content into an open file; whatever it raises leaves `path` as it was.

    Raises:
        OSError: the file cannot be written.
    """
    path = path.resolve()
    # Beside the target, since a rename is one step only within a file system; "x" never follows or reuses a file.
    temporary = path.parent / f".samevoice-{secrets.token_hex(8)}"
    with temporary.open("xb") as stream:
        try:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()  # Windows renames no open file
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):  # a full disk refuses what is still buffered once more
                stream.close()
            temporary.unlink(missing_ok=True)
            raise


def expanded(path: str) -> Path:
    """A path in which ~ is somebody's home folder.

    Raises:
        ConfigError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path}: there is no home folder of that user; write the whole path") from error


def write_privately(path: Path, content: bytes, *, keep_readers: bool = False) -> None:
    """Write in one step what nobody but the file's owner may read; Windows has no such permissions.

    Args:
        path: where; its folder must be there.
        content: what.
        keep_readers: whoever may read the file that was there may read the new one, also where the administrator
            writes it: it keeps its owner and group, and what others may read.

    Raises:
        OSError: the file cannot be written, or not be given to the owner of the old one.
    """

    def write(stream: BinaryIO) -> None:
        if os.name == "posix":
            mode = 0o600
            if keep_readers and path.exists():
                _give(stream.fileno(), path.stat())
                mode |= path.stat().st_mode & 0o044
            os.fchmod(stream.fileno(), mode)
        stream.write(content)

    write_atomically(path, write)


def _give(descriptor: int, like: os.stat_result) -> None:
    """Give an open file the owner and the group of another one.

    Raises:
        OSError: the system does not let this process do so.
    """
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) == (like.st_uid, like.st_gid):
        return
    try:
        os.fchown(descriptor, like.st_uid, like.st_gid)
    except OSError as error:
        raise OSError(error.errno, "it belongs to another user, whose it must stay") from error


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, so that a power cut brings back no older file; Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
