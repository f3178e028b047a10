"""What makes a module a loss: it says which layout it needs, and computes in float32 whatever surrounds it.

Knows: layouts, precision. Does not know: any loss.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor, nn

from samevoice.losses import Layout
from samevoice.losses.checks import checked_tensor

Forward = TypeVar("Forward", bound=Callable[..., Tensor])


class Loss(nn.Module):
    """A loss, called as `loss(embeddings, labels)`.

    Attributes:
        layout: how the rows of a batch must be arranged; "any" if their order does not matter.
    """

    layout: ClassVar[Layout] = "any"

    @classmethod
    def brought_by(cls, network: nn.Module) -> dict[str, Any]:
        """Arguments of this loss that a network answers by itself.

        Args:
            network: the network whose embeddings the loss will get.
        """
        answers = "dimension" in signature(cls).parameters and hasattr(network, "dimension")
        return {"dimension": network.dimension} if answers else {}


def in_float32(forward: Forward) -> Forward:
    """Let the `forward` of a loss compute outside autocast.

    Autocast would make half-precision cosines of float32 embeddings: 1 - cos^2 then has three digits, a floor of 1e-12
    is 0, and slopes become NaN.
    """

    @wraps(forward)
    def computed(self: nn.Module, embeddings: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        device = checked_tensor("embeddings", embeddings, "of floating-point numbers").device.type
        with torch.autocast(device, enabled=False):
            return forward(self, embeddings, *args, **kwargs)

    return cast("Forward", computed)
