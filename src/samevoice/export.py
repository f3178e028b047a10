"""From a torch network to an ONNX skeleton: the graph with named, empty weights.

A skeleton is committed with the package; filled with published weights it becomes a model without torch being
installed. Regenerate all of them with `python -m samevoice.export FOLDER`: the same torch gives the same bytes.

Knows: torch, ONNX, what each network's inputs look like. Does not know: weights, cards, where models lie.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from samevoice.errors import ModelError
from samevoice.models.onnxfile import fill
from samevoice.networks import NETWORKS, build
from samevoice.runtime import open_session

OPSET = 17
STATE = (2, 1, 128)
LENGTHS = (50, 150, 199, 200, 201, 202, 298, 345, 966, 2000)
MIN_COSINE = 0.9999


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs and outputs of a network.

    Args:
        inputs: example shapes by name.
        outputs: names.
        dynamic: names of free axes, by input or output and axis number.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def _embedding(bands: int) -> Signature:
    """What every speaker-embedding network takes and gives."""
    dynamic = {"features": {0: "batch", 1: "frames"}, "embedding": {0: "batch"}}
    return Signature({"features": (2, 333, bands)}, ("embedding",), dynamic)


SIGNATURES: dict[str, Signature] = {
    "campplus": _embedding(80),
    "ge2e": _embedding(40),
    "silero": Signature(
        {"windows": (3, 576), "state": STATE},
        ("probabilities", "new_state"),
        {"windows": {0: "windows"}, "probabilities": {0: "windows"}},
    ),
}


def skeleton(name: str) -> bytes:
    """Export a network without its weights.

    Args:
        name: a key of `NETWORKS`.

    Returns:
        An ONNX model, opset 17, whose initializers carry the names of the network's tensors and no data.

    Raises:
        ModelError: the network is unknown, or a weight lost its name on the way.
    """
    network = distinct(build(name))
    signature = _signature(name)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        path = Path(scratch) / "network.onnx"
        warnings.simplefilter("ignore")  # the exporter speaks of its successor, which renames the weights
        torch.onnx.export(
            network,
            tuple(torch.zeros(shape) for shape in signature.inputs.values()),
            path,
            opset_version=OPSET,
            dynamo=False,
            # Neither fold nor fuse: every tensor must keep the name its published weights have.
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            input_names=list(signature.inputs),
            output_names=list(signature.outputs),
            dynamic_axes={key: dict(axes) for key, axes in signature.dynamic.items()},
        )
        model = onnx.load_from_string(path.read_bytes())
    model.producer_name = "samevoice"
    model.ClearField("producer_version")
    known = network.state_dict().keys()
    for initializer in model.graph.initializer:
        if initializer.name not in known:
            raise ModelError(f"{name}: the exporter made a tensor {initializer.name!r} of its own; rewrite the network")
        initializer.ClearField("raw_data")
    stripped: bytes = model.SerializeToString(deterministic=True)
    return stripped


def write_skeleton(name: str, folder: Path) -> Path:
    """Export a network into `FOLDER/NAME.onnx`; the same torch gives the same bytes.

    Raises:
        ModelError: as `skeleton`.
    """
    path = folder / f"{name}.onnx"
    path.write_bytes(skeleton(name))
    return path


def distinct(network: nn.Module) -> nn.Module:
    """Give a network fixed weights of which no two tensors are equal, and switch it to inference.

    The exporter merges equal tensors, and fresh normalisation layers are all equal.
    """
    generator = torch.Generator().manual_seed(20)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.1 + 0.05)
    return network.eval()


def arrays(network: nn.Module) -> dict[str, NDArray[Any]]:
    """A network's tensors by name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}


def parity(
    network: nn.Module, graph: bytes, *, lengths: Sequence[int] = LENGTHS, batches: Sequence[int] = (1, 3)
) -> float:
    """Compare torch with ONNX Runtime on random features.

    Args:
        network: a speaker-embedding network, in inference mode.
        graph: its filled skeleton.
        lengths: frame counts to try.
        batches: batch sizes to try.

    Returns:
        The least cosine between two embeddings.

    Raises:
        ModelError: a cosine is below 0.9999.
    """
    session = open_session(graph, "exported network", threads=1)
    (features,) = session.get_inputs()
    generator = np.random.default_rng(7)
    least = 1.0
    for frames in lengths:
        for batch in batches:
            values = generator.standard_normal((batch, frames, features.shape[2]), dtype=np.float32)
            (ours,) = session.run(None, {features.name: values})
            with torch.no_grad():
                theirs = network(torch.from_numpy(values)).numpy()
            norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
            with np.errstate(invalid="ignore"):  # an answer of zeros has no direction: NaN, refused below
                cosine = float(np.min(np.sum(ours * theirs, axis=1) / norms))
            least = min(least, cosine)
            if not cosine >= MIN_COSINE:
                raise ModelError(f"torch and ONNX differ at {frames} frames, batch {batch}: cosine {cosine:.6f}")
    return least


def filled(name: str, weights: Mapping[str, NDArray[Any]]) -> tuple[nn.Module, bytes]:
    """The same weights in torch and in ONNX.

    Args:
        name: a key of `NETWORKS`.
        weights: arrays by tensor name.

    Returns:
        The network in inference mode, and the filled skeleton.

    Raises:
        ModelError: a tensor is missing or has another shape.
    """
    network = build(name)
    graph = fill(skeleton(name), weights)
    kept = network.state_dict().keys()
    network.load_state_dict({key: torch.tensor(array) for key, array in weights.items() if key in kept})
    return network.eval(), graph


def _signature(name: str) -> Signature:
    """The signature of a network."""
    if name not in SIGNATURES:
        raise ModelError(f"network {name!r} has no signature; add one to samevoice.export.SIGNATURES")
    return SIGNATURES[name]


def main(arguments: Sequence[str]) -> int:
    """Write every skeleton into the folder given."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m samevoice.export FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        path = write_skeleton(name, folder)
        sys.stdout.write(f"{path} {path.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
