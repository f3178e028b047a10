"""Calibration: recovered from scores whose true evidence is known, and never claiming more than its trials."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from samevoice.errors import ConfigError, ModelError
from samevoice.scoring.calibration import Array, Calibration, fit, logistic_regression, sigmoid

SECONDS = (1.0, 3.0, 10.0)
RATES = (0.05, 0.02, 0.01, 0.001, 1e-9)


def gaussian_trials(count: int, seed: int = 1) -> tuple[Array, Array, Array]:
    """Targets around 0.6, impostors around 0, both with variance 0.09 / (1 + ln d): the llr is linear in our terms."""
    draw = np.random.default_rng(seed)
    scores, seconds, labels = [], [], []
    for duration in SECONDS:
        spread = 0.3 / math.sqrt(1 + math.log(duration))
        for mean, label in ((0.6, True), (0.0, False)):
            scores.append(draw.normal(mean, spread, count))
            seconds.append(np.full(count, duration))
            labels.append(np.full(count, label))
    return np.concatenate(scores), np.concatenate(seconds), np.concatenate(labels)


def true_llr(score: float, seconds: float) -> float:
    """ln N(s; 0.6, v) - ln N(s; 0, v) with v = 0.09 / (1 + ln d)."""
    return (0.6 * score - 0.18) * (1 + math.log(seconds)) / 0.09


def speakers_of(labels: NDArray[np.bool_], people: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Who is compared: targets speaker 0 with himself, non-targets every pair of people in turn."""
    pairs = np.stack(np.triu_indices(people, k=1))
    turns = np.where(labels, 0, (np.cumsum(~labels) - 1) % pairs.shape[1])
    first, second = pairs[:, turns]
    return np.where(labels, 0, first), np.where(labels, 0, second)


def fitted(
    scores: Array, seconds: Array, labels: NDArray[np.bool_], people: int = 135, rates: Sequence[float] = RATES
) -> Calibration:
    return fit(scores, seconds, labels, speakers_of(labels, people), rates=rates, source="drawn")


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    scores, seconds, labels = gaussian_trials(20_000)
    return fitted(scores, seconds, labels.astype(bool))


def test_true_evidence_is_recovered(calibration: Calibration) -> None:
    """Within 0.25 or 5 % over the range that 20,000 trials a side can show."""
    for seconds in (1.0, 2.0, 3.0, 10.0):
        for score in np.linspace(-0.1, 0.7, 9).tolist():
            expected = true_llr(score, seconds)
            if abs(expected) < 6:
                assert calibration.llr(score, seconds) == pytest.approx(expected, abs=0.25, rel=0.05)


def test_durations_outside_are_treated_like_the_nearest(calibration: Calibration) -> None:
    for score in (0.0, 0.3, 0.6):
        assert calibration.llr(score, 0.2) == calibration.llr(score, 1.0)
        assert calibration.llr(score, 600.0) == calibration.llr(score, 10.0)
        assert calibration.threshold(0.01, 600.0) == calibration.threshold(0.01, 10.0)


def test_what_it_was_fitted_on_is_on_record(calibration: Calibration) -> None:
    assert (calibration.speaker_pairs, calibration.source) == (135 * 134 // 2, "drawn")
    assert calibration.trials == (60_000, 60_000)  # 20,000 of each at each of three durations


def test_evidence_is_limited_by_the_number_of_speaker_pairs(calibration: Calibration) -> None:
    assert calibration.max_llr == pytest.approx(math.log(9_045))
    assert calibration.llr(1.0, 10.0) == calibration.max_llr
    assert calibration.llr(-1.0, 10.0) == -calibration.max_llr


def test_crossing_inverts_llr(calibration: Calibration) -> None:
    for seconds in (0.5, 1.0, 4.0, 10.0, 60.0):
        for llr in (-3.0, 0.0, 2.2, 5.0):
            assert calibration.llr(calibration.crossing(llr, seconds), seconds) == pytest.approx(llr, abs=1e-9)


def test_thresholds_keep_their_rates_with_some_room(calibration: Calibration) -> None:
    scores, seconds, labels = gaussian_trials(20_000)
    assert calibration.rates == (0.05, 0.02, 0.01, 0.001)  # 1e-9 would need 3 / 1e-9 pairs
    for column, duration in enumerate(SECONDS):
        impostors = scores[(labels == 0) & (seconds == duration)]
        for row, rate in enumerate(calibration.rates):
            threshold = calibration.thresholds[row][column]
            assert calibration.threshold(rate, duration) == pytest.approx(threshold, abs=1e-12)
            assert 0.2 * rate < (impostors >= threshold).mean() < rate


def test_nine_of_ten_targets_reach_what_is_said(calibration: Calibration) -> None:
    scores, seconds, labels = gaussian_trials(20_000)
    for reached, duration in zip(calibration.reached, SECONDS, strict=True):
        assert (scores[(labels == 1) & (seconds == duration)] >= reached).mean() == pytest.approx(0.9, abs=1e-4)


def test_how_long_a_recording_must_be(calibration: Calibration) -> None:
    """The first duration of the table where nine of ten targets pass, by a count."""
    scores, seconds, labels = gaussian_trials(20_000)
    for rate, llr in ((0.05, 0.0), (0.01, 2.9), (0.001, 2.9)):
        lasting = [
            duration
            for duration in SECONDS
            if np.mean(
                scores[(labels == 1) & (seconds == duration)]
                >= max(calibration.threshold(rate, duration), calibration.crossing(llr, duration))
            )
            >= 0.9
        ]
        assert calibration.lasting(rate, llr) == (lasting[0] if lasting else None)
    assert calibration.lasting(0.05, 100.0) is None
    assert replace(calibration, reached=()).lasting(0.05, -100.0) is None


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9), st.floats(0.1, 30))
def test_each_trial_may_have_its_own_duration(scores: list[float], seconds: float) -> None:
    lengths = np.arange(len(scores), dtype=np.float64) + seconds
    found = FITTED.llrs(np.array(scores), lengths)
    for score, length, llr in zip(scores, lengths.tolist(), found.tolist(), strict=True):
        assert llr == pytest.approx(FITTED.llr(score, length))


@pytest.mark.parametrize("rate", [0.06, 0.5, 1.0])
def test_rates_too_high_are_refused(calibration: Calibration, rate: float) -> None:
    with pytest.raises(
        ConfigError,
        match=r"this model was calibrated on 9,045 speaker pairs; give one from 0\.001 to 0\.05$",
    ):
        calibration.threshold(rate, 3.0)


@pytest.mark.parametrize(("rate", "needed"), [(1e-4, "30,000"), (1e-6, "3,000,000"), (1e-320, "3,000,000,000,000")])
def test_rates_too_low_are_refused_with_what_they_need(calibration: Calibration, rate: float, needed: str) -> None:
    with pytest.raises(ConfigError, match=f"needs at least {needed}"):
        calibration.threshold(rate, 3.0)


@pytest.mark.parametrize("rate", [0.0, -0.1, 2.0, math.nan, math.inf, -math.inf])
def test_rates_that_are_none_are_refused(calibration: Calibration, rate: float) -> None:
    with pytest.raises(ConfigError, match="is none; give a fraction"):
        calibration.threshold(rate, 3.0)


@given(st.floats(0.001, 0.05), st.floats(0.001, 0.05), st.floats(0.1, 100))
def test_a_stricter_rate_never_lowers_the_threshold(first: float, second: float, seconds: float) -> None:
    calibration = FITTED
    low, high = sorted((first, second))
    assert calibration.threshold(low, seconds) >= calibration.threshold(high, seconds)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.1, 100))
def test_evidence_grows_with_the_cosine(first: float, second: float, seconds: float) -> None:
    low, high = sorted((first, second))
    assert FITTED.llr(low, seconds) <= FITTED.llr(high, seconds)


def small(seed: int = 3) -> Calibration:
    scores, seconds, labels = gaussian_trials(3_100, seed)
    return fitted(scores, seconds, labels.astype(bool), rates=(0.05, 0.01, 0.001))


FITTED = small()


def test_json_round_trip() -> None:
    assert Calibration.from_json(json.loads(json.dumps(FITTED.to_json()))) == FITTED


HOSTILE: list[Mapping[str, Any]] = [
    {"weights": [1, 2, 3]},
    {"weights": [1, 2, 3, math.nan]},
    {"weights": [1, math.inf, 3, 4]},
    {"weights": None},
    {"weights": [0, -5, 0, 0]},
    {"weights": {"a": 1}},
    {"max_llr": math.inf},
    {"max_llr": 1e300},
    {"max_llr": -1},
    {"max_llr": "many"},
    {"durations": []},
    {"durations": [0, 1, 2]},
    {"durations": [3, 2, 1]},
    {"durations": 5},
    {"rates": []},
    {"rates": [0.001, 0.01, 0.05]},
    {"rates": [0.05, 0.01, 0.0]},
    {"rates": [0.05, 0.05, 0.01]},
    {"rates": [0.05, 0.001, 0.01]},
    {"rates": [5, 0.01, 0.001]},
    {"thresholds": []},
    {"thresholds": [[1, 2], [3, 4]]},
    {"thresholds": [[1], [1, 2, 3], [1, 2]]},
    {"thresholds": [["x"] * 3] * 3},
    {"speaker_pairs": math.inf},
    {"speaker_pairs": None},
    {"trials": [1]},
    {"trials": [math.inf, 1]},
    {"surprise": 1},
]


@pytest.mark.parametrize("change", HOSTILE, ids=str)
def test_hostile_json_is_refused(change: Mapping[str, Any]) -> None:
    with pytest.raises(ModelError, match="pull the model again"):
        Calibration.from_json({**FITTED.to_json(), **change})


@pytest.mark.parametrize("name", sorted(FITTED.to_json()))
def test_a_missing_field_is_named(name: str) -> None:
    data = FITTED.to_json()
    del data[name]
    with pytest.raises(ModelError, match=f"fields: {name};"):
        Calibration.from_json(data)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scores": [0.1, np.nan, *[0.2] * 6]}, "finite"),
        ({"seconds": [0.0, *[1.0] * 7]}, "positive"),
        ({"seconds": [2.0, *[1.0] * 7]}, r"trials at"),
        ({"labels": [True] * 8}, "no non-target trials at 1 s"),
        ({"labels": [False] * 8}, "no target trials at 1 s"),
        ({"scores": [0.1, 0.2, 0.8, 0.9, 0.8, 0.9, 0.8, 0.9]}, "do not separate"),
        ({"people": 3}, "3 speaker pairs support none of the rates"),
    ],
)
def test_trials_that_cannot_be_fitted(change: dict[str, Any], words: str) -> None:
    trials: dict[str, Any] = {
        "scores": [0.9, 0.8, 0.1, 0.2, 0.15, 0.12, 0.18, 0.11],
        "seconds": [1.0] * 8,
        "labels": [True, True, *[False] * 6],
        "people": 4,
    }
    columns = {name: np.array(column) for name, column in (trials | change).items()}
    with pytest.raises(ValueError, match=words):
        fitted(columns["scores"], columns["seconds"], columns["labels"], int(columns["people"]), rates=[0.5])


@pytest.mark.parametrize("seed", range(3))
def test_logistic_regression_equals_scikit_learn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    terms = np.column_stack([np.ones(500), draw.normal(0, 1, (500, 3)) * [0.3, 1.0, 4.0]])
    labels = draw.random(500) < sigmoid(terms @ np.array([-1.0, 3.0, 0.5, -0.2]))
    importance = draw.uniform(0.1, 3, 500)
    importance /= importance.sum()
    peer = LogisticRegression(C=1e6, fit_intercept=False, solver="newton-cholesky", tol=1e-12, max_iter=1_000)
    peer.fit(terms, labels, sample_weight=importance)
    np.testing.assert_allclose(logistic_regression(terms, labels, importance), peer.coef_[0], atol=1e-4)


def test_logistic_regression_of_separable_data_is_finite() -> None:
    terms = np.column_stack([np.ones(4), [-1.0, -0.5, 0.5, 1.0]])
    weights = logistic_regression(terms, np.array([False, False, True, True]), np.full(4, 0.25))
    assert np.isfinite(weights).all()
    assert weights[1] > 5


def test_sigmoid_without_overflow() -> None:
    expected = [0, 1 / (1 + math.e**2), 0.5, 1 / (1 + math.e**-2), 1]
    np.testing.assert_allclose(sigmoid(np.array([-1e4, -2.0, 0.0, 2.0, 1e4])), expected)
