"""Networks for tests: seeded weights, and normalisation that has seen something, as after training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from samevoice.networks import NETWORKS, build
from samevoice.networks.embedding import EmbeddingNetwork

SMALL = [name for name in NETWORKS if name != "spectrogramnet"]
"""All networks but the one that weighs 844 MB."""


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


def outline(name: str) -> EmbeddingNetwork:
    """A network of which only the shapes exist."""
    with torch.device("meta"):
        network = build(name)
    assert isinstance(network, EmbeddingNetwork)
    return network


def features(network: EmbeddingNetwork, batch: int = 2, frames: int = 40, seed: int = 1) -> Tensor:
    """Random features that the network takes."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, network.frames or frames, network.bands, generator=generator)


def trainable(network: nn.Module) -> int:
    """How many parameters training may change."""
    return sum(tensor.numel() for tensor in network.parameters() if tensor.requires_grad)
