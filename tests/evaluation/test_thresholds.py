"""Each rule against its words."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trialmakers import voices

from samevoice.errors import ConfigError
from samevoice.evaluation.metrics import act_rates, min_dcf
from samevoice.evaluation.thresholds import (
    Rule,
    eer_threshold,
    far_threshold,
    far_threshold_bounded,
    fit,
    fixed,
    mean_plus_three_sigma,
    median_rule,
    min_dcf_threshold,
)
from samevoice.evaluation.trials import Trials, all_pairs

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


@given(cosines, cosines, st.sampled_from([0.01, 0.3, 0.9]))
def test_at_the_min_dcf_threshold_no_other_costs_less(
    targets: list[float], non_targets: list[float], prior: float
) -> None:
    sides = np.array(targets), np.array(non_targets)

    def cost(threshold: float) -> float:
        positive, negative = act_rates(*sides, threshold)
        return (prior * (1 - positive) + (1 - prior) * (1 - negative)) / min(prior, 1 - prior)

    found = min_dcf_threshold(*sides, prior)
    assert found.rule is Rule.min_dcf
    assert cost(found.value) == pytest.approx(min_dcf(*sides, prior), abs=1e-9)
    assert all(cost(cut) > cost(found.value) - 1e-9 for cut in [*targets, *non_targets])
    assert all(cost(math.nextafter(cut, 2)) > cost(found.value) + 1e-12 for cut in sides[0] if cut >= found.value)


def test_the_min_dcf_threshold_lies_in_the_middle_of_a_gap() -> None:
    assert min_dcf_threshold(np.array([0.8, 0.9]), np.array([0.1, 0.2])).value == pytest.approx(0.5)
    # One target missed costs here as much as one non-target accepted: rather the former.
    assert min_dcf_threshold(np.array([0.2, 0.8]), np.array([0.1, 0.5]), 0.5).value == pytest.approx(0.65)


@pytest.mark.parametrize("prior", [0.0, 1.0, math.nan])
def test_a_prior_is_a_probability(prior: float) -> None:
    with pytest.raises(ConfigError, match="prior"):
        min_dcf_threshold(np.array([0.1]), np.array([0.0]), prior)


def test_the_bounded_threshold_keeps_the_rate_in_its_share_of_draws() -> None:
    trials = all_pairs(*voices(30, 2, spread=1.2))
    far, confidence, draws = 0.05, 0.9, 20
    found = far_threshold_bounded(trials, far, confidence, draws, seed=3)
    assert found.rule is Rule.far
    one, other = (trials.voices[side][~trials.is_target] for side in (trials.first, trials.second))
    generator = np.random.default_rng(3)
    drawn = [generator.integers(0, 30, 30).tolist() for _ in range(draws)]

    def kept(threshold: float) -> int:
        count = 0
        for people in drawn:
            often = np.array([people.count(i) * people.count(j) for i, j in zip(one, other, strict=True)])
            count += bool(often[trials.non_targets >= threshold].sum() <= far * often.sum())
        return count

    assert kept(found.value) >= 18
    assert kept(math.nextafter(found.value, -1)) <= 18


def test_the_bounded_threshold_holds_for_other_speakers() -> None:
    held = {"plain": 0, "bounded": 0}
    truth = all_pairs(*voices(600, 2, spread=1.2, seed=99)).non_targets
    for seed in range(60):
        trials = all_pairs(*voices(25, 3, spread=1.2, seed=seed))
        rules = {
            "plain": far_threshold(trials.non_targets, 0.05),
            "bounded": far_threshold_bounded(trials, 0.05, draws=200),
        }
        for name, one in rules.items():
            held[name] += bool(np.mean(truth >= one.value) <= 0.05)
    assert held["bounded"] >= 52
    assert 15 <= held["plain"] <= 45


def test_a_rate_below_what_speakers_can_show_is_refused() -> None:
    trials = all_pairs(*voices(8, 2))  # 28 pairs
    assert far_threshold_bounded(trials, 3 / 28, draws=5).rule is Rule.far
    with pytest.raises(ConfigError, match="needs at least 29 pairs of speakers, these trials have 28"):
        far_threshold_bounded(trials, 3 / 29)
    # Each pair counts once, in whichever order and however often it is compared.
    turned = Trials(trials.scores, trials.second, trials.first, trials.voices, trials.names)
    scores, first, second = (
        np.concatenate([getattr(one, name) for one in (trials, turned)]) for name in ("scores", "first", "second")
    )
    both = Trials(scores, first, second, trials.voices, trials.names)
    with pytest.raises(ConfigError, match="these trials have 28"):
        far_threshold_bounded(both, 0.1)


@pytest.mark.parametrize(
    ("far", "confidence", "words"), [(0.0, 0.95, "far"), (0.6, 0.95, "far"), (0.5, 0.4, "conf"), (0.5, 1.01, "conf")]
)
def test_a_bound_has_a_rate_and_a_confidence(far: float, confidence: float, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        far_threshold_bounded(all_pairs(*voices(4, 2)), far, confidence)


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
    sides = draw.normal(0.3, 0.1, 40), draw.normal(0.1, 0.1, 300)
    assert fit(Rule.eer, *sides) == eer_threshold(*sides)
    assert fit(Rule.far, *sides, far=0.1) == far_threshold(sides[1], 0.1)
    assert fit(Rule.three_sigma, *sides) == mean_plus_three_sigma(sides[0])
    assert fit(Rule.median, *sides) == median_rule(*sides)
    assert fit(Rule.min_dcf, *sides) == min_dcf_threshold(*sides, 0.01)
    assert fit(Rule.min_dcf, *sides, prior=0.5) == min_dcf_threshold(*sides, 0.5) != min_dcf_threshold(*sides)
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


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule is not Rule.fixed])
@pytest.mark.parametrize("bad", [[], [np.nan]])
def test_empty_and_nan_are_refused(rule: Rule, bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"score|trials"):
        fit(rule, np.array(bad), np.array(bad))
