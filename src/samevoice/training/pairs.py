"""Pairs for siamese networks: half of them the same speaker, half not.

Knows: how to draw pairs. Does not know: what a network makes of them. A sampler with a fixed seed also serves to fix
the pairs of a validation set once and for all.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from samevoice.losses import Layout
from samevoice.options import checked_size
from samevoice.training.index import Rows, UtteranceIndex
from samevoice.training.sampler import Sampler, fits

__all__ = ["PairSampler"]


class PairSampler(Sampler):
    """Batches of 2 B rows: B first sides, then their second sides; B/2 pairs are the same speaker, in random places.

    With odd B a coin decides which kind has one more. The first side is uniform over all utterances (over those of
    speakers with two or more for a same pair), the second uniform over the other utterances of that speaker or over all
    utterances of all others. A recording is never paired with itself (SpectrogramNet allowed it).

    Args:
        index: the corpus.
        pairs: B.
        seed: whole number >= 0.

    Raises:
        ConfigError: fewer than two speakers, nobody with two utterances, or more pairs than utterances.

    Source: SpectrogramNet.
    """

    kind: ClassVar[str] = "pairs"
    layout: ClassVar[Layout] = "pairs"

    def __init__(self, index: UtteranceIndex, pairs: int = 256, *, seed: int = 0) -> None:
        checked_size("pairs", pairs, 1)
        super().__init__(index, seed, {"pairs": pairs})
        usable = self._needs_partners()
        fits("pairs", pairs, len(index), "utterances")
        self.pairs = pairs
        self._partnered = np.flatnonzero(np.isin(index.owners, usable))  # places in `order`

    def _draw(self, number: int) -> Rows:
        """All in places of `index.order`, where a speaker's utterances lie side by side."""
        random, index, pairs = self._generator(number), self.index, self.pairs
        matches = (pairs + int(random.integers(2))) // 2  # the coin matters only for odd B
        same = random.permutation(pairs) < matches
        first = np.where(same, random.choice(self._partnered, size=pairs), random.integers(len(index), size=pairs))
        start, count = index.starts[index.owners[first]], index.counts[index.owners[first]]
        inside = start + random.integers(np.maximum(count - 1, 1))
        inside += inside >= first  # steps over the utterance itself
        outside = random.integers(len(index) - count)
        outside += np.where(outside >= start, count, 0)  # steps over the speaker
        rows: Rows = index.order[np.concatenate([first, np.where(same, inside, outside)])]
        return rows
