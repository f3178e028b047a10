"""The cache file of an index: templates at rest, rotated, mapped into memory, checked before use.

    magic, version, dimension, rows, counters (changes, removals), origin
    ids           int64 (n,), ascending
    checks        CRC-32 of every 4,096 rows
    check         CRC-32 of all above; then zeros up to a whole page
    rows          float32 (n, d); zeros where a person was removed

A file that is damaged, cut short, of another gallery, model, key or version is as good as none. It is written beside
its place and moved there when whole; only a row of somebody removed is changed in place. One writer at a time holds
the lock file from before it reads the database until the file is there, so that no file can hold a person whose
deletion had already returned.

Knows: the layout, locks. Does not know: what a row means, where rows come from.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import GalleryError
from samevoice.gallery.locks import locked

Ids = NDArray[np.int64]
Rows = NDArray[np.float32]
Counters = tuple[int, int]

BLOCK = 4_096  # rows under one check
ORIGIN = 32  # bytes that say of which gallery, model and key

_MAGIC, _VERSION = b"samevoice index\n", 1
_FIXED = struct.Struct(f"<16sIIQqq{ORIGIN}s")
_CHECK = struct.Struct("<I")
_PAGE = 4_096
_SUFFIX = ".index"


class _UnusableError(Exception):
    """The file is not a whole cache of this version."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Templates at rest.

    Args:
        ids: int64 (n,), ascending.
        rows: float32 (n, d), rotated, of unit length.
        counters: those of the store before its templates were read.
    """

    ids: Ids
    rows: Rows
    counters: Counters


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    """All of a file but its rows."""

    dimension: int
    counters: Counters
    origin: bytes
    ids: Ids
    checks: NDArray[np.uint32]

    def pack(self) -> bytes:
        """The bytes before the rows."""
        fixed = _FIXED.pack(_MAGIC, _VERSION, self.dimension, len(self.ids), *self.counters, self.origin)
        head = fixed + self.ids.astype("<i8").tobytes() + self.checks.astype("<u4").tobytes()
        return (head + _CHECK.pack(zlib.crc32(head))).ljust(_start(len(self.ids)), b"\0")

    def place(self, row: int) -> int:
        """Where in the file a row begins."""
        return _start(len(self.ids)) + 4 * self.dimension * row


def cache_file(near: Path, model: str) -> Path:
    """Where the cache of a model's templates lies: beside a gallery's file, or a name that stands for a server's."""
    return near.with_name(f"{near.name}.{hashlib.sha256(model.encode()).hexdigest()[:16]}{_SUFFIX}")


def write(path: Path, origin: bytes, counters: Counters, ids: Ids, dimension: int, blocks: Iterable[Rows]) -> None:
    """Write a cache in one step, readable by nobody else; to be called under the lock.

    Args:
        path: where.
        origin: `ORIGIN` bytes.
        counters: of the store, before the templates were read.
        ids: int64 (n,), ascending, at least one.
        dimension: d.
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
            stream.seek(_start(len(ids)))
            checks = [_append(stream, rows) for rows in blocks]
            stream.seek(0)
            stream.write(_Head(dimension, counters, origin, ids, np.array(checks, np.uint32)).pack())
            _sync(stream)
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def read(path: Path, origin: bytes) -> Stored | None:
    """Map a cache into memory, all of it checked; None if there is none that can be trusted."""
    try:
        with path.open("rb") as stream:
            head = _head(stream)
            if head.origin != origin:
                return None
            length = head.place(len(head.ids))
            mapped = mmap.mmap(stream.fileno(), length, access=mmap.ACCESS_READ)
    except (OSError, ValueError, _UnusableError):
        return None
    rows = np.frombuffer(mapped, "<f4", offset=head.place(0)).reshape(len(head.ids), head.dimension)
    if any(zlib.crc32(rows[at * BLOCK : (at + 1) * BLOCK].data) != check for at, check in enumerate(head.checks)):
        return None
    return Stored(head.ids, rows, head.counters)


def forget(near: Path, enrolled: Callable[[], Ids]) -> None:
    """Overwrite the rows of all who are enrolled no more, in the caches of all models; on disk before this returns.

    To be called when a deletion is committed, outside any transaction: it may wait for a writer. Other processes that
    have a file mapped see the zeros at once.

    Args:
        near: as for `cache_file`.
        enrolled: reads the ids of all people, int64 (n,), from the database; not called where there is no cache.

    Raises:
        GalleryError: a file can be neither changed nor removed.
    """
    for path in _cache_files(near):
        try:
            with locked(path):
                held = enrolled()
                _change(path, lambda head: ~np.isin(head.ids, held))  # noqa: B023 - called at once
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


def erase(path: Path, ids: Ids, since: int) -> None:
    """Overwrite rows with zeros, on disk before this returns; to be called under the lock.

    Args:
        path: a cache, which may be missing.
        ids: int64 (n,), of templates that were removed after the count of changes was `since`.
        since: a file with a higher count is left alone, since these people may be back in it.

    Raises:
        OSError: the file can be neither changed nor removed.
    """
    _change(path, lambda head: np.isin(head.ids, ids) & (head.counters[0] <= since))


def remove(path: Path) -> None:
    """Remove a cache, for who has the lock.

    Raises:
        OSError: it cannot be removed.
    """
    for each in (path, _temporary(path)):
        each.unlink(missing_ok=True)


def _append(stream: BinaryIO, rows: Rows) -> int:
    """Write rows, little-endian, and give their check."""
    content = rows.astype("<f4", copy=False).tobytes()
    stream.write(content)
    return zlib.crc32(content)


def _change(path: Path, choose: Callable[[_Head], NDArray[np.bool_]]) -> None:
    """Overwrite some rows of a cache, and leave nothing of a killed writer; a file that cannot be read is removed.

    Raises:
        OSError: the file can be neither changed nor removed.
    """
    _temporary(path).unlink(missing_ok=True)
    try:
        with path.open("r+b") as stream:
            head = _head(stream)
            _erase(stream, head, np.flatnonzero(choose(head)))
    except FileNotFoundError:
        return
    except (OSError, _UnusableError):
        path.unlink(missing_ok=True)


def _erase(stream: BinaryIO, head: _Head, places: NDArray[np.intp]) -> None:
    """Zeros first, checks after: whoever is interrupted between leaves a file that is not believed."""
    size = 4 * head.dimension
    blocks = set()
    for row in places.tolist():
        stream.seek(head.place(row))
        if any(stream.read(size)):
            stream.seek(head.place(row))
            stream.write(bytes(size))
            blocks.add(row // BLOCK)
    if not blocks:
        return
    _sync(stream)
    for at in blocks:
        stream.seek(head.place(at * BLOCK))
        head.checks[at] = zlib.crc32(stream.read(size * min(BLOCK, len(head.ids) - at * BLOCK)))
    stream.seek(0)
    stream.write(head.pack())
    _sync(stream)


def _head(stream: BinaryIO) -> _Head:
    """The head of an open file.

    Raises:
        _UnusableError: it is damaged, or the file has not the size that it tells.
    """
    fixed = stream.read(_FIXED.size)
    if len(fixed) < _FIXED.size:
        raise _UnusableError
    magic, version, dimension, count, changes, removals, origin = _FIXED.unpack(fixed)
    whole = _start(count) + 4 * dimension * count
    if (magic, version) != (_MAGIC, _VERSION) or not dimension * count or os.fstat(stream.fileno()).st_size != whole:
        raise _UnusableError
    body = fixed + stream.read(_size(count) - len(fixed))
    if _CHECK.pack(zlib.crc32(body[: -_CHECK.size])) != body[-_CHECK.size :]:
        raise _UnusableError
    ids = np.frombuffer(body, "<i8", count, _FIXED.size).astype(np.int64)
    checks = np.frombuffer(body, "<u4", _blocks(count), _FIXED.size + 8 * count).astype(np.uint32)
    return _Head(dimension, (changes, removals), origin, ids, checks)


def _blocks(count: int) -> int:
    """How many checks so many rows have."""
    return -(-count // BLOCK)


def _size(count: int) -> int:
    """Bytes of the head of so many rows, before it is filled up."""
    return _FIXED.size + 8 * count + 4 * _blocks(count) + _CHECK.size


def _start(count: int) -> int:
    """Where the rows begin: at a page."""
    return -(-_size(count) // _PAGE) * _PAGE


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


def _sync_folder(folder: Path) -> None:
    """Have a file's new name on disk, so that a crash does not bring back the file before; Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
