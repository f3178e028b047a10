from __future__ import annotations

from typing import Any

import modelmakers as make
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from samevoice.errors import ModelError
from samevoice.models.onnxfile import fill, read_tensors, split_metadata, with_metadata


def test_a_filled_skeleton_holds_the_weights() -> None:
    filled = fill(make.graph(stripped=True), {"weights": make.weights(), "unused": np.zeros(1)})
    np.testing.assert_array_equal(read_tensors(filled)["weights"], make.weights())


def test_a_complete_model_is_left_byte_for_byte() -> None:
    assert fill(make.graph(), {}) == make.graph()


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "'weights' is missing"),
        ({"weights": np.zeros((80, 4), np.float32)}, "'weights' has shape"),
        ({"weights": np.zeros((80, 3), np.float64)}, "'weights' has the wrong kind"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tensors: dict[str, NDArray[Any]], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        fill(make.graph(stripped=True), tensors)


def test_constants_inside_branches_are_found_by_their_output() -> None:
    array = np.array([1.5, -2.0], dtype=np.float32)
    constant = make.node("Constant", [], "inner.bias", make.wire(1, "value") + make.wire(5, make.tensor("", array)))
    branch = make.wire(1, "then_branch") + make.wire(6, make.wire(1, constant))
    model = make.wire(7, make.wire(1, make.node("If", ["flag"], "out", branch)))
    np.testing.assert_array_equal(read_tensors(model)["inner.bias"], array)


def test_the_reader_agrees_with_the_onnx_package() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(make.graph())
    onnx.checker.check_model(model)
    (theirs,) = [onnx.numpy_helper.to_array(item) for item in model.graph.initializer]
    np.testing.assert_array_equal(read_tensors(make.graph())["weights"], theirs)


@given(st.dictionaries(st.text(), st.text(), max_size=4))
def test_metadata_survives_a_round_trip(metadata: dict[str, str]) -> None:
    model = with_metadata(make.graph(), metadata)
    assert split_metadata(model) == (make.graph(), metadata)


def test_onnx_reads_our_metadata() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(with_metadata(make.graph(), {"key": "välue"}))
    assert {item.key: item.value for item in model.metadata_props} == {"key": "välue"}


def read_everything(data: bytes) -> None:
    """All three readers; each may fail, but only in one way."""
    for reader in (read_tensors, split_metadata, lambda model: fill(model, {"weights": make.weights()})):
        try:
            reader(data)
        except ModelError:
            continue


@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_model_error(data: bytes) -> None:
    read_everything(data)


@given(st.integers(0, len(make.graph()) - 1), st.integers(0, 255), st.integers(1, len(make.graph())))
def test_a_changed_or_cut_model_raises_nothing_but_model_error(index: int, byte: int, end: int) -> None:
    data = bytearray(make.graph(stripped=True) + make.graph())
    data[index % len(data)] = byte
    read_everything(bytes(data))
    read_everything(make.graph()[:end])


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 20,  # a number without end
        make.varint(7 << 3 | 2) + make.varint(1 << 62),  # a length far past the end
        make.wire(7, make.wire(5, make.wire(1, 1 << 63) + make.wire(2, 1) + make.wire(9, b""))),  # a size of 2^63
        make.wire(7, make.wire(5, make.wire(1, 4) + make.wire(2, 1) + make.wire(9, b"abc"))),  # 4 floats in 3 bytes
        make.wire(7, 1),  # a graph that is a number
        # no floats at all, in a shape that numpy cannot hold
        make.wire(7, make.wire(5, make.wire(1, 0) + make.wire(1, 1 << 39) * 2 + make.wire(2, 1) + make.wire(9, b""))),
    ],
)
def test_lying_headers_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        read_tensors(data)


def test_graphs_nested_without_end_are_refused() -> None:
    inner = b""
    for _ in range(500):
        inner = make.wire(1, make.node("If", [], "x", make.wire(1, "b") + make.wire(6, inner)))
    with pytest.raises(ModelError, match="deeper"):
        read_tensors(make.wire(7, inner))
