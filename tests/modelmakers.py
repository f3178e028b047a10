"""Tiny models and checkpoints, written byte by byte, so that the readers under test are never used to make them."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.features.frontend import FrontendSpec
from samevoice.models.card import Licences, ModelCard, Window, fingerprint_of

BANDS, DIMENSION = 80, 3


def varint(value: int) -> bytes:
    """A protocol-buffer number."""
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def wire(number: int, value: int | str | bytes) -> bytes:
    """A protocol-buffer field: a number, or anything with a length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name: str, array: NDArray[Any], *, stripped: bool = False) -> bytes:
    """A float tensor, with or without its data."""
    head = b"".join(wire(1, size) for size in array.shape) + wire(2, 1) + wire(8, name)
    return head if stripped else head + wire(9, array.astype("<f4").tobytes())


def node(operator: str, inputs: list[str], output: str, *attributes: bytes) -> bytes:
    """One step of a graph."""
    names = b"".join(wire(1, name) for name in inputs)
    return names + wire(2, output) + wire(4, operator) + b"".join(wire(5, part) for part in attributes)


def value(name: str, *axes: int | str) -> bytes:
    """A named float input or output."""
    shape = b"".join(wire(1, wire(1, axis) if isinstance(axis, int) else wire(2, axis)) for axis in axes)
    return wire(1, name) + wire(2, wire(1, wire(1, 1) + wire(2, shape)))


def weights() -> NDArray[np.float32]:
    """The tiny model's only weights."""
    return (np.arange(BANDS * DIMENSION) / 100).astype(np.float32).reshape(BANDS, DIMENSION)


def graph(*, stripped: bool = False, scale: float = 1.0) -> bytes:
    """A network that multiplies the mean over frames with its weights: (batch, frames, 80) to (batch, 3)."""
    axes = wire(1, "axes") + wire(8, 1) + wire(20, 7)
    keep = wire(1, "keepdims") + wire(3, 0) + wire(20, 2)
    content = wire(1, node("ReduceMean", ["features"], "mean", axes, keep))
    content += wire(1, node("MatMul", ["mean", "weights"], "embedding"))
    content += wire(2, "tiny") + wire(5, tensor("weights", weights() * scale, stripped=stripped))
    content += wire(11, value("features", "batch", "frames", BANDS)) + wire(12, value("embedding", "batch", DIMENSION))
    return wire(1, 8) + wire(7, content) + wire(8, wire(1, "") + wire(2, 17))


def card(model: bytes | None = None, **changes: Any) -> ModelCard:
    """The tiny model's card, its fingerprint right for the graph."""
    plain = ModelCard(
        name="tiny",
        kind="speaker-embedding",
        summary="A model for tests.",
        rate=16_000,
        dimension=DIMENSION,
        frontend=FrontendSpec("kaldi-fbank", 16_000, BANDS),
        window=Window(200, 100),
        level_dbfs=None,
        min_speech=0.5,
        resampler="HQ",
        licences=Licences("Apache-2.0", "Apache-2.0", "none"),
        source="made by a test",
        training_data="none",
        calibration=None,
        fingerprint="",
    )
    changed = replace(plain, **changes)
    return replace(changed, fingerprint=fingerprint_of(graph() if model is None else model, changed))


TABLE = (
    b"\x80\x02}q\x00X\x07\x00\x00\x00weightsq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02"
    b"((X\x07\x00\x00\x00storageq\x03ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06"
    b"KxtQK\x00K\x03K(\x86K\x01K\x03\x86\x89ccollections\nOrderedDict\nq\x07)RtRs."
)
"""{"weights": a (3, 40) view, column-major, of storage "0" with 120 floats}, as torch.save pickles it."""


def archive(table: bytes = TABLE, storages: dict[str, bytes] | None = None, **options: Any) -> bytes:
    """A checkpoint in the zip format."""
    if storages is None:
        storages = {"0": np.arange(120, dtype="<f4").tobytes()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as target:
        target.writestr("net/data.pkl", table)
        target.writestr("net/byteorder", "little")
        for key, content in storages.items():
            target.writestr(f"net/data/{key}", content)
    return stream.getvalue()


def stream(table: bytes = TABLE) -> bytes:
    """A checkpoint in the older format."""
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    system = b"\x80\x02}X\r\x00\x00\x00little_endian\x88s."
    keys = b"\x80\x02]X\x01\x00\x00\x000a."
    table = table.replace(b"cpuq\x06KxtQ", b"cpuq\x06KxNtQ")  # here a storage has a sixth part: no view
    return (
        magic
        + b"\x80\x02M\xe9\x03."
        + system
        + table
        + keys
        + struct.pack("<q", 120)
        + np.arange(120, dtype="<f4").tobytes()
    )
