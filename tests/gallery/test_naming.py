"""The open-set decision against a plain loop, the verdicts of `decide`, and scores of known distribution."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm

from samevoice.errors import ConfigError
from samevoice.gallery.identification import Identification, identify, unidentified
from samevoice.gallery.rules import Rules, rate_threshold, required, share_below
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import DIFFERENT_LLR, decide

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
REACHED = dataclasses.replace(CALIBRATION, reached=(0.5, 0.65))
NAMES = ["Ann", "Bob", "Cy", "Dee", "Eve", "Fay"]

cosines = st.floats(-1.0, 1.0)
some_seconds = st.floats(0.1, 60.0)
rates = st.floats(0.0001, 0.5)
priors = st.floats(0.01, 0.99)
galleries = st.lists(st.tuples(cosines, some_seconds), min_size=1, max_size=6)
Gallery = list[tuple[float, float]]


def judge(
    scores: list[float],
    seconds: float = 10.0,
    *,
    lengths: list[float] | None = None,
    people: int | None = None,
    calibration: Calibration = CALIBRATION,
    **rules: Any,
) -> Identification:
    names = NAMES[: len(scores)]
    return identify(
        scores,
        names,
        lengths or [30.0] * len(scores),
        seconds,
        Rules(calibration, "m@1", **rules),
        people=len(scores) if people is None else people,
    )


def judged(gallery: Gallery, seconds: float, **rules: Any) -> Identification:
    return judge([score for score, _ in gallery], seconds, lengths=[length for _, length in gallery], **rules)


@given(cosines, some_seconds, some_seconds, st.floats(0.001, 0.1))
def test_one_person_is_what_decide_says(score: float, seconds: float, length: float, rate: float) -> None:
    found = judge([score], seconds, lengths=[length], fpir=rate)
    expected = decide(score, (seconds, length), CALIBRATION, model="m@1", far=rate)
    assert expected.threshold is not None
    assert expected.llr is not None
    assume(abs(score - expected.threshold) > 1e-9)
    assume(abs(expected.llr - DIFFERENT_LLR) > 1e-9)
    assert found.verdict == {"same": "known", "different": "unknown", "unsure": "unsure"}[expected.verdict]
    assert found.threshold == pytest.approx(expected.threshold, abs=1e-12)
    assert found.probability == pytest.approx(expected.probability, abs=1e-12)
    assert not found.extrapolated


def plainly(gallery: Gallery, seconds: float, fpir: float, prior: float) -> tuple[str, list[float], float]:
    """Verdict, the probability of each person, and of nobody, word by word."""
    people = len(gallery)
    ratios = []
    for score, length in gallery:
        log = math.log(min(max(min(length, seconds), 1.0), 10.0)) / BY_TEN
        ratios.append(math.exp((20 + 5 * log) * score - 8 - 2 * log))
    evidence = min(max(sum(ratios) / people, math.exp(-8)), math.exp(8))
    somebody = evidence * prior / (evidence * prior + 1 - prior)
    chances = [somebody * ratio / sum(ratios) for ratio in ratios]
    best = max(range(people), key=lambda one: ratios[one])
    score, length = gallery[best]
    part = math.log(min(max(min(length, seconds), 1.0), 10.0)) / BY_TEN
    column = [short + part * (long - short) for short, long in CALIBRATION.thresholds]
    rate = min(fpir / people, 0.1)
    if rate >= 0.001:
        cut = np.interp(-math.log(rate), [-math.log(one) for one in CALIBRATION.rates], column)
    else:
        quantiles = norm.isf(CALIBRATION.rates)
        slope = max((column[2] - column[one]) / (quantiles[2] - quantiles[one]) for one in (0, 1))
        cut = column[2] + slope * (norm.isf(rate) - quantiles[2])
    if score >= cut and chances[best] >= 0.95:
        return "known", chances, 1 - somebody
    return "unknown" if somebody <= 0.2 else "unsure", chances, 1 - somebody


@given(galleries, some_seconds, rates, priors)
def test_against_a_plain_loop(gallery: Gallery, seconds: float, fpir: float, prior: float) -> None:
    found = judged(gallery, seconds, fpir=fpir, prior=prior)
    verdict, chances, nobody = plainly(gallery, seconds, fpir, prior)
    assert found.nobody == pytest.approx(nobody, abs=1e-9)
    assert found.probability == pytest.approx(max(chances), abs=1e-9)
    for one in found.candidates:
        assert one.probability == pytest.approx(chances[NAMES.index(one.name)], abs=1e-9)
    assume(abs(max(chances) - 0.95) > 1e-9)
    assume(abs(nobody - 0.8) > 1e-9)
    assert found.verdict == verdict


@given(galleries, st.integers(0, 1_000_000), some_seconds, rates, priors, st.integers(1, 6))
def test_probabilities_sum_to_one(
    gallery: Gallery, more: int, seconds: float, fpir: float, prior: float, top: int
) -> None:
    names = NAMES[: len(gallery)]
    scores, lengths = np.array(gallery).T
    rules = Rules(REACHED, "m@1", fpir, prior)
    found = identify(scores, names, lengths, seconds, rules, people=len(names) + more, top=top)
    assert len(found.candidates) == min(top, len(names))
    assert min(found.nobody, found.others) >= 0
    assert sum(one.probability for one in found.candidates) + found.others + found.nobody == pytest.approx(1.0)
    assert (found.name == found.candidates[0].name) if found.verdict == "known" else found.name is None


@given(galleries, some_seconds, st.randoms())
def test_the_order_of_people_does_not_matter(gallery: Gallery, seconds: float, random: Any) -> None:
    order = list(range(len(gallery)))
    random.shuffle(order)
    scores, lengths = np.array(gallery).T
    rules = Rules(CALIBRATION, "m@1")
    plain = identify(scores, NAMES[: len(order)], lengths, seconds, rules, people=len(order))
    names = [NAMES[one] for one in order]
    mixed = identify(scores[order], names, lengths[order], seconds, rules, people=len(order))
    assert (plain.verdict, plain.name, plain.threshold) == (mixed.verdict, mixed.name, mixed.threshold)
    assert [one.name for one in plain.candidates] == [one.name for one in mixed.candidates]
    assert plain.nobody == pytest.approx(mixed.nobody)


@given(galleries, st.floats(0.0, 1.0), some_seconds, rates)
def test_more_likeness_is_never_less_evidence(gallery: Gallery, rise: float, seconds: float, fpir: float) -> None:
    before = judged(gallery, seconds, fpir=fpir)
    raised = [
        (min(1.0, score + rise), length) if name == before.candidates[0].name else (score, length)
        for name, (score, length) in zip(NAMES, gallery, strict=False)
    ]
    after = judged(raised, seconds, fpir=fpir)
    assert after.probability >= before.probability - 1e-12
    assert after.nobody <= before.nobody + 1e-12
    steps = ("unknown", "unsure", "known")
    assert steps.index(after.verdict) >= steps.index(before.verdict)
    assert after.candidates[0].name == before.candidates[0].name


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=2).map(sorted), some_seconds, rates, priors)
def test_more_people_never_lower_the_threshold(people: list[int], seconds: float, fpir: float, prior: float) -> None:
    rules = Rules(CALIBRATION, "m@1", fpir, prior)
    few, many = (rules.threshold(count, seconds) for count in people)
    assert many >= few - 1e-12
    assert rules.accepting(people[1], seconds) >= rules.accepting(people[0], seconds) - 1e-12


@given(galleries, st.integers(1, 5), st.floats(-1.0, 0.4), some_seconds)
def test_the_best_few_claim_no_more_than_all(gallery: Gallery, kept: int, ceiling: float, seconds: float) -> None:
    """Where the likelihood ratio of the lowest score given is below 1, it bounds those of the rest."""
    scores = sorted((score for score, _ in gallery), reverse=True)
    assume(kept < len(scores))
    scores[kept - 1 :] = [min(one, ceiling) for one in scores[kept - 1 :]]
    scores.sort(reverse=True)
    whole, part = judge(scores, seconds), judge(scores[:kept], seconds, people=len(scores))
    assert part.nobody <= whole.nobody + 1e-12
    for few, full in zip(part.candidates, whole.candidates, strict=False):
        assert few.probability <= full.probability + 1e-12


def test_a_large_gallery_needs_only_the_best_few() -> None:
    found = judge([0.98, 0.5, 0.2], people=50_000, calibration=REACHED)
    assert (found.verdict, found.people, found.extrapolated) == ("known", 50_000, True)
    # The third is so far down that the rest adds little: 49,997 people at 1/148 each, against one of e ** 14.5.
    assert found.others == pytest.approx(found.probability * 49_997 * math.exp(-5 - 14.5), rel=1e-6)
    assert judge([0.98, 0.5, 0.2], people=1_000_000, calibration=REACHED).verdict == "unsure"  # nor is that enough


def test_what_hides_below_the_best_few_counts_as_a_tenth_or_as_one() -> None:
    """At most the share of target trials below the lowest cosine: likelihood ratios there are above 1."""
    for lowest, expected in ((0.64, 0.1), (0.66, 1.0)):
        found = judge([0.8, lowest], people=1_002, calibration=REACHED)
        ratio = math.exp(25 * 0.8 - 10)
        assert found.others / found.probability == pytest.approx(1_000 * expected / ratio, rel=1e-9)
    assert share_below(CALIBRATION, -1.0, 10.0) == 1.0


@given(some_seconds, st.floats(0.001, 0.1))
def test_tabulated_rates_are_those_of_the_calibration(seconds: float, rate: float) -> None:
    assert rate_threshold(CALIBRATION, rate, seconds) == CALIBRATION.threshold(rate, seconds)
    just_below = 0.001 * (1 - 1e-12)
    assert rate_threshold(CALIBRATION, just_below, seconds) == CALIBRATION.threshold(0.001, seconds)


def normal(mean: float = 0.1, sd: float = 0.1, target: float = 0.5) -> Calibration:
    """Of strangers and targets that are normal with one deviation, known exactly."""
    tabulated = (0.3, 0.1, 0.03, 0.01, 0.005, 0.0025)
    slope = (target - mean) / sd**2
    return Calibration(
        weights=(-slope * (target + mean) / 2, slope, 0.0, 0.0),
        max_llr=10.0,
        durations=(1.0, 10.0),
        rates=tabulated,
        thresholds=tuple((cut, cut) for cut in (mean + sd * norm.isf(tabulated)).tolist()),
        speaker_pairs=1_225,
        trials=(100, 200),
        source="by hand",
        reached=(target - 1.2816 * sd,) * 2,
    )


@given(st.floats(1e-12, 0.0025))
def test_a_normal_tail_is_extrapolated_exactly(rate: float) -> None:
    assert rate_threshold(normal(), rate, 3.0) == pytest.approx(0.1 + 0.1 * norm.isf(rate), abs=1e-9)


def test_a_flat_end_of_the_table_does_not_flatten_the_line() -> None:
    plain = normal()
    flat = dataclasses.replace(plain, thresholds=(*plain.thresholds[:-1], plain.thresholds[-2]))
    start, quantile = plain.thresholds[-2][0], norm.isf(0.0025)
    slope = (start - plain.thresholds[2][0]) / (quantile - norm.isf(0.03))  # the steepest of the chords
    assert rate_threshold(flat, 1e-5, 3.0) == pytest.approx(start + slope * (norm.isf(1e-5) - quantile), abs=1e-9)


def test_one_tabulated_rate_makes_no_line() -> None:
    single = dataclasses.replace(CALIBRATION, rates=(0.01,), thresholds=((0.5, 0.5),))
    assert judge([0.9], calibration=single).verdict == "known"
    with pytest.raises(ConfigError, match="calibrated on 3,000 speaker pairs"):
        judge([0.9, 0.1], calibration=single)


@pytest.mark.parametrize("alike", [0.0, 0.8])
def test_the_rate_of_strangers_is_kept(alike: float) -> None:
    """Also where all scores of a probe hang together; with a prior so high that only the rate holds them back."""
    rng = np.random.default_rng(3)
    people, probes, fpir = 20, 3_000, 0.05
    shared, own = rng.normal(size=(probes, 1)), rng.normal(size=(probes, people))
    scores = 0.1 + 0.1 * (math.sqrt(alike) * shared + math.sqrt(1 - alike) * own)
    rules = Rules(normal(), "m", fpir, prior=0.9999)
    names = [f"p{number}" for number in range(people)]
    known = sum(identify(row, names, [30.0] * people, 5.0, rules, people=people).name is not None for row in scores)
    assert 1 - (1 - fpir / people) ** people == pytest.approx(0.0488, abs=1e-4)
    assert known / probes <= fpir + 2 * math.sqrt(fpir * (1 - fpir) / probes)
    if not alike:
        assert known / probes >= 0.5 * fpir  # the bound is nearly sharp; where two strangers come close, it is "unsure"


@pytest.mark.slow
def test_probabilities_are_right_as_often_as_they_say() -> None:
    """Half of the probes are of people enrolled; the calibration is exact."""
    rng = np.random.default_rng(4)
    people, probes = 8, 6_000
    names = [f"p{number}" for number in range(people)]
    rules = Rules(normal(target=0.35), "m")
    stated, right = [], []
    for _ in range(probes):
        scores = np.clip(rng.normal(0.1, 0.1, people), -1, 1)
        spoke = rng.integers(people) if rng.random() < 0.5 else None
        if spoke is not None:
            scores[spoke] = np.clip(rng.normal(0.35, 0.1), -1, 1)
        found = identify(scores, names, [30.0] * people, 5.0, rules, people=people, top=1)
        stated.append(found.probability)
        right.append(spoke is not None and found.candidates[0].name == names[spoke])
    bins = np.digitize(stated, [0.2, 0.5, 0.8])
    for number in range(4):
        inside = bins == number
        assert inside.sum() > 100
        error = 3 * math.sqrt(0.25 / inside.sum())
        assert np.mean(np.array(right)[inside]) == pytest.approx(np.mean(np.array(stated)[inside]), abs=error)


def test_known() -> None:
    found = judge([0.8, 0.1, 0.0])
    assert (found.verdict, found.name, found.people, found.extrapolated) == ("known", "Ann", 3, False)
    assert str(found) == (
        "Ann: the odds are 2,981 to 1 against the other 2 people enrolled and strangers; "
        "at most 1 % of strangers would pass."
    )
    assert "against the other person enrolled and strangers" in str(judge([0.8, 0.1]))
    assert "2,981 to 1 against strangers;" in str(judge([0.9]))


def test_extrapolated_rates_are_stated_as_such() -> None:
    found = judge([0.9, 0.1], fpir=0.001)
    assert (found.verdict, found.extrapolated, found.impostor_pairs) == ("known", True, 3_000)
    assert str(found).endswith("about 0.1 % of strangers would pass, extrapolated from 3,000 pairs of speakers.")
    near = judge([0.61, 0.0], fpir=0.001)
    assert near.verdict == "unsure"
    assert "more than about 0.1 % of strangers would pass, extrapolated from 3,000" in near.reason


def test_unknown() -> None:
    found = judge([0.1, 0.2])
    assert (found.verdict, found.name) == ("unknown", None)
    assert str(found) == "Unknown: the odds are 274 to 1 that none of the 2 people enrolled speaks."
    assert str(judge([0.0])) == "Unknown: the odds are 2,981 to 1 that Ann does not speak."


@pytest.mark.parametrize("prior", [0.3, 0.5, 0.8])
def test_the_boundaries(prior: float) -> None:
    """At ten seconds: twenty per cent for anybody, and at a lax rate the lowest cosine that could be known."""
    even = 0.4 - math.log(prior / (1 - prior)) / 25  # as likely enrolled as not
    excluded = even - math.log(4) / 25
    assert judge([excluded - 1e-6], prior=prior).verdict == "unknown"
    assert judge([excluded + 1e-6], prior=prior).verdict == "unsure"
    lowest = even + math.log(19) / 25
    lax = dataclasses.replace(CALIBRATION, thresholds=((0.1, 0.1), (0.2, 0.2), (0.3, 0.3)))
    found = judge([lowest + 1e-6], prior=prior, calibration=lax)
    assert found.verdict == "known"
    assert found.threshold == pytest.approx(lowest)
    assert judge([lowest - 1e-6], prior=prior, calibration=lax).verdict == "unsure"


def test_two_people_too_close() -> None:
    found = judge([0.8, 0.79, 0.0])
    assert (found.verdict, found.name) == ("unsure", None)
    assert str(found) == "Cannot tell: Ann (56 %) and Bob (44 %) are too close; a further recording would help."
    assert judge([0.8, 0.65, 0.0]).verdict == "known"  # 25 x 0.15: 42 to 1


def test_not_enough() -> None:
    assert judge([0.53, 0.1]).reason == "perhaps Ann (93 %), which is not enough; a further recording would help"
    many = judge([0.6] * 6, people=20_000)
    assert many.reason.startswith("nobody is likely, but with 51 % it is one of the 20,000 people enrolled; a further")


def test_a_rate_too_low_for_any_cosine() -> None:
    found = judge([1.0], people=10**9, prior=0.999)
    assert found.verdict == "unsure"
    assert found.threshold is None
    assert found.reason.endswith("at this tolerated rate and prior no recording of this length is enough")


def test_a_prior_too_low_for_all_evidence_there_can_be() -> None:
    found = judge([0.99], prior=0.001)
    assert found.verdict == "unsure"
    assert found.threshold is None
    assert judge([0.99], prior=0.5).threshold is not None


def test_candidates_that_are_not_compared_closely_cannot_be_asked_for() -> None:
    for top in (0, -1, 51):
        with pytest.raises(ConfigError, match="ask for 1 to 50"):
            identify([0.5], ["Ann"], [3.0], 3.0, Rules(CALIBRATION, "m@1"), people=1, top=top)


def test_more_speech() -> None:
    """From ten seconds on nine of ten reach 0.65, which two people need; four need 0.58 and more."""
    found = judge([0.5, 0.0], 4.0, calibration=REACHED)
    assert (found.verdict, found.more_speech) == ("unsure", 6.0)
    assert found.reason.endswith("there are 4.0 s of speech, 6.0 s more would help")
    assert judge([0.5, 0.0], 4.0, lengths=[9.0, 30.0], calibration=REACHED).more_speech is None
    assert judge([0.5, 0.0], 4.0, calibration=REACHED, people=2_000).more_speech is None
    assert judge([0.5], 2.5).more_speech == 0.5  # nothing was measured: three seconds
    assert judge([0.0], 2.5).more_speech is None


def test_nobody_is_enrolled() -> None:
    found = judge([])
    assert (found.verdict, found.nobody, found.people, found.candidates) == ("unknown", 1.0, 0, ())
    assert str(found) == "Unknown: nobody is enrolled."


def test_nothing_could_be_scored() -> None:
    found = unidentified("too little speech", 0.2, Rules(CALIBRATION, "m@1", prior=0.3), people=3, warnings=("w",))
    assert str(found) == "Cannot tell: too little speech."
    assert (found.verdict, found.others, found.nobody, found.warnings) == ("unsure", 0.3, 0.7, ("w",))
    assert found.probability == pytest.approx(0.1)


def test_plain_data() -> None:
    rules = Rules(CALIBRATION, "m@1")
    found = identify([0.8], ["Ann"], [30.0], 5.0, rules, people=1, warnings=("noise",))
    data = json.loads(json.dumps(found.to_json()))
    assert set(data) == {field.name for field in dataclasses.fields(Identification)}
    assert (data["name"], data["model"], data["warnings"], data["speech"]) == ("Ann", "m@1", ["noise"], 5.0)
    assert data["calibration"] == CALIBRATION.digest
    assert data["candidates"][0]["seconds"] == 5.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.verdict = "unknown"  # type: ignore[misc]


def test_names_are_shown_safely() -> None:
    rules = Rules(CALIBRATION, "m@1")
    found = identify([0.8], ["\u05d3\u05d5\u05d3"], [30.0], 5.0, rules, people=1)
    assert str(found).startswith("\u2068\u05d3\u05d5\u05d3\u2069: ")
    assert found.name == "\u05d3\u05d5\u05d3"


@pytest.mark.parametrize("options", [{"fpir": 0.0}, {"fpir": 1.0}, {"fpir": math.nan}, {"prior": 1.0}])
def test_options_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="give a"):
        judge([0.5], **options)


def test_a_share_out_of_range() -> None:
    with pytest.raises(ValueError, match="a share"):
        Rules(CALIBRATION, "m", share=0.0)


def test_a_rate_higher_than_tabulated_is_kept_all_the_same() -> None:
    assert judge([0.41], fpir=0.9).threshold == judge([0.41], fpir=0.1).threshold


def test_a_model_without_calibration() -> None:
    assert required(CALIBRATION, "m") is CALIBRATION
    with pytest.raises(ConfigError, match="ecapa has no calibration"):
        required(None, "ecapa")


@pytest.mark.parametrize(
    ("scores", "lengths", "seconds", "people"),
    [
        ([1.1], [1.0], 1.0, 1),
        ([math.nan], [1.0], 1.0, 1),
        ([0.5], [-1.0], 1.0, 1),
        ([0.5], [1.0], math.nan, 1),
        ([0.5, 0.4], [1.0], 1.0, 2),
        ([0.5], [1.0], 1.0, 0),
        ([], [], 1.0, 3),
    ],
)
def test_numbers_that_do_not_fit(scores: list[float], lengths: list[float], seconds: float, people: int) -> None:
    with pytest.raises(ValueError, match="need"):
        identify(scores, NAMES[: len(scores)], lengths, seconds, Rules(CALIBRATION, "m"), people=people)


def test_rounding_of_a_cosine_is_forgiven() -> None:
    assert judge([1.0 + 5e-6]).candidates[0].score == 1.0
