"""Graphs in 8 bits: what is rounded, how far answers turn, and how they are opened."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from samevoice.export.int8 import with_int8_products, with_int8_weights
from samevoice.runtime import open_session

BANDS, CHANNELS = 80, 48
QDQ = "session.disable_quant_qdq"


def graph() -> bytes:
    """Two convolutions with a relu between them, then the mean over time: (batch, frames, 80) to (batch, 48)."""
    draw = np.random.default_rng(0)
    weights = {
        "first": draw.standard_normal((CHANNELS, BANDS, 3)) / 15,
        "second": draw.standard_normal((CHANNELS, CHANNELS, 3)) / 12,
    }
    nodes = [
        helper.make_node("Transpose", ["features"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("Conv", ["turned", "first"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"]),
        helper.make_node("ReduceMean", ["c"], ["embedding"], axes=[2], keepdims=0),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ("batch", "frames", BANDS))],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ("batch", CHANNELS))],
            [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture(scope="module")
def clips() -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((8, 60, BANDS)).astype(np.float32)


def answers(model: bytes, features: NDArray[np.float32]) -> NDArray[np.float32]:
    (found,) = open_session(model, "small", threads=1).run(None, {"features": features})
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def kinds(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(model).graph.node]


def test_both_sides_of_every_product_are_rounded(clips: NDArray[np.float32]) -> None:
    smaller = with_int8_products(graph(), clips)
    types = {tensor.data_type for tensor in onnx.load_from_string(smaller).graph.initializer if len(tensor.dims) == 3}
    assert types == {TensorProto.INT8}
    assert kinds(smaller).count("QuantizeLinear") >= 2
    assert len(smaller) < 0.5 * len(graph())


@pytest.mark.filterwarnings("ignore")  # of the quantiser
def test_answers_turn_little_on_what_the_ranges_were_not_found_on(clips: NDArray[np.float32]) -> None:
    plain, heard = graph(), clips[4:, :37]
    expected = answers(plain, heard)
    for rounded, least in ((with_int8_products(plain, clips[:4]), 0.99), (with_int8_weights(plain), 0.999)):
        cosines = np.sum(expected * answers(rounded, heard), axis=1)
        assert least < cosines.min() < 1 - 1e-7


def test_ranges_are_those_of_the_clips(clips: NDArray[np.float32]) -> None:
    """What is a hundred times louder than all that was heard before is cut off, so that answers turn far."""
    loud = clips[4:] * np.linspace(1, 100, BANDS, dtype=np.float32)
    expected = answers(graph(), loud)
    turned = np.sum(expected * answers(with_int8_products(graph(), clips[:4]), loud), axis=1)
    kept = np.sum(expected * answers(with_int8_products(graph(), loud), loud), axis=1)
    assert turned.max() < 0.99 < kept.min()


def test_weights_are_made_floats_once_but_whole_numbers_stay(clips: NDArray[np.float32]) -> None:
    """Otherwise the first kind is a third slower than floats, and the second no faster."""

    def undone(model: bytes) -> bool:
        options = open_session(model, "small", threads=1).get_session_options()
        try:
            return bool(options.get_session_config_entry(QDQ) == "1")
        except RuntimeError:  # it was not set
            return False

    assert undone(with_int8_weights(graph()))
    assert undone(graph())
    assert not undone(with_int8_products(graph(), clips))
