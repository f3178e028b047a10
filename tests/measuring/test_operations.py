"""Operations counted from a graph: against counts by hand, and against those of torch for a whole network."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from samevoice.errors import ModelError
from samevoice.measuring.operations import nodes_of, operations
from samevoice.models import store


def graph_of(*nodes: onnx.NodeProto, shape: tuple[int, ...], **weights: tuple[int, ...]) -> bytes:
    """A graph from "features" of some shape to "out", its weights all ones."""
    model = helper.make_model(
        helper.make_graph(
            list(nodes),
            "small",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.ones(size, np.float32), name) for name, size in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    content: bytes = model.SerializeToString()
    return content


def node(kind: str, *inputs: str, out: str = "out", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, [*inputs], [out], **attributes)


@pytest.mark.parametrize(
    ("kind", "shape", "weights", "attributes", "expected"),
    [
        # 10 - 3 + 1 outputs of 4 channels, each over 6 channels and 3 taps
        ("Conv", (1, 6, 10), (4, 6, 3), {}, 2 * 8 * 4 * 6 * 3),
        # a batch of 2, steps of 2, a zero on each side: 5 outputs
        ("Conv", (2, 6, 10), (4, 6, 3), {"strides": [2], "pads": [1, 1]}, 2 * 2 * 5 * 4 * 6 * 3),
        # depthwise: each channel sees itself alone
        ("Conv", (1, 6, 10), (6, 1, 3), {"group": 6}, 2 * 8 * 6 * 3),
        ("Conv", (1, 2, 9, 7), (5, 2, 3, 3), {}, 2 * (7 * 5) * 5 * 2 * 9),
        # every one of 6 x 10 inputs goes into 4 channels and 3 taps
        ("ConvTranspose", (1, 6, 10), (6, 4, 3), {}, 2 * 6 * 10 * 4 * 3),
        ("MatMul", (3, 5, 7), (7, 11), {}, 2 * 3 * 5 * 7 * 11),
        ("Gemm", (5, 7), (7, 11), {}, 2 * 5 * 7 * 11),
        ("Gemm", (5, 7), (11, 7), {"transB": 1}, 2 * 5 * 7 * 11),
        ("Gemm", (7, 5), (7, 11), {"transA": 1}, 2 * 5 * 7 * 11),
    ],
)
def test_counts_by_hand(
    kind: str, shape: tuple[int, ...], weights: tuple[int, ...], attributes: dict[str, Any], expected: int
) -> None:
    graph = graph_of(node(kind, "features", "weights", **attributes), shape=shape, weights=weights)
    assert operations(graph, np.ones(shape, np.float32)) == expected


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_a_recurrent_layer_multiplies_inputs_and_states_at_each_step(kind: str, gates: int) -> None:
    steps, batch, width, hidden = 9, 2, 5, 6
    graph = graph_of(
        node(kind, "features", "inputs", "states", hidden_size=hidden, direction="bidirectional"),
        shape=(steps, batch, width),
        inputs=(2, gates * hidden, width),
        states=(2, gates * hidden, hidden),
    )
    expected = 2 * 2 * steps * batch * gates * hidden * (width + hidden)
    assert operations(graph, np.ones((steps, batch, width), np.float32)) == expected


def test_steps_add_up_and_shapes_within_the_graph_are_found() -> None:
    """The second matrix is made on the way, and the sum of both costs nothing that counts."""
    nodes = [
        node("MatMul", "features", "weights", out="first"),
        node("Transpose", "first", out="turned", perm=[1, 0]),
        node("MatMul", "first", "turned", out="second"),
        node("Relu", "second"),
    ]
    graph = graph_of(*nodes, shape=(4, 7), weights=(7, 3))
    assert operations(graph, np.ones((4, 7), np.float32)) == 2 * 4 * 7 * 3 + 2 * 4 * 3 * 4
    assert [one.kind for one in nodes_of(graph)] == ["MatMul", "Transpose", "MatMul", "Relu"]


def test_a_graph_without_products_costs_nothing() -> None:
    assert operations(graph_of(node("Relu", "features"), shape=(2, 3)), np.ones((2, 3), np.float32)) == 0


def test_a_whole_network_counts_as_torch_counts_it() -> None:
    facts = {one["name"]: one for one in json.loads(files("samevoice.networks").joinpath("facts.json").read_text())}
    _, graph = store.load("campplus")
    counted = operations(graph, np.zeros((1, 298, 80), np.float32))
    assert float(f"{counted / 1e9:.3g}") == facts["campplus"]["gflop_3s"]
    twice = operations(graph, np.zeros((2, 298, 80), np.float32))
    assert twice == 2 * counted


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(ModelError):
        operations(b"no model", np.zeros((1, 2, 3), np.float32))
