"""One batch for all losses, and each of them built for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from samevoice.losses import LOSSES, build

DIMENSION, ROWS = 8, 12
OPTIONS: dict[str, dict[str, float | str | bool]] = {
    "siamese": {"dimension": DIMENSION},
    **{
        name: {"dimension": DIMENSION, "speakers": 4}
        for name in ("softmax", "am-softmax", "aam-softmax", "subcentre-aam")
    },
    **{
        name: {"dimension": DIMENSION, "teacher_dimension": DIMENSION}
        for name in ("cosine-distillation", "mse-distillation", "similarity-distillation")
    },
}
LABELS = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 1, 2, 3, 0])  # four triplets, six pairs, three rows of each speaker
# Moments are no embeddings: their losses have tests of their own.
BY_MOMENTS = ("moment-distillation", "statistics-distillation")
every = pytest.mark.parametrize("name", [name for name in LOSSES if name not in BY_MOMENTS])


def second(name: str) -> Tensor:
    """What the loss takes beside the embeddings."""
    return torch.ones(ROWS, DIMENSION) if "distillation" in name else LABELS


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build(name, OPTIONS.get(name))
