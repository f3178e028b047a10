"""Hard triplets: for an anchor, the positive least like it and the negative most like it among embeddings seen lately.

Each step of training is four lines:

    candidates = next(sampler.candidates)              # utterances to embed with the network as it is now
    sampler.record(candidates, embeddings)             # shape (len(candidates), d)
    batch = next(sampler)                              # 3 B utterances
    loss = ...                                         # a triplet loss on the batch

A batch depends on everything recorded before it, not on its number alone. The state to save with a step is the one that
`state` gives right after that step's `next(sampler)`; a trainer that prepares steps ahead keeps one for each.

Knows: the choice. Does not know: networks, losses. Not for: a network that has learnt nothing yet; start with random
triplets or softmax.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ConfigError
from samevoice.losses import Layout
from samevoice.options import checked_size
from samevoice.training.history import EmbeddingHistory
from samevoice.training.index import Rows, UtteranceIndex
from samevoice.training.pk import PkSampler
from samevoice.training.sampler import Sampler, State, fits

__all__ = ["MinedTripletSampler", "hardest_triplets"]


class MinedTripletSampler(Sampler):
    """Batches of 3 B rows (anchors, positives, negatives) in which positives and negatives are hard.

    Anchors are drawn from the history without replacement, among utterances that have both a positive and a negative
    there. Each gives several triplets: its least similar positive with its most similar negative, then the second of
    both, and so on; where positives run out, the last is used again.

    Args:
        index: the corpus.
        triplets: B.
        per_anchor: triplets of one anchor; divides B.
        speakers: speakers per set of candidates, two utterances each; all usable ones if there are fewer.
        history: utterances remembered; at least one set of candidates.
        seed: whole number >= 0.

    Attributes:
        candidates: sampler of the utterances to embed next.
        history: what has been embedded lately.

    Raises:
        ConfigError: fewer than two speakers with two utterances, or sizes that do not fit the data or each other.

    Source: Walleclipse's Deep Speaker (640 candidates, history 6,400, 16 anchors x 2) and cuongnm5's (100, 1,000,
        6 x 2), with each anchor compared by its own row of similarities, which theirs is not. Other differences from
        Walleclipse: candidates are random pairs of utterances of different speakers, where theirs come two consecutive
        ones at a time from a pointer that rolls through each shuffled speaker; the history holds one entry per
        utterance, the newest, where theirs is a ring of 10 sets in which an utterance can stand several times;
        anchors are different utterances, where theirs are random ones of 16 drawn speakers.
    """

    kind: ClassVar[str] = "mined-triplets"
    layout: ClassVar[Layout] = "triplets"

    def __init__(
        self,
        index: UtteranceIndex,
        triplets: int = 32,
        *,
        per_anchor: int = 2,
        speakers: int = 320,
        history: int = 6400,
        seed: int = 0,
    ) -> None:
        checked_size("triplets", triplets, 1)
        checked_size("per_anchor", per_anchor, 1)
        checked_size("speakers", speakers, 2)
        settings = {"triplets": triplets, "per_anchor": per_anchor, "speakers": speakers, "history": history}
        super().__init__(index, seed, settings)
        if triplets % per_anchor:
            raise ConfigError(
                f"triplets is {triplets}, which {per_anchor} per anchor do not divide; change one of them"
            )
        self.anchors = triplets // per_anchor
        self.candidates = PkSampler(index, min(speakers, max(len(index.with_partner), 2)), 2, seed=seed)
        self.excluded = self.candidates.excluded
        self.history = EmbeddingHistory(history)
        possible = len(index) - len(self.excluded)
        fits("anchors (triplets / per_anchor)", self.anchors, possible, "utterances that can be anchors")
        least = max(self.anchors, 2 * self.candidates.speakers)
        if history < least:
            raise ConfigError(f"history must hold one set of candidates and all anchors ({least}), got {history}")
        self.per_anchor = per_anchor

    def record(self, rows: Rows, embeddings: NDArray[np.floating[Any]]) -> None:
        """Remember what the network makes of some utterances now.

        Args:
            rows: utterance numbers, shape (k,), usually from `candidates`.
            embeddings: shape (k, d); lengths do not matter.

        Raises:
            ConfigError: there are no such utterances.
            ModelError: no numpy array of floats; wrong shape, NaN, infinity, or a zero vector.
        """
        self._known(rows)
        self.history.add(rows, embeddings)

    def _draw(self, number: int) -> Rows:
        """Anchors from the history, then the hardest partners of each."""
        labels = self.index.labels[self.history.rows]
        _, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
        partners = counts[positions]
        usable = np.flatnonzero((partners > 1) & (partners < len(labels)))
        if len(usable) < self.anchors:
            raise ConfigError(
                f"the history holds {len(usable)} utterances that can be anchors, {self.anchors} are needed; record "
                f"embeddings of more candidates first"
            )
        anchors = self._generator(number).choice(usable, size=self.anchors, replace=False)
        return self.history.rows[hardest_triplets(self.history.embeddings, labels, anchors, self.per_anchor)]

    def state(self) -> State:
        """Where the sampler stands, its candidates and its history, as plain JSON."""
        return {**super().state(), "candidates": self.candidates.state(), "remembered": self.history.state()}

    def check(self, state: Mapping[str, Any]) -> None:
        """Refuse a state that `restore` cannot take, candidates and history included; changes nothing.

        Args:
            state: what `state` gave, possibly after a trip through JSON.
        """
        super().check(state)
        self.candidates.check(state.get("candidates", {}))
        self._known(self.history.read(state.get("remembered", {}))[0])

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state, with the embeddings remembered then. All of it or nothing.

        Args:
            state: what `state` gave, possibly after a trip through JSON.

        Raises:
            ConfigError: it was saved by another sampler, with other settings or other data, or it is damaged; the
                sampler stands where it stood.
        """
        super().restore(state)
        self.candidates.restore(state["candidates"])
        self.history.restore(state["remembered"])

    def _known(self, rows: Rows) -> None:
        """Refuse numbers that are no utterances of the index."""
        whole = isinstance(rows, np.ndarray) and rows.ndim == 1 and rows.dtype.kind in "iu"
        if not whole or np.any((rows < 0) | (rows >= len(self.index))):
            raise ConfigError(
                f"utterances must be whole numbers in 0..{len(self.index) - 1} of shape (k,), as a numpy array"
            )


def hardest_triplets(embeddings: NDArray[np.float32], labels: Rows, anchors: Rows, per_anchor: int = 1) -> Rows:
    """The least similar positives and the most similar negatives of each anchor.

    Args:
        embeddings: unit vectors, shape (m, d).
        labels: speaker of each, shape (m,).
        anchors: row numbers of the anchors, shape (a,); each has a row of its own speaker and one of another.
        per_anchor: triplets of each anchor.

    Returns:
        Row numbers, shape (3 a per_anchor,): anchors (each repeated), positives, negatives. Among equals the lower row
        comes first.
    """
    similarity = embeddings[anchors] @ embeddings.T  # row i belongs to anchors[i]
    same = labels[anchors][:, None] == labels
    positive = same.copy()
    positive[np.arange(len(anchors)), anchors] = False
    return np.concatenate(
        [
            np.repeat(anchors, per_anchor),
            _lowest(similarity, positive, per_anchor),
            _lowest(-similarity, ~same, per_anchor),
        ]
    )


def _lowest(values: NDArray[np.float32], allowed: NDArray[np.bool_], count: int) -> Rows:
    """Columns of the `count` lowest allowed values of each row, ascending, the last one repeated where they run out."""
    ranked = np.argsort(np.where(allowed, values, np.inf), axis=1, kind="stable")
    taken = np.minimum(np.arange(count), allowed.sum(axis=1, keepdims=True) - 1)
    return np.take_along_axis(ranked, taken, axis=1).reshape(-1)
