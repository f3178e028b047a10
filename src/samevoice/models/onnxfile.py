"""The little of the ONNX file format that a model store needs: weights in, weights out, metadata.

An ONNX file is one protocol-buffer message. A *skeleton* is such a file whose weights have a name, a shape and a
kind, but no data; filling it gives a model that ONNX Runtime opens. Input is treated as hostile: whatever the
bytes, the only exception is `ModelError`, and nothing is allocated that the input does not hold.

Knows: the wire format and the field numbers of ONNX. Does not know: what a graph computes.
Source: protobuf.dev, "Encoding"; onnx.proto of ONNX 1.17.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ModelError

Array = NDArray[Any]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_DEPTH = 16  # graphs inside branches inside graphs
MAX_RANK = 16

MODEL_GRAPH, MODEL_METADATA = 7, 14
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_OUTPUT = 1, 5, 12
NODE_OUTPUT, NODE_KIND, NODE_ATTRIBUTE = 2, 4, 5
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS = 5, 6, 11
TENSOR_DIMS, TENSOR_KIND, TENSOR_NAME, TENSOR_RAW = 1, 2, 8, 9
TENSOR_DATA = {3, 4, 5, 6, 7, 9, 10, 11, 13, 14}  # any of these says that data is there, or elsewhere
ENTRY_KEY, ENTRY_VALUE = 1, 2
VALUE_NAME, VALUE_TYPE = 1, 2
FLOAT_TENSOR = b"\x0a\x02\x08\x01"  # a type: tensor of float32, of any shape

KINDS = {1: "<f4", 6: "<i4", 7: "<i8", 9: "|b1", 10: "<f2", 11: "<f8"}


class Field(NamedTuple):
    """One field of a message: its number, wire type, content, and the bytes of tag and content together."""

    number: int
    wire: int
    value: int
    content: memoryview
    whole: memoryview

    def message(self) -> memoryview:
        """The content of a field that must be length-delimited."""
        if self.wire != BYTES:
            raise ModelError(f"not an ONNX model: field {self.number} has wire type {self.wire}; fetch the file again")
        return self.content

    def text(self) -> str:
        """The content as UTF-8."""
        try:
            return str(self.message(), "utf-8")
        except UnicodeDecodeError as error:
            raise ModelError(f"not an ONNX model: field {self.number} is not text; fetch the file again") from error


class Tensor(NamedTuple):
    """A tensor as stored: data is None where it is stripped, or kept in a way that is not read here."""

    name: str
    shape: tuple[int, ...]
    kind: int
    data: memoryview | None
    is_stripped: bool


def fill(skeleton: bytes, tensors: Mapping[str, Array]) -> bytes:
    """Put weights into a skeleton.

    Args:
        skeleton: an ONNX model of which some initializers have no data.
        tensors: arrays by initializer name; those that the skeleton does not ask for are left aside.

    Returns:
        The model with every initializer complete.

    Raises:
        ModelError: a tensor is missing, has another shape or kind, or the skeleton is damaged.
    """
    parts: list[bytes | memoryview] = []
    for field in fields(memoryview(skeleton)):
        if field.number != MODEL_GRAPH:
            parts.append(field.whole)
            continue
        graph: list[bytes | memoryview] = []
        for inner in fields(field.message()):
            if inner.number == GRAPH_INITIALIZER and (tensor := _tensor(inner.message())).is_stripped:
                content = bytes(inner.content) + _delimited(TENSOR_RAW, _raw(tensor, tensors))
                graph.append(_delimited(GRAPH_INITIALIZER, content))
            else:
                graph.append(inner.whole)
        parts.append(_delimited(MODEL_GRAPH, b"".join(graph)))
    return b"".join(parts)


def read_tensors(model: bytes) -> dict[str, Array]:
    """Every numeric tensor stored in a model as raw data.

    Args:
        model: a serialised ONNX model.

    Returns:
        Initializers by name and tensors of Constant nodes by the node's output, branches included; read-only.

    Raises:
        ModelError: the file is damaged, or nested too deeply.
    """
    found: dict[str, Array] = {}
    for field in fields(memoryview(model)):
        if field.number == MODEL_GRAPH:
            _collect(field.message(), found, depth=0)
    return found


def with_metadata(model: bytes, metadata: Mapping[str, str]) -> bytes:
    """The model with entries appended to its metadata.

    Args:
        model: a serialised ONNX model.
        metadata: texts by key.
    """
    entries = (
        _delimited(ENTRY_KEY, key.encode()) + _delimited(ENTRY_VALUE, value.encode()) for key, value in metadata.items()
    )
    return model + b"".join(_delimited(MODEL_METADATA, entry) for entry in entries)


def with_output(model: bytes, name: str) -> bytes:
    """The model with one of its inner tensors as a further output; what is not asked for is not computed.

    Parts of one message that come one after the other are merged by whoever reads them, so nothing before is touched.

    Args:
        model: a serialised ONNX model.
        name: of a float32 tensor of its graph.
    """
    output = _delimited(VALUE_NAME, name.encode()) + _delimited(VALUE_TYPE, FLOAT_TENSOR)
    return model + _delimited(MODEL_GRAPH, _delimited(GRAPH_OUTPUT, output))


def split_metadata(model: bytes) -> tuple[bytes, dict[str, str]]:
    """The model without its metadata, and the metadata.

    Raises:
        ModelError: the file is not an ONNX model, or is damaged.
    """
    metadata: dict[str, str] = {}
    kept: list[memoryview] = []
    has_graph = False
    for field in fields(memoryview(model)):
        has_graph = has_graph or field.number == MODEL_GRAPH
        if field.number != MODEL_METADATA:
            kept.append(field.whole)
            continue
        entry = {inner.number: inner.text() for inner in fields(field.message())}
        metadata[entry.get(ENTRY_KEY, "")] = entry.get(ENTRY_VALUE, "")
    if not has_graph:
        raise ModelError("not an ONNX model: it holds no graph; fetch the file again")
    return b"".join(kept), metadata


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in order.

    Raises:
        ModelError: a number or a length runs past the end, or a wire type is unknown.
    """
    position = 0
    empty = message[:0]
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, position = _varint(message, position)
            yield Field(number, wire, value, empty, message[start:position])
            continue
        if wire == BYTES:
            size, position = _varint(message, position)
        elif wire in {FIXED32, FIXED64}:
            size = 4 if wire == FIXED32 else 8
        else:
            raise ModelError(f"not an ONNX model: wire type {wire} at byte {start}; fetch the file again")
        if size > len(message) - position:
            raise ModelError(f"the ONNX model is cut off: {size} bytes announced at byte {start}; fetch the file again")
        yield Field(number, wire, 0, message[position : position + size], message[start : position + size])
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """The number that begins at a position, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
    raise ModelError(f"the ONNX model is cut off: no number ends at byte {position}; fetch the file again")


def _delimited(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return _number(number << 3 | BYTES) + _number(len(content)) + content


def _number(value: int) -> bytes:
    """A varint."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tensor(message: memoryview) -> Tensor:
    """A tensor's description and a view of its raw data."""
    shape: list[int] = []
    name, kind = "", 0
    data: memoryview | None = None
    has_data = False
    for field in fields(message):
        if field.number == TENSOR_DIMS:
            shape.extend(_packed(field))
        elif field.number == TENSOR_KIND:
            kind = field.value
        elif field.number == TENSOR_NAME:
            name = field.text()
        elif field.number == TENSOR_RAW:
            data = field.message()
        has_data = has_data or field.number in TENSOR_DATA
    if len(shape) > MAX_RANK or math.prod(max(size, 1) for size in shape) >= 1 << 40:
        raise ModelError(f"tensor {name!r} of the ONNX model announces an impossible shape; fetch the file again")
    return Tensor(name, tuple(shape), kind, data, is_stripped=not has_data and math.prod(shape) > 0)


def _packed(field: Field) -> list[int]:
    """Numbers written one per field or packed into one."""
    if field.wire == VARINT:
        return [field.value]
    numbers: list[int] = []
    content, position = field.message(), 0
    while position < len(content) and len(numbers) <= MAX_RANK:
        number, position = _varint(content, position)
        numbers.append(number)
    return numbers


def _raw(tensor: Tensor, tensors: Mapping[str, Array]) -> bytes:
    """The bytes that a stripped tensor asks for."""
    if tensor.name not in tensors:
        raise ModelError(f"tensor {tensor.name!r} is missing from the weights; fetch the published file again")
    array = tensors[tensor.name]
    if tensor.kind not in KINDS or array.dtype.newbyteorder("<") != np.dtype(KINDS[tensor.kind]):
        raise ModelError(f"tensor {tensor.name!r} has the wrong kind {array.dtype}; fetch the published file again")
    if array.shape != tensor.shape:
        raise ModelError(
            f"tensor {tensor.name!r} has shape {array.shape}, need {tensor.shape}; fetch the published file again"
        )
    return array.astype(KINDS[tensor.kind], copy=False).tobytes()


def _array(tensor: Tensor) -> Array | None:
    """The tensor as an array over the file's own bytes; None for kinds and storages not read here."""
    if tensor.data is None or tensor.kind not in KINDS:
        return None
    kind = np.dtype(KINDS[tensor.kind])
    if math.prod(tensor.shape) * kind.itemsize != len(tensor.data):
        raise ModelError(f"tensor {tensor.name!r} of the ONNX model has the wrong size; fetch the file again")
    array = np.frombuffer(tensor.data, dtype=kind).reshape(tensor.shape)
    array.flags.writeable = False
    return array


def _collect(graph: memoryview, found: dict[str, Array], *, depth: int) -> None:
    """Add a graph's tensors, and those of the graphs inside it."""
    if depth > MAX_DEPTH:
        raise ModelError(f"the ONNX model nests graphs deeper than {MAX_DEPTH}; it cannot be a published model")
    for field in fields(graph):
        if field.number == GRAPH_INITIALIZER:
            tensor = _tensor(field.message())
            if (array := _array(tensor)) is not None:
                found[tensor.name] = array
        elif field.number == GRAPH_NODE:
            _collect_node(field.message(), found, depth=depth)


def _collect_node(node: memoryview, found: dict[str, Array], *, depth: int) -> None:
    """Add a Constant node's tensor, or what the graphs of its branches hold."""
    output, operator = "", ""
    tensors: list[memoryview] = []
    for field in fields(node):
        if field.number == NODE_OUTPUT:
            output = output or field.text()
        elif field.number == NODE_KIND:
            operator = field.text()
        elif field.number == NODE_ATTRIBUTE:
            for inner in fields(field.message()):
                if inner.number in {ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS}:
                    _collect(inner.message(), found, depth=depth + 1)
                elif inner.number == ATTRIBUTE_TENSOR:
                    tensors.append(inner.message())
    if operator == "Constant" and tensors and (array := _array(_tensor(tensors[0]))) is not None:
        found[output] = array
