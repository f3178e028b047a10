"""A graph in 8 bits: its weights alone, or both sides of its products.

`with_int8_weights` rounds weights, each output channel on a scale of its own; everything is still computed in floats: a
quarter of the size, nearly the same answers, no faster. `with_int8_products` rounds the other side of each product too,
on ranges found beforehand with real speech: processors with 8-bit products (AVX-512 VNNI) are faster, and answers turn
further. (With ranges found at each call instead, convolutions were four to nine times slower.)
What it costs in error rates is measured by `benchmarks/int8.py`.

Knows: which inputs of which operators are weights. Does not know: networks, cards, files.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

MAX_LEVEL = 127
NOTHING = 1e-30  # slices no larger than this become zeros: their scale would not be a normal number
MIN_SIZE = 1024  # smaller tensors are kept: they weigh nothing and matter most
# Operator and input number -> the axis of that input along which the output channels lie, from the back where negative.
WEIGHTS = {
    ("Conv", 1): 0,
    ("Gemm", 1): 0,
    ("MatMul", 1): -1,
    ("LSTM", 1): 1,
    ("LSTM", 2): 1,
    ("GRU", 1): 1,
    ("GRU", 2): 1,
}


def with_int8_weights(graph: bytes) -> bytes:
    """Replace every large weight by 8-bit numbers, a scale per output channel, and the step that multiplies them.

    Args:
        graph: an ONNX model, opset 13 or newer.

    Returns:
        The same model with smaller weights; tensors that several operators use along different axes are kept.
    """
    model = onnx.load_from_string(graph)
    axes = _axes(model.graph)
    kept, steps = [], []
    for tensor in model.graph.initializer:
        large = tensor.data_type == onnx.TensorProto.FLOAT and math.prod(tensor.dims) >= MIN_SIZE
        if not large or tensor.name not in axes:
            kept.append(tensor)
            continue
        axis = axes[tensor.name] % len(tensor.dims)
        levels, scale = rounded(numpy_helper.to_array(tensor), axis)
        names = [f"{tensor.name}.levels", f"{tensor.name}.scale"]
        kept += [numpy_helper.from_array(levels, names[0]), numpy_helper.from_array(scale, names[1])]
        steps.append(onnx.helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis))
    nodes = [*steps, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    smaller: bytes = model.SerializeToString(deterministic=True)
    return smaller


def with_int8_products(graph: bytes, clips: NDArray[np.float32]) -> bytes:
    """Round weights and what they are multiplied with to 8 bits.

    Args:
        graph: an ONNX model of one input, opset 13 or newer.
        clips: features of real speech on which ranges are found, shape (n, frames, bands), n >= 1.

    Returns:
        The same model with a step before and behind each product that goes to 8 bits and back; ONNX Runtime computes
        what lies between in whole numbers.
    """
    from onnxruntime import quantization  # slow to import

    (name,) = (one.name for one in onnx.load_from_string(graph).graph.input)
    rest = iter(clips)

    class Clips(quantization.CalibrationDataReader):  # type: ignore[misc]
        """One clip after the other."""

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            clip = next(rest, None)
            return None if clip is None else {name: clip[None]}

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(graph)
        quantization.quantize_static(
            source,
            target,
            Clips(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        )
        return target.read_bytes()


def rounded(weights: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights as whole numbers from -127 to 127 and the scale of each slice along an axis.

    Args:
        weights: finite, any shape.
        axis: along which every slice has its own scale, >= 0.

    Returns:
        The levels, of the same shape, and the scales, of the length of that axis; levels x scale is within half a
        scale (and 1e-30) of the weights.
    """
    others = tuple(index for index in range(weights.ndim) if index != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scale = np.where(largest > NOTHING, largest, 1.0).astype(np.float32) / np.float32(MAX_LEVEL)
    levels = np.clip(np.rint(weights / scale), -MAX_LEVEL, MAX_LEVEL).astype(np.int8)
    return levels, scale.ravel()


def _axes(graph: onnx.GraphProto) -> dict[str, int]:
    """The axis of the output channels of every tensor that is a weight wherever it is used, and always the same one."""
    found: dict[str, set[int | None]] = {}
    for node in graph.node:
        flipped = node.op_type == "Gemm" and not any(item.name == "transB" and item.i for item in node.attribute)
        for number, name in enumerate(node.input):
            axis = 1 if flipped and number == 1 else WEIGHTS.get((node.op_type, number))
            found.setdefault(name, set()).add(axis)
    return {name: axis for name, (axis, *more) in found.items() if axis is not None and not more}
