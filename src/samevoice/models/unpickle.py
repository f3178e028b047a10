"""Read PyTorch checkpoints without PyTorch, and without running what they ask for.

A checkpoint is a pickle, and a pickle is a program. This reader admits only the operations and the handful of
names that a table of tensors needs, maps every name to a harmless stand-in, and refuses the rest. Both formats
are read: the zip archive of today and the older stream. Whatever the bytes, the only exception is `ModelError`.

Knows: the two checkpoint formats. Does not know: networks.
Source: the formats as written by torch.save (PyTorch 1.0 and 1.6 onwards); Python's pickletools.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ModelError

Array = NDArray[Any]

MAX_BYTES = 2 << 30  # of all tensors together
MAX_PICKLE = 64 << 20
MAX_LEAVES = 100_000
MAX_TUPLES = 20_000
MAX_DEPTH = 16
MAX_RANK = 16
MAGIC = 0x1950A86A20F9469CFC6C
STREAM_PROTOCOL = 1001
ADVICE = "fetch the published file again"

_KINDS = "Float <f4, Double <f8, Half <f2, Long <i8, Int <i4, Short <i2, Char |i1, Byte |u1, Bool |b1"
STORAGES = {f"{name}Storage": kind for name, kind in (pair.split() for pair in _KINDS.split(", "))}
_PERMITTED = """
    PROTO STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINSTRING BINSTRING
    EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM SETITEMS
    BINPUT LONG_BINPUT BINGET LONG_BINGET GLOBAL REDUCE BUILD BINPERSID
"""
OPERATIONS = frozenset(_PERMITTED.split())


class StateDict(dict[Any, Any]):
    """Stands for an ordered dictionary; attributes that a checkpoint hangs on it are dropped."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Take no state."""


# The stand-ins are tuples rather than frozen dataclasses: a pickle may hand any object a new state (BUILD), a frozen
# dataclass with slots accepts it, and a tuple cannot.
class Storage(NamedTuple):
    """A run of numbers somewhere in the file."""

    key: str
    kind: np.dtype[Any]
    size: int


class TensorView(NamedTuple):
    """A tensor as the checkpoint describes it: a strided view into a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class StorageKind(NamedTuple):
    """Stands for a storage class; only its element kind matters."""

    kind: np.dtype[Any]


class StandIn(NamedTuple):
    """What a permitted function becomes."""

    function: Callable[..., object]

    def __call__(self, *arguments: object) -> object:
        """Stand in for the call."""
        return self.function(*arguments)


def read_checkpoint(data: bytes) -> dict[str, Array]:
    """Every tensor of a checkpoint.

    Args:
        data: the file, a zip archive or the older stream.

    Returns:
        Contiguous arrays by name; nested dictionaries are joined by dots, anything that is no tensor is left out.

    Raises:
        ModelError: the file is damaged, too large, or asks for anything but tensors.
    """
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            return _read_archive(data)
        return _read_stream(data)
    except ModelError:
        raise
    except Exception as error:  # pickle and zipfile raise a dozen kinds on damaged input
        raise ModelError(f"the checkpoint is damaged ({type(error).__name__}: {str(error)[:100]}); {ADVICE}") from error


class _Reader(pickle.Unpickler):
    """Unpickles one table of tensors; storages stay references, and are listed in `storages`."""

    def __init__(self, stream: io.BytesIO) -> None:
        """Read from a stream; texts of Python 2 are taken as UTF-8."""
        super().__init__(stream, encoding="utf-8")
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str, /) -> object:
        """The stand-in of a permitted name."""
        full = f"{module}.{name}"
        if full == "collections.OrderedDict":
            return StandIn(_ordered)
        if full == "torch._utils._rebuild_tensor_v2":
            return StandIn(_tensor)
        if full == "torch._utils._rebuild_parameter":
            return StandIn(lambda tensor, *_: tensor)
        if module == "torch" and name in STORAGES:
            return StorageKind(np.dtype(STORAGES[name]))
        raise ModelError(f"the checkpoint asks to use {full[:80]!r}, which a table of tensors never needs: refused")

    def persistent_load(self, pid: object, /) -> Storage:
        """The storage that a checkpoint refers to."""
        if not isinstance(pid, tuple) or len(pid) not in {5, 6} or pid[0] != "storage":
            raise ModelError(f"the checkpoint refers to something that is no storage; {ADVICE}")
        _, kind, key, _, count, *view = pid
        if not isinstance(kind, StorageKind) or not isinstance(key, str) or any(part is not None for part in view):
            raise ModelError(f"the checkpoint describes a storage in an unknown way; {ADVICE}")
        storage = Storage(key, kind.kind, _count(count))
        if self.storages.setdefault(key, storage) != storage:
            raise ModelError(f"the checkpoint describes storage {key!r} in two ways; {ADVICE}")
        return storage


def _count(value: object) -> int:
    """A size, an offset or a stride."""
    if type(value) is not int or not 0 <= value <= MAX_BYTES:
        raise ModelError(f"the checkpoint announces an impossible size; {ADVICE}")
    return value


def _ordered(items: object = ()) -> StateDict:
    """Stand in for the ordered dictionary."""
    return StateDict(items if isinstance(items, list) else [])


def _tensor(storage: object, offset: object, shape: object, strides: object, *_: object) -> TensorView:
    """Stand in for a tensor, bounds checked."""
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ModelError(f"the checkpoint describes a tensor in an unknown way; {ADVICE}")
    sizes, steps, start = tuple(map(_count, shape)), tuple(map(_count, strides)), _count(offset)
    total = math.prod(sizes)
    last = start + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if len(sizes) > MAX_RANK or total > storage.size or (total and last >= storage.size):
        raise ModelError(f"a tensor of the checkpoint reaches beyond its storage; {ADVICE}")
    return TensorView(storage, start, sizes, steps)


def _pickle_end(data: memoryview) -> int:
    """Where the pickle that begins the data ends, after checking that each of its operations is permitted."""
    stream = io.BytesIO(data[:MAX_PICKLE])
    tuples = 0
    for operation, argument, position in pickletools.genops(stream):
        # Python hashes a tuple within tuples without end until the process dies; a tensor takes four tuples.
        tuples += operation.name.startswith("TUPLE")
        if tuples > MAX_TUPLES:
            raise ModelError(f"the checkpoint describes more than {MAX_TUPLES // 4} tensors; {ADVICE}")
        if operation.name not in OPERATIONS:
            raise ModelError(
                f"the checkpoint uses {operation.name} at byte {position}, not needed for tensors: refused"
            )
        # A memo slot far beyond the input would make the C reader allocate gigabytes.
        if operation.name == "LONG_BINPUT" and (not isinstance(argument, int) or argument > len(data)):
            raise ModelError(f"the checkpoint announces an impossible size; {ADVICE}")
    return stream.tell()


def _unpickle(data: memoryview) -> tuple[object, int, dict[str, Storage]]:
    """The object that the data begins with, where it ends, and the storages it refers to."""
    end = _pickle_end(data)
    reader = _Reader(io.BytesIO(data[:end]))
    return reader.load(), end, reader.storages


def _read_archive(data: bytes) -> dict[str, Array]:
    """The zip format: `NAME/data.pkl` and one member per storage under `NAME/data/`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: info for info in archive.infolist()}
        table = next((name for name in members if name == "data.pkl" or name.endswith("/data.pkl")), None)
        if table is None:
            raise ModelError(f"the archive holds no checkpoint (no data.pkl); {ADVICE}")
        root = table.removesuffix("data.pkl")
        if root + "byteorder" in members and _member(archive, members[root + "byteorder"], 16) != b"little":
            raise ModelError(f"the checkpoint is not little-endian; {ADVICE}")
        content, _, wanted = _unpickle(memoryview(_member(archive, members[table], MAX_PICKLE)))
        if sum(storage.size * storage.kind.itemsize for storage in wanted.values()) > MAX_BYTES:
            raise ModelError(f"the checkpoint announces more than {MAX_BYTES} bytes; {ADVICE}")
        storages: dict[str, Array] = {}
        for key, storage in wanted.items():
            info = members.get(f"{root}data/{key}")
            size = storage.size * storage.kind.itemsize
            if info is None or info.file_size != size:
                raise ModelError(f"storage {key!r} of the checkpoint is missing or has the wrong size; {ADVICE}")
            storages[key] = np.frombuffer(_member(archive, info, size), dtype=storage.kind)
    return _tensors(content, storages)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """A member's content, never more than it announces and we allow."""
    if info.file_size > limit:
        raise ModelError(f"{info.filename!r} of the checkpoint is too large ({info.file_size} bytes); {ADVICE}")
    with archive.open(info) as stream:
        content = stream.read(limit)
    if len(content) != info.file_size:  # zipfile takes the end of a member for its size
        raise ModelError(f"{info.filename!r} of the checkpoint is shorter than it announces; {ADVICE}")
    return content


def _read_stream(data: bytes) -> dict[str, Array]:
    """The older format: magic, protocol, system, table and keys as pickles, then each storage behind its count."""
    view = memoryview(data)
    parts: list[object] = []
    wanted: dict[str, Storage] = {}
    for _ in range(5):
        part, end, storages = _unpickle(view)
        if not parts and part != MAGIC:
            raise ModelError(f"not a PyTorch checkpoint; {ADVICE}")
        parts.append(part)
        wanted.update(storages)
        view = view[end:]
    _, protocol, system, table, keys = parts
    little = isinstance(system, dict) and system.get("little_endian") is True
    if protocol != STREAM_PROTOCOL or not little or not isinstance(keys, list):
        raise ModelError(f"the checkpoint is of an unknown protocol, or not little-endian; {ADVICE}")
    found: dict[str, Array] = {}
    for key in keys:
        storage = wanted.get(key)
        size = storage.size * storage.kind.itemsize if storage else 0
        if storage is None or int.from_bytes(view[:8], "little") != storage.size or len(view) < 8 + size:
            raise ModelError(f"storage {key!r} of the checkpoint is cut off or unknown; {ADVICE}")
        found[key] = np.frombuffer(view[8 : 8 + size], dtype=storage.kind)
        view = view[8 + size :]
    return _tensors(table, found)


def _tensors(content: object, storages: dict[str, Array]) -> dict[str, Array]:
    """The tensors of a table as arrays of their own."""
    leaves = _leaves(content)
    total = sum(math.prod(leaf.shape) * leaf.storage.kind.itemsize for leaf in leaves.values())
    if total > MAX_BYTES:
        raise ModelError(f"the checkpoint's tensors take {total} bytes, more than {MAX_BYTES}; {ADVICE}")
    return {name: _materialise(leaf, storages) for name, leaf in leaves.items()}


def _materialise(leaf: TensorView, storages: dict[str, Array]) -> Array:
    """A contiguous copy of a strided view; numpy refuses one that reaches beyond the storage's bytes."""
    key, kind, size = leaf.storage
    flat = storages.get(key)
    if flat is None or flat.dtype != kind or len(flat) != size:
        raise ModelError(f"storage {key!r} of the checkpoint is missing, or not as described; {ADVICE}")
    steps = tuple(step * kind.itemsize for step in leaf.strides)
    return np.ndarray(leaf.shape, kind, flat, leaf.offset * kind.itemsize, steps).copy()


def _leaves(content: object) -> dict[str, TensorView]:
    """The tensors of nested dictionaries by dotted name; bounded, because a checkpoint may refer to itself."""
    found: dict[str, TensorView] = {}
    pending: list[tuple[str, object, int]] = [("", content, 0)]
    visited = 0
    while pending:
        prefix, node, depth = pending.pop()
        visited += 1
        if visited > MAX_LEAVES or depth > MAX_DEPTH:
            raise ModelError(f"the checkpoint nests too many tables; {ADVICE}")
        if isinstance(node, TensorView):
            found[prefix] = node
        elif isinstance(node, dict):
            if len(node) + len(pending) > MAX_LEAVES:
                raise ModelError(f"the checkpoint nests too many tables; {ADVICE}")
            joint = f"{prefix}." if prefix else ""
            pending.extend(
                (f"{joint}{key}", value, depth + 1)
                for key, value in reversed(node.items())
                if isinstance(key, str | int)
            )
    return found
