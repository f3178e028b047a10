"""Several processes that together do what one would do with the whole batch, to the last digits.

Every process embeds its share of the rows; embeddings are gathered with their gradients, so that each loss sees the
whole batch (triplets, prototypes and margins reach across shares); batch normalisation counts over all shares; then
gradients are averaged.

Knows: gathering, agreement, batch normalisation. Does not know: losses, data.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.utils import broadcast, gather_object
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Gather(torch.autograd.Function):
    """Rows of all processes; each gets back the gradient of its own rows, summed over all processes."""

    @staticmethod
    def forward(_: Any, rows: Tensor) -> Tensor:
        shares = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(shares, rows.contiguous())
        return torch.cat(shares)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient.chunk(dist.get_world_size())[dist.get_rank()]


class _Sum(torch.autograd.Function):
    """The sum over all processes, and of its gradients likewise."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes in order of process, shape (B, ...) to (processes B, ...); alone, the rows themselves.

    Every process must then compute the same loss and average its gradients with `average_gradients`.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return rows
    joined: Tensor = _Gather.apply(rows)  # type: ignore[no-untyped-call]
    return joined


def average_gradients(parameters: list[nn.Parameter], accelerator: Accelerator) -> None:
    """Let every process step with the mean gradient: with `gathered` rows, that of the whole batch."""
    if accelerator.num_processes == 1:
        return
    found = [one.grad for one in parameters if one.grad is not None]
    flat = accelerator.reduce(torch.cat([gradient.reshape(-1) for gradient in found]), reduction="mean")
    for gradient, mean in zip(found, flat.split([gradient.numel() for gradient in found]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def agreed(value: float, accelerator: Accelerator) -> float:
    """The number that the main process found, so that all draw the same conclusion from it."""
    if accelerator.num_processes == 1:
        return value
    return float(broadcast(torch.tensor(value, dtype=torch.float64, device=accelerator.device)))


def united(table: dict[str, str], accelerator: Accelerator) -> dict[str, str]:
    """The tables of all processes in one."""
    if accelerator.num_processes == 1:
        return table
    return {key: value for one in gather_object([table]) for key, value in one.items()}


class SharedBatchNorm(_BatchNorm):
    """Batch normalisation over the rows of all processes, with the names and values of an ordinary one.

    Unlike torch's own it also works on CPUs.
    """

    @classmethod
    def taking_over(cls, other: _BatchNorm) -> SharedBatchNorm:
        """One that shares the parameters and statistics of an ordinary one."""
        own = cls(other.num_features, other.eps, other.momentum, other.affine, other.track_running_stats)
        own.weight, own.bias = other.weight, other.bias
        own.running_mean, own.running_var = other.running_mean, other.running_var
        own.num_batches_tracked = other.num_batches_tracked
        return own.train(other.training)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """Shape (B, C, ...), unchanged; every process must hold equally many rows."""
        if not self.training:
            answer: Tensor = super().forward(input)
            return answer
        values = input.float()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1, *[1] * (values.ndim - 2)]
        count = values.numel() // values.shape[1] * dist.get_world_size()
        mean = _Sum.apply(values.sum(axes)) / count  # type: ignore[no-untyped-call]
        centred = values - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(axes)) / count  # type: ignore[no-untyped-call]
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        unit: Tensor = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            unit = unit * self.weight.view(shape) + self.bias.view(shape)
        return unit.to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as torch does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's own name
        """Any number of axes behind the channels."""


def share_batch_norm(network: nn.Module) -> None:
    """Let every batch normalisation of a network count over all processes; parameters and names stay as they are."""
    for owner in list(network.modules()):
        for name, inner in owner.named_children():
            if isinstance(inner, _BatchNorm):
                setattr(owner, name, SharedBatchNorm.taking_over(inner))
