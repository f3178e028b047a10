"""Rules that turn the trials of a calibration set into a threshold.

A threshold fitted on the trials it is judged by flatters; take other speakers for the two.

Knows: scores that are cosines of unit vectors. Does not know: which trials are the test.
Source: the rules `three-sigma` (You-Only-Speak-Once) and `median` (SpeechIdentity) are those of the projects of these
names, told in docs/results.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from samevoice.errors import ConfigError
from samevoice.evaluation.metrics import Array, curve_of
from samevoice.options import checked_number
from samevoice.scoring.decision import DEFAULT_FAR

MEDIAN_SHARE = 0.2  # of the way from the median of the same to that of different speakers
SIGMAS = 3.0
MAX_FAR = 0.5


class Rule(StrEnum):
    """How a threshold was found."""

    eer = "eer"
    far = "far"
    three_sigma = "three-sigma"
    median = "median"
    fixed = "fixed"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A cosine from which on two recordings count as one speaker's.

    Args:
        value: a trial is accepted when its score is at least this.
        rule: how it was found.
    """

    value: float
    rule: Rule


def fixed(value: float) -> Threshold:
    """A threshold that somebody chose.

    Raises:
        ConfigError: it is no cosine.
    """
    return Threshold(checked_number("threshold", value, low=-1, high=1), Rule.fixed)


def eer_threshold(targets: Array, non_targets: Array) -> Threshold:
    """The threshold where both error rates differ least, in the middle between the two scores next to it.

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    curve = curve_of(targets, non_targets)
    after = curve.crossing()
    gap = np.abs(curve.p_miss - curve.p_fa)
    best = after if gap[after] <= gap[after - 1] else after - 1
    if best == len(curve.cuts):
        return Threshold(math.nextafter(float(curve.cuts[-1]), math.inf), Rule.eer)
    high = float(curve.cuts[best])
    low = float(curve.cuts[best - 1]) if best else high
    middle = (low + high) / 2
    return Threshold(middle if middle > low else high, Rule.eer)


def far_threshold(non_targets: Array, far: float = DEFAULT_FAR) -> Threshold:
    """The smallest threshold that accepts at most a given share of non-targets.

    Args:
        non_targets: scores of trials with two speakers, shape (m,).
        far: that share, in [0, 0.5].

    Raises:
        ConfigError: `far` is out of range.
        ValueError: there are no scores, or one is not finite.
    """
    checked_number("far", far, high=MAX_FAR)
    _check(non_targets)
    count = len(non_targets)
    allowed = math.floor(far * count)
    allowed += (allowed + 1) / count <= far  # 0.29 * 100 is a little below 29
    refused = np.sort(non_targets)[count - allowed - 1]  # the highest score that must not be accepted
    return Threshold(math.nextafter(float(refused), math.inf), Rule.far)


def mean_plus_three_sigma(targets: Array) -> Threshold:
    """Mean and three standard deviations of the distances 1 - cosine of target pairs.

    The deviation is that of single pairs. You-Only-Speak-Once took that of the means of batches of 32, which is
    smaller by about the root of 32.

    Args:
        targets: scores of trials with one speaker, shape (n,).

    Raises:
        ValueError: there are no scores, or one is not finite.
    """
    _check(targets)
    distances = 1 - targets
    return Threshold(float(1 - (distances.mean() + SIGMAS * distances.std())), Rule.three_sigma)


def median_rule(targets: Array, non_targets: Array) -> Threshold:
    """A fifth of the way from the median Euclidean distance of target to that of non-target pairs.

    Args:
        targets: scores of trials with one speaker, shape (n,), in [-1, 1].
        non_targets: scores of trials with two speakers, shape (m,), in [-1, 1].

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    _check(targets)
    _check(non_targets)
    # The distance of unit vectors falls with their cosine; the mean of two middle values does not commute with it.
    same, different = (float(np.median(np.sqrt(2 - 2 * np.clip(side, -1, 1)))) for side in (targets, non_targets))
    distance = same + MEDIAN_SHARE * (different - same)
    return Threshold(1 - distance**2 / 2, Rule.median)


def fit(rule: Rule, targets: Array, non_targets: Array, far: float = DEFAULT_FAR) -> Threshold:
    """Apply a rule to the trials of a calibration set.

    Args:
        rule: any but `fixed`.
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).
        far: for the rule `far`.

    Raises:
        ConfigError: the rule is not fitted, or `far` is out of range.
        ValueError: a side is empty or a score is not finite.
    """
    match rule:
        case Rule.eer:
            return eer_threshold(targets, non_targets)
        case Rule.far:
            return far_threshold(non_targets, far)
        case Rule.three_sigma:
            return mean_plus_three_sigma(targets)
        case Rule.median:
            return median_rule(targets, non_targets)
        case Rule.fixed:
            raise ConfigError("the rule fixed is not fitted; give the threshold itself")


def _check(scores: Array) -> None:
    """Refuse what no rule can use."""
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError("a rule needs at least one score, and finite ones")
