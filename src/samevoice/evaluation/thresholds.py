"""Rules that turn the trials of a calibration set into a threshold.

A threshold fitted on the trials it is judged by flatters; take other speakers for the two.

Knows: scores, for some rules cosines of unit vectors. Does not know: which trials are the test.
Source: the rules `three-sigma` (You-Only-Speak-Once) and `median` (SpeechIdentity) are those of the projects of these
names, told in docs/results.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from samevoice.errors import ConfigError
from samevoice.evaluation.curves import ROUNDING, Array, Curve, curve_of
from samevoice.evaluation.trials import Trials
from samevoice.options import checked_number
from samevoice.scoring.bounds import DRAWS, bounded_thresholds, count_pairs, pairs_needed
from samevoice.scoring.decision import DEFAULT_FAR

__all__ = [
    "Rule",
    "Threshold",
    "eer_threshold",
    "far_threshold",
    "far_threshold_bounded",
    "fit",
    "fixed",
    "mean_plus_three_sigma",
    "median_rule",
    "min_dcf_threshold",
]

MEDIAN_SHARE = 0.2  # of the way from the median of the same to that of different speakers
SIGMAS = 3.0
MAX_FAR = 0.5
RARE_PRIOR = 0.01  # of one speaker, where nobody declares another: what detection costs are mostly stated at


class Rule(StrEnum):
    """How a threshold was found."""

    eer = "eer"
    far = "far"
    three_sigma = "three-sigma"
    median = "median"
    min_dcf = "min-dcf"
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

    Args:
        value: a cosine, in [-1, 1].

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
    return Threshold(_beside(curve, after if gap[after] <= gap[after - 1] else after - 1), Rule.eer)


def min_dcf_threshold(targets: Array, non_targets: Array, prior: float = RARE_PRIOR) -> Threshold:
    """The threshold of the least detection cost, in the middle between the two scores next to it.

    Of several with that cost it is the highest, which accepts the fewest. Costs other than equal ones act like another
    prior: c_miss prior / (c_miss prior + c_fa (1 - prior)).

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).
        prior: share of targets among the trials of the application, in (0, 1); by default 0.01.

    Raises:
        ConfigError: `prior` is out of range.
        ValueError: a side is empty or a score is not finite.
    """
    if not 0 < prior < 1:
        raise ConfigError(f"a prior of {prior:g} is no probability; give a value between 0 and 1")
    curve = curve_of(targets, non_targets)
    costs = curve.costs(prior)
    return Threshold(_beside(curve, int(np.flatnonzero(costs <= costs.min() + ROUNDING)[-1])), Rule.min_dcf)


def far_threshold(non_targets: Array, far: float = DEFAULT_FAR) -> Threshold:
    """The smallest threshold that accepts at most a given share of non-targets.

    Args:
        non_targets: scores of trials with two speakers, shape (m,).
        far: that share, in [0, 0.5]; by default 0.01.

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


def far_threshold_bounded(
    trials: Trials, far: float = DEFAULT_FAR, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Threshold:
    """The smallest threshold that keeps a false-accept rate for other speakers too, as far as these can tell.

    In the stated share of draws of speakers it accepts at most `far` of the non-targets. `far_threshold` takes the
    speakers as they are, and fails about half of all others.

    Args:
        trials: with non-targets.
        far: share of non-targets that may be accepted, above 0 and up to 0.5; by default 0.01.
        confidence: share of draws, in [0.5, 1].
        draws: of speakers, at least 1; by default 400.
        seed: of the draws.

    Raises:
        ConfigError: `far` or `confidence` is out of range, or there are fewer than 3 / `far` pairs of speakers.
        ValueError: a score is not finite.
    """
    checked_number("far", far, above=0, high=MAX_FAR)
    checked_number("confidence", confidence, low=0.5, high=1)
    others = ~trials.is_target
    sides = trials.voices[trials.first[others]], trials.voices[trials.second[others]]
    pairs, needed = count_pairs(*sides), pairs_needed(far)
    if pairs < needed:
        raise ConfigError(
            f"a false-accept rate of {far:g} needs at least {needed:,} pairs of speakers, these trials have {pairs:,}; "
            "add speakers or allow a higher rate"
        )
    (value,) = bounded_thresholds(trials.scores[others], *sides, [far], confidence=confidence, draws=draws, seed=seed)
    return Threshold(value, Rule.far)


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


def fit(
    rule: Rule, targets: Array, non_targets: Array, far: float = DEFAULT_FAR, prior: float = RARE_PRIOR
) -> Threshold:
    """Apply a rule to the trials of a calibration set.

    Args:
        rule: any but `fixed`.
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).
        far: for the rule `far`; by default 0.01.
        prior: for the rule `min-dcf`; by default 0.01.

    Raises:
        ConfigError: the rule is not fitted, or `far` or `prior` is out of range.
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
        case Rule.min_dcf:
            return min_dcf_threshold(targets, non_targets, prior)
        case Rule.fixed:
            raise ConfigError("the rule fixed is not fitted; give the threshold itself")


def _beside(curve: Curve, point: int) -> float:
    """A threshold that lies at a point of a curve, in the middle between the scores on both sides of it."""
    if point == len(curve.cuts):
        return math.nextafter(float(curve.cuts[-1]), math.inf)
    high = float(curve.cuts[point])
    low = float(curve.cuts[point - 1]) if point else high
    middle = (low + high) / 2
    return middle if middle > low else high


def _check(scores: Array) -> None:
    """Refuse what no rule can use."""
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError("a rule needs at least one score, and finite ones")
