"""Open-set identification: who of many enrolled people speaks, or nobody of them.

A probe of an enrolled person is missed when that person is not among the first or below the threshold (FNIR, false
negative identification rate); a probe of a stranger raises a false alarm when anybody reaches the threshold (FPIR,
false positive identification rate). Both hold for that many enrolled people only.

Knows: scores of probes against people, the truth. Does not know: how a person is scored from several recordings.
Not for: fewer than about 10 speakers of either kind; the intervals are then too narrow.
Source: ISO/IEC 19795-1:2021; Grother et al., "Face recognition technology evaluation (FRTE), part 2:
identification", NIST IR 8271 (FNIR(N, R, T) and FPIR(N, T)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from samevoice.evaluation.bootstrap import DRAWS, Interval, bounds_of
from samevoice.evaluation.curves import Array, Curve, RankedScores
from samevoice.evaluation.trials import Indices

__all__ = ["Searches", "by_probe_speaker", "search"]


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """What came of looking for every probe among the enrolled people; see `search`.

    Args:
        top: the highest score of each probe, shape (n,).
        own: its score against its own person; of a stranger, any finite number.
        place: how many people score at least as high as its own, that one included; 0 for a stranger.
        speakers: number of each probe's speaker, strangers included.
        weights: how often each probe counts, at least 0.
    """

    top: Array
    own: Array
    place: Indices
    speakers: Indices
    weights: Array

    def rank_rate(self, rank: int = 1) -> float:
        """Share of the probes of enrolled people whose own is among the first `rank`, whatever the score; ties lose.

        Args:
            rank: at least 1.
        """
        return 1 - self.fnir(-math.inf, rank)

    def fnir(self, threshold: float, rank: int = 1) -> float:
        """Share of the probes of enrolled people whose own is below the threshold or not among the first `rank`.

        Args:
            threshold: lowest score that counts.
            rank: at least 1.
        """
        return self._share(self.place > 0, (self.own < threshold) | (self.place > rank))

    def fpir(self, threshold: float) -> float:
        """Share of the probes of strangers for which anybody reaches the threshold.

        Args:
            threshold: lowest score that counts.
        """
        return self._share(self.place == 0, self.top >= threshold)

    def threshold(self, fpir: float) -> float:
        """The smallest threshold whose FPIR is at most a given one, in [0, 1).

        Args:
            fpir: tolerated share, in [0, 1).
        """
        return self._curve(1).far_threshold(fpir)

    def curve(self, rank: int = 1) -> tuple[Array, Array, Array]:
        """Both rates at every threshold that matters.

        Args:
            rank: at least 1.

        Returns:
            (thresholds, fnir, fpir), each shape (k,); thresholds ascend and end with infinity.
        """
        curve = self._curve(rank)
        return np.append(curve.cuts, np.inf), curve.p_miss, curve.p_fa

    def _curve(self, rank: int) -> Curve:
        """FNIR and FPIR as misses and false accepts, which ascend from the share that the rank misses."""
        known = self.place > 0
        weights = self.weights[known], self.weights[~known]
        if not all(side.any() for side in weights):
            raise ValueError("probes of enrolled people and of strangers are needed")
        lowest = min(self.own[known].min(), self.top[~known].min())
        never = lowest - 1 - abs(lowest)  # no threshold finds what stands too far behind
        own = np.where(self.place[known] > rank, never, self.own[known])
        curve = RankedScores(own, self.top[~known]).curve(*weights)
        after = int(curve.cuts[0] == never)
        return Curve(curve.cuts[after:], curve.p_miss[after:], curve.p_fa[after:])

    def _share(self, among: NDArray[np.bool_], which: NDArray[np.bool_]) -> float:
        """The weighted share of some probes among others."""
        weights = self.weights[among]
        if not weights.any():
            raise ValueError("there are no such probes")
        return float(weights @ which[among] / weights.sum())


Statistic = Callable[[Searches], float]


def search(scores: Array, truth: Indices, speakers: Indices | None = None) -> Searches:
    """Look for every probe among the enrolled people.

    Args:
        scores: of probes against people, shape (n, people), people >= 1.
        truth: column of the person who speaks in each probe, -1 for a stranger, shape (n,).
        speakers: number of each probe's speaker, for the intervals, shape (n,), from 0; by default each stranger has
            one probe.

    Raises:
        ValueError: the shapes do not agree, a score is not finite, or a truth is no column.
    """
    if scores.ndim != 2 or not scores.size or truth.shape != (len(scores),) or not np.isfinite(scores).all():
        raise ValueError(f"scores of shape {scores.shape} need to be finite, (n, people), with n truths {truth.shape}")
    if not ((truth >= -1) & (truth < scores.shape[1])).all():
        raise ValueError(f"a truth is a column from 0 to {scores.shape[1] - 1}, or -1 for a stranger")
    if speakers is None:
        speakers = np.where(truth < 0, scores.shape[1] + np.arange(len(truth)), truth)
    elif speakers.shape != truth.shape:
        raise ValueError(f"{len(truth)} probes need as many speakers, got {speakers.shape}")
    own = scores[np.arange(len(scores)), truth]
    place = np.where(truth < 0, 0, np.sum(scores >= own[:, None], axis=1))
    return Searches(scores.max(axis=1), own, place, speakers, np.ones(len(scores)))


def by_probe_speaker(
    searches: Searches, statistics: Mapping[str, Statistic], draws: int = DRAWS, seed: int = 0
) -> dict[str, Interval]:
    """Intervals over who speaks in the probes, among the same enrolled people.

    Enrolled speakers and strangers are drawn apart, so that there are always both.

    Args:
        searches: of enrolled people, of strangers or of both, as the measures need.
        statistics: measures by name, such as `{"rank-1": Searches.rank_rate}`.
        draws: how many, at least 2; by default 1,000.
        seed: of the draws.

    Raises:
        ValueError: `draws` is below 2, a measure needs probes that there are not, or a speaker is both enrolled and
            a stranger.
    """
    if draws < 2:
        raise ValueError(f"an interval needs at least 2 draws, got {draws}")
    known = searches.place > 0
    enrolled, strangers = (np.unique(searches.speakers[side]) for side in (known, ~known))
    if np.isin(enrolled, strangers).any():
        raise ValueError("a speaker is both enrolled and a stranger")
    generator = np.random.default_rng(seed)
    counts = np.zeros(int(searches.speakers.max()) + 1)
    found = {name: np.empty(draws) for name in statistics}
    for draw in range(draws):
        for people in (enrolled, strangers):
            if len(people):
                counts[people] = np.bincount(generator.integers(0, len(people), len(people)), minlength=len(people))
        drawn = replace(searches, weights=counts[searches.speakers])
        for name, statistic in statistics.items():
            found[name][draw] = statistic(drawn)
    return {name: Interval(statistic(searches), *bounds_of(found[name])) for name, statistic in statistics.items()}
