"""Calibration with quality measures, on drawn trials whose true llr is known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from samevoice.errors import ModelError
from samevoice.evaluation.metrics import cllr
from samevoice.scoring.calibration import MAX_LLR, Array
from samevoice.scoring.fusion import Fusion
from samevoice.scoring.quality import Method, QualityCalibration, measures

METHODS: tuple[Method, ...] = ("logistic", "gaussian")
PAIRS = 50_000
Labels = NDArray[np.bool_]


def drawn(count: int, seed: int) -> tuple[Array, Array, Labels, Array]:
    """Scores, measures, labels and true llrs under mixed duration, noise and band.

    Noise and a narrow band pull the targets down, and short speech widens both sides.
    """
    draw = np.random.default_rng(seed)
    seconds = np.exp(draw.uniform(0, math.log(20), count))
    measured = measures(seconds, draw.uniform(0, 45, count), draw.choice([3.4, 8.0, 11.0], count))
    labels = draw.random(count) < 0.5
    duration, noise, narrow = measured.T
    target, other = 0.7 + 0.35 * noise + 0.1 * narrow, 0.05 - 0.05 * noise
    sd = 0.18 * np.exp(-0.2 * duration)
    scores = np.where(labels, target, other) + sd * draw.normal(size=count)
    return scores, measured, labels, norm.logpdf(scores, target, sd) - norm.logpdf(scores, other, sd)


def fitted(method: Method, scores: Array, measured: Array, labels: Labels, pairs: int = PAIRS) -> QualityCalibration:
    return QualityCalibration.fit(scores, measured, labels, method=method, speaker_pairs=pairs, source="drawn")


def cost(llrs: Array, labels: Labels) -> float:
    return cllr(llrs[labels], llrs[~labels])


def importance(labels: Labels) -> Array:
    """Targets and non-targets count the same."""
    weights: Array = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    return weights


def least_cost(llrs: Array, labels: Labels) -> float:
    """Cllr after the best non-decreasing map: isotonic regression (pool adjacent violators) at even weights."""
    found = IsotonicRegression(y_min=0, y_max=1).fit_transform(
        llrs, labels.astype(float), sample_weight=importance(labels)
    )
    targets, others = found[labels], found[~labels]
    return float(-(np.log2(targets).mean() + np.log2(1 - others).mean()) / 2)


KNOWN = drawn(30_000, 1)
NEW = drawn(30_000, 2)
FITTED = {method: fitted(method, *KNOWN[:3]) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_better_than_plain_under_mixed_noise_and_calibrated(method: Method) -> None:
    scores, measured, labels, truth = NEW
    llrs = FITTED[method].llrs(scores, measured)
    known_scores, known_measured, known_labels, _ = KNOWN
    seconds = known_measured[:, 0]
    plain = Fusion.fit(np.column_stack([known_scores, seconds, known_scores * seconds]), known_labels)
    before = plain.llrs(np.column_stack([scores, measured[:, 0], scores * measured[:, 0]]))
    assert cost(llrs, labels) < cost(before, labels) - 0.02
    assert cost(llrs, labels) < cost(truth, labels) + 0.02
    assert cost(llrs, labels) - least_cost(llrs, labels) < 0.01
    for part in (measured[:, 1] < -0.5, measured[:, 1] > -0.5, measured[:, 2] < -0.5, measured[:, 0] < 0.7):
        assert cost(llrs[part], labels[part]) - least_cost(llrs[part], labels[part]) < 0.03


def test_the_gaussian_finds_the_true_parameters() -> None:
    """In the order 1, ln(seconds), noise, band; see `drawn`."""
    expected = [[0.7, 0, 0.35, 0.1], [0.05, 0, -0.05, 0], [math.log(0.18), -0.2, 0, 0]]
    np.testing.assert_allclose(np.array(FITTED["gaussian"].weights).reshape(3, 4), expected, atol=0.03)
    scores, measured, _, truth = NEW
    inside = np.abs(truth) < 8
    np.testing.assert_allclose(FITTED["gaussian"].llrs(scores, measured)[inside], truth[inside], atol=0.6)


def test_the_gaussian_is_the_maximum_of_its_likelihood() -> None:
    """Against a general optimiser, with targets and non-targets of the same weight."""
    scores, measured, labels, _ = drawn(600, 3)
    terms = np.column_stack([np.ones(600), measured])
    weights = importance(labels)

    def loss(flat: Array) -> float:
        target, other, log_sd = (terms @ part for part in flat.reshape(3, 4))
        return float(-np.sum(weights * norm.logpdf(scores, np.where(labels, target, other), np.exp(log_sd))))

    start = np.zeros(12)
    start[8] = math.log(0.3)
    best = minimize(loss, start, method="BFGS", options={"gtol": 1e-7}).x
    np.testing.assert_allclose(np.array(fitted("gaussian", scores, measured, labels).weights), best, atol=1e-4)


@pytest.mark.parametrize("products", [True, False])
def test_the_logistic_equals_scikit_learn(products: bool) -> None:
    """With products of score and measures where they pay, without where all conditions have one slope."""
    scores, measured, labels, _ = KNOWN
    if not products:
        scores = labels + 0.6 * measured[:, 1] + np.random.default_rng(5).normal(0, 0.6, len(labels))
    scaled = ((scores - scores.mean()) / scores.std())[:, None]
    table = np.concatenate([measured, scaled, scaled * measured][: 3 if products else 2], axis=1)
    peer = LogisticRegression(C=1e6, solver="newton-cholesky", tol=1e-12, max_iter=1_000)
    peer.fit(table, labels, sample_weight=importance(labels))
    calibration = fitted("logistic", scores, measured, labels)
    expected = np.clip(peer.decision_function(table), -calibration.max_llr, calibration.max_llr)
    np.testing.assert_allclose(calibration.llrs(scores, measured), expected, atol=1e-3)
    assert any(calibration.weights[5:]) == products


def test_products_that_would_turn_the_evidence_round_are_left_out() -> None:
    """In the worst noise these scores fall for targets; one slope for all conditions still serves most trials."""
    _, measured, labels, _ = KNOWN
    side = np.where(labels, 1.0, -1.0) * (0.8 + measured[:, 1])
    scores = side + np.random.default_rng(5).normal(0, 0.5, len(labels))
    assert fitted("logistic", scores, measured, labels).weights[5:] == (0.0, 0.0, 0.0)


@settings(max_examples=60)
@given(
    st.sampled_from(METHODS),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    st.tuples(st.floats(0.01, 1e3), st.floats(-50, 100), st.floats(0, 48)),
)
def test_evidence_grows_with_the_score(
    method: Method, pair: tuple[float, float], condition: tuple[float, float, float]
) -> None:
    measured = np.repeat(measures(*([value] for value in condition)), 2, axis=0)
    low, high = FITTED[method].llrs(np.array(sorted(pair)), measured)
    assert low <= high


@pytest.mark.parametrize("method", METHODS)
def test_evidence_is_limited_by_the_number_of_speaker_pairs(method: Method) -> None:
    calibration = fitted(method, *KNOWN[:3], pairs=200)
    assert calibration.max_llr == pytest.approx(math.log(200))
    found = calibration.llrs(np.array([-9.0, 9.0]), measures([5, 5], [30, 30], [8, 8]))
    assert found.tolist() == [-calibration.max_llr, calibration.max_llr]
    assert fitted(method, *KNOWN[:3], pairs=10**40).max_llr == MAX_LLR


@pytest.mark.parametrize("method", METHODS)
def test_the_unit_of_the_scores_does_not_matter(method: Method) -> None:
    scores, measured, labels, _ = KNOWN
    expected = FITTED[method].llrs(scores, measured)
    moved = 40 * scores - 7
    np.testing.assert_allclose(fitted(method, moved, measured, labels).llrs(moved, measured), expected, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_conditions_outside_are_treated_like_the_nearest(method: Method) -> None:
    calibration, scores = FITTED[method], np.array([0.4])
    for inside, outside in (((20.0, 0.0, 3.4), (9e3, -20.0, 1.0)), ((1.0, 40.0, 8.0), (0.1, 70.0, 24.0))):
        one, other = (calibration.llrs(scores, measures(*([value] for value in part))) for part in (inside, outside))
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_measures() -> None:
    found = measures([1, math.e, 2], [40, 0, 10], [8, 4, 0])
    expected = np.array([[0.0, 0.0, 0.0], [1.0, -1.0, -0.5], [math.log(2), -0.75, -1.0]])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_unknown_measures_count_as_clean_and_wide() -> None:
    found = measures([3, 3, 3], [None, math.nan, 99], [math.nan, None, 24])
    assert found.tolist() == measures([3, 3, 3], [40, 40, 40], [8, 8, 8]).tolist()
    for bad in ([0.0], [-1.0], [math.nan], [math.inf]):
        with pytest.raises(ValueError, match="positive"):
            measures(bad, [1], [1])
    with pytest.raises(ValueError, match="shape"):
        measures([1, 2], [1], [1, 2])


@pytest.mark.parametrize("method", METHODS)
def test_measures_that_never_vary_do_no_harm(method: Method) -> None:
    """A corpus of one condition: as good as with the score alone."""
    draw = np.random.default_rng(1)
    labels = draw.random(4_000) < 0.3
    scores = draw.normal(0, 0.2, 4_000) + 0.5 * labels
    measured = measures(np.full(4_000, 3.0), np.full(4_000, 25.0), np.full(4_000, 4.0))
    llrs = fitted(method, scores, measured, labels).llrs(scores, measured)
    np.testing.assert_allclose(llrs, np.clip(12.5 * (scores - 0.25), -math.log(PAIRS), math.log(PAIRS)), atol=1.0)


@pytest.mark.parametrize("method", METHODS)
def test_json_round_trip(method: Method) -> None:
    calibration = FITTED[method]
    assert QualityCalibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration
    whole = {**calibration.to_json(), "lows": [0, -1, -1]}  # JSON may write -1.0 as -1
    assert QualityCalibration.from_json(whole).lows == (0.0, -1.0, -1.0)


HOSTILE: list[Mapping[str, Any]] = [
    {"method": "magic"},
    {"method": ["logistic"]},
    {"method": None},
    {"weights": [1, 2, 3]},
    {"weights": [math.nan] * 8},
    {"weights": [10**400] * 8},
    {"weights": "12345678"},
    {"weights": ["1"] * 8},
    {"weights": [True] * 8},
    {"weights": {"a": 1}},
    {"weights": None},
    {"weights": [0.0] * 8},
    {"weights": [0, 0, 0, 0, 1, 0, 2, 0]},  # falls with the score in noise
    {"weights": [1e308] * 8},
    {"lows": [0, 0]},
    {"lows": [9, 9, 9]},
    {"lows": [math.nan] * 3},
    {"highs": [math.inf] * 3},
    {"speaker_pairs": 1},
    {"speaker_pairs": 2.5},
    {"speaker_pairs": None},
    {"speaker_pairs": "many"},
    {"trials": [1]},
    {"trials": [0, 5]},
    {"trials": [1.5, 2]},
    {"surprise": 1},
]


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: repr(change)[:40])
def test_hostile_json_is_refused(change: Mapping[str, Any]) -> None:
    with pytest.raises(ModelError, match="fit it again"):
        QualityCalibration.from_json({**FITTED["logistic"].to_json(), **change})


@pytest.mark.parametrize("log_sd", [-1e3, 1e3, 1e308])
def test_hostile_deviations_are_refused(log_sd: float) -> None:
    weights = [0.5, 0, 0, 0, 0, 0, 0, 0, log_sd, 0, 0, 0]
    with pytest.raises(ModelError, match="fit it again"):
        QualityCalibration.from_json({**FITTED["gaussian"].to_json(), "weights": weights})


@pytest.mark.parametrize("name", sorted(FITTED["logistic"].to_json()))
def test_a_missing_field_is_named(name: str) -> None:
    data = FITTED["logistic"].to_json()
    del data[name]
    with pytest.raises(ModelError, match=f"fields: {name};"):
        QualityCalibration.from_json(data)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scores": np.full(40, 0.3)}, "never vary"),
        ({"scores": np.full(40, np.nan)}, "finite"),
        ({"scores": -KNOWN[0][:40]}, "does not grow"),
        ({"measured": np.zeros((40, 2))}, r"\(n, 3\)"),
        ({"labels": np.ones(40, dtype=bool)}, "both target and non-target"),
        ({"labels": np.ones(4, dtype=bool)}, "as many labels"),
        ({"pairs": 0}, "two speaker pairs"),
    ],
)
def test_trials_that_cannot_be_fitted(method: Method, change: dict[str, Any], words: str) -> None:
    known = dict(zip(("scores", "measured", "labels"), (column[:40] for column in KNOWN[:3]), strict=True))
    with pytest.raises(ValueError, match=words):
        fitted(method, **{**known, **change})


@pytest.mark.parametrize("method", METHODS)
def test_separable_trials_stay_finite(method: Method) -> None:
    scores, labels = np.array([0.1, 0.1, 0.9, 0.9]), np.array([False, False, True, True])
    found = fitted(method, scores, measures([3] * 4, [None] * 4, [None] * 4), labels, pairs=100)
    llrs = found.llrs(scores, measures([3] * 4, [None] * 4, [None] * 4))
    assert (llrs[:2] < -2).all()
    assert (llrs[2:] > 2).all()
    assert np.abs(llrs).max() <= math.log(100)
