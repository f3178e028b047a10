"""Both error rates at every threshold, and what follows from them, for trials that may count unequally.

Knows: scores of target and non-target trials, weights. Does not know: where they come from.
Source: Brummer, "Measuring, refining and calibrating speaker and language information extracted from speech",
PhD thesis, Stellenbosch 2010 (ROC convex hull, Cllr and its minimum); Brummer and du Preez, "Application-independent
evaluation of speaker detection", Computer Speech and Language 20, 2006 (actual and minimum detection cost).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ROUNDING = 1e-12  # of shares
PASSES = 20  # of pooling at once; few blocks are then left, unless somebody chose the scores to that end


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Both error rates at every distinct threshold, from accepting all to accepting none.

    A trial is accepted when its score is at least the threshold, so tied scores move together.

    Args:
        cuts: distinct scores in ascending order, shape (k,).
        p_miss: share of targets below each cut, then 1; shape (k + 1,), ascends from 0.
        p_fa: share of non-targets that reach each cut, then 0; shape (k + 1,), descends from 1.
    """

    cuts: Array
    p_miss: Array
    p_fa: Array

    def crossing(self) -> int:
        """The first index where misses are no longer fewer than false accepts; at least 1."""
        return int(np.argmax(self.p_miss - self.p_fa >= 0))

    def hull(self) -> Curve:
        """The points of the convex hull: the thresholds that are best at some prior."""
        targets, others = self.masses()
        kept = np.flatnonzero(targets + others)
        starts = kept[_pooled(targets[kept], others[kept])]
        points = np.append(starts, len(self.cuts))
        return Curve(self.cuts[starts], self.p_miss[points], self.p_fa[points])

    def eer(self, *, hull: bool = False) -> float:
        """Equal error rate, interpolated linearly on the full ROC or on its convex hull, where it is never higher.

        Args:
            hull: take the convex hull of the ROC.
        """
        if hull:
            return self.hull().eer()
        after = self.crossing()
        gap = self.p_miss - self.p_fa  # never falls: from -1 at the lowest threshold to 1 at the highest
        share = -gap[after - 1] / (gap[after] - gap[after - 1])
        return float(self.p_miss[after - 1] + share * (self.p_miss[after] - self.p_miss[after - 1]))

    def costs(self, prior: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0) -> Array:
        """Detection cost of each point over that of the better blind decision, shape (k + 1,).

        Args:
            prior: share of targets, in (0, 1).
            c_miss: cost of a miss, above 0.
            c_fa: cost of a false accept, above 0.

        Raises:
            ValueError: `prior` is not between 0 and 1, or a cost is not above 0.
        """
        if not (0 < prior < 1 and 0 < c_miss < np.inf and 0 < c_fa < np.inf):
            raise ValueError(f"costs need a prior inside (0, 1) and costs above 0, got {prior}, {c_miss}, {c_fa}")
        costs: Array = c_miss * prior * self.p_miss + c_fa * (1 - prior) * self.p_fa
        return costs / min(c_miss * prior, c_fa * (1 - prior))

    def min_dcf(self, prior: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
        """Cost of the best threshold over that of the better blind decision, in [0, 1]; see `costs`.

        Args:
            prior: as in `costs`.
            c_miss: likewise.
            c_fa: likewise.
        """
        return float(self.costs(prior, c_miss, c_fa).min())

    def act_dcf(self, prior: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
        """The same at the threshold that Bayes' rule names for scores that are natural-log likelihood ratios.

        Args:
            prior: as in `costs`.
            c_miss: likewise.
            c_fa: likewise.
        """
        costs = self.costs(prior, c_miss, c_fa)
        return float(costs[self._place(math.log(c_fa) - math.log(c_miss) + math.log1p(-prior) - math.log(prior))])

    def cllr(self) -> float:
        """Cost of scores that are natural-log likelihood ratios, in bits."""
        targets, others = self.masses()
        bits = targets @ np.logaddexp(0.0, -self.cuts) + others @ np.logaddexp(0.0, self.cuts)
        return float(bits / (2 * np.log(2.0)))

    def cllr_min(self) -> float:
        """The least `cllr` that scores of this order can have, in [0, 1]; the rest of it is calibration."""
        sides = np.stack(self.hull().masses())
        # The best llr of a block is ln(targets / others), so that each side of it costs ln(both / that side).
        both = np.broadcast_to(sides.sum(axis=0), sides.shape)
        there = sides > 0
        return float(sides[there] @ np.log2(both[there] / sides[there]) / 2)

    def auc(self) -> float:
        """Chance that a target scores above a non-target, ties counted half."""
        found = 1 - self.p_miss
        return float(-np.sum(np.diff(self.p_fa) * (found[1:] + found[:-1]) / 2))

    def positive_accuracy(self, threshold: float) -> float:
        """Share of targets with at least this score: sensitivity, true-positive rate.

        Args:
            threshold: lowest score that is accepted.
        """
        return float(1 - self.p_miss[self._place(threshold)])

    def negative_accuracy(self, threshold: float) -> float:
        """Share of non-targets below this score: specificity.

        Args:
            threshold: lowest score that is accepted.
        """
        return float(1 - self.p_fa[self._place(threshold)])

    def f_measure(self, threshold: float, prior: float) -> float:
        """Harmonic mean of precision and sensitivity where so large a share of the trials are targets, in (0, 1).

        Args:
            threshold: lowest score that is accepted.
            prior: share of targets, in (0, 1).
        """
        found = self.positive_accuracy(threshold)
        alarms = 1 - self.negative_accuracy(threshold)
        return 2 * prior * found / (prior * (found + 1) + (1 - prior) * alarms)

    def far_threshold(self, far: float) -> float:
        """The smallest threshold that accepts at most a share of the non-targets, in [0, 1).

        Args:
            far: tolerated share, in [0, 1).

        Raises:
            ValueError: `far` is out of range.
        """
        if not 0 <= far < 1:
            raise ValueError(f"a share of non-targets to accept is in [0, 1), got {far}")
        refused = int(np.argmax(self.p_fa <= far + ROUNDING)) - 1  # the highest score that must not be accepted
        return math.nextafter(float(self.cuts[refused]), math.inf)

    def masses(self) -> tuple[Array, Array]:
        """The share of the targets and that of the non-targets with each score."""
        return np.diff(self.p_miss), -np.diff(self.p_fa)

    def _place(self, threshold: float) -> int:
        """Index of the point of the curve where a threshold lies."""
        if np.isnan(threshold):
            raise ValueError("a threshold must be a number, got NaN")
        return int(np.searchsorted(self.cuts, threshold, side="left"))


class RankedScores:
    """Scores sorted once, for many curves over the same trials with other weights.

    Args:
        targets: scores of trials with one speaker, shape (n,), n >= 1.
        non_targets: scores of trials with two speakers, shape (m,), m >= 1.

    Raises:
        ValueError: a side is empty or a score is not finite.
    """

    def __init__(self, targets: Array, non_targets: Array) -> None:
        """Check both sides and rank their scores together."""
        for scores, side in ((targets, "target"), (non_targets, "non-target")):
            if not len(scores):
                raise ValueError(f"no {side} trials; both kinds are needed")
            if not np.isfinite(scores).all():
                raise ValueError(f"a {side} score is not finite")
        self._cuts, ranks = np.unique(np.concatenate([targets, non_targets]), return_inverse=True)
        self._targets, self._non_targets = ranks[: len(targets)], ranks[len(targets) :]

    def curve(self, target_weights: Array | None = None, non_target_weights: Array | None = None) -> Curve:
        """The curve of trials that each count as often as their weight says; once without weights.

        Args:
            target_weights: at least 0, with a sum above 0, shape (n,).
            non_target_weights: the same, shape (m,).
        """
        p_miss = self._shares(self._targets, target_weights)
        return Curve(self._cuts, p_miss, 1 - self._shares(self._non_targets, non_target_weights))

    def _shares(self, ranks: NDArray[np.intp], weights: Array | None) -> Array:
        """The share of the trials of one side below each cut, and below none."""
        sums = np.cumsum(np.bincount(ranks, weights, minlength=len(self._cuts)))
        return np.concatenate([[0.0], sums / sums[-1]])


def curve_of(targets: Array, non_targets: Array) -> Curve:
    """The curve of trials that count once each.

    Args:
        targets: scores of trials with one speaker, shape (n,), n >= 1.
        non_targets: scores of trials with two speakers, shape (m,), m >= 1.

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    return RankedScores(targets, non_targets).curve()


def _pooled(targets: Array, others: Array) -> NDArray[np.intp]:
    """Where the blocks begin within which pool-adjacent-violators makes the share of targets equal.

    Args:
        targets: mass of targets at each score, ascending, shape (k,).
        others: mass of non-targets, shape (k,); each score has a mass on one side.
    """
    starts = np.arange(len(targets))
    for _ in range(PASSES):  # whole runs at once, which is fast, but pools a long ascent one by one
        share = targets / (targets + others)
        rises = np.flatnonzero(np.concatenate([[True], share[1:] > share[:-1]]))
        if len(rises) == len(starts):
            return starts
        starts, targets, others = starts[rises], np.add.reduceat(targets, rises), np.add.reduceat(others, rises)
    blocks: list[tuple[float, float, int]] = []
    for hit, alarm, start in zip(targets.tolist(), others.tolist(), starts.tolist(), strict=True):
        block = (hit, alarm, start)
        while blocks and blocks[-1][0] * (block[0] + block[1]) >= block[0] * (blocks[-1][0] + blocks[-1][1]):
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2])
        blocks.append(block)
    return np.array([start for _, _, start in blocks], dtype=np.intp)
