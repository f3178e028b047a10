"""Losses on pairs: one pair is two rows, and all that matters is whether they are the same speaker.

A batch has 2 B rows: the first sides, then the second sides. Speaker labels say which pairs are the same, so that
the seeds' two opposite meanings of a pair label (1 = same, 1 = different) cannot be mixed up.

Knows: the two losses of SpectrogramNet. Does not know: how pairs are drawn.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.errors import ConfigError
from samevoice.losses import Layout
from samevoice.losses.base import Loss, in_float32
from samevoice.losses.checks import checked_embeddings, checked_labels, split
from samevoice.losses.triplet import distance
from samevoice.options import checked_number, checked_size

PAIR = ("first sides", "second sides")


class Contrastive(Loss):
    """Mean of D^2 over same pairs and max(0, m - D)^2 over different pairs, D the Euclidean distance.

    Args:
        margin: m, above 0; different pairs at least that far apart cost nothing.

    Raises:
        ConfigError: the margin is not above 0.

    Source: SpectrogramNet, contrastive version; Hadsell et al., "Dimensionality Reduction by Learning an Invariant
        Mapping", CVPR 2006, equation 4 without its factor 1/2.
    """

    layout: ClassVar[Layout] = "pairs"

    def __init__(self, margin: float = 2.0) -> None:
        super().__init__()
        self.margin = checked_number("margin", margin, above=0)

    @in_float32
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


class SiameseCrossEntropy(Loss):
    """Mean cross-entropy of a linear layer on |a - b| with two outputs, 0 = different and 1 = same.

    |a - b| does not know which side is which, so swapping the sides changes nothing.

    Args:
        dimension: d, numbers per embedding.
        head: the layer d -> 2 of the network to train, as SpectrogramNet has one for `compare`. It stays the
            network's: it is trained and saved with that, and is not among the parameters of the loss. When left out
            the loss owns a fresh one, started as torch does.

    Attributes:
        head: the layer that is trained, whoever owns it.

    Raises:
        ConfigError: the dimension is not a whole number above 0, or the head is no linear layer of that size.

    Source: SpectrogramNet, cross-entropy version (512 -> 2: 1,026 parameters).
    """

    layout: ClassVar[Layout] = "pairs"
    head: nn.Linear

    def __init__(self, dimension: int, head: nn.Linear | None = None) -> None:
        super().__init__()
        checked_size("dimension", dimension)
        if head is None:
            self.head = nn.Linear(dimension, 2)
        else:
            object.__setattr__(self, "head", _checked_head(head, dimension))  # unseen by torch: not owned

    @classmethod
    def brought_by(cls, network: nn.Module) -> dict[str, Any]:
        """The dimension, and the head where the network compares two embeddings with one."""
        brought = super().brought_by(network)
        return {**brought, "head": network.head} if hasattr(network, "compare") else brought

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

    @in_float32
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


def _checked_head(head: nn.Linear, dimension: int) -> nn.Linear:
    """A linear layer from so many numbers to 2."""
    if not isinstance(head, nn.Linear):
        raise ConfigError(f"head must be a torch.nn.Linear from {dimension} numbers to 2, got {type(head).__name__}")
    if (head.in_features, head.out_features) != (dimension, 2):
        raise ConfigError(
            f"head must lead from {dimension} numbers to 2, this one leads from {head.in_features} to "
            f"{head.out_features}"
        )
    return head


def _pairs(points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both sides, shape (B, d) each, and whether they are the same speaker, shape (B,)."""
    first, second = split(points, PAIR)
    speaker, other = split(checked_labels(labels, points), PAIR)
    return first, second, speaker == other
