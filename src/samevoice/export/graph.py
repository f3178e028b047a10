"""From a torch network to an ONNX graph.

Knows: torch's exporter, and what each kind of network takes and gives. Does not know: weights, cards, files.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import torch
from torch import nn

from samevoice.errors import ModelError
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.networks.pyannet import PyanNet
from samevoice.networks.silero import Silero

OPSET = 17
EXAMPLE_FRAMES = 333  # of the tensors the exporter is led through; the graph takes any number


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


SILERO = Signature(
    {"windows": (3, 576), "state": (2, 1, 128)},
    ("probabilities", "new_state"),
    {"windows": {0: "windows"}, "probabilities": {0: "windows"}},
)

PYANNET = Signature(
    {"samples": (2, 16_000)},
    ("log_probabilities",),
    {"samples": {0: "batch", 1: "samples"}, "log_probabilities": {0: "batch", 1: "frames"}},
)


def signature_of(network: nn.Module) -> Signature:
    """What a network takes and gives.

    Raises:
        ModelError: it is neither a speaker-embedding network, nor Silero or PyanNet.
    """
    if isinstance(network, Silero):
        return SILERO
    if isinstance(network, PyanNet):
        return PYANNET
    if not isinstance(network, EmbeddingNetwork):
        raise ModelError(f"{type(network).__name__} is not an EmbeddingNetwork; give one of samevoice.networks")
    free = {0: "batch"} if network.frames else {0: "batch", 1: "frames"}
    shape = (2, network.frames or EXAMPLE_FRAMES, network.bands)
    return Signature({"features": shape}, ("embedding",), {"features": free, "embedding": {0: "batch"}})


def trace(network: nn.Module, *, keeps_names: bool) -> onnx.ModelProto:
    """Lead a network through the exporter.

    Args:
        network: in inference mode.
        keeps_names: whether every tensor must keep its name in the graph; otherwise constants are folded and batch
            normalisation is merged into the convolutions before it, which is faster to run.

    Returns:
        An ONNX model, opset 17, its weights inside; the same torch gives the same bytes.

    Raises:
        ModelError: the network has no signature, or the exporter fails.
    """
    signature = signature_of(network)
    mode = torch.onnx.TrainingMode.PRESERVE if keeps_names else torch.onnx.TrainingMode.EVAL
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        path = Path(scratch) / "network.onnx"
        warnings.simplefilter("ignore")  # the exporter speaks of its successor, which renames the weights
        try:
            torch.onnx.export(
                network,
                tuple(torch.zeros(shape) for shape in signature.inputs.values()),
                path,
                opset_version=OPSET,
                dynamo=False,
                training=mode,
                do_constant_folding=not keeps_names,
                input_names=list(signature.inputs),
                output_names=list(signature.outputs),
                dynamic_axes={key: dict(axes) for key, axes in signature.dynamic.items()},
            )
        except Exception as error:  # the exporter raises whatever its many parts raise
            name, reason = type(network).__name__, str(error).splitlines()[0][:200]
            raise ModelError(
                f"{name} cannot be written as ONNX ({reason}); use only operators that ONNX has"
            ) from error
        model = onnx.load_from_string(path.read_bytes())
    model.producer_name = "samevoice"
    model.ClearField("producer_version")
    return model
