"""How weights move: optimisers, learning rates over time, Keras' penalty.

Knows: `recipe.Optimiser`. Does not know: losses, data.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from samevoice.errors import ConfigError
from samevoice.training.stages import Optimiser


def build_optimiser(settings: Optimiser, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser that a recipe asks for; its learning rate is set before each step."""
    if settings.kind == "sgd":
        return torch.optim.SGD(parameters, settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)
    kind = torch.optim.AdamW if settings.kind == "adamw" else torch.optim.Adam
    return kind(parameters, settings.lr, eps=settings.eps, weight_decay=settings.weight_decay)


@dataclass(slots=True)
class Plateau:
    """Halves the learning rate after validations without gain.

    Args:
        factor: what the learning rate is multiplied with now.
        best: lowest error so far.
        waited: validations since then.
    """

    factor: float = 1.0
    best: float = math.inf
    waited: int = 0

    def look(self, error: float, settings: Optimiser) -> None:
        """Take note of a validation."""
        self.waited = 0 if error < self.best else self.waited + 1
        self.best = min(error, self.best)
        if self.waited >= settings.patience:
            self.factor, self.waited = self.factor / 2, 0


def learning_rate(settings: Optimiser, step: int, steps: int, plateau: Plateau) -> float:
    """The learning rate of a step.

    Args:
        settings: schedule and bounds.
        step: counted from 0.
        steps: of the stage.
        plateau: counts only for the schedule of that name.
    """
    if step < settings.warmup:
        return settings.lr * (step + 1) / (settings.warmup + 1)
    share = (step - settings.warmup) / max(1, steps - settings.warmup)
    span = settings.lr - settings.final_lr
    if settings.schedule == "linear":
        return settings.lr - span * share
    if settings.schedule == "cosine":
        return settings.final_lr + span * (1 + math.cos(math.pi * share)) / 2
    if settings.schedule == "plateau":
        return max(settings.final_lr, settings.lr * plateau.factor)
    return settings.lr


def kernel_penalty(network: nn.Module, factor: float) -> Tensor:
    """Keras' L2: a factor times the sum of squares of all kernels of convolutions, not of biases or dense layers.

    Raises:
        ConfigError: the network has no convolution.
    """
    kernels = [one.weight for one in network.modules() if isinstance(one, nn.Conv1d | nn.Conv2d)]
    if not kernels:
        raise ConfigError("optimiser.kernel_penalty is for networks with convolutions, and this has none; set it to 0")
    return factor * torch.stack([kernel.float().square().sum() for kernel in kernels]).sum()
