"""Distillation: a small network learns to place recordings where a teacher places them.

Knows: distances to what a teacher says. Does not know: the teacher; its answers come as numbers.
Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; Wang et al., "Knowledge Distillation for
Small Foot-print Deep Speaker Embedding", ICASSP 2019; Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015;
Fang et al., "SEED: Self-supervised Distillation for Visual Representation", ICLR 2021.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.errors import ModelError
from samevoice.losses.base import Loss, in_float32
from samevoice.losses.checks import SHORTEST, checked_embeddings, checked_tensor
from samevoice.options import checked_number, checked_size


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


class SimilarityDistillation(_Distillation):
    """How the student's similarities to many voices differ from the teacher's: whom it sounds like counts, and who not.

    Both see the same anchors, which are the teacher's embeddings of other recordings; the loss is the Kullback-Leibler
    divergence of the softmax over the student's cosines from that over the teacher's (Fang et al., equations 1 to 3,
    with one temperature for both). Mistakes among voices that are alike cost most, which a plain cosine does not see.

    Args:
        dimension: numbers per embedding of the student.
        teacher_dimension: numbers per embedding of the teacher; where they differ, a linear projection is learnt.
        scale: what cosines are multiplied by before the softmax, above 0; the reciprocal of the temperature.

    Raises:
        ConfigError: a size is not a whole number above 0, or the scale not above 0.
    """

    def __init__(self, dimension: int, teacher_dimension: int, scale: float = 20.0) -> None:
        """Keep the scale."""
        super().__init__(dimension, teacher_dimension)
        self.scale = checked_number("scale", scale, above=0)

    @in_float32
    def forward(self, embeddings: Tensor, teacher: Tensor, anchors: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            embeddings: the student's, shape (N, dimension); no row is a zero vector.
            teacher: the teacher's for the same clips, shape (N, teacher_dimension); no row is a zero vector.
            anchors: the teacher's for any clips, shape (M, teacher_dimension), no row a zero vector; those of the
                batch where there are no others.

        Returns:
            float32, shape (), at least 0; the mean over the batch in nats.

        Raises:
            ModelError: wrong shape, NaN, or a zero vector.
        """
        student, targets = self.compared(embeddings, teacher, directed=True)
        known = targets
        if anchors is not None:
            known = checked_embeddings(anchors.detach(), dimension=self.teacher_dimension, directed=True)
        places = F.normalize(known.to(student.device), dim=1).T * self.scale
        found, wanted = (F.log_softmax(F.normalize(one, dim=1) @ places, dim=1) for one in (student, targets))
        return F.kl_div(found, wanted, reduction="batchmean", log_target=True).clamp_min(0)


class _ByMoments(Loss):
    """The share of what varies in the teacher's answers that the student's leave unexplained.

    1 is what a student gets that always says their mean; 0 is the teacher. Both have the same channels, so that a hint
    (Romero et al., equation 3) needs no regressor.
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
        return self.compared(found, teacher.detach().float(), own)

    def compared(self, moments: Tensor, teacher: Tensor, own: Tensor) -> Tensor:
        """The loss, of input that fits."""
        raise NotImplementedError


class MomentDistillation(_ByMoments):
    """Moment by moment: mostly what is said, and how."""

    def compared(self, moments: Tensor, teacher: Tensor, own: Tensor) -> Tensor:
        """All moments of all clips together."""
        student, targets = (one.transpose(1, 2)[own] for one in (moments, teacher))
        return _unexplained(student, targets)


class StatisticsDistillation(_ByMoments):
    """The mean and the deviation of each channel over a clip, which are what tells voices apart once they are pooled.

    A clip of which the teacher knows fewer than two moments does not count.
    """

    def compared(self, moments: Tensor, teacher: Tensor, own: Tensor) -> Tensor:
        """Means and deviations count alike."""
        enough = own.sum(dim=1) > 1
        weights = own[enough].unsqueeze(1).float()
        weights = weights / weights.sum(dim=2, keepdim=True)
        student, targets = (_pooled(one[enough], weights) for one in (moments, teacher))
        return torch.stack([_unexplained(*both) for both in zip(student, targets, strict=True)]).mean()


def _pooled(moments: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Means and deviations over time: (N, C, t) and (N, 1, t) to twice (N, C)."""
    mean = (weights * moments).sum(dim=2)
    variance = (weights * (moments - mean.unsqueeze(2)).square()).sum(dim=2)
    return mean, variance.clamp_min(SHORTEST**2).sqrt()


def _unexplained(student: Tensor, targets: Tensor) -> Tensor:
    """Squared differences over squared deviations of the targets from their mean: both (n, C)."""
    spread = (targets - targets.mean(dim=0)).square().sum()
    return (student - targets).square().sum() / spread.clamp_min(SHORTEST)
