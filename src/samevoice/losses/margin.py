"""Losses that classify the training speakers with a margin on the unit sphere.

Symbols: theta = angle between an embedding and a speaker's weight vector, m = margin, s = scale. In all of them both
are divided by their length, the logits are s cos(theta), and only the true speaker's logit is made smaller.

Knows: the class weights and the margins. Does not know: which speakers there are.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.losses.base import Loss, in_float32
from samevoice.losses.checks import SHORTEST, checked_embeddings, checked_labels
from samevoice.options import checked_number, checked_size


class AmSoftmax(Loss):
    """Additive margin on the cosine: the true speaker's logit is s (cos(theta) - m).

    Args:
        dimension: d, numbers per embedding.
        speakers: number of training speakers, at least 2.
        margin: m, in cosines, 0..1.
        scale: s, above 0.

    Raises:
        ConfigError: a size or number is out of range.

    Source: Wang et al., "CosFace", CVPR 2018, equation 4; Wang et al., "Additive Margin Softmax", 2018.
    """

    def __init__(self, dimension: int, speakers: int, margin: float = 0.2, scale: float = 30.0) -> None:
        super().__init__()
        self.margin = checked_number("margin", margin, high=1)
        self.scale = checked_number("scale", scale, above=0)
        shape = checked_size("speakers", speakers, 2), checked_size("dimension", dimension)
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(shape)))

    @property
    def speakers(self) -> int:
        """Number of training speakers."""
        return len(self.weight)

    def cosines(self, unit: Tensor) -> Tensor:
        """Cosine of each embedding with each speaker's weight vector.

        Args:
            unit: embeddings of length 1, float32, shape (N, d).

        Returns:
            float32, shape (N, speakers).
        """
        return F.linear(unit, F.normalize(self.weight, dim=1, eps=SHORTEST))

    def penalised(self, cosine: Tensor) -> Tensor:
        """What stands in for the true speaker's cosine, shape unchanged."""
        return cosine - self.margin

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch in any order.

        Args:
            embeddings: shape (N, d); no row is a zero vector; lengths do not matter.
            labels: speaker numbers in 0..speakers-1, shape (N,).

        Returns:
            float32, shape (): mean cross-entropy.

        Raises:
            ModelError: wrong shape, a label out of range, NaN, or a zero vector.
        """
        points = checked_embeddings(embeddings, dimension=self.weight.shape[1])
        truth = checked_labels(labels, points, speakers=self.speakers)
        cosines = self.cosines(F.normalize(points, dim=1, eps=SHORTEST))
        own = truth[:, None]
        return F.cross_entropy(self.scale * cosines.scatter(1, own, self.penalised(cosines.gather(1, own))), truth)


class AamSoftmax(AmSoftmax):
    """Additive margin on the angle (ArcFace): the true speaker's logit is s cos(theta + m).

    cos(theta + m) would rise again for theta > pi - m, rewarding the worst embeddings; there cos(theta) - m sin(m)
    takes its place, which keeps falling. The margin holds for every angle (the "easy margin", which drops it for
    theta > pi/2, is not offered).

    Args:
        dimension: d, numbers per embedding.
        speakers: number of training speakers, at least 2.
        margin: m, in radians, 0..pi/2.
        scale: s, above 0.

    Raises:
        ConfigError: a size or number is out of range.

    Source: Deng et al., "ArcFace", CVPR 2019, equation 3; the branch beyond pi - m from the authors' published code.
    """

    def __init__(self, dimension: int, speakers: int, margin: float = 0.2, scale: float = 30.0) -> None:
        super().__init__(dimension, speakers, scale=scale)
        self.margin = checked_number("margin", margin, high=math.pi / 2)

    def penalised(self, cosine: Tensor) -> Tensor:
        """What stands in for the true speaker's cosine, shape unchanged."""
        # The slope of the root is infinite at cos = 1; clamped, it is 0 there.
        sine = (1 - cosine.square()).clamp_min(1e-12).sqrt()
        added = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        return torch.where(cosine > -math.cos(self.margin), added, cosine - self.margin * math.sin(self.margin))


class SubcentreAam(AamSoftmax):
    """ArcFace with several weight vectors per speaker, of which the closest counts, so that odd recordings do no harm.

    Args:
        dimension: d, numbers per embedding.
        speakers: number of training speakers, at least 2.
        margin: m, in radians, 0..pi/2.
        scale: s, above 0.
        centres: weight vectors per speaker; 1 is plain ArcFace. Rows k centres .. (k + 1) centres - 1 belong to
            speaker k.

    Raises:
        ConfigError: a size or number is out of range.

    Source: Deng et al., "Sub-center ArcFace", ECCV 2020.
    """

    def __init__(
        self, dimension: int, speakers: int, margin: float = 0.2, scale: float = 30.0, centres: int = 3
    ) -> None:
        rows = checked_size("speakers", speakers, 2) * checked_size("centres", centres)
        super().__init__(dimension, rows, margin, scale)
        self.centres = centres

    @property
    def speakers(self) -> int:
        """Number of training speakers."""
        return len(self.weight) // self.centres

    def cosines(self, unit: Tensor) -> Tensor:
        """Cosine of each embedding with the closest weight vector of each speaker.

        Args:
            unit: embeddings of length 1, float32, shape (N, d).

        Returns:
            float32, shape (N, speakers).
        """
        closest: Tensor = super().cosines(unit).reshape(len(unit), self.speakers, self.centres).max(dim=2).values
        return closest
