"""Losses against speaker centroids of the batch itself: GE2E and angular prototypical.

Symbols: e_ji = embedding of utterance i of speaker j, c_k = centroid of speaker k, S = w cos(e, c) + b with w > 0.

Knows: centroids and their softmax. Does not know: how a batch is drawn; every speaker in it needs two rows.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.errors import ModelError
from samevoice.losses.base import Loss, in_float32
from samevoice.losses.checks import SHORTEST, checked_embeddings, checked_labels
from samevoice.options import checked_number


class _ScaledSoftmax(Loss):
    """w cos + b with learnable w and b; w is kept as its logarithm, so no step can make it negative."""

    def __init__(self, scale: float, offset: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(checked_number("scale", scale, above=0))))
        self.offset = nn.Parameter(torch.tensor(checked_number("offset", offset, low=-1e6)))

    @property
    def scale(self) -> Tensor:
        """w, above 0, shape ()."""
        return self.log_scale.exp()

    def cross_entropy(self, cosines: Tensor, truth: Tensor) -> Tensor:
        """Mean of -S(true speaker) + log sum exp S(all speakers); cosines (N, S), truth int64 (N,)."""
        return F.cross_entropy(self.scale * cosines + self.offset, truth)


class Ge2eLoss(_ScaledSoftmax):
    """Generalised end-to-end loss, softmax form: each embedding shall be closest to its own speaker's centroid.

    An embedding is left out of the centroid of its own speaker when the two are compared. The paper sums over the
    batch; this is the mean, so that the learning rate does not depend on the batch. Speakers may have unequal numbers
    of rows.

    Args:
        scale: start of w, above 0.
        offset: start of b.

    Raises:
        ConfigError: the scale is not above 0.

    Source: Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018, equations 1, 5 and 6 with
        the exclusive centroids of 8 and 9.
    """

    def __init__(self, scale: float = 10.0, offset: float = -5.0) -> None:
        super().__init__(scale, offset)

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch in any order.

        Args:
            embeddings: shape (N, d); no row is a zero vector; lengths do not matter. Should a centroid be zero, its
                cosines are 0.
            labels: speaker numbers, shape (N,): at least 2 speakers with at least 2 rows each.

        Returns:
            float32, shape ().

        Raises:
            ModelError: wrong shape, too few speakers or rows, NaN, or a zero vector.
        """
        unit = F.normalize(checked_embeddings(embeddings), dim=1, eps=SHORTEST)
        truth, members = _members(checked_labels(labels, unit))
        counts = members.sum(dim=0)
        sums = members.T @ unit
        centroids = sums / counts[:, None]  # (1)
        exclusive = (sums[truth] - unit) / (counts[truth] - 1)[:, None]  # (8)
        cosines = torch.where(  # (9)
            members.bool(), F.cosine_similarity(unit, exclusive, eps=SHORTEST)[:, None], _cosines(unit, centroids)
        )
        return self.cross_entropy(cosines, truth)  # (5), (6)


class AngularPrototypical(_ScaledSoftmax):
    """One query per speaker shall be closest to the mean of its speaker's other embeddings.

    The query is the last row of each speaker in the batch. Unlike in GE2E the mean is taken over embeddings as they
    are, so longer ones weigh more.

    Args:
        scale: start of w, above 0.
        offset: start of b.

    Raises:
        ConfigError: the scale is not above 0.

    Source: Chung et al., "In defence of metric learning for speaker recognition", Interspeech 2020,
        section "Angular Prototypical".
    """

    def __init__(self, scale: float = 10.0, offset: float = -5.0) -> None:
        super().__init__(scale, offset)

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch in any order.

        Args:
            embeddings: shape (N, d); no row is a zero vector. Should a mean be zero, its cosines are 0.
            labels: speaker numbers, shape (N,): at least 2 speakers with at least 2 rows each.

        Returns:
            float32, shape ().

        Raises:
            ModelError: wrong shape, too few speakers or rows, NaN, or a zero vector.
        """
        points = checked_embeddings(embeddings)
        _, members = _members(checked_labels(labels, points))
        rows = torch.arange(1, len(points) + 1, device=points.device)[:, None]
        last = (members * rows).argmax(dim=0)  # (speakers,)
        queries = points[last]
        prototypes = (members.T @ points - queries) / (members.sum(dim=0) - 1)[:, None]
        truth = torch.arange(len(last), device=points.device)
        return self.cross_entropy(_cosines(queries, prototypes), truth)


def _members(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Speakers counted from 0 of each row, int64 (N,), and who is whose, float32 (N, speakers) of 0 and 1."""
    speakers, truth = torch.unique(labels, return_inverse=True)
    members = F.one_hot(truth).float()
    fewest = int(members.sum(dim=0).min())
    if len(speakers) < 2 or fewest < 2:
        raise ModelError(
            f"labels of shape ({len(labels)},) must hold at least 2 speakers with at least 2 rows each, got "
            f"{len(speakers)} speakers, the rarest with {fewest}; draw the batch with a P x K sampler"
        )
    return truth, members


def _cosines(left: Tensor, right: Tensor) -> Tensor:
    """Cosine of each row (N, d) with each row (M, d), shape (N, M); 0 where one is zero."""
    return F.normalize(left, dim=1, eps=SHORTEST) @ F.normalize(right, dim=1, eps=SHORTEST).T
