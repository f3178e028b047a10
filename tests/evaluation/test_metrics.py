"""Error rates against loops and against scikit-learn."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from samevoice.evaluation.metrics import (
    Array,
    RankedScores,
    act_rates,
    auc,
    cllr,
    eer,
    error_rates,
    f_measure_grid,
    min_dcf,
)

tied = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=12)
free = st.lists(st.floats(-30, 30), min_size=1, max_size=12)


@given(tied, tied)
def test_eer_equals_the_loop_under_ties(targets: list[float], non_targets: list[float]) -> None:
    assert eer(np.array(targets), np.array(non_targets)) == pytest.approx(
        reference.eer(targets, non_targets), abs=1e-12
    )


@given(free, free)
def test_eer_and_cllr_equal_the_loops(targets: list[float], non_targets: list[float]) -> None:
    assert eer(np.array(targets), np.array(non_targets)) == pytest.approx(
        reference.eer(targets, non_targets), abs=1e-12
    )
    assert cllr(np.array(targets), np.array(non_targets)) == pytest.approx(reference.cllr(targets, non_targets))


@pytest.mark.parametrize("decimals", [1, 2, 6])
def test_eer_equals_scikit_learn(decimals: int) -> None:
    draw = np.random.default_rng(decimals)
    targets, non_targets = draw.normal(1.5, 1, 400).round(decimals), draw.normal(0, 1, 900).round(decimals)
    accepted, found, _ = roc_curve(
        np.r_[np.ones(400), np.zeros(900)], np.r_[targets, non_targets], drop_intermediate=False
    )
    misses = 1 - found
    after = int(np.argmax(misses <= accepted))
    before = after - 1
    share = (misses[before] - accepted[before]) / (misses[before] - accepted[before] - misses[after] + accepted[after])
    expected = accepted[before] + share * (accepted[after] - accepted[before])
    assert eer(targets, non_targets) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("targets", "non_targets", "expected"),
    [
        ([0.0, 0.0], [0.0, 0.0, 0.0], 0.5),  # all equal: no better than a coin
        ([1.0], [0.0], 0.0),
        ([0.0], [1.0], 1.0),
        ([0.9, 0.8, 0.4, 0.7], [0.1, 0.5, 0.2, 0.3], 0.25),
    ],
)
def test_eer_of_small_cases(targets: list[float], non_targets: list[float], expected: float) -> None:
    assert eer(np.array(targets), np.array(non_targets)) == pytest.approx(expected)


def test_rates_run_from_accepting_all_to_accepting_none() -> None:
    misses, accepted = error_rates(np.array([0.5, 0.5, 0.9]), np.array([0.1, 0.5]))
    np.testing.assert_allclose(misses, [0, 0, 2 / 3, 1])
    np.testing.assert_allclose(accepted, [1, 0.5, 0, 0])


def test_order_does_not_matter() -> None:
    draw = np.random.default_rng(3)
    targets, non_targets = draw.normal(1, 1, 50), draw.normal(0, 1, 70)
    shuffled = draw.permutation(targets), draw.permutation(non_targets)
    assert eer(*shuffled) == eer(targets, non_targets)
    assert cllr(*shuffled) == pytest.approx(cllr(targets, non_targets), rel=1e-12)


def test_cllr_of_known_evidence() -> None:
    assert cllr(np.zeros(3), np.zeros(5)) == pytest.approx(1.0)
    assert cllr(np.full(3, 50.0), np.full(5, -50.0)) == pytest.approx(0.0, abs=1e-12)
    assert cllr(np.array([-1000.0]), np.array([1000.0])) == pytest.approx(1000 / np.log(2))


priors = st.sampled_from([0.001, 0.01, 0.05, 0.5, 0.9])
costs = st.sampled_from([0.5, 1.0, 10.0])


@given(st.one_of(tied, free), st.one_of(tied, free), priors, costs, costs)
def test_min_dcf_equals_the_loop(
    targets: list[float], non_targets: list[float], prior: float, c_miss: float, c_fa: float
) -> None:
    found = min_dcf(np.array(targets), np.array(non_targets), prior, c_miss, c_fa)
    assert found == pytest.approx(reference.min_dcf(targets, non_targets, prior, c_miss, c_fa), abs=1e-12)
    assert 0 <= found <= 1


def test_min_dcf_of_small_cases() -> None:
    assert min_dcf(np.array([1.0]), np.array([0.0])) == 0
    assert min_dcf(np.array([0.0]), np.array([1.0])) == 1
    assert min_dcf(np.zeros(3), np.zeros(2)) == 1
    # Accepting the best three of four targets costs one miss of four: a quarter of refusing all.
    assert min_dcf(np.array([0.9, 0.8, 0.7, 0.1]), np.array([0.3] * 200)) == pytest.approx(0.25)


@pytest.mark.parametrize("options", [{"prior": 0.0}, {"prior": 1.0}, {"prior": np.nan}, {"c_miss": 0.0}, {"c_fa": -1}])
def test_min_dcf_refuses_costs_that_mean_nothing(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="prior inside"):
        min_dcf(np.array([1.0]), np.array([0.0]), **options)


@given(st.one_of(tied, free), st.one_of(tied, free))
def test_auc_equals_scikit_learn(targets: list[float], non_targets: list[float]) -> None:
    truth = [1] * len(targets) + [0] * len(non_targets)
    assert auc(np.array(targets), np.array(non_targets)) == pytest.approx(
        roc_auc_score(truth, [*targets, *non_targets]), abs=1e-9
    )


@given(tied, tied, st.integers(-10, 10).map(lambda twice: twice / 2))
def test_accuracies_at_a_threshold_are_counted(
    targets: list[float], non_targets: list[float], threshold: float
) -> None:
    positive, negative = act_rates(np.array(targets), np.array(non_targets), threshold)
    assert positive == pytest.approx(sum(score >= threshold for score in targets) / len(targets), abs=1e-12)
    assert negative == pytest.approx(sum(score < threshold for score in non_targets) / len(non_targets), abs=1e-12)


def test_accuracies_need_a_number() -> None:
    with pytest.raises(ValueError, match="NaN"):
        act_rates(np.array([1.0]), np.array([0.0]), np.nan)


coarse = st.lists(st.integers(-20, 105).map(lambda hundredths: hundredths / 100), min_size=1, max_size=15)


@given(coarse, coarse)
@settings(max_examples=30)
def test_grid_equals_the_walk(targets: list[float], non_targets: list[float]) -> None:
    found = asdict(f_measure_grid(np.array(targets), np.array(non_targets)))
    assert found == pytest.approx(reference.f_measure_grid(targets, non_targets), abs=1e-12)


def test_the_grid_accepts_above_and_not_at_a_threshold() -> None:
    found = f_measure_grid(np.array([0.5]), np.array([0.25]))
    assert (found.threshold, found.eer_threshold, found.eer) == (0.25, 0.25, 0.0)
    assert found.f == pytest.approx(1.0)


def test_a_grid_that_accepts_nothing_has_no_f() -> None:
    found = f_measure_grid(np.array([-0.5]), np.array([-0.2]))
    assert (found.f, found.tpr, found.accuracy, found.eer) == (0.0, 0.0, 0.5, 0.5)


weighted = st.lists(st.tuples(st.integers(-4, 4).map(float), st.integers(0, 3)), min_size=1, max_size=12).filter(
    lambda side: any(weight for _, weight in side)
)


@given(weighted, weighted)
def test_a_weight_equals_repetition(targets: list[tuple[float, int]], non_targets: list[tuple[float, int]]) -> None:
    scores = [np.array([score for score, _ in side]) for side in (targets, non_targets)]
    weights = [np.array([float(weight) for _, weight in side]) for side in (targets, non_targets)]
    curve = RankedScores(*scores).curve(*weights)
    repeated = (
        [score for score, weight in targets for _ in range(weight)],
        [score for score, weight in non_targets for _ in range(weight)],
    )
    assert curve.eer() == pytest.approx(reference.eer(*repeated), abs=1e-9)
    assert curve.min_dcf(0.05) == pytest.approx(reference.min_dcf(*repeated, 0.05, 1, 1), abs=1e-9)
    assert curve.auc() == pytest.approx(auc(*(np.array(side) for side in repeated)), abs=1e-9)
    assert curve.positive_accuracy(1.0) == pytest.approx(np.mean(np.array(repeated[0]) >= 1), abs=1e-9)
    assert curve.negative_accuracy(1.0) == pytest.approx(np.mean(np.array(repeated[1]) < 1), abs=1e-9)


def test_new_measures_do_not_depend_on_order() -> None:
    draw = np.random.default_rng(4)
    targets, non_targets = draw.normal(0.6, 0.2, 50).round(2), draw.normal(0.1, 0.2, 70).round(2)
    shuffled = draw.permutation(targets), draw.permutation(non_targets)
    for metric in (min_dcf, auc, f_measure_grid):
        assert metric(*shuffled) == metric(targets, non_targets)


@pytest.mark.parametrize(
    "metric",
    [eer, cllr, error_rates, min_dcf, auc, f_measure_grid, lambda targets, others: act_rates(targets, others, 0.5)],
)
@pytest.mark.parametrize(
    ("targets", "non_targets", "words"),
    [
        ([], [0.1], "no target"),
        ([0.1], [], "no non-target"),
        ([], [], "no target"),
        ([np.nan], [0.1], "a target score"),
        ([0.1], [np.inf], "a non-target score"),
    ],
)
def test_one_class_and_nan_are_refused(
    metric: object, targets: list[float], non_targets: list[float], words: str
) -> None:
    assert callable(metric)
    sides: tuple[Array, Array] = np.array(targets), np.array(non_targets)
    with pytest.raises(ValueError, match=words):
        metric(*sides)
