"""Distillation: a small network learns to place recordings where a teacher places them.

Knows: distances to what a teacher says. Does not know: the teacher; its answers come as numbers.
Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; Wang et al., "Knowledge Distillation for
Small Foot-print Deep Speaker Embedding", ICASSP 2019; Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.errors import ModelError
from samevoice.losses.base import Loss, in_float32
from samevoice.losses.checks import SHORTEST, checked_embeddings, checked_tensor
from samevoice.options import checked_size


class _Distillation(Loss):
    """The sizes, and a linear map without bias from the student's to the teacher's where they differ."""

    def __init__(self, dimension: int, teacher_dimension: int) -> None:
        super().__init__()
        self.dimension = checked_size("dimension", dimension)
        self.teacher_dimension = checked_size("teacher_dimension", teacher_dimension)
        self.projection = (
            nn.Identity() if dimension == teacher_dimension else nn.Linear(dimension, teacher_dimension, bias=False)
        )

    def compared(self, embeddings: Tensor, teacher: Tensor, *, directed: bool) -> tuple[Tensor, Tensor]:
        """Both as float32 of shape (N, teacher_dimension); only the student carries a gradient."""
        points = checked_embeddings(embeddings, dimension=self.dimension, directed=directed)
        given = checked_tensor("the teacher's embeddings", teacher, f"of shape (N, {self.teacher_dimension})")
        targets = checked_embeddings(given.detach(), dimension=self.teacher_dimension, directed=directed)
        if len(points) != len(targets):
            raise ModelError(
                f"the teacher's embeddings must have shape ({len(points)}, {self.teacher_dimension}), one row per "
                f"embedding of the student, got {tuple(targets.shape)}"
            )
        return self.projection(points), targets.to(points.device)


class CosineDistillation(_Distillation):
    """Mean of 1 - cos(student, teacher): directions count, lengths do not.

    Args:
        dimension: numbers per embedding of the student.
        teacher_dimension: numbers per embedding of the teacher; where they differ, a linear projection is learnt.

    Raises:
        ConfigError: a size is not a whole number above 0.
    """

    @in_float32
    def forward(self, embeddings: Tensor, teacher: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            embeddings: the student's, shape (N, dimension); no row is a zero vector.
            teacher: the teacher's for the same clips, shape (N, teacher_dimension); no row is a zero vector.

        Returns:
            float32, shape (), in 0..2.

        Raises:
            ModelError: wrong shape, NaN, or a zero vector.
        """
        student, targets = self.compared(embeddings, teacher, directed=True)
        return 1 - F.cosine_similarity(student, targets, dim=1, eps=SHORTEST).mean()


class MseDistillation(_Distillation):
    """Mean squared difference over all numbers of all embeddings: lengths count too.

    Args:
        dimension: numbers per embedding of the student.
        teacher_dimension: numbers per embedding of the teacher; where they differ, a linear projection is learnt.

    Raises:
        ConfigError: a size is not a whole number above 0.
    """

    @in_float32
    def forward(self, embeddings: Tensor, teacher: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            embeddings: the student's, shape (N, dimension).
            teacher: the teacher's for the same clips, shape (N, teacher_dimension).

        Returns:
            float32, shape (), at least 0.

        Raises:
            ModelError: wrong shape, or NaN.
        """
        student, targets = self.compared(embeddings, teacher, directed=False)
        return F.mse_loss(student, targets)


class MomentDistillation(Loss):
    """The share of what varies in the teacher's moments that the student's leave unexplained, over all channels.

    1 is what a student gets that says the mean of each channel at every moment; 0 is the teacher. A hint (Romero et
    al., equation 3) that needs no regressor, because both have the same channels.
    """

    def __init__(self) -> None:
        """Nothing is learnt."""
        super().__init__()

    @in_float32
    def forward(self, moments: Tensor, teacher: Tensor, own: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            moments: the student's, shape (N, C, t).
            teacher: the teacher's for the same moments of the same clips, shape (N, C, t).
            own: which of them the teacher knows, bool (N, t); at least one.

        Returns:
            float32, shape (), at least 0.

        Raises:
            ModelError: wrong shape, NaN, or no moment that counts.
        """
        found = checked_tensor("moments", moments, "of floating-point numbers")
        if found.ndim != 3 or teacher.shape != found.shape or own.shape != (len(found), found.shape[2]):
            raise ModelError(
                f"the teacher's moments must have the shape of the student's, {tuple(found.shape)}, got "
                f"{tuple(teacher.shape)}; choose a network with as many channels as the teacher"
            )
        if not bool(own.any()):
            raise ModelError("the teacher knows no moment of this batch; give longer utterances")
        student, targets = (one.transpose(1, 2)[own] for one in (found, teacher.detach().float()))
        unexplained = (student - targets).square().sum()
        return unexplained / (targets - targets.mean(dim=0)).square().sum().clamp_min(SHORTEST)
