"""Fusion against scikit-learn, and against the truth on drawn trials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from samevoice.evaluation.metrics import cllr
from samevoice.scoring.calibration import Array
from samevoice.scoring.fusion import Fusion

UNITS = np.array([0.1, 5.0, 300.0])


def drawn(targets: int, others: int, seed: int) -> tuple[Array, NDArray[np.bool_]]:
    """Two independent systems in units of their own, and a column of side information that tells nothing."""
    draw = np.random.default_rng(seed)
    labels = np.repeat([True, False], [targets, others])
    columns = draw.normal(0, 1, (len(labels), 3))
    columns[:, :2] += np.where(labels[:, None], [1.0, 0.75], [-1.0, -0.75])
    return columns * UNITS, labels


def true_llrs(columns: Array) -> Array:
    """Sum of 2 m x of both systems."""
    found: Array = (columns / UNITS) @ np.array([2.0, 1.5, 0.0])
    return found


@pytest.mark.parametrize("prior", [0.5, 0.1, 0.99])
@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_learn(seed: int, prior: float) -> None:
    columns, labels = drawn(80, 900, seed)
    importance = np.where(labels, prior / 80, (1 - prior) / 900)
    peer = LogisticRegression(C=1e6, solver="newton-cholesky", tol=1e-12, max_iter=1_000)
    peer.fit(columns / UNITS, labels, sample_weight=importance)
    fusion = Fusion.fit(columns, labels, prior)
    np.testing.assert_allclose(fusion.weights, peer.coef_[0] / UNITS, rtol=1e-3, atol=1e-6)
    expected = peer.decision_function(columns / UNITS) - math.log(prior / (1 - prior))
    np.testing.assert_allclose(fusion.llrs(columns), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("prior", [0.5, 0.05])
def test_recovers_the_truth_whatever_the_share_of_targets(prior: float) -> None:
    fusion = Fusion.fit(*drawn(4_000, 40_000, 1), prior)
    columns, labels = drawn(2_000, 2_000, 2)
    np.testing.assert_allclose(fusion.llrs(columns), true_llrs(columns), atol=1.0, rtol=0.15)
    fused, one = (found.llrs(part) for found, part in ((fusion, columns), _alone(columns)))
    assert cllr(fused[labels], fused[~labels]) < cllr(one[labels], one[~labels]) - 0.1
    truth = true_llrs(columns)
    assert cllr(fused[labels], fused[~labels]) < cllr(truth[labels], truth[~labels]) + 0.01


def _alone(columns: Array) -> tuple[Fusion, Array]:
    """The better system by itself."""
    known, labels = drawn(4_000, 40_000, 1)
    return Fusion.fit(known[:, :1], labels), columns[:, :1]


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(1e-6, 1e6), st.floats(-100, 100))
def test_the_unit_of_a_column_does_not_matter(seed: int, factor: float, offset: float) -> None:
    columns, labels = drawn(30, 60, seed)
    moved = columns * [1, factor, 1] + [0, offset * factor, 0]
    expected = Fusion.fit(columns, labels).llrs(columns)
    np.testing.assert_allclose(Fusion.fit(moved, labels).llrs(moved), expected, rtol=1e-6, atol=1e-6)


def test_separable_trials_stay_finite() -> None:
    columns = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    fusion = Fusion.fit(columns, np.array([False, False, True, True]))
    assert np.isfinite(fusion.llrs(columns)).all()
    assert fusion.weights[0] > 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prior": 0.0}, "prior"),
        ({"prior": 1.0}, "prior"),
        ({"prior": math.nan}, "prior"),
        ({"is_target": np.ones(4, dtype=bool)}, "both target and non-target"),
        ({"is_target": np.zeros(4, dtype=bool)}, "both target and non-target"),
        ({"is_target": np.array([True, False])}, "n labels"),
        ({"columns": np.zeros(4)}, r"\(n, k\)"),
        ({"columns": np.full((4, 1), np.inf)}, "finite"),
        ({"columns": np.array([[1.0, 7], [2, 7], [3, 7], [4, 7]])}, "column 1 never varies"),
        ({"columns": np.array([[0.0, 1], [0, 2], [0, 3], [0, 5]])}, "column 0 never varies"),
        ({"columns": np.zeros((4, 0))}, "at least one"),
    ],
)
def test_trials_that_cannot_be_fitted(change: dict[str, Any], words: str) -> None:
    given_trials = {"columns": np.array([[1.0], [2], [3], [5]]), "is_target": np.array([False, True, False, True])}
    with pytest.raises(ValueError, match=words):
        Fusion.fit(**(given_trials | change))


def test_weights_that_cannot_be() -> None:
    for bias, weights in ((math.nan, (1.0,)), (0.0, (math.inf,)), (0.0, ())):
        with pytest.raises(ValueError, match="finite weights"):
            Fusion(bias, weights)
    with pytest.raises(ValueError, match="2 columns were fitted"):
        Fusion(0.0, (1.0, 2.0)).llrs(np.zeros((3, 1)))
