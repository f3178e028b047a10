"""Weights that a network takes over from a served model before it learns anything: from its teacher, or another.

Knows: names of tensors in a served model. Does not know: what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from samevoice.errors import ConfigError
from samevoice.models import store
from samevoice.models.card import ModelCard
from samevoice.models.onnxfile import read_tensors


def inherit(network: nn.Module, model: str, beginnings: Sequence[str]) -> list[str]:
    """Copy tensors of a served model into a network that calls them the same.

    Args:
        network: changed in place.
        model: a model of the zoo, or the path of its file.
        beginnings: of the names of the tensors to copy; "" for all of them.

    Returns:
        Their names.

    Raises:
        ConfigError: a beginning fits no tensor of the network, or the model has none of that name and shape.
        ModelError: the model cannot be read.
    """
    _, graph = _read(model)
    theirs, own = read_tensors(graph), network.state_dict()
    theirs |= {name: theirs[kept] for name, kept in _shared(graph).items() if kept in theirs and name not in theirs}
    taken: dict[str, torch.Tensor] = {}
    for beginning in beginnings:
        names = [name for name in own if name.startswith(beginning) and not name.endswith("num_batches_tracked")]
        if not names:
            raise ConfigError(f"network.inherit: the network has no tensor that begins with {beginning!r}")
        for name in names:
            if name not in theirs or theirs[name].shape != tuple(own[name].shape):
                raise ConfigError(
                    f"network.inherit: {model} has no tensor {name!r} of shape {tuple(own[name].shape)}; "
                    f"leave it out or choose another model"
                )
            taken[name] = torch.from_numpy(np.array(theirs[name], dtype=np.float32))
    network.load_state_dict(taken, strict=False)
    return list(taken)


def terms_of(model: str) -> str:
    """Under which terms a network stands that began with the weights of a model.

    Raises:
        ModelError: the model cannot be read.
    """
    card, _ = _read(model)
    return f"{card.licences.weights} (weights of {card.name})"


def _read(model: str) -> tuple[ModelCard, bytes]:
    """Card and graph of a model of the zoo, or of a file."""
    return store.load_file(Path(model)) if store.is_path(model) else store.load(model)


def _shared(graph: bytes) -> dict[str, str]:
    """Tensors that a graph keeps once under another's name, because an export found them equal.

    Two branches that are added learn the same bias, for instance.
    """
    nodes = onnx.load_from_string(graph).graph.node
    return {node.output[0]: node.input[0] for node in nodes if node.op_type == "Identity"}
