"""What thresholds are predicted to cost: what the calibration says, and a model through its measured point."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm
from spokenmakers import Spoken, code, spoken

import samevoice as sv
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import SAME_LLR, decide
from samevoice.service.prediction import curve, reached, rejected
from samevoice.verification import calibration_of


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    found = calibration_of(sv.load_model("campplus", threads=1))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoken]:
    with spoken(tmp_path_factory.mktemp("thresholds")) as made:
        yield made


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.6, 3.0, 60.0])
def test_the_answer_is_what_the_calibration_says(served: Spoken, calibration: Calibration, seconds: float) -> None:
    told = served.user.get("/thresholds", params={"seconds": seconds}).json()
    assert (told["seconds"], told["far"], told["speaker_pairs"]) == (seconds, 0.01, calibration.speaker_pairs)
    assert told["source"] == calibration.source
    assert told["trials"] == dict(zip(("target", "non_target"), calibration.trials, strict=True))
    rates = [one["far"] for one in told["points"]]
    assert set(calibration.rates) <= set(rates)
    assert (rates[0], rates[-1]) == (calibration.rates[0], calibration.rates[-1])
    for one in told["points"]:
        table = calibration.threshold(one["far"], seconds)
        assert one["threshold"] == max(table, calibration.crossing(SAME_LLR, seconds))
        decision = decide(0.5, (seconds, seconds), calibration, model="toy", far=one["far"])
        assert one["threshold"] == decision.threshold
        assert one["kept"] <= one["far"]
        if table == one["threshold"]:
            assert one["kept"] == pytest.approx(one["far"], rel=1e-9)
        else:
            kept = max(one["kept"], calibration.rates[-1])
            assert calibration.threshold(kept, seconds) == pytest.approx(one["threshold"], abs=1e-9)


def test_options_are_honoured_and_checked(served: Spoken, tmp_path_factory: pytest.TempPathFactory) -> None:
    for wrong in ("0", "-1", "nan", "inf", "x", "3601"):
        assert code(served.user.get("/thresholds", params={"seconds": wrong}), 422) == "request"
    with spoken(tmp_path_factory.mktemp("strict"), far=0.005) as strict:
        assert strict.user.get("/thresholds").json()["far"] == 0.005


@pytest.mark.parametrize("seconds", [0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 6.0, 100.0])
def test_fewer_strangers_cost_more_of_the_right_people(calibration: Calibration, seconds: float) -> None:
    points = curve(calibration, seconds)
    assert all(before.far > after.far for before, after in pairwise(points))
    for kind in ("threshold", "frr"):
        costs = [getattr(point, kind) for point in points]
        assert (np.diff(costs) >= 0).all()
    assert (np.diff([point.kept for point in points]) <= 0).all()
    assert all(point.frr is not None and 0 < point.frr < 1 for point in points)


@pytest.mark.parametrize("at", range(8))
def test_the_curve_goes_through_what_was_measured(calibration: Calibration, at: int) -> None:
    seconds, cosine = calibration.durations[at], calibration.reached[at]
    assert reached(calibration, seconds) == pytest.approx(cosine, abs=1e-12)
    assert rejected(calibration, cosine, seconds) == pytest.approx(0.1, abs=1e-9)


@given(seconds=st.floats(0.2, 60.0), cosine=st.floats(-0.5, 1.0))
def test_the_model_has_the_evidence_of_the_calibration(calibration: Calibration, seconds: float, cosine: float) -> None:
    """Mean and variance found by search, such that the ratio of two normal densities is the llr."""
    unlimited = replace(calibration, max_llr=50.0)
    nine_of_ten = reached(calibration, seconds)
    assert nine_of_ten is not None
    llrs = unlimited.llrs(np.array([0.0, 1e-3]), seconds)
    slope = float(llrs[1] - llrs[0]) / 1e-3
    zero = -float(llrs[0]) / slope

    def misfit(spread: float) -> float:
        mean = nine_of_ten + norm.ppf(0.9) * spread
        other = 2 * zero - mean
        return float((mean - other) / spread**2 - slope)

    assume(misfit(1e-2) * misfit(5.0) < 0)
    spread = brentq(misfit, 1e-2, 5.0, xtol=1e-13)
    expected = norm.cdf(cosine, nine_of_ten + norm.ppf(0.9) * spread, spread)
    assert rejected(calibration, cosine, seconds) == pytest.approx(expected, abs=1e-6)


def test_what_a_calibration_does_not_say_is_null(calibration: Calibration) -> None:
    silent = replace(calibration, reached=())
    assert reached(silent, 3.0) is None
    assert {point.frr for point in curve(silent, 3.0)} == {None}
    # Nine of ten reach less than where the evidence is nil: no two normal distributions of one variance do that.
    odd = replace(calibration, reached=tuple(-0.9 for _ in calibration.reached))
    assert {point.frr for point in curve(odd, 3.0)} == {None}
    assert not any(math.isnan(point.threshold) for point in curve(odd, 3.0))
