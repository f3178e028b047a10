"""Each rule against its words."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.errors import ConfigError
from samevoice.evaluation.metrics import act_rates
from samevoice.evaluation.thresholds import (
    Rule,
    eer_threshold,
    far_threshold,
    fit,
    fixed,
    mean_plus_three_sigma,
    median_rule,
)

cosines = st.lists(st.integers(-100, 100).map(lambda hundredths: hundredths / 100), min_size=1, max_size=20)


@given(cosines, cosines)
def test_at_the_eer_threshold_no_other_is_better_balanced(targets: list[float], non_targets: list[float]) -> None:
    sides = np.array(targets), np.array(non_targets)

    def imbalance(threshold: float) -> float:
        positive, negative = act_rates(*sides, threshold)
        return abs(positive - negative)

    found = eer_threshold(*sides)
    assert found.rule is Rule.eer
    least = min(imbalance(cut) for cut in [*targets, *non_targets, 2.0])
    assert imbalance(found.value) == pytest.approx(least, abs=1e-9)


def test_between_separate_sides_the_eer_threshold_lies_in_the_middle() -> None:
    assert eer_threshold(np.array([0.8, 0.9]), np.array([0.1, 0.2])).value == pytest.approx(0.5)


def test_scores_that_are_neighbours_still_have_a_threshold_between() -> None:
    low = 0.5
    high = math.nextafter(low, 1)
    assert eer_threshold(np.array([high]), np.array([low])).value == high


@given(cosines, st.one_of(st.sampled_from([0.0, 0.01, 0.29, 0.5]), st.floats(0, 0.5)))
def test_the_far_threshold_is_the_smallest_that_keeps_the_rate(non_targets: list[float], far: float) -> None:
    found = far_threshold(np.array(non_targets), far)
    assert found.rule is Rule.far

    def accepted(threshold: float) -> float:
        return sum(score >= threshold for score in non_targets) / len(non_targets)

    assert accepted(found.value) <= far
    assert accepted(math.nextafter(found.value, -math.inf)) > far


def test_29_of_100_are_29_per_cent() -> None:
    scores = np.arange(100) / 100
    assert act_rates(np.array([1.0]), scores, far_threshold(scores, 0.29).value)[1] == pytest.approx(0.71)


@given(cosines)
def test_three_sigma_is_on_distances_of_single_pairs(targets: list[float]) -> None:
    distances = [1 - score for score in targets]
    expected = 1 - (statistics.fmean(distances) + 3 * statistics.pstdev(distances))
    assert mean_plus_three_sigma(np.array(targets)).value == pytest.approx(expected, abs=1e-9)


def test_three_sigma_of_the_published_spread() -> None:
    # You-Only-Speak-Once: distances N(0.39, 0.113) by pair; the true rule implies a distance of 0.73.
    distances = statistics.NormalDist(0.39, 0.113).samples(20_000, seed=1)
    assert 1 - mean_plus_three_sigma(1 - np.array(distances)).value == pytest.approx(0.73, abs=0.01)


@given(cosines, cosines)
def test_the_median_rule_is_on_euclidean_distances(targets: list[float], non_targets: list[float]) -> None:
    same = statistics.median([math.sqrt(2 - 2 * score) for score in targets])
    different = statistics.median([math.sqrt(2 - 2 * score) for score in non_targets])
    distance = same + 0.2 * (different - same)
    found = median_rule(np.array(targets), np.array(non_targets))
    assert math.sqrt(2 - 2 * found.value) == pytest.approx(distance, abs=1e-6)


def test_the_median_rule_on_the_published_medians() -> None:
    scores = [np.array([1 - distance**2 / 2]) for distance in (0.77, 1.28)]
    assert math.sqrt(2 - 2 * median_rule(*scores).value) == pytest.approx(0.872)


def test_a_score_rounded_beyond_one_is_still_a_distance() -> None:
    assert median_rule(np.array([1 + 1e-7]), np.array([0.0])).value < 1


def test_fit_applies_the_rule_that_is_named() -> None:
    draw = np.random.default_rng(0)
    sides = draw.normal(0.6, 0.1, 40), draw.normal(0.1, 0.1, 300)
    assert fit(Rule.eer, *sides) == eer_threshold(*sides)
    assert fit(Rule.far, *sides, far=0.1) == far_threshold(sides[1], 0.1)
    assert fit(Rule.three_sigma, *sides) == mean_plus_three_sigma(sides[0])
    assert fit(Rule.median, *sides) == median_rule(*sides)
    with pytest.raises(ConfigError, match="not fitted"):
        fit(Rule.fixed, *sides)


def test_a_threshold_is_a_cosine() -> None:
    assert fixed(-1).value == -1
    for value in (1.5, -2, math.nan):
        with pytest.raises(ConfigError, match="threshold"):
            fixed(value)


@pytest.mark.parametrize("far", [-0.1, 0.6, math.nan])
def test_a_rate_of_false_accepts_is_a_share(far: float) -> None:
    with pytest.raises(ConfigError, match="far"):
        far_threshold(np.array([0.1]), far)


@pytest.mark.parametrize("rule", [Rule.eer, Rule.far, Rule.three_sigma, Rule.median])
@pytest.mark.parametrize("bad", [[], [np.nan]])
def test_empty_and_nan_are_refused(rule: Rule, bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"score|trials"):
        fit(rule, np.array(bad), np.array(bad))
