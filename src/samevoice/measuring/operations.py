"""How many operations a network does, counted from its graph.

Counted are convolutions, matrix products and recurrent layers, a multiply-add as two operations; all else is small
beside them. The graph is run once with the inner tensors as outputs, whose shapes say the rest, so that any network can
be counted without the library that made it.

Knows: what each operator multiplies. Does not know: models, time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samevoice.models.onnxfile import (
    GRAPH_NODE,
    MODEL_GRAPH,
    NODE_KIND,
    NODE_OUTPUT,
    fields,
    read_tensors,
    with_output,
)
from samevoice.runtime import open_session

NODE_INPUT = 1
RECURRENT = ("LSTM", "GRU", "RNN")
COUNTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", *RECURRENT)

Shape = tuple[int, ...]


class Node(NamedTuple):
    """One step of a graph: its operator, and the names of its tensors."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def operations(graph: bytes, features: NDArray[np.float32]) -> int:
    """What one call of a network costs.

    Args:
        graph: a serialised ONNX model of one float32 input, its weights inside.
        features: what it is called with.

    Returns:
        Multiplications and additions; 0 where no counted operator is in the graph.

    Raises:
        ModelError: the graph is damaged, or cannot be run.
    """
    nodes = [node for node in nodes_of(graph) if node.kind in COUNTED]
    source = open_session(graph, "counted network", threads=1).get_inputs()[0].name
    known: dict[str, Shape] = {name: array.shape for name, array in read_tensors(graph).items()}
    known[source] = features.shape
    if wanted := sorted({name for node in nodes for name in (*node.inputs[:3], node.outputs[0])} - known.keys() - {""}):
        # Outputs are written behind a model, so those of an empty one can follow it all at once.
        asked = graph + b"".join(with_output(b"", name) for name in wanted)
        found = open_session(asked, "counted network", threads=1).run(wanted, {source: features})
        known.update(zip(wanted, (array.shape for array in found), strict=True))
    return sum(
        _cost(node.kind, [known[name] for name in node.inputs[:3] if name], known[node.outputs[0]]) for node in nodes
    )


def nodes_of(graph: bytes) -> Iterator[Node]:
    """The steps of a graph, in order, without those inside branches.

    Raises:
        ModelError: the file is damaged.
    """
    for part in fields(memoryview(graph)):
        if part.number != MODEL_GRAPH:
            continue
        for inner in fields(part.message()):
            if inner.number == GRAPH_NODE:
                found = list(fields(inner.message()))
                inputs, outputs, kinds = (
                    tuple(one.text() for one in found if one.number == number)
                    for number in (NODE_INPUT, NODE_OUTPUT, NODE_KIND)
                )
                yield Node("".join(kinds), inputs, outputs)


def _cost(kind: str, inputs: Sequence[Shape], output: Shape) -> int:
    """Operations of one step from its shapes."""
    if kind == "Conv":  # each output is a sum over the channels of its group and the kernel
        return 2 * prod(output) * prod(inputs[1][1:])
    if kind == "ConvTranspose":  # each input goes into that many outputs
        return 2 * prod(inputs[0]) * prod(inputs[1][1:])
    if kind in RECURRENT:  # (steps, batch, ...), the weights of inputs and of states in all directions
        return 2 * prod(inputs[0][:2]) * (prod(inputs[1]) + prod(inputs[2]))
    if kind == "Gemm":  # either matrix may lie on its side, so the inner length is what the output leaves over
        return 2 * output[0] * prod(inputs[1])
    return 2 * prod(output) * inputs[0][-1]
