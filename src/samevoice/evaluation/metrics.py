"""Error rates and the cost of evidence, exact under ties and in any order of trials.

Knows: scores of target and non-target trials. Does not know: where they come from.
Source: Brummer, "Measuring, refining and calibrating speaker and language information extracted from speech",
PhD thesis, Stellenbosch 2010 (ROC convex hull, Cllr); NIST, "2012 speaker recognition evaluation plan" (minimum
detection cost).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
GRID = np.arange(1000) / 1000  # the thresholds that the seeds tried
TINY = 1e-12  # what they added to a denominator


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

    def eer(self) -> float:
        """Equal error rate, interpolated linearly."""
        after = self.crossing()
        gap = self.p_miss - self.p_fa  # never falls: from -1 at the lowest threshold to 1 at the highest
        share = -gap[after - 1] / (gap[after] - gap[after - 1])
        return float(self.p_miss[after - 1] + share * (self.p_miss[after] - self.p_miss[after - 1]))

    def min_dcf(self, prior: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
        """Cost of the best threshold over that of the better blind decision, in [0, 1]; see `min_dcf`.

        Raises:
            ValueError: `prior` is not between 0 and 1, or a cost is not above 0.
        """
        if not (0 < prior < 1 and 0 < c_miss < np.inf and 0 < c_fa < np.inf):
            raise ValueError(f"costs need a prior inside (0, 1) and costs above 0, got {prior}, {c_miss}, {c_fa}")
        costs = c_miss * prior * self.p_miss + c_fa * (1 - prior) * self.p_fa
        return float(costs.min() / min(c_miss * prior, c_fa * (1 - prior)))

    def auc(self) -> float:
        """Chance that a target scores above a non-target, ties counted half."""
        found = 1 - self.p_miss
        return float(-np.sum(np.diff(self.p_fa) * (found[1:] + found[:-1]) / 2))

    def positive_accuracy(self, threshold: float) -> float:
        """Share of targets with at least this score: sensitivity, true-positive rate."""
        return float(1 - self.p_miss[self._place(threshold)])

    def negative_accuracy(self, threshold: float) -> float:
        """Share of non-targets below this score: specificity."""
        return float(1 - self.p_fa[self._place(threshold)])

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


def error_rates(targets: Array, non_targets: Array) -> tuple[Array, Array]:
    """Miss and false-accept rates at every distinct threshold, from accepting all to accepting none.

    Args:
        targets: scores of trials with one speaker, shape (n,), n >= 1.
        non_targets: scores of trials with two speakers, shape (m,), m >= 1.

    Returns:
        (p_miss, p_fa), each shape (k + 1,) for k distinct scores; p_miss ascends, p_fa descends.

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    curve = curve_of(targets, non_targets)
    return curve.p_miss, curve.p_fa


def eer(targets: Array, non_targets: Array) -> float:
    """Equal error rate, interpolated linearly on the full ROC; a fraction.

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    return curve_of(targets, non_targets).eer()


def min_dcf(targets: Array, non_targets: Array, prior: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
    """Least detection cost over all thresholds, divided by that of the better decision without listening.

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).
        prior: share of targets among the trials of the application, in (0, 1).
        c_miss: cost of a missed target, above 0.
        c_fa: cost of a falsely accepted non-target, above 0.

    Returns:
        0 for perfect scores, 1 for useless ones.

    Raises:
        ValueError: a side is empty, a score is not finite, or the prior or a cost is out of range.
    """
    return curve_of(targets, non_targets).min_dcf(prior, c_miss, c_fa)


def auc(targets: Array, non_targets: Array) -> float:
    """Area under the ROC: the chance that a target scores above a non-target, ties counted half.

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    return curve_of(targets, non_targets).auc()


def act_rates(targets: Array, non_targets: Array, threshold: float) -> tuple[float, float]:
    """Positive accuracy (sensitivity) and negative accuracy (specificity) of one threshold.

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).
        threshold: a trial is accepted when its score is at least this.

    Returns:
        (share of targets accepted, share of non-targets rejected).

    Raises:
        ValueError: a side is empty, a score is not finite, or the threshold is NaN.
    """
    curve = curve_of(targets, non_targets)
    return curve.positive_accuracy(threshold), curve.negative_accuracy(threshold)


def cllr(target_llrs: Array, non_target_llrs: Array) -> float:
    """Cost of log-likelihood ratios in bits: 0 for perfect evidence, 1 for none.

    Args:
        target_llrs: natural-log likelihood ratios of trials with one speaker, shape (n,).
        non_target_llrs: the same for two speakers, shape (m,).

    Raises:
        ValueError: a side is empty or a value is not finite.
    """
    RankedScores(target_llrs, non_target_llrs)
    misses = np.logaddexp(0.0, -target_llrs).mean()
    alarms = np.logaddexp(0.0, non_target_llrs).mean()
    return float((misses + alarms) / (2 * np.log(2.0)))


@dataclass(frozen=True, slots=True)
class GridMeasure:
    """What the Deep Speaker projects report, all but the last two at the threshold with the best F, fitted on the test.

    Args:
        f: F-measure, in [0, 1].
        tpr: share of targets accepted.
        accuracy: share of all trials decided rightly; 0.99 for rejecting everything among 99 non-targets per target.
        threshold: where that is.
        eer: mean of both error rates where they differ least.
        eer_threshold: where that is.
    """

    f: float
    tpr: float
    accuracy: float
    threshold: float
    eer: float
    eer_threshold: float


def f_measure_grid(targets: Array, non_targets: Array) -> GridMeasure:
    """The measures of the Deep Speaker projects, only for comparison with what they report.

    Thresholds 0.000, 0.001, ..., 0.999; a trial is accepted when its score is above; of equals the first counts.

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    RankedScores(targets, non_targets)
    hits = len(targets) - np.searchsorted(np.sort(targets), GRID, side="right")
    alarms = len(non_targets) - np.searchsorted(np.sort(non_targets), GRID, side="right")
    tpr, far = hits / len(targets), alarms / len(non_targets)
    precision = hits / np.maximum(hits + alarms, 1)
    f = 2 * precision * tpr / (precision + tpr + TINY)
    accuracy = (hits + len(non_targets) - alarms) / (len(targets) + len(non_targets))
    # In whole numbers, since rounding must not decide between two thresholds that are equally far off.
    apart = np.abs((len(targets) - hits) * len(non_targets) - alarms * len(targets))
    best, equal = int(np.argmax(f)), int(np.argmin(apart))
    return GridMeasure(
        f=float(f[best]),
        tpr=float(tpr[best]),
        accuracy=float(accuracy[best]),
        threshold=float(GRID[best]),
        eer=float((1 - tpr[equal] + far[equal]) / 2),
        eer_threshold=float(GRID[equal]),
    )
