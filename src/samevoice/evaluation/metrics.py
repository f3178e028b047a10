"""Error rates and the cost of evidence of two arrays of scores, exact under ties and in any order of trials.

Knows: scores of target and non-target trials. Does not know: where they come from.
Source: NIST, "2012 speaker recognition evaluation plan" (detection cost); see `curves` for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samevoice.evaluation.curves import Array, Curve, RankedScores, curve_of

__all__ = [
    "Array",
    "Curve",
    "GridMeasure",
    "RankedScores",
    "act_dcf",
    "act_rates",
    "auc",
    "cllr",
    "cllr_min",
    "curve_of",
    "eer",
    "error_rates",
    "f_measure",
    "f_measure_grid",
    "min_dcf",
]

GRID = np.arange(1000) / 1000  # the thresholds that the seeds tried
TINY = 1e-12  # what they added to a denominator


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


def eer(targets: Array, non_targets: Array, *, hull: bool = False) -> float:
    """Equal error rate, interpolated linearly on the full ROC; a fraction.

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).
        hull: take the convex hull of the ROC, where it is never higher: the greatest error of the best threshold over
            all shares of targets.

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    return curve_of(targets, non_targets).eer(hull=hull)


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


def act_dcf(
    target_llrs: Array, non_target_llrs: Array, prior: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0
) -> float:
    """Detection cost of deciding by Bayes' rule, divided by that of the better decision without listening.

    A trial is accepted when its llr is at least ln(c_fa (1 - prior) / (c_miss prior)).

    Args:
        target_llrs: natural-log likelihood ratios of trials with one speaker, shape (n,).
        non_target_llrs: the same for two speakers, shape (m,).
        prior: share of targets among the trials of the application, in (0, 1).
        c_miss: cost of a missed target, above 0.
        c_fa: cost of a falsely accepted non-target, above 0.

    Returns:
        At least `min_dcf`; above 1 where listening does harm.

    Raises:
        ValueError: a side is empty, a value is not finite, or the prior or a cost is out of range.
    """
    return curve_of(target_llrs, non_target_llrs).act_dcf(prior, c_miss, c_fa)


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
    return curve_of(target_llrs, non_target_llrs).cllr()


def cllr_min(targets: Array, non_targets: Array) -> float:
    """The least `cllr` that scores of this order can have: what is left when calibration is perfect.

    Args:
        targets: scores of trials with one speaker, shape (n,), llrs or not.
        non_targets: scores of trials with two speakers, shape (m,).

    Returns:
        In bits; 0 where every target scores above every non-target, 1 where the order tells nothing.

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    return curve_of(targets, non_targets).cllr_min()


def f_measure(targets: Array, non_targets: Array, threshold: float) -> float:
    """Harmonic mean of precision and sensitivity; it depends on how many targets there are.

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).
        threshold: a trial is accepted when its score is at least this.

    Raises:
        ValueError: a side is empty, a score is not finite, or the threshold is NaN.
    """
    prior = len(targets) / max(len(targets) + len(non_targets), 1)
    return curve_of(targets, non_targets).f_measure(threshold, prior)


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
