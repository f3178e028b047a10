"""Arithmetic that half precision cannot hold: squares of 300 overflow float16, floors of 1e-12 vanish in it.

Knows: number types. Does not know: what is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)


def at_least_single(compute: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let a function of tensors compute in float32 where its last argument is in half precision, and answer in that.

    float32 and float64 pass through without a cast, so an exported graph has none.
    """

    @wraps(compute)
    def computed(*tensors: Tensor) -> Tensor:
        kind = tensors[-1].dtype
        return compute(*(tensor.float() for tensor in tensors)).to(kind) if kind in HALF else compute(*tensors)

    return computed
