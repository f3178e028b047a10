"""The wizard on planted voices: fitted on few people, judged on fresh ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from trialmakers import voices

from samevoice.errors import DataError
from samevoice.evaluation.calibrated import calibrate
from samevoice.evaluation.clips import Clips, find_clips
from samevoice.evaluation.curves import curve_of
from samevoice.evaluation.trials import Trials, all_pairs
from samevoice.evaluation.wizard import RATES, fit, hold_out
from samevoice.evaluation.wizardpage import report
from samevoice.scoring.calibration import Calibration, logistic_regression

SECONDS = 3.0
FRESH = all_pairs(*voices(80, 3, spread=0.5, seed=99))


def few(seed: int, people: int = 20, spread: float = 0.5) -> tuple[Trials, NDArray[np.float64]]:
    """Trials of a few people with three clips each, all of one length."""
    trials = all_pairs(*voices(people, 3, spread=spread, seed=seed))
    return trials, np.full(people * 3, SECONDS)


@lru_cache
def ideal() -> Calibration:
    """The calibration that very many people give, with terms of duration that cancel at 3 s."""
    every = all_pairs(*voices(80, 3, spread=0.5, seed=7))
    same = every.is_target
    terms = np.stack([np.ones(len(every)), every.scores], axis=1)
    importance = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    bias, slope = logistic_regression(terms, same, importance)
    log = float(np.log(SECONDS))
    durations = (1.0, 3.0, 6.0)
    return Calibration(
        weights=(float(bias) - log, float(slope) - 2 * log, 1.0, 2.0),
        max_llr=11.0,
        durations=durations,
        rates=(0.3, 0.1, 0.01),
        thresholds=tuple(tuple(cosine + 0.02 * at for at in range(3)) for cosine in (0.2, 0.4, 0.6)),
        speaker_pairs=3_160,
        trials=(1, 1),
        source="planted voices",
        reached=(0.5, 0.55, 0.6),
    )


def ratio(calibration: Calibration, prior: float) -> float:
    """The cost of its decisions on fresh people over that of the best threshold for them."""
    llrs = calibration.llrs(FRESH.scores, SECONDS)
    curve = curve_of(llrs[FRESH.is_target], llrs[~FRESH.is_target])
    return curve.act_dcf(prior) / curve.min_dcf(prior)


def misled(start: Calibration) -> Calibration:
    """A calibration made on other recordings: the right slope, seven off."""
    return replace(start, weights=(start.weights[0] + 7, *start.weights[1:]))


@pytest.mark.parametrize("start", [lambda: None, ideal, lambda: misled(ideal())], ids=["none", "right", "misled"])
@pytest.mark.parametrize("prior", [0.5, 0.05])
def test_decisions_on_other_people_cost_little_more_than_the_oracles(
    start: Callable[[], Calibration | None], prior: float
) -> None:
    ratios = [ratio(fit(*few(seed), start(), source=""), prior) for seed in range(5)]
    assert np.median(ratios) <= 1.25
    assert ratio(misled(ideal()), prior) > 2


def test_a_calibration_that_fits_is_hardly_moved_and_one_that_does_not_is_moved_far() -> None:
    right, wrong = ideal(), misled(ideal())

    def moved(start: Calibration) -> float:
        found = [fit(*few(seed), start, source="", rates=[0.3]).crossing(0.0, SECONDS) for seed in range(5)]
        return float(np.median(np.abs(np.array(found) - start.crossing(0.0, SECONDS))))

    free = np.array([_free(few(seed)[0]) for seed in range(5)]) - right.crossing(0.0, SECONDS)
    assert moved(right) < np.median(np.abs(free))
    assert moved(wrong) == pytest.approx(right.crossing(0.0, SECONDS) - wrong.crossing(0.0, SECONDS), rel=0.2)


def _free(trials: Trials) -> float:
    """The cosine without evidence of a logistic regression that knows nothing before."""
    same = trials.is_target
    terms = np.stack([np.ones(len(trials)), trials.scores], axis=1)
    bias, slope = logistic_regression(terms, same, np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum()))
    return float(-bias / slope)


def test_the_result_is_two_numbers_away_from_the_models_own() -> None:
    start = ideal()
    found = fit(*few(1), start, source="mine")
    scale = np.array(found.weights[1:]) / np.array(start.weights[1:])
    assert scale == pytest.approx([scale[0]] * 3)
    assert found.durations == start.durations
    assert found.source == "mine"
    assert found.trials == (60, 60 * 59 // 2 - 60)
    assert found.speaker_pairs == 190
    assert found.max_llr == pytest.approx(np.log(190))


def test_each_rate_moves_the_models_table_as_a_whole() -> None:
    start = ideal()
    found = fit(*few(1), start, source="")
    for rate, row in zip(found.rates, found.thresholds, strict=True):
        own = [start.threshold(rate, seconds) for seconds in start.durations]
        assert np.ptp(np.array(row) - own) == pytest.approx(0, abs=1e-12)
    assert np.ptp(np.array(found.reached) - start.reached) == pytest.approx(0, abs=1e-12)
    assert np.mean(few(1)[0].targets >= found.reached[1]) == pytest.approx(0.9, abs=0.02)


def test_clips_of_other_lengths_are_compared_with_the_threshold_of_their_length() -> None:
    start = ideal()
    trials, seconds = few(1)
    at_one = fit(trials, np.full_like(seconds, 1.0), start, source="")
    at_six = fit(trials, np.full_like(seconds, 60.0), start, source="")  # as the longest that the model knows
    assert at_one.thresholds[-1][0] == pytest.approx(at_six.thresholds[-1][2])
    assert at_one.thresholds[0][0] == pytest.approx(at_six.thresholds[0][2])


@pytest.mark.parametrize("start", [lambda: None, ideal], ids=["none", "model"])
def test_strangers_pass_no_more_often_than_stated(start: Callable[[], Calibration | None]) -> None:
    kept = []
    for seed in range(5):
        found = fit(*few(seed), start(), source="")
        kept += [np.mean(FRESH.non_targets >= found.threshold(rate, SECONDS)) <= rate for rate in found.rates]
    assert np.mean(kept) >= 0.95


@pytest.mark.parametrize(("people", "lowest"), [(5, 0.3), (8, 0.2), (20, 0.02), (25, 0.01), (50, 0.0025)])
def test_only_rates_that_the_pairs_of_people_support(people: int, lowest: float) -> None:
    found = fit(*few(3, people), None, source="")
    assert found.rates[-1] == lowest
    assert list(found.rates) == [rate for rate in RATES if rate >= lowest]


def test_a_model_without_calibration_gets_one_column_at_the_median_duration() -> None:
    trials, _ = few(2)
    seconds = np.linspace(2, 8, 60)
    found = fit(trials, seconds, None, source="")
    shorter = [min(seconds[one], seconds[two]) for one, two in zip(trials.first, trials.second, strict=True)]
    assert found.durations == (float(np.median(shorter)),)
    assert found.weights[2:] == (0.0, 0.0)


@settings(max_examples=15)
@given(
    people=st.integers(5, 12),
    each=st.integers(2, 4),
    spread=st.floats(0.01, 0.6),
    seed=st.integers(0, 10**6),
    known=st.booleans(),
)
def test_what_is_fitted_can_be_stored_and_read(people: int, each: int, spread: float, seed: int, known: bool) -> None:
    trials = all_pairs(*voices(people, each, spread=spread, seed=seed))
    seconds = np.random.default_rng(seed).uniform(0.3, 30, people * each)
    found = fit(trials, seconds, ideal() if known else None, source="")
    assert Calibration.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert (np.diff(found.thresholds, axis=0) >= 0).all()
    lowest = [np.mean(trials.non_targets >= max(row)) for row in found.thresholds]
    assert all(share <= rate for share, rate in zip(lowest, found.rates, strict=True)) or known


@pytest.mark.parametrize("start", [None, ideal()], ids=["none", "model"])
def test_people_are_judged_by_fits_without_them(start: Calibration | None) -> None:
    trials, seconds = few(4, people=5)
    judged = hold_out(trials, seconds, start, 0.3)
    people = trials.voices[trials.first], trials.voices[trials.second]

    @lru_cache
    def without(*both: int) -> Calibration:
        others = ~np.isin(people[0], both) & ~np.isin(people[1], both)
        return fit(trials.where(others), seconds, start, source="", rates=[0.3])

    for number, both in enumerate(zip(*(side.tolist() for side in people), strict=True)):
        own = without(*both)
        most = np.log(len({*zip(*(side.tolist() for side in people), strict=True)} - {(one, one) for one in range(99)}))
        expected = np.clip(replace(own, max_llr=50.0).llr(float(trials.scores[number]), SECONDS), -most, most)
        assert judged.llrs.scores[number] == pytest.approx(expected, abs=1e-9)
        cut = max(own.threshold(0.3, SECONDS), own.crossing(np.log(19), SECONDS))
        assert judged.accepted.scores[number] == (trials.scores[number] >= cut)


@pytest.mark.parametrize("clips", [[2] * 13, [2] * 5 + [1] * 9])
def test_every_trial_is_judged_once(clips: list[int]) -> None:
    vectors, names = voices(len(clips), max(clips), spread=0.3, seed=5)
    kept = [max(clips) * person + clip for person, count in enumerate(clips) for clip in range(count)]
    trials = all_pairs(vectors[kept], [names[row] for row in kept])
    judged = hold_out(trials, np.full(len(kept), SECONDS), None, 0.05)
    assert np.isfinite(judged.llrs.scores).all()
    assert set(judged.accepted.scores) <= {0.0, 1.0}
    assert judged.llrs.targets.min() > judged.llrs.non_targets.mean()


def clips_of(people: int, *, spread: float = 0.3, seed: int = 0) -> Clips:
    """Clips that never were files."""
    vectors, names = voices(people, 3, spread=spread, seed=seed, dimension=16)
    files = tuple(Path(f"{name}/{row % 3}.wav") for row, name in enumerate(names))
    return Clips(vectors, np.full(len(names), SECONDS), tuple(names), files)


def test_the_first_sentence_says_what_the_figures_are_worth() -> None:
    found = calibrate(clips_of(20), None)
    assert found.warnings == ()
    accepted = 100 * found.measured["accepted"].value
    assert str(found) == (
        f"With these 20 people, at most 2 % of strangers pass at threshold {found.threshold:.3f}, and {accepted:.1f} % "
        "of true speakers are accepted; for 0.1 % you need 78 people."
    )
    many = fit(*few(0, people=78), None, source="")
    assert str(replace(found, calibration=many)).endswith("; they support rates down to 0.1 %.")


def test_measures_are_of_people_left_out() -> None:
    clips = clips_of(7, spread=0.6)
    found = calibrate(clips, None)
    trials = all_pairs(clips.vectors, clips.people)
    judged = hold_out(trials, clips.seconds, None, found.rate)
    curve = curve_of(judged.llrs.targets, judged.llrs.non_targets)
    assert found.measured["cllr"].value == pytest.approx(curve.cllr())
    assert found.measured["false_accepts"].value == pytest.approx(judged.accepted.non_targets.mean())
    assert found.measured["accepted"].value == pytest.approx(judged.accepted.targets.mean())


@pytest.mark.slow
def test_a_person_in_two_folders_is_told() -> None:
    clips = clips_of(13)
    renamed = tuple("p003 again" if file == Path("p003/2.wav") else name for name, file in told(clips))
    renamed = tuple("p003 again" if row == 10 else name for row, name in enumerate(renamed))
    (warning,) = calibrate(replace(clips, people=renamed), None).warnings
    assert warning.startswith("p003 and p003 again sound like one person")


def told(clips: Clips) -> list[tuple[str, Path]]:
    """Who speaks in which file."""
    return list(zip(clips.people, clips.files, strict=True))


@pytest.mark.slow
def test_a_clip_in_the_wrong_folder_is_told() -> None:
    clips = clips_of(15)
    vectors = clips.vectors.copy()
    vectors[13] = clips_of(15, seed=1).vectors[40]  # the middle clip of p004 is a stranger's
    (warning,) = calibrate(replace(clips, vectors=vectors), None).warnings
    assert warning == "p004/1.wav: sounds unlike the other clips of p004; check who speaks there"


def test_few_people_are_told() -> None:
    (warning,) = calibrate(clips_of(9), None).warnings
    assert warning.startswith("9 people say little about others")


def test_clips_that_tell_nobody_apart_are_refused() -> None:
    clips = clips_of(8)
    inverted = replace(clips, people=tuple(f"p{row % 8:03}" for row in range(24)))
    with pytest.raises(DataError, match="each folder holds the clips of one person"):
        calibrate(inverted, None)
    with pytest.raises(DataError, match="each folder holds the clips of one person"):
        calibrate(inverted, ideal())


def test_the_page_escapes_every_name() -> None:
    clips = clips_of(8)
    evil = "<img src=x onerror=alert(1)>"
    named = replace(clips, people=tuple(evil if name == "p001" else name for name in clips.people))
    text = report(calibrate(named, None), named, model="tiny@0", made="<b>mine</b>")
    assert evil not in text
    assert "<b>" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert text.count("data:image/svg+xml;base64,") == 3
    assert "cross-validated" in text


def test_folders_that_cannot_serve_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        find_clips(tmp_path / "nowhere")
    (tmp_path / "loose.wav").write_bytes(b"")
    with pytest.raises(DataError, match="a folder of their own"):
        find_clips(tmp_path)
    for person in range(9):
        (tmp_path / f"p{person}").mkdir()
        for clip in range(2 if person < 6 else 1):
            (tmp_path / f"p{person}" / f"{clip}.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"6 of 9 people have 2 clips, at least 7 are needed.* 25 people for 1 %"):
        find_clips(tmp_path)
    (tmp_path / "p8" / "more.wav").write_bytes(b"")
    assert [len(files) for files in find_clips(tmp_path).values()] == [2, 2, 2, 2, 2, 2, 1, 1, 2]


def test_a_threshold_that_nobody_reaches_is_refused() -> None:
    """Of seven people one has two folders, so that strangers score as high as anybody can."""
    clips = clips_of(7, spread=0.1)
    vectors = clips.vectors.copy()
    vectors[:6] = vectors[0]
    with pytest.raises(DataError, match=r"even a cosine of 1 would let 20 % of strangers pass; p000 and p001 sound"):
        calibrate(replace(clips, vectors=vectors), None)
