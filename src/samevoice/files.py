"""Files that appear whole or not at all.

Knows: temporary names, renames. Does not know: what is written.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


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


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, so that a power cut brings back no older file; Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
