"""Networks for tests: seeded weights, and normalisation that has seen something, as after training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from samevoice.networks import NETWORKS, build
from samevoice.networks.embedding import EmbeddingNetwork

SMALL = [name for name in NETWORKS if name != "spectrogramnet"]
"""All networks but the one that weighs 844 MB."""

Network = TypeVar("Network", bound=nn.Module)


def embedder(name: str, seed: int = 0) -> EmbeddingNetwork:
    """A network with random weights, in inference mode."""
    torch.manual_seed(seed)
    network = build(name)
    assert isinstance(network, EmbeddingNetwork)
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
            assert layer.running_var is not None
            layer.running_mean.copy_(0.1 * torch.randn(layer.running_mean.shape, generator=generator))
            layer.running_var.copy_(0.5 + torch.rand(layer.running_var.shape, generator=generator))
    return network.eval()


def worn(network: Network) -> Network:
    """The network in float64 and inference mode, with no tensor left at a start that hides it (zeros, ones)."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith(("bias", "running_mean")):
                tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
            elif tensor.ndim == 1:
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return network.double().eval()


def outline(name: str, options: Mapping[str, float | str | bool] | None = None) -> EmbeddingNetwork:
    """A network of which only the shapes exist."""
    with torch.device("meta"):
        network = build(name, options)
    assert isinstance(network, EmbeddingNetwork)
    return network


def features(network: EmbeddingNetwork, batch: int = 2, frames: int = 40, seed: int = 1) -> Tensor:
    """Random features that the network takes."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, network.frames or frames, network.bands, generator=generator)


def trainable(network: nn.Module) -> int:
    """How many parameters training may change."""
    return sum(tensor.numel() for tensor in network.parameters() if tensor.requires_grad)
