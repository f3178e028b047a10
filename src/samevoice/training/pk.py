"""P x K: several utterances of each of several speakers, so that every row has positives and negatives.

Knows: how to draw such a batch. Does not know: which loss uses it (semi-hard triplet, GE2E, angular prototypical).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from samevoice.options import checked_size
from samevoice.training.index import Rows, UtteranceIndex
from samevoice.training.sampler import Sampler, fits

__all__ = ["PkSampler"]


class PkSampler(Sampler):
    """Batches of P K rows: K utterances of one speaker, then K of the next, for P different speakers.

    Speakers are drawn uniformly from those with two or more utterances. A speaker with fewer than K gives all of them
    before any comes again, so that every row has a positive from another utterance.

    Args:
        index: the corpus.
        speakers: P, at least 2.
        clips: K, at least 2.
        seed: whole number >= 0.

    Raises:
        ConfigError: fewer than two speakers, nobody with two utterances, or P or P K larger than the data allow.

    Source: Schroff et al., "FaceNet", CVPR 2015, section 3.2; what SpeechIdentity's batches lack.
    """

    kind: ClassVar[str] = "pxk"

    def __init__(self, index: UtteranceIndex, speakers: int = 48, clips: int = 8, *, seed: int = 0) -> None:
        checked_size("speakers", speakers, 2)
        checked_size("clips", clips, 2)
        super().__init__(index, seed, {"speakers": speakers, "clips": clips})
        self._usable = self._needs_partners()
        fits("speakers", speakers, len(self._usable), "speakers with two utterances")
        fits("speakers x clips", speakers * clips, len(index), "utterances")
        self.speakers = speakers
        self.clips = clips

    def _draw(self, number: int) -> Rows:
        """P speakers, then K utterances of each."""
        random = self._generator(number)
        chosen = random.choice(self._usable, size=self.speakers, replace=False)
        return np.concatenate([self._clips_of(speaker, random) for speaker in chosen])

    def _clips_of(self, speaker: np.int64, random: np.random.Generator) -> Rows:
        """K utterances of the speaker at that position, in whole rounds as long as they last."""
        start, count = self.index.starts[speaker], self.index.counts[speaker]
        rounds = [random.permutation(count) for _ in range(0, self.clips, count)]
        rows: Rows = self.index.order[start + np.concatenate(rounds)[: self.clips]]
        return rows
