"""The verdict: every path, and properties that must hold for any score."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from samevoice.errors import ConfigError
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import DIFFERENT_LLR, SAME_LLR, Decision, decide, odds, posterior, undecided

# llr = (20 s - 8) for one second, (25 s - 10) for ten: the neutral cosine is 0.4 throughout.
BY_TEN = math.log(10.0)
CALIBRATION = Calibration(
    weights=(-8.0, 20.0, -2.0 / BY_TEN, 5.0 / BY_TEN),
    max_llr=8.0,
    durations=(1.0, 10.0),
    rates=(0.1, 0.01, 0.001),
    thresholds=((0.42, 0.40), (0.58, 0.55), (0.7, 0.6)),
    speaker_pairs=3_000,
    trials=(100, 200),
    source="by hand",
)


def judge(score: float, seconds: float = 10.0, **options: Any) -> Decision:
    return decide(score, (seconds, 30.0), CALIBRATION, model="m@1", **options)


def test_same() -> None:
    got = judge(0.8)
    assert (got.verdict, got.score, got.llr, got.threshold, got.far, got.model) == ("same", 0.8, 8.0, 0.55, 0.01, "m@1")
    assert got.probability == pytest.approx(1 / (1 + math.exp(-8)))
    assert str(got) == "Same person: the evidence is 2,981 to 1 for one speaker; at most 1 % of strangers would pass."


def test_different() -> None:
    got = judge(0.0)
    assert (got.verdict, got.llr) == ("different", -8.0)
    assert str(got) == "Different people: the evidence is 2,981 to 1 for two speakers."


@pytest.mark.parametrize("score", [0.8, 0.42, 0.0])
def test_what_a_log_line_needs_is_on_record(score: float) -> None:
    got = judge(score, 2.0, prior=0.2, warnings=("noisy",))
    assert (got.prior, got.speech, got.warnings, got.model) == (0.2, (2.0, 30.0), ("noisy",), "m@1")
    assert (got.far, got.calibration, got.impostor_pairs) == (0.01, CALIBRATION.digest, 3_000)
    cut = judge(score, 2.0, threshold=0.5, prior=0.2, warnings=("noisy",))
    assert (cut.prior, cut.speech, cut.warnings, cut.model) == (0.2, (2.0, 30.0), ("noisy",), "m@1")
    assert (cut.far, cut.calibration, cut.impostor_pairs) == (None, None, None)


def test_unsure_for_weak_evidence() -> None:
    assert judge(0.44).reason == "the evidence is weak (2.7 to 1 for one speaker); a further recording would help"
    assert judge(0.36).reason == "the evidence is weak (2.7 to 1 for two speakers); a further recording would help"
    assert judge(0.44).verdict == judge(0.36).verdict == "unsure"


def test_unsure_for_short_speech() -> None:
    assert judge(0.42, 1.2).reason.endswith("the shorter recording has 1.2 s of speech, 1.8 s more would help")
    assert "further recording" in judge(0.42, 3.0).reason


def test_unsure_when_too_many_strangers_would_pass() -> None:
    got = judge(0.55, far=0.001)
    assert got.verdict == "unsure"
    assert got.threshold == pytest.approx(0.6)
    assert "but more than 0.1 % of strangers would pass" in got.reason


def test_a_lax_rate_does_not_make_weak_evidence_a_yes() -> None:
    got = judge(0.45, far=0.1)
    assert got.verdict == "unsure"
    assert got.threshold == pytest.approx((SAME_LLR + 10) / 25)


def test_boundaries_belong_to_the_verdicts() -> None:
    assert judge(0.55).verdict == "same"
    assert judge(math.nextafter(0.55, 0)).verdict == "unsure"
    bound = CALIBRATION.crossing(DIFFERENT_LLR, 10.0)
    assert judge(bound - 1e-9).verdict == "different"
    assert judge(bound + 1e-9).verdict == "unsure"


@pytest.mark.parametrize(("score", "verdict"), [(0.3, "same"), (0.31, "same"), (0.29, "different")])
def test_a_threshold_alone_decides(score: float, verdict: str) -> None:
    for calibration in (CALIBRATION, None):
        got = decide(score, (5.0, 5.0), calibration, model="m", threshold=0.3)
        assert (got.verdict, got.threshold, got.far) == (verdict, 0.3, None)
        assert "your threshold 0.300" in got.reason
        assert (got.llr is None) == (got.probability is None) == (calibration is None)


@pytest.mark.parametrize("threshold", [-1.0, 1.0])
def test_the_outermost_thresholds_are_cosines_too(threshold: float) -> None:
    got = decide(threshold, (5.0, 5.0), None, model="m", threshold=threshold)
    assert got.verdict == "same"
    assert f"is at or above your threshold {threshold:.3f}" in got.reason


def test_a_threshold_of_zero_is_a_threshold() -> None:
    assert decide(0.1, (5.0, 5.0), None, model="m", threshold=0.0).verdict == "same"
    assert decide(-0.1, (5.0, 5.0), CALIBRATION, model="m", threshold=0.0).verdict == "different"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"far": 0.01, "threshold": 0.5}, "give one of them"),
        ({"threshold": 1.5}, "no cosine"),
        ({"threshold": -1.5}, "no cosine"),
        ({"threshold": math.nan}, "no cosine"),
        ({"prior": 0.0}, "between 0 and 1"),
        ({"prior": 1.0}, "between 0 and 1"),
        ({"prior": math.nan}, "between 0 and 1"),
        ({"far": 1e-6}, "needs at least 3,000,000"),
        ({"far": 0.5}, "outside 0.001 to 0.1"),
        ({"far": math.nan}, "is none; give a fraction"),
    ],
)
def test_options_that_cannot_be_honoured(options: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        judge(0.5, **options)


@pytest.mark.parametrize("options", [{}, {"far": 0.01}])
def test_without_calibration_only_a_threshold_can_decide(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"m has no calibration.*give one"):
        decide(0.5, (5.0, 5.0), None, model="m", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("score", "speech"), [(math.nan, (1.0, 1.0)), (1.1, (1.0, 1.0)), (0.5, (-1.0, 1.0))])
def test_what_is_no_cosine_is_a_programmers_mistake(score: float, speech: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="cosine"):
        decide(score, speech, CALIBRATION, model="m")


scores = st.floats(-1, 1)
lengths = st.floats(0, 1_000)
rates = st.sampled_from([None, 0.1, 0.03, 0.01, 0.001])
ORDER = {"different": 0, "unsure": 1, "same": 2}


@given(scores, lengths, lengths, rates)
def test_sides_may_be_swapped(score: float, first: float, second: float, far: float | None) -> None:
    one = decide(score, (first, second), CALIBRATION, model="m", far=far)
    other = decide(score, (second, first), CALIBRATION, model="m", far=far)
    assert dataclasses.replace(other, speech=(first, second)) == one


@given(scores, scores, lengths, rates, st.sampled_from([None, -0.5, 0.4]))
def test_a_higher_cosine_never_speaks_against(
    a: float, b: float, seconds: float, far: float | None, cut: float | None
) -> None:
    assume(far is None or cut is None)
    low, high = (decide(s, (seconds, seconds), CALIBRATION, model="m", far=far, threshold=cut) for s in sorted((a, b)))
    assert ORDER[low.verdict] <= ORDER[high.verdict]
    assert low.probability is not None
    assert high.probability is not None
    assert low.probability <= high.probability


@given(scores, lengths, rates, st.floats(5e-324, 1, exclude_max=True))
def test_every_figure_is_a_number(score: float, seconds: float, far: float | None, prior: float) -> None:
    got = decide(score, (seconds, seconds), CALIBRATION, model="m", far=far, prior=prior)
    assert got.probability is not None
    assert 0 <= got.probability <= 1
    assert json.loads(json.dumps(got.to_json(), allow_nan=False))["verdict"] == got.verdict
    if got.verdict == "same":
        assert got.llr is not None
        assert got.llr >= SAME_LLR - 1e-9
        assert got.threshold is not None
        assert score >= got.threshold
    if got.verdict == "different":
        assert got.llr is not None
        assert got.llr <= DIFFERENT_LLR


@given(scores, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_the_prior_moves_the_probability_but_not_the_verdict(score: float, first: float, second: float) -> None:
    low, high = (judge(score, prior=prior) for prior in sorted((first, second)))
    assert low.verdict == high.verdict
    assert low.probability is not None
    assert high.probability is not None
    assert low.probability <= high.probability


def test_posterior_is_bayes_rule() -> None:
    for llr, prior in ((0.0, 0.3), (2.0, 0.5), (-3.0, 0.01), (7.0, 0.999)):
        same, other = prior * math.exp(llr), 1 - prior
        assert posterior(llr, prior) == pytest.approx(same / (same + other))
    assert posterior(-800.0, 1e-300) == 0.0
    assert posterior(800.0, 0.999) == 1.0


def test_undecided_keeps_the_prior() -> None:
    got = undecided("too short", (0.4, 5.0), CALIBRATION, model="m", prior=0.2, warnings=("noisy",))
    assert str(got) == "Cannot tell: too short."
    assert (got.verdict, got.score, got.llr, got.probability, got.threshold) == ("unsure", None, 0.0, 0.2, None)
    assert (got.warnings, got.model, got.prior, got.speech) == (("noisy",), "m", 0.2, (0.4, 5.0))


def test_odds_as_people_say_them() -> None:
    sayings = {1.0: "1.0 to 1", 2.72: "2.7 to 1", 12.2: "12 to 1", 1_234.0: "1,234 to 1"}
    assert {ratio: odds(math.log(ratio)) for ratio in sayings} == sayings


def test_undecided_without_calibration_claims_no_probability() -> None:
    got = undecided("too short", (0.4, 5.0), None, model="m")
    assert (got.llr, got.probability) == (None, None)


def test_too_few_people_never_make_a_same() -> None:
    """Ten to one is the most that ten pairs can show; no cosine makes more of it."""
    few = dataclasses.replace(CALIBRATION, max_llr=BY_TEN, speaker_pairs=10, rates=(0.3, 0.2, 0.1))
    got = decide(1.0, (9.0, 9.0), few, model="m@1", far=0.3)
    assert got.verdict == "unsure"
    assert got.llr == pytest.approx(BY_TEN)
    enough = dataclasses.replace(few, max_llr=SAME_LLR)
    assert decide(1.0, (9.0, 9.0), enough, model="m@1", far=0.3).verdict == "same"


def test_the_calibration_that_decided_is_on_record() -> None:
    again = dataclasses.replace(CALIBRATION, source="by hand")
    other = dataclasses.replace(CALIBRATION, thresholds=((0.42, 0.40), (0.58, 0.55), (0.7, 0.61)))
    assert judge(0.8).calibration == CALIBRATION.digest == again.digest
    assert other.digest != CALIBRATION.digest
    assert judge(0.8, threshold=0.5).calibration is None


def test_without_a_rate_the_least_that_is_supported_is_tolerated() -> None:
    few = dataclasses.replace(CALIBRATION, rates=(0.3, 0.2, 0.1))
    assert judge(0.8).far == 0.01
    assert decide(0.8, (9.0, 9.0), few, model="m@1").far == 0.1
    with pytest.raises(ConfigError, match=r"outside 0\.1 to 0\.3"):
        decide(0.8, (9.0, 9.0), few, model="m@1", far=0.01)


def test_more_speech_is_asked_for_as_long_as_it_is_known_to_help() -> None:
    """Nine of ten recordings of one speaker are accepted from ten seconds on."""
    known = dataclasses.replace(CALIBRATION, reached=(0.5, 0.9))
    got = decide(0.42, (1.2, 30.0), known, model="m@1")
    assert got.verdict == "unsure"
    assert got.more_speech == pytest.approx(8.8)
    assert got.reason.endswith("the shorter recording has 1.2 s of speech, 8.8 s more would help")
    assert decide(0.44, (12.0, 30.0), known, model="m@1").more_speech is None
    never = dataclasses.replace(CALIBRATION, reached=(0.1, 0.1))
    assert decide(0.42, (1.2, 30.0), never, model="m@1").more_speech is None
    assert decide(0.9, (1.2, 30.0), known, model="m@1").more_speech is None
