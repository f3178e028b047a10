"""Triplet losses: an anchor shall be closer to a positive (same speaker) than to a negative (another) by a margin.

Symbols: a, p, n = anchor, positive, negative; s = cosine similarity; d = distance; m = margin.

Knows: the two triplet losses of the seeds and the semi-hard choice. Does not know: how a batch is drawn.
Source: Schroff et al., "FaceNet", CVPR 2015; Li et al., "Deep Speaker", arXiv 1705.02304.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor

from samevoice.errors import ConfigError, ModelError
from samevoice.losses import Layout
from samevoice.losses.base import Loss, in_float32
from samevoice.losses.checks import SHORTEST, checked_embeddings, checked_labels, split
from samevoice.options import checked_flag, checked_number

TRIPLET = ("anchors", "positives", "negatives")


class CosineTriplet(Loss):
    """max(0, s(a,n) - s(a,p) + m), which is the same number as max(0, d(a,p) - d(a,n) + m) with d = 1 - s.

    When all embeddings are equal, the loss is m (mean) or B m (sum); a loss that stays there has collapsed.

    Args:
        margin: m, in cosines, above 0; 0.2 in voice-embeddings, Walleclipse's Deep Speaker and FBankNet, 0.1 in the
            paper and in philipperemy's Deep Speaker.
        reduction: "mean" over the B triplets, or "sum", which is B times as large (so are its gradients: the learning
            rate and the weight penalty go with it).

    Raises:
        ConfigError: the margin or the reduction is none of these.
    """

    layout: ClassVar[Layout] = "triplets"

    def __init__(self, margin: float = 0.2, reduction: str = "mean") -> None:
        super().__init__()
        self.margin = checked_number("margin", margin, above=0, high=2)
        if reduction not in ("mean", "sum"):  # not a set: an option may be of any kind
            raise ConfigError(f"reduction must be mean or sum, got {reduction!r}")
        self.reduction = reduction

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        """The loss of B triplets.

        Args:
            embeddings: shape (3 B, d): rows 0..B-1 are anchors, B..2B-1 their positives, 2B..3B-1 their negatives; no
                row is a zero vector; lengths do not matter.
            labels: speaker numbers, shape (3 B,); only used to refuse rows in the wrong order.

        Returns:
            float32, shape ().

        Raises:
            ModelError: wrong shape, rows that do not divide by 3, NaN, a zero vector, or labels of no triplet.
        """
        unit = F.normalize(checked_embeddings(embeddings), dim=1, eps=SHORTEST)
        anchor, positive, negative = split(unit, TRIPLET)
        if labels is not None:
            speaker, same, other = split(checked_labels(labels, embeddings), TRIPLET)
            if bool((speaker != same).any()) or bool((speaker == other).any()):
                raise ModelError(
                    f"labels of shape ({len(labels)},) must be those of {', '.join(TRIPLET)}: each anchor's speaker "
                    f"equals its positive's and differs from its negative's"
                )
        terms = F.relu((anchor * negative).sum(dim=1) - (anchor * positive).sum(dim=1) + self.margin)
        return terms.mean() if self.reduction == "mean" else terms.sum()


class SemiHardTriplet(Loss):
    """max(0, d(a,p) - d(a,n) + m) over every ordered pair of one speaker, with a negative that is not too hard.

    The mean is taken over all ordered pairs (a, p), a != p, of equal label. n is chosen by `semi_hard_negatives`. A
    speaker with one row in the batch serves as negative only. Without any pair the loss is 0, with gradients of 0.

    Args:
        margin: m, in Euclidean distances, above 0; unit vectors are at most 2 apart, so 1 is large.
        normalise: divide each embedding by its length first; only needed by networks that do not end in it.

    Raises:
        ConfigError: the margin is not above 0, or `normalise` is not true or false.

    Source: SpeechIdentity; Schroff et al., section 3.2.
    """

    def __init__(self, margin: float = 1.0, normalise: bool = False) -> None:
        super().__init__()
        self.margin = checked_number("margin", margin, above=0)
        self.normalise = checked_flag("normalise", normalise)

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch in any order.

        Args:
            embeddings: shape (N, d); zero vectors only without `normalise`.
            labels: speaker numbers, shape (N,).

        Returns:
            float32, shape ().

        Raises:
            ModelError: wrong shape, NaN, or a zero vector that had to be normalised.
        """
        points = checked_embeddings(embeddings, directed=self.normalise)
        if self.normalise:
            points = F.normalize(points, dim=1, eps=SHORTEST)
        anchors, positives, negatives = semi_hard_negatives(points, checked_labels(labels, points))
        if not len(anchors):
            return 0.0 * points.sum()
        anchor = points[anchors]
        terms = F.relu(distance(anchor, points[positives]) - distance(anchor, points[negatives]) + self.margin)
        return terms.mean()


def distance(left: Tensor, right: Tensor) -> Tensor:
    """Euclidean distance of each row on the left to the same row on the right; its gradient at distance 0 is 0.

    Args:
        left: shape (N, d).
        right: shape (N, d).

    Returns:
        Shape (N,).
    """
    length: Tensor = torch.linalg.vector_norm(left - right, dim=1)
    return length


def semi_hard_negatives(points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For every ordered pair (a, p) of one speaker, the nearest negative that is farther from a than p is.

    Where no negative is farther than p, the farthest of all is taken. Where there is no negative at all, n is a itself,
    at distance 0. Nothing here carries a gradient.

    Args:
        points: finite, float32, shape (N, d).
        labels: speaker numbers, int64, shape (N,).

    Returns:
        Row numbers of anchors, positives and negatives, int64, shape (pairs,) each.
    """
    # Differences, not the faster |x|^2 + |y|^2 - 2 x y, which is wrong in the fourth digit for close neighbours.
    distances = torch.cdist(points.detach(), points.detach(), compute_mode="donot_use_mm_for_euclid_dist")
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchors, positives = (same & ~itself).nonzero(as_tuple=True)
    reach = distances[anchors]  # (pairs, N)
    other = ~same[anchors]
    farther = other & (reach > distances[anchors, positives, None])
    nearest = reach.masked_fill(~farther, torch.inf).argmin(dim=1)
    farthest = reach.masked_fill(~other, -1).argmax(dim=1)
    negatives = torch.where(farther.any(dim=1), nearest, torch.where(other.any(dim=1), farthest, anchors))
    return anchors, positives, negatives
