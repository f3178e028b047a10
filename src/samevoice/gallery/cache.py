"""The cache file of an index: templates at rest, rotated, mapped into memory, checked before use.

A file that is damaged, altered, cut short, of another gallery, model, key or version is as good as none. It is written
beside its place and moved there when whole; only a row of somebody removed is changed in place. One writer at a time
holds the lock file from before it reads the database until the file is there, so that no file can hold a person whose
deletion had already returned.

Knows: files, locks. Does not know: their layout (`layout`), what a row means, where rows come from.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import GalleryError
from samevoice.files import sync_folder
from samevoice.gallery.layout import BLOCK, Head, Ids, Moment, Rows, UnusableError, check_of, checks_of, head_of
from samevoice.gallery.locks import locked

_SUFFIX = ".index"


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Templates at rest.

    Args:
        ids: int64 (n,), ascending.
        rows: float32 (n, d), rotated, of unit length.
        moment: that of the store before its templates were read.
    """

    ids: Ids
    rows: Rows
    moment: Moment


def cache_file(near: Path, model: str) -> Path:
    """Where the cache of a model's templates lies: beside a gallery's file, or a name that stands for a server's."""
    return near.with_name(f"{near.name}.{hashlib.sha256(model.encode()).hexdigest()[:16]}{_SUFFIX}")


def write(path: Path, key: bytes, head: Head, blocks: Iterable[Rows]) -> None:
    """Write a cache in one step, readable by nobody else; to be called under the lock.

    Args:
        path: where.
        key: of the checks, see `layout.key_of`.
        head: what is to stand before the rows.
        blocks: the rows in order, float32 (`BLOCK`, d), the last block shorter; they need not be in memory at once.

    Raises:
        OSError: the file cannot be written; what was there still is.
    """
    temporary = _temporary(path)
    temporary.unlink(missing_ok=True)  # of a writer that was killed
    try:
        # The name is fixed, so that a killed writer's rows are found; "EXCL" never follows a link or reuses a file.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor has no path
            stream.seek(head.place(0))
            checks = [_append(stream, key, rows) for rows in blocks]
            stream.seek(0)
            stream.write(replace(head, checks=checks_of(checks)).pack(key))
            _sync(stream)
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def read(path: Path, key: bytes, origin: bytes) -> Stored | None:
    """Map a cache into memory, all of it checked; None if there is none that can be trusted."""
    try:
        with path.open("rb") as stream:
            head = head_of(key, stream)
            if head.origin != origin:
                return None
            length = head.place(len(head.ids))
            mapped = mmap.mmap(stream.fileno(), length, access=mmap.ACCESS_READ)
    except (OSError, ValueError, UnusableError):
        return None
    rows = np.frombuffer(mapped, "<f4", offset=head.place(0)).reshape(len(head.ids), head.dimension)
    if not all(head.fits(key, at, rows[at * BLOCK : (at + 1) * BLOCK].data) for at in range(len(head.checks))):
        return None
    return Stored(head.ids, rows, head.moment)


def forget(near: Path, enrolled: Callable[[], Ids], key: bytes) -> None:
    """Overwrite the rows of all who are enrolled no more, in the caches of all models; on disk before this returns.

    To be called when a deletion is committed, outside any transaction: it may wait for a writer. Other processes that
    have a file mapped see the zeros at once.

    Args:
        near: as for `cache_file`.
        enrolled: reads the ids of all people, int64 (n,), from the database; not called where there is no cache.
        key: of the checks, see `layout.key_of`; a file that has another one is removed.

    Raises:
        GalleryError: a file can be neither changed nor removed.
    """
    for path in _cache_files(near):
        try:
            with locked(path):
                held = enrolled()
                _change(path, key, lambda head: ~np.isin(head.ids, held))  # noqa: B023 - called at once
        except OSError as error:
            raise GalleryError(
                f"{path}: still holds a protected copy of a deleted voiceprint and cannot be changed "
                f"({error.strerror}); remove this file"
            ) from error


def remove_all(near: Path) -> None:
    """Remove the caches of all models, those included that others are writing now.

    Args:
        near: as for `cache_file`.

    Raises:
        GalleryError: one cannot be removed.
    """
    for path in _cache_files(near):
        try:
            with locked(path):
                remove(path)
        except OSError as error:
            raise GalleryError(
                f"{path}: a cache under the old key cannot be removed ({error.strerror}); remove this file"
            ) from error


def erase(path: Path, key: bytes, ids: Ids, since: int) -> None:
    """Overwrite rows with zeros, on disk before this returns; to be called under the lock.

    Args:
        path: a cache, which may be missing.
        key: of the checks, see `layout.key_of`; a file that has another one is removed.
        ids: int64 (n,), of templates that were removed after the count of changes was `since`.
        since: a file with a higher count is left alone, since these people may be back in it.

    Raises:
        OSError: the file can be neither changed nor removed.
    """
    _change(path, key, lambda head: np.isin(head.ids, ids) & (head.moment.changes <= since))


def remove(path: Path) -> None:
    """Remove a cache, for who has the lock.

    Raises:
        OSError: it cannot be removed.
    """
    for each in (path, _temporary(path)):
        each.unlink(missing_ok=True)


def _append(stream: BinaryIO, key: bytes, rows: Rows) -> bytes:
    """Write rows, little-endian, and give their check."""
    content = rows.astype("<f4", copy=False).tobytes()
    stream.write(content)
    return check_of(key, content)


def _change(path: Path, key: bytes, choose: Callable[[Head], NDArray[np.bool_]]) -> None:
    """Overwrite some rows of a cache, and leave nothing of a killed writer; a file that cannot be read is removed.

    Raises:
        OSError: the file can be neither changed nor removed.
    """
    _temporary(path).unlink(missing_ok=True)
    try:
        with path.open("r+b") as stream:
            head = head_of(key, stream)
            _erase(stream, key, head, np.flatnonzero(choose(head)))
    except FileNotFoundError:
        return
    except (OSError, UnusableError):
        path.unlink(missing_ok=True)


def _erase(stream: BinaryIO, key: bytes, head: Head, places: NDArray[np.intp]) -> None:
    """Zeros first, checks after: whoever is interrupted between leaves a file that is not believed.

    Raises:
        UnusableError: rows beside those to be erased are not as they were written; a new check would hide that.
    """
    size, begun = 4 * head.dimension, False
    checks = head.checks.copy()
    for block in np.unique(places // BLOCK).tolist():
        stream.seek(head.place(block * BLOCK))
        content = stream.read(size * min(BLOCK, len(head.ids) - block * BLOCK))
        if not head.fits(key, block, content):
            raise UnusableError
        rows = np.frombuffer(bytearray(content), np.uint8).reshape(-1, size)
        mine = places[places // BLOCK == block] - block * BLOCK
        if rows[mine].any():
            rows[mine] = 0
            stream.seek(head.place(block * BLOCK))
            stream.write(rows.data)
            checks[block] = np.frombuffer(check_of(key, rows.data), np.uint8)
            begun = True
    if begun:
        _sync(stream)
        stream.seek(0)
        stream.write(replace(head, checks=checks).pack(key))
        _sync(stream)


def _cache_files(near: Path) -> list[Path]:
    """The caches of all models that are there or are being made.

    A writer makes its lock file before it reads the database, so whoever has none yet will not read what is deleted.
    """
    length = len(cache_file(near, "").name)
    return sorted({path.with_name(path.name[:length]) for path in near.parent.glob(f"{escape(near.name)}.*{_SUFFIX}*")})


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _sync(stream: BinaryIO) -> None:
    """Have what was written on disk."""
    stream.flush()
    os.fsync(stream.fileno())
