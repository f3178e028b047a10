"""Plain cross-entropy over the training speakers: on a network's own scores, or on those of a head made here.

Knows: the linear head of the seeds' pre-training. Does not know: which speakers there are; margins are in `margin`.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.errors import ModelError
from samevoice.losses.base import Loss, in_float32
from samevoice.losses.checks import SHORTEST, checked_embeddings, checked_labels
from samevoice.options import checked_flag, checked_size


class CrossEntropy(Loss):
    """Mean cross-entropy of class scores that the network makes itself; nothing is learnt here.

    Source: the first stage of FBankNet, which trains its own 250 scores.
    """

    def __init__(self) -> None:
        super().__init__()

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch in any order.

        Args:
            embeddings: scores before any softmax, one column per speaker, shape (N, S), S at least 2.
            labels: speaker numbers in 0..S-1, shape (N,).

        Returns:
            float32, shape ().

        Raises:
            ModelError: wrong shape, a label out of range, or NaN.
        """
        scores = checked_embeddings(embeddings, directed=False)
        if scores.shape[1] < 2:
            raise ModelError(f"scores must have shape (N, S) with S at least 2 speakers, got {tuple(scores.shape)}")
        return F.cross_entropy(scores, checked_labels(labels, scores, speakers=scores.shape[1]))


class Softmax(Loss):
    """Mean cross-entropy of a linear layer with bias, one output per speaker; it starts as in Keras (Glorot, zeros).

    Args:
        dimension: d, numbers per embedding.
        speakers: number of training speakers, at least 2.
        normalise: divide each embedding by its length first, as Walleclipse's pre-training does.

    Raises:
        ConfigError: a size is too small, or an option of another kind.

    Source: the dense softmax that ends the pre-training of Deep Speaker, Walleclipse's with `normalise`. Not all of
        philipperemy's head: the dropout of 0.5 behind its mean and its dense layer without unit length are a
        network's part and come before this.
    """

    def __init__(self, dimension: int, speakers: int, normalise: bool = False) -> None:
        super().__init__()
        self.head = nn.Linear(checked_size("dimension", dimension), checked_size("speakers", speakers, 2))
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.normalise = checked_flag("normalise", normalise)

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch in any order.

        Args:
            embeddings: shape (N, d); zero vectors only without `normalise`.
            labels: speaker numbers in 0..speakers-1, shape (N,).

        Returns:
            float32, shape ().

        Raises:
            ModelError: wrong shape, a label out of range, NaN, or a zero vector that had to be normalised.
        """
        points = checked_embeddings(embeddings, dimension=self.head.in_features, directed=self.normalise)
        if self.normalise:
            points = F.normalize(points, dim=1, eps=SHORTEST)
        return F.cross_entropy(self.head(points), checked_labels(labels, points, speakers=self.head.out_features))
