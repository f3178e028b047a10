"""Skeletons: the graphs of the zoo's networks with named, empty weights.

A skeleton is committed with the package; filled with published weights it becomes a model without torch being
installed. Regenerate all of them with `python -m samevoice.export FOLDER`: the same torch gives the same bytes.

Knows: names and shapes of weights. Does not know: their values, cards, where models lie.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from samevoice.errors import ModelError
from samevoice.export.graph import trace
from samevoice.models.onnxfile import fill
from samevoice.networks import build

SKELETONS = ("campplus", "silero", "segmentation", "ge2e")


def skeleton(name: str) -> bytes:
    """Export a network without its weights.

    Args:
        name: one of `SKELETONS`.

    Returns:
        An ONNX model, opset 17, whose initializers carry the names of the network's tensors and no data.

    Raises:
        ConfigError: the network is unknown.
        ModelError: a weight lost its name on the way.
    """
    network = distinct(build(name))
    model = trace(network, keeps_names=True)
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


def filled(name: str, weights: Mapping[str, NDArray[Any]]) -> tuple[nn.Module, bytes]:
    """The same weights in torch and in ONNX.

    Args:
        name: one of `SKELETONS`.
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


def main(arguments: Sequence[str]) -> int:
    """Write every skeleton into the folder given."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m samevoice.export FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name in SKELETONS:
        path = write_skeleton(name, folder)
        sys.stdout.write(f"{path} {path.stat().st_size} bytes\n")
    return 0
