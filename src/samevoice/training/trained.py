"""The network of a run: built as the run's `run.json` says, with its best weights.

Knows: what lies where in a run's folder. Does not know: how it came there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samevoice import networks
from samevoice.errors import ConfigError
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.training.checkpoint import best_path, load_checkpoint
from samevoice.training.runfile import described_run


def built(name: str, options: Mapping[str, Any]) -> EmbeddingNetwork:
    """A network that can be trained here, with fresh weights.

    Raises:
        ConfigError: there is none of that name, or it makes no embeddings.
    """
    network = networks.build(name, options)
    if not isinstance(network, EmbeddingNetwork):
        raise ConfigError(f"network {name!r} makes no embeddings to train; see: samevoice networks")
    return network


def best_weights(folder: Path, network: EmbeddingNetwork) -> dict[str, Any]:
    """The best weights of the last stage of a run.

    Raises:
        ConfigError: it has none, or they are of another network.
        ModelError: they cannot be read.
    """
    stages, _, _ = described_run(folder)
    found = [path for name in stages if (path := best_path(folder, name)).is_file()]
    if not found:
        raise ConfigError(f"{folder}: holds no trained weights; name the --out of another run")
    weights: dict[str, Any] = load_checkpoint(found[-1])["network"]
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} != shapes:
        raise ConfigError(f"{folder}: its weights are of another network, or for another number of speakers")
    return weights


def trained(folder: Path) -> EmbeddingNetwork:
    """The network of a run with its best weights, not in training.

    Raises:
        ConfigError: the folder holds no run.
        ModelError: its weights cannot be read.
    """
    _, name, options = described_run(folder)
    network = built(name, options)
    network.load_state_dict(best_weights(folder, network))
    return network.eval()
