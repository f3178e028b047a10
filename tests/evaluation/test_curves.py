"""The convex hull and the cost of evidence against scikit-learn, loops and second formulas."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
import reference
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import f1_score, roc_curve

from samevoice.evaluation.curves import Array, Curve, RankedScores, curve_of
from samevoice.evaluation.metrics import act_dcf, cllr, cllr_min, eer, f_measure, min_dcf

side = st.one_of(
    st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=12),
    st.lists(st.floats(-30, 30).map(lambda score: round(score, 6)), min_size=1),
)
masses = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20).filter(
    lambda rows: any(row[0] for row in rows) and any(row[1] for row in rows)
)


def isotonic_cllr(curve: Curve) -> float:
    """Cllr of scikit-learn's isotonic probabilities at equal priors."""
    targets, others = np.diff(curve.p_miss), -np.diff(curve.p_fa)
    kept = np.flatnonzero(targets + others)
    places = np.arange(len(kept))
    truth, weights = np.repeat([1.0, 0.0], len(kept)), np.concatenate([targets[kept], others[kept]])
    there = weights > 0
    model = IsotonicRegression(y_min=0, y_max=1)
    model.fit(np.tile(places, 2)[there], truth[there], sample_weight=weights[there])
    share = model.predict(places)
    bits = 0.0
    for hit, alarm, one in zip(targets[kept], others[kept], share, strict=True):
        bits += -hit * math.log2(one) if hit else 0.0
        bits += -alarm * math.log2(1 - one) if alarm else 0.0
    return bits / 2


@given(side, side)
def test_cllr_min_equals_isotonic_regression(targets: list[float], non_targets: list[float]) -> None:
    sides = np.array(targets), np.array(non_targets)
    found = cllr_min(*sides)
    assert found == pytest.approx(isotonic_cllr(curve_of(*sides)), abs=1e-6)
    assert -1e-12 <= found <= min(1.0, cllr(*sides)) + 1e-12


@given(masses)
@example([(1, 3), (2, 3), (3, 2), (3, 1), (0, 3)])
def test_cllr_min_of_weighted_trials_equals_isotonic_regression(rows: list[tuple[int, int]]) -> None:
    cuts = np.arange(len(rows), dtype=np.float64)
    curve = RankedScores(cuts, cuts).curve(*np.array(rows, dtype=np.float64).T)
    assert curve.cllr_min() == pytest.approx(isotonic_cllr(curve), abs=1e-6)


@pytest.mark.parametrize("decimals", [1, 12])
def test_many_scores_agree_with_scikit_learn(decimals: int) -> None:
    draw = np.random.default_rng(decimals)
    sides = draw.normal(2, 2, 300).round(decimals), draw.normal(-2, 2, 2000).round(decimals)
    assert cllr_min(*sides) == pytest.approx(isotonic_cllr(curve_of(*sides)), abs=1e-6)
    accepted, found, _ = roc_curve(np.repeat([1, 0], [300, 2000]), np.concatenate(sides), drop_intermediate=False)
    costs = (0.01 * (1 - found) + 0.99 * accepted) / 0.01
    assert min_dcf(*sides) == pytest.approx(costs.min(), abs=1e-6)
    assert curve_of(*sides).hull().min_dcf() == pytest.approx(costs.min(), abs=1e-6)


def test_scores_chosen_against_pooling_take_no_longer() -> None:
    # The shares of targets ascend, then one non-target outweighs all: pooled from the end, one by one.
    count = 200_000
    cuts = np.arange(count, dtype=np.float64)
    targets = np.linspace(1, 2, count)
    others = np.ones(count)
    targets[-1], others[-1] = 0, 1e9
    curve = RankedScores(cuts, cuts).curve(targets, others)
    began = time.process_time()
    assert len(curve.hull().cuts) == 1
    assert time.process_time() - began < 2


@given(side, side)
def test_the_hull_is_convex_and_below_the_curve(targets: list[float], non_targets: list[float]) -> None:
    curve = curve_of(np.array(targets), np.array(non_targets))
    hull = curve.hull()
    slopes = np.diff(hull.p_miss) / np.maximum(-np.diff(hull.p_fa), 1e-300)
    assert (np.diff(slopes) > 0).all()
    lowest = np.interp(curve.p_miss, hull.p_miss, hull.p_fa)  # of points that share a miss rate, one
    assert (hull.p_miss[0], hull.p_fa[0], hull.p_miss[-1], hull.p_fa[-1]) == (0, 1, 1, 0)
    assert (lowest <= curve.p_fa + 1e-9)[(curve.p_miss > 0) & (curve.p_miss < 1)].all()


@given(side, side)
def test_eer_on_the_hull_is_the_worst_of_the_best_errors(targets: list[float], non_targets: list[float]) -> None:
    curve = curve_of(np.array(targets), np.array(non_targets))

    def best(prior: float) -> float:
        return float(np.min(prior * curve.p_miss + (1 - prior) * curve.p_fa))

    low, high = 0.0, 1.0
    for _ in range(100):  # the best error is concave in the prior
        one, other = low + (high - low) / 3, high - (high - low) / 3
        low, high = (one, high) if best(one) < best(other) else (low, other)
    found = eer(np.array(targets), np.array(non_targets), hull=True)
    assert found == pytest.approx(best((low + high) / 2), abs=1e-6)
    assert found <= eer(np.array(targets), np.array(non_targets)) + 1e-12


def test_eer_on_the_hull_of_a_small_case() -> None:
    # Points (miss, false accept): (0, 1), (0, 1/2), (1/2, 1/2), (1/2, 0), (1, 0).
    sides = np.array([0.3, 0.9]), np.array([0.1, 0.5])
    assert eer(*sides) == pytest.approx(0.5)
    assert eer(*sides, hull=True) == pytest.approx(0.25)


priors = st.sampled_from([0.001, 0.01, 0.05, 0.5, 0.9])
costs = st.sampled_from([0.5, 1.0, 10.0])


@given(side, side, priors, costs, costs)
def test_act_dcf_equals_the_loop(
    targets: list[float], non_targets: list[float], prior: float, c_miss: float, c_fa: float
) -> None:
    misses = sum(prior * c_miss * math.exp(llr) < (1 - prior) * c_fa for llr in targets) / len(targets)
    alarms = sum(prior * c_miss * math.exp(llr) >= (1 - prior) * c_fa for llr in non_targets) / len(non_targets)
    cheapest = min(prior * c_miss, (1 - prior) * c_fa)
    expected = (prior * c_miss * misses + (1 - prior) * c_fa * alarms) / cheapest
    sides = np.array(targets), np.array(non_targets)
    found = act_dcf(*sides, prior, c_miss, c_fa)
    assert found == pytest.approx(expected, abs=1e-9)
    assert found >= min_dcf(*sides, prior, c_miss, c_fa)


def test_act_dcf_pays_for_bad_calibration() -> None:
    good = np.array([9.0, 8.0, 3.0, 7.0]), np.full(100, -9.0)
    assert act_dcf(*good) == pytest.approx(0.25)  # ln 99 is 4.6: one target of four is missed
    assert act_dcf(good[0] - 10, good[1]) == 1
    assert act_dcf(good[0], -good[1]) == pytest.approx(99.25)
    assert math.isclose(act_dcf(np.zeros(1), np.full(1, -1.0), prior=0.5), 0)  # at the threshold accepted


@pytest.mark.parametrize("options", [{"prior": 0.0}, {"prior": math.nan}, {"c_miss": 0.0}, {"c_fa": math.inf}])
def test_act_dcf_refuses_costs_that_mean_nothing(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="prior inside"):
        act_dcf(np.array([1.0]), np.array([0.0]), **options)


weighted = st.lists(st.tuples(st.integers(-4, 4).map(float), st.integers(0, 3)), min_size=1, max_size=12).filter(
    lambda rows: any(weight for _, weight in rows)
)


@given(weighted, weighted)
def test_a_weight_equals_repetition(targets: list[tuple[float, int]], others: list[tuple[float, int]]) -> None:
    scores, weights = zip(*(np.array(rows, dtype=np.float64).T for rows in (targets, others)), strict=True)
    curve = RankedScores(*scores).curve(*weights)
    repeated: tuple[Array, ...] = tuple(
        np.repeat(one, weight.astype(int)) for one, weight in zip(scores, weights, strict=True)
    )
    once = curve_of(*repeated)
    assert curve.cllr() == pytest.approx(reference.cllr(*(list(one) for one in repeated)), abs=1e-9)
    assert curve.cllr_min() == pytest.approx(once.cllr_min(), abs=1e-9)
    assert curve.act_dcf(0.1) == pytest.approx(once.act_dcf(0.1), abs=1e-9)
    assert curve.eer(hull=True) == pytest.approx(once.eer(hull=True), abs=1e-9)


@given(side, side, st.sampled_from([-3.0, 0.0, 1.5]))
def test_f_measure_equals_scikit_learn(targets: list[float], non_targets: list[float], threshold: float) -> None:
    truth = np.repeat([1, 0], [len(targets), len(non_targets)])
    said = np.array([*targets, *non_targets]) >= threshold
    expected = f1_score(truth, said, zero_division=0.0)
    assert f_measure(np.array(targets), np.array(non_targets), threshold) == pytest.approx(expected, abs=1e-9)


def test_f_measure_needs_a_threshold() -> None:
    with pytest.raises(ValueError, match="NaN"):
        f_measure(np.ones(1), np.zeros(1), math.nan)


@pytest.mark.parametrize("metric", [act_dcf, cllr_min, lambda one, other: f_measure(one, other, 0.5)])
@pytest.mark.parametrize(
    ("targets", "non_targets", "words"),
    [([], [0.1], "no target"), ([0.1], [], "no non-target"), ([np.nan], [0.1], "a target"), ([0.1], [np.inf], "a non")],
)
def test_one_class_and_nan_are_refused(
    metric: object, targets: list[float], non_targets: list[float], words: str
) -> None:
    assert callable(metric)
    with pytest.raises(ValueError, match=words):
        metric(np.array(targets), np.array(non_targets))


def test_cllr_min_of_small_cases() -> None:
    assert cllr_min(np.array([1.0]), np.array([0.0])) == 0
    assert cllr_min(np.array([0.0]), np.array([1.0])) == pytest.approx(1)
    assert cllr_min(np.zeros(3), np.zeros(5)) == pytest.approx(1)
    for order in itertools.permutations([0.1, 0.4, 0.8]):
        assert cllr_min(np.array(order), np.array([0.5])) == cllr_min(np.array([0.1, 0.4, 0.8]), np.array([0.5]))
