"""Random triplets: two utterances of one speaker and one of another.

Knows: the 3 B layout. Does not know: embeddings; `mining` chooses by them.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from samevoice.losses import Layout
from samevoice.options import checked_flag, checked_size
from samevoice.training.index import Rows, UtteranceIndex
from samevoice.training.sampler import Sampler, fits

__all__ = ["TripletSampler"]


class TripletSampler(Sampler):
    """Batches of 3 B rows: B anchors, their positives (another utterance of that speaker), B negatives.

    Each anchor's speaker is drawn uniformly from those with two or more utterances, each negative's uniformly from all
    others, and each utterance uniformly within its speaker: prolific speakers count no more than others.

    Args:
        index: the corpus.
        triplets: B.
        distinct: the B anchors come from B different speakers, as in philipperemy's Deep Speaker.
        seed: whole number >= 0.

    Raises:
        ConfigError: fewer than two speakers, nobody with two utterances, B larger than the data allow, or an option of
            another kind.

    Source: voice-embeddings, Walleclipse's and philipperemy's Deep Speaker.
    """

    kind: ClassVar[str] = "random-triplets"
    layout: ClassVar[Layout] = "triplets"

    def __init__(self, index: UtteranceIndex, triplets: int = 32, *, distinct: bool = False, seed: int = 0) -> None:
        checked_size("triplets", triplets, 1)
        checked_flag("distinct", distinct)
        super().__init__(index, seed, {"triplets": triplets, "distinct": distinct})
        self._usable = self._needs_partners()
        if distinct:
            fits("triplets", triplets, len(self._usable), "speakers with two utterances")
        fits("triplets", triplets, int(index.counts[self._usable].sum()), "utterances that can be anchors")
        self.triplets = triplets
        self.distinct = distinct

    def _draw(self, number: int) -> Rows:
        """Speakers first, then utterances within them."""
        random, index = self._generator(number), self.index
        speaker = random.choice(self._usable, size=self.triplets, replace=not self.distinct)
        anchor = random.integers(index.counts[speaker])
        positive = random.integers(index.counts[speaker] - 1)
        positive += positive >= anchor  # steps over the anchor, so the others stay equally likely
        other = random.integers(len(index.speakers) - 1, size=self.triplets)
        other += other >= speaker
        negative = random.integers(index.counts[other])
        starts = index.starts
        places = np.concatenate([starts[speaker] + anchor, starts[speaker] + positive, starts[other] + negative])
        rows: Rows = index.order[places]
        return rows
