"""How wrong a diarization is: diarization error rate (DER) and Jaccard error rate (JER), exact to the float.

Speech is counted per speaker: a second in which two speak is two seconds. Reference and hypothesis speakers are paired
one to one so that the paired speech sums to the most. Where `r` reference and `h` hypothesis speakers speak at once,
max(0, r - h) are missed, max(0, h - r) are false alarms, and of the other min(r, h) those are correct that are paired;
the rest is confusion. DER = (miss + false alarm + confusion) / reference speech. JER is the mean over reference
speakers of 1 - (common speech) / (speech of either), where a speaker whom nobody is paired with has 1; of several best
pairings the one with the lowest JER counts (DER is the same for all).

Boundaries are swept, there are no frames. Knows: turns. Does not know: files, intervals of confidence.
Sources: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan" (DER, collar); Ryant et al.,
"Second DIHARD Challenge Evaluation Plan", 2019 (JER).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from samevoice.diarization.mapping import best_pairs
from samevoice.diarization.sweep import Clock, Voices, common_speech, crowds
from samevoice.diarization.turns import Diarization
from samevoice.speech.timeline import Seconds, Segment, Timeline

__all__ = ["DiarizationScore", "score", "total"]

TIE = 1e-8  # seconds: what decides between pairings of equal speech is the Jaccard index


@dataclass(frozen=True, slots=True)
class DiarizationScore:
    """Errors of one or several recordings under one rule; scores add up, those of two rules do not.

    Args:
        collar: seconds that are not scored before and after each boundary of the reference.
        overlap: whether speech of two or more reference speakers at once is scored.
        reference: seconds of reference speech.
        miss: of it, what the hypothesis has nobody for.
        false_alarm: seconds of hypothesis speech for which the reference has nobody.
        confusion: seconds that another speaker is given.
        correct: seconds that the right speaker is given.
        jaccard: errors of the reference speakers, each 0 to 1, summed.
        scored_speakers: reference speakers who have any speech that is scored.
        reference_speakers: speakers of the reference, summed over recordings, whatever the collar.
        hypothesis_speakers: of the hypothesis.
        recordings: how many.
        exact_counts: recordings whose two numbers of speakers agree.
        count_error: how far these numbers are apart, summed over recordings.
    """

    collar: Seconds
    overlap: bool
    reference: Seconds = 0.0
    miss: Seconds = 0.0
    false_alarm: Seconds = 0.0
    confusion: Seconds = 0.0
    correct: Seconds = 0.0
    jaccard: float = 0.0
    scored_speakers: int = 0
    reference_speakers: int = 0
    hypothesis_speakers: int = 0
    recordings: int = 0
    exact_counts: int = 0
    count_error: int = 0

    def __add__(self, other: DiarizationScore) -> DiarizationScore:
        """Both together.

        Raises:
            ValueError: they have two rules.
        """
        if (self.collar, self.overlap) != (other.collar, other.overlap):
            raise ValueError("scores with different collars or treatment of overlap cannot be added")
        return DiarizationScore(
            self.collar,
            self.overlap,
            *(getattr(self, name) + getattr(other, name) for name in self.__slots__[2:]),
        )

    def __str__(self) -> str:
        """The rates in per cent."""
        parts = ((self.miss, "miss"), (self.false_alarm, "false alarm"), (self.confusion, "confusion"))
        told = ", ".join(f"{self.rate(seconds):.1%} {name}" for seconds, name in parts)
        return f"DER {self.der:.1%} ({told}), JER {self.jer:.1%}"

    @property
    def der(self) -> float:
        """Errors over reference speech; can exceed 1. Without reference speech 0 if there is no error, else 1."""
        return self.rate(self.miss + self.false_alarm + self.confusion)

    @property
    def jer(self) -> float:
        """Mean over reference speakers, 0 to 1. Without any 0 if the hypothesis has no speech either, else 1."""
        return self.jaccard / self.scored_speakers if self.scored_speakers else float(self.false_alarm > 0)

    def rate(self, seconds: Seconds) -> float:
        """Seconds as a share of the reference speech, 0 or 1 where there is none.

        Args:
            seconds: of some kind of error.
        """
        return seconds / self.reference if self.reference else float(seconds > 0)


def score(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    collar: Seconds = 0.0,
    overlap: bool = True,
    uem: Timeline | None = None,
) -> DiarizationScore:
    """Compare a diarization with the truth.

    Args:
        reference: the truth.
        hypothesis: what is scored; the names of its speakers mean nothing.
        collar: seconds that are not scored before and after each start and end in the reference; the field's 0.25.
            (pyannote.metrics names the whole width, 0.5. Where a reference writes one speaker's turn as two that
            touch, it also has a collar between them; here they are one turn.)
        overlap: whether to score where two or more reference speakers speak at once.
        uem: what to score at all; everything where it is None.

    Raises:
        ValueError: the collar is negative or not finite.
    """
    if not 0 <= collar < np.inf:
        raise ValueError(f"a collar needs seconds >= 0, got {collar}")
    truth, guess = Voices.of(reference), Voices.of(hypothesis)
    whole = Clock.of(truth, guess, uem)
    scored = whole.without(_unscored(reference, truth, collar, overlap))
    common = common_speech(truth, guess, scored)
    said, guessed = truth.by_speaker(scored), guess.by_speaker(scored)
    either = said[:, None] + guessed - common
    alike = np.divide(common, either, out=np.zeros_like(common), where=common > 0)
    rows, columns = best_pairs(common + TIE * alike)
    missed, invented, both = crowds(truth, guess, scored)
    correct = min(float(common[rows, columns].sum()), both)  # sums in two orders may differ in the last digit
    speaking = int(np.count_nonzero(said))
    counts = tuple(int(np.count_nonzero(side.by_speaker(whole))) for side in (truth, guess))
    return DiarizationScore(
        collar=collar,
        overlap=overlap,
        reference=float(said.sum()),
        miss=missed,
        false_alarm=invented,
        confusion=both - correct,
        correct=correct,
        jaccard=max(0.0, speaking - float(alike[rows, columns].sum())),
        scored_speakers=speaking,
        reference_speakers=counts[0],
        hypothesis_speakers=counts[1],
        recordings=1,
        exact_counts=int(counts[0] == counts[1]),
        count_error=abs(counts[0] - counts[1]),
    )


def total(scores: Iterable[DiarizationScore]) -> DiarizationScore:
    """All scores together, as if the recordings were one with speakers of their own.

    Args:
        scores: of one rule, at least one.

    Raises:
        ValueError: there are none, or they have different rules.
    """
    first, *others = scores
    for other in others:
        first += other
    return first


def _unscored(reference: Diarization, truth: Voices, collar: Seconds, overlap: bool) -> Timeline:
    """What the rule leaves out: collars, and overlap where that is not scored."""
    skipped = Timeline((), 0.0) if overlap else reference.overlap
    if collar:
        edges = np.concatenate([truth.starts, truth.ends])
        bounds = zip(np.maximum(edges - collar, 0.0).tolist(), (edges + collar).tolist(), strict=True)
        extent = reference.extent + 2 * collar
        skipped |= Timeline((Segment(start, end) for start, end in bounds if start < end), extent)
    return skipped
