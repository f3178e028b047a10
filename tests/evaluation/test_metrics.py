"""Error rates against loops and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from samevoice.evaluation.metrics import Array, cllr, eer, error_rates

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


@pytest.mark.parametrize("metric", [eer, cllr, error_rates])
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
