"""How the cache file of an index is laid out, and how it is seen that nobody else wrote in it.

    magic, version, dimension, rows, moment (changes, removals, newest event and its digest), origin
    ids           int64 (n,), ascending
    checks        HMAC-SHA256 of every 4,096 rows
    check         HMAC-SHA256 of all above; then zeros up to a whole page
    rows          float32 (n, d); zeros where a person was removed

The checks are made with a key of the gallery: who changes a row, an id or their order without it is noticed.

Knows: bytes. Does not know: when files are written, where they lie (`cache`).
"""

from __future__ import annotations

import hmac
import os
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from samevoice.gallery.crypto import MasterKey

Ids = NDArray[np.int64]
Rows = NDArray[np.float32]
Content = bytes | memoryview

BLOCK = 4_096  # rows under one check
ORIGIN = 32  # bytes that say of which gallery, model and key

_MAGIC, _VERSION = b"samevoice index\n", 2
_DIGEST = 32  # bytes of an event's digest, and of a check
_FIXED = struct.Struct(f"<16sIIQqqq{_DIGEST}s{ORIGIN}s")
_PAGE = 4_096


class UnusableError(Exception):
    """The file is not a whole cache of this version, or not one of this gallery."""


@dataclass(frozen=True, slots=True)
class Moment:
    """How far a gallery has come.

    A copy of the database that is put back counts on from where it was, so the counts alone do not tell which of two
    histories they are of; the digest of an event does.

    Args:
        changes: how often templates were written at all.
        removals: how often one was removed or changed.
        event: number of the newest event.
        digest: of that event; 32 bytes.
    """

    changes: int
    removals: int
    event: int
    digest: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """All of a file but its rows.

    Args:
        dimension: of the rows.
        moment: of the store, before the templates were read.
        origin: `ORIGIN` bytes.
        ids: int64 (n,), ascending, at least one.
        checks: of the blocks, uint8 (blocks, 32); not known before the rows are written.
    """

    dimension: int
    moment: Moment
    origin: bytes
    ids: Ids
    checks: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, _DIGEST), np.uint8))

    def pack(self, key: bytes) -> bytes:
        """The bytes before the rows."""
        now = self.moment
        numbers = self.dimension, len(self.ids), now.changes, now.removals, now.event
        fixed = _FIXED.pack(_MAGIC, _VERSION, *numbers, now.digest, self.origin)
        head = fixed + self.ids.astype("<i8").tobytes() + self.checks.tobytes()
        return (head + _check(key, b"head", head)).ljust(start(len(self.ids)), b"\0")

    def place(self, row: int) -> int:
        """Where in the file a row begins."""
        return start(len(self.ids)) + 4 * self.dimension * row

    def fits(self, key: bytes, block: int, content: Content) -> bool:
        """Whether the rows of a block are those that were written."""
        return hmac.compare_digest(check_of(key, content), self.checks[block].tobytes())


def key_of(master: MasterKey, identity: str) -> bytes:
    """The key of all checks in the cache files of a gallery."""
    return master.derive(f"index files of gallery {identity}")


def check_of(key: bytes, content: Content) -> bytes:
    """The check of the rows of a block."""
    return _check(key, b"rows", content)


def head_of(key: bytes, stream: BinaryIO) -> Head:
    """The head of an open file.

    Raises:
        UnusableError: it is damaged, was made with another key, or the file has not the size that it tells.
    """
    fixed = stream.read(_FIXED.size)
    if len(fixed) < _FIXED.size:
        raise UnusableError
    magic, version, dimension, count, changes, removals, event, digest, origin = _FIXED.unpack(fixed)
    whole = start(count) + 4 * dimension * count
    if (magic, version) != (_MAGIC, _VERSION) or not dimension * count or os.fstat(stream.fileno()).st_size != whole:
        raise UnusableError
    head = fixed + stream.read(_size(count) - _DIGEST - len(fixed))
    if not hmac.compare_digest(_check(key, b"head", head), stream.read(_DIGEST)):
        raise UnusableError
    ids = np.frombuffer(head, "<i8", count, _FIXED.size).astype(np.int64)
    checks = np.frombuffer(head, np.uint8, offset=_FIXED.size + 8 * count).reshape(-1, _DIGEST).copy()
    return Head(dimension, Moment(changes, removals, event, digest), origin, ids, checks)


def start(count: int) -> int:
    """Where so many rows begin: at a page."""
    return -(-_size(count) // _PAGE) * _PAGE


def checks_of(checks: list[bytes]) -> NDArray[np.uint8]:
    """Checks as `Head` keeps them, shape (blocks, 32)."""
    return np.frombuffer(b"".join(checks), np.uint8).reshape(-1, _DIGEST)


def _size(count: int) -> int:
    """Bytes of the head of so many rows, before it is filled up."""
    blocks = -(-count // BLOCK)
    return _FIXED.size + 8 * count + _DIGEST * blocks + _DIGEST


def _check(key: bytes, what: bytes, content: Content) -> bytes:
    code = hmac.new(key, what, "sha256")
    code.update(content)
    return code.digest()
