"""The whole report against its parts, and as people read it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import reference
from trialmakers import voices

from samevoice.evaluation.report import evaluate, evaluate_at
from samevoice.evaluation.thresholds import fixed
from samevoice.evaluation.trials import all_pairs


def test_numbers_are_those_of_the_trials() -> None:
    vectors, speakers = voices(12, 3, spread=1.2)
    found = evaluate(vectors, speakers, threshold=fixed(0.4), draws=50)
    trials = all_pairs(vectors, speakers)
    targets, non_targets = list(trials.targets), list(trials.non_targets)
    assert (found.speakers, found.pieces, found.targets, found.non_targets) == (12, 36, 36, 594)
    assert found.eer.value == pytest.approx(reference.eer(targets, non_targets))
    assert found.min_dcf_01.value == pytest.approx(reference.min_dcf(targets, non_targets, 0.01, 1, 1))
    assert found.min_dcf_05.value == pytest.approx(reference.min_dcf(targets, non_targets, 0.05, 1, 1))
    assert found.positive_accuracy
    assert found.positive_accuracy.value == pytest.approx(np.mean(trials.targets >= 0.4))
    assert found.negative_accuracy
    assert found.negative_accuracy.value == pytest.approx(np.mean(trials.non_targets < 0.4))
    assert found.same_distance.mean == pytest.approx(np.mean(1 - trials.targets))
    assert found.different_distance.sd == pytest.approx(np.std(1 - trials.non_targets))
    assert found.grid.f == pytest.approx(reference.f_measure_grid(targets, non_targets)["f"])
    assert found.one_and_many.accuracy > 0.9  # 99 non-targets for each target


def test_without_a_threshold_no_accuracy_is_made_up() -> None:
    found = evaluate(*voices(4, 3), draws=20)
    assert found.positive_accuracy is None
    assert found.negative_accuracy is None
    assert "positives" not in str(found)


def test_json_is_plain() -> None:
    vectors, speakers = voices(4, 3)
    plain = evaluate(vectors, speakers, threshold=fixed(0.5), sessions=["s"] * 12, draws=20).to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["threshold"] == {"value": 0.5, "rule": "fixed"}
    assert plain["sessions"] == {"one": 12, "two": 0, "unknown": 0}
    assert set(plain["eer"]) == {"value", "low", "high"}


def test_people_read_every_measure_and_that_easy_positives_are_easy() -> None:
    vectors, speakers = voices(6, 3, spread=1.2)
    text = str(evaluate(vectors, speakers, threshold=fixed(0.5), sessions=["s", "s", "t"] * 6, draws=20))
    for words in (
        "6 speakers, 18 pieces",
        "18 target and 135 non-target trials",
        "targets: 6 within one session, 12 across two",
        "easier than two recordings of life",
        "EER %",
        "minDCF, prior 0.01",
        "positives at 0.500 %",
        "negatives at 0.500 %",
    ):
        assert words in text
    apart = str(evaluate(vectors, speakers, sessions=[str(row) for row in range(18)], draws=20))
    assert "easier" not in apart


def test_an_interval_without_width_is_explained() -> None:
    assert "no error was seen" in str(evaluate(*voices(4, 3, spread=0.01), draws=20))
    assert "no error was seen" not in str(evaluate(*voices(20, 4, spread=1.5), draws=50))


def test_order_of_the_recordings_does_not_matter() -> None:
    vectors, speakers = voices(8, 3, spread=1.2)
    order = np.random.default_rng(0).permutation(24)
    forth = evaluate(vectors, speakers, draws=30)
    back = evaluate(vectors[order], [speakers[row] for row in order], draws=30)
    for name in ("eer", "min_dcf_01", "auc"):
        for bound in ("value", "low", "high"):
            expected = getattr(getattr(forth, name), bound)
            assert getattr(getattr(back, name), bound) == pytest.approx(expected, abs=1e-6)


def test_several_thresholds_share_their_draws() -> None:
    generator = np.random.default_rng(5)
    centres = generator.standard_normal((8, 6))
    vectors = np.repeat(centres, 4, axis=0) + 0.8 * generator.standard_normal((32, 6))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    speakers = [f"s{row // 4}" for row in range(32)]
    at = {"low": fixed(0.2), "high": fixed(0.6)}
    found = evaluate_at(unit, speakers, at, draws=50)
    assert set(found) == {"", "low", "high"}
    for name, threshold in at.items():
        assert found[name] == evaluate(unit, speakers, threshold=threshold, draws=50)
    assert found[""] == evaluate(unit, speakers, draws=50)
