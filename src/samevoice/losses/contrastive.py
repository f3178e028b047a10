"""Losses on pairs: one pair is two rows, and all that matters is whether they are the same speaker.

A batch has 2 B rows: the first sides, then the second sides. Speaker labels say which pairs are the same, so that
the seeds' two opposite meanings of a pair label (1 = same, 1 = different) cannot be mixed up.

Knows: the two losses of SpectrogramNet. Does not know: how pairs are drawn.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.errors import ConfigError
from samevoice.losses.checks import checked_embeddings, checked_labels, checked_number, checked_size, split
from samevoice.losses.triplet import distance

PAIR = ("first sides", "second sides")


class Contrastive(nn.Module):
    """Mean of D^2 over same pairs and max(0, m - D)^2 over different pairs, D the Euclidean distance.

    Args:
        margin: m, above 0; different pairs at least that far apart cost nothing.

    Raises:
        ConfigError: the margin is not above 0.

    Source: SpectrogramNet, contrastive version; Hadsell et al., "Dimensionality Reduction by Learning an Invariant
        Mapping", CVPR 2006, equation 4 without its factor 1/2.
    """

    def __init__(self, margin: float = 2.0) -> None:
        super().__init__()
        self.margin = checked_number("margin", margin, above=0)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of B pairs.

        Args:
            embeddings: shape (2 B, d): rows 0..B-1 are paired with rows B..2B-1; zero vectors are points like others.
            labels: speaker numbers, shape (2 B,).

        Returns:
            float32, shape ().

        Raises:
            ModelError: wrong shape, an odd number of rows, or NaN.
        """
        first, second, same = _pairs(checked_embeddings(embeddings, directed=False), labels)
        apart = distance(first, second)
        return torch.where(same, apart, F.relu(self.margin - apart)).square().mean()


class SiameseCrossEntropy(nn.Module):
    """Mean cross-entropy of a linear layer on |a - b| with two outputs, 0 = different and 1 = same.

    |a - b| does not know which side is which, so swapping the sides changes nothing.

    Args:
        dimension: d, numbers per embedding.
        head: a linear layer d -> 2 to train, such as the one SpectrogramNet brings along; a fresh one when left out.

    Raises:
        ConfigError: the dimension is not a whole number above 0, or the head has another size.

    Source: SpectrogramNet, cross-entropy version (512 -> 2: 1,026 parameters).
    """

    def __init__(self, dimension: int, head: nn.Linear | None = None) -> None:
        super().__init__()
        self.head = head or nn.Linear(checked_size("dimension", dimension), 2)
        if (self.head.in_features, self.head.out_features) != (dimension, 2):
            raise ConfigError(
                f"head must lead from {dimension} numbers to 2, this one leads from {self.head.in_features} to "
                f"{self.head.out_features}"
            )

    def logits(self, first: Tensor, second: Tensor) -> Tensor:
        """Evidence for "different" and for "same", before the softmax.

        Args:
            first: embeddings, float32, shape (B, d).
            second: embeddings of the other sides, float32, shape (B, d).

        Returns:
            float32, shape (B, 2).
        """
        evidence: Tensor = self.head((first - second).abs())
        return evidence

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of B pairs.

        Args:
            embeddings: shape (2 B, d): rows 0..B-1 are paired with rows B..2B-1; zero vectors are points like others.
            labels: speaker numbers, shape (2 B,).

        Returns:
            float32, shape ().

        Raises:
            ModelError: wrong shape, an odd number of rows, or NaN.
        """
        points = checked_embeddings(embeddings, dimension=self.head.in_features, directed=False)
        first, second, same = _pairs(points, labels)
        return F.cross_entropy(self.logits(first, second), same.long())


def _pairs(points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both sides, shape (B, d) each, and whether they are the same speaker, shape (B,)."""
    first, second = split(points, PAIR)
    speaker, other = split(checked_labels(labels, points), PAIR)
    return first, second, speaker == other
