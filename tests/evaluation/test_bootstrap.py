"""Intervals over speakers: against repetition, against a normal interval, and by how often they hold the truth."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import reference
from trialmakers import voices

from samevoice.evaluation.bootstrap import Difference, Interval, Sides, by_speaker, compare_systems
from samevoice.evaluation.metrics import Array, Curve, RankedScores, eer
from samevoice.evaluation.trials import Trials, all_pairs, one_and_many


@pytest.mark.parametrize("counts", [[1, 1, 1, 1], [2, 0, 1, 1], [0, 3, 1, 0], [2, 2, 0, 0]])
def test_weights_equal_speakers_repeated_as_new_people(counts: list[int]) -> None:
    vectors, speakers = voices(4, 3, spread=1.5)
    trials = all_pairs(vectors, speakers)
    # Each copy of a speaker is one more person with the same recordings.
    copies = [(person, copy) for person, count in enumerate(counts) for copy in range(count)]
    rows = {copy: [row for row in range(12) if speakers[row] == f"p{copy[0]:03}"] for copy in copies}
    targets = [float(vectors[i] @ vectors[j]) for copy in copies for i in rows[copy] for j in rows[copy] if i < j]
    non_targets = [
        float(vectors[i] @ vectors[j])
        for at, copy in enumerate(copies)
        for other in copies[at + 1 :]
        if other[0] != copy[0]  # copies of one speaker are not compared
        for i in rows[copy]
        for j in rows[other]
    ]
    weights = Sides.of(trials).weights(np.array(counts, dtype=np.float64))
    assert [side.sum() for side in weights] == [len(targets), len(non_targets)]
    curve = RankedScores(trials.targets, trials.non_targets).curve(*weights)
    # The oracle multiplies row by row, which may split ties of float32; hence not closer.
    assert curve.eer() == pytest.approx(reference.eer(targets, non_targets), abs=1e-6)
    assert curve.min_dcf() == pytest.approx(reference.min_dcf(targets, non_targets, 0.01, 1, 1), abs=1e-6)


@pytest.mark.slow
def test_value_is_that_of_all_trials_and_bounds_surround_it() -> None:
    vectors, speakers = voices(30, 4, spread=1.2)
    trials = all_pairs(vectors, speakers)
    found = by_speaker(trials, {"eer": Curve.eer, "auc": Curve.auc}, draws=200)
    assert found["eer"].value == pytest.approx(reference.eer(list(trials.targets), list(trials.non_targets)))
    for interval in found.values():
        assert interval.low < interval.value < interval.high
        assert interval.high - interval.low < 0.15


def test_company_and_order_change_nothing() -> None:
    vectors, speakers = voices(12, 3, spread=1.2)
    trials = all_pairs(vectors, speakers)
    alone = by_speaker(trials, {"eer": Curve.eer}, draws=50, seed=3)
    both = by_speaker(trials, {"auc": Curve.auc, "eer": Curve.eer}, draws=50, seed=3)
    assert alone["eer"] == both["eer"]
    order = np.random.default_rng(0).permutation(len(trials))
    moved = Trials(trials.scores[order], trials.first[order], trials.second[order], trials.voices, trials.names)
    shuffled = by_speaker(moved, {"eer": Curve.eer}, draws=50, seed=3)
    assert shuffled["eer"].low == pytest.approx(alone["eer"].low, abs=1e-9)
    assert alone["eer"] != by_speaker(trials, {"eer": Curve.eer}, draws=50, seed=4)["eer"]


def test_a_share_of_independent_speakers_has_the_normal_interval() -> None:
    people = 400
    draw = np.random.default_rng(5)
    accepted = (draw.random(people) < 0.8).astype(np.float64)  # one target trial per speaker: a plain share
    rows = np.arange(people)
    trials = Trials(
        np.concatenate([accepted, np.zeros(people)]),
        np.concatenate([2 * rows, 2 * rows]),
        np.concatenate([2 * rows + 1, 2 * np.roll(rows, 1)]),
        np.repeat(rows, 2),
        tuple(map(str, rows)),
    )
    found = by_speaker(trials, {"positive": lambda curve: curve.positive_accuracy(0.5)})["positive"]
    share = accepted.mean()
    half = 1.96 * np.sqrt(share * (1 - share) / people)
    assert found.value == pytest.approx(share)
    assert found.low == pytest.approx(share - half, abs=0.1 * half)
    assert found.high == pytest.approx(share + half, abs=0.1 * half)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    def positive(curve: Curve) -> float:
        return curve.positive_accuracy(0.6)

    # Some voices are steadier than others, so that trials of one speaker resemble each other.
    def world(people: int, seed: int) -> Trials:
        draw = np.random.default_rng(seed)
        middles = np.repeat(draw.normal(size=(people, 16)), 4, axis=0)
        spread = np.repeat(draw.uniform(0.3, 1.3, size=(people, 1)), 4, axis=0)
        vectors = middles + spread * draw.normal(size=middles.shape)
        unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        return all_pairs(unit, [f"p{row // 4:04}" for row in range(4 * people)])

    large = world(1000, 1)
    truth = float(np.mean(large.targets >= 0.6))
    held = 0
    for seed in range(100):
        interval = by_speaker(world(25, 100 + seed), {"positive": positive}, draws=200, seed=seed)["positive"]
        held += interval.low <= truth <= interval.high
    assert 85 <= held <= 99  # by trials instead of speakers it would be about 70


def test_fifty_speakers_take_seconds() -> None:
    vectors, speakers = voices(50, 4, spread=1.2)
    trials = all_pairs(vectors, speakers)
    began = time.process_time()
    by_speaker(trials, {"eer": Curve.eer, "dcf": Curve.min_dcf, "auc": Curve.auc})
    assert time.process_time() - began < 8


def test_two_speakers_are_enough_and_one_with_a_single_recording_too() -> None:
    vectors, speakers = voices(2, 2, spread=0.1)
    few = by_speaker(all_pairs(vectors[:3], speakers[:3]), {"eer": Curve.eer}, draws=20)
    assert few["eer"] == Interval(0.0, 0.0, 0.0)
    assert np.isfinite(by_speaker(one_and_many(vectors, speakers), {"eer": Curve.eer}, draws=20)["eer"].high)


def test_what_cannot_be_resampled_is_refused() -> None:
    vectors, speakers = voices(2, 2)
    with pytest.raises(ValueError, match="2 draws"):
        by_speaker(all_pairs(vectors, speakers), {"eer": Curve.eer}, draws=1)
    with pytest.raises(ValueError, match="no non-target"):
        by_speaker(all_pairs(vectors, ["a"] * 4), {"eer": Curve.eer})
    with pytest.raises(ValueError, match="no target"):
        by_speaker(all_pairs(vectors, list("abcd")), {"eer": Curve.eer})


def scored(trials: Trials, scores: Array) -> Trials:
    """The same trials with other scores."""
    return replace(trials, scores=scores)


def test_costs_of_evidence_have_intervals_too() -> None:
    trials = all_pairs(*voices(30, 4, spread=1.2))
    llrs = scored(trials, 12 * trials.scores - 6)
    found = by_speaker(llrs, {"cllr": Curve.cllr, "min": Curve.cllr_min, "act": Curve.act_dcf}, draws=100)
    assert found["cllr"].value == pytest.approx(reference.cllr(list(llrs.targets), list(llrs.non_targets)))
    for interval in found.values():
        assert interval.low < interval.value < interval.high
    assert found["min"].high < found["cllr"].low


def test_a_thousand_draws_on_a_hundred_thousand_trials_take_seconds() -> None:
    draw = np.random.default_rng(0)
    first = draw.integers(0, 4000, 100_000)
    second = np.where(draw.random(100_000) < 0.5, first // 20 * 20 + draw.integers(0, 20, 100_000), first[::-1])
    same = first // 20 == second // 20
    scores = draw.normal(np.where(same, 3.0, -3.0), 2.5)
    trials = Trials(scores, first, second, np.arange(4000) // 20, tuple(map(str, range(200))))
    began = time.process_time()
    by_speaker(trials, {"cllr": Curve.cllr, "min": Curve.cllr_min, "act": Curve.act_dcf}, draws=50)
    assert time.process_time() - began < 3  # of a minute for a thousand


def test_the_difference_of_two_systems_is_that_of_their_draws() -> None:
    trials = all_pairs(*voices(20, 3, spread=1.2))
    noise = np.random.default_rng(1).normal(size=len(trials))
    worse = scored(trials, trials.scores + 0.5 * noise)
    found = compare_systems(worse, trials, {"eer": Curve.eer, "auc": Curve.auc}, draws=60, seed=2)
    singles = [by_speaker(one, {"eer": Curve.eer}, draws=60, seed=2)["eer"].value for one in (worse, trials)]
    assert found["eer"].value == pytest.approx(singles[0] - singles[1])
    # The oracle repeats trials, as long as they count, and draws the speakers itself.
    generator = np.random.default_rng(2)
    differences: list[float] = []
    while len(differences) < 60:
        counts = np.bincount(generator.integers(0, 20, 20), minlength=20)
        one, other = trials.voices[trials.first], trials.voices[trials.second]
        often = np.where(one == other, counts[one], counts[one] * counts[other])
        errors = []
        for system in (worse, trials):
            again = system.where(np.repeat(np.arange(len(trials)), often))
            errors.append(eer(again.targets, again.non_targets))
        differences.append(errors[0] - errors[1])
    low, high = np.quantile(differences, [0.025, 0.975])
    assert found["eer"].low == pytest.approx(low, abs=1e-9)
    assert found["eer"].high == pytest.approx(high, abs=1e-9)
    assert found["eer"].p == pytest.approx(2 * np.mean(np.array(differences) <= 0))
    assert found["auc"].high < 0
    assert found["auc"].p == 1 / 60  # worse in every draw
    turned = compare_systems(trials, worse, {"eer": Curve.eer}, draws=60, seed=2)["eer"]
    assert (turned.value, turned.p) == (-found["eer"].value, found["eer"].p)


def test_one_system_does_not_differ_from_itself() -> None:
    trials = all_pairs(*voices(10, 3, spread=1.2))
    shifted = scored(trials, trials.scores / 2 + 1)  # in another unit
    found = compare_systems(trials, shifted, {"eer": Curve.eer}, draws=20)["eer"]
    assert found == Difference(0.0, 0.0, 0.0, 1.0)


def test_equal_systems_are_told_apart_about_as_often_as_chance_says() -> None:
    found = 0
    for seed in range(50):
        draw = np.random.default_rng(seed)
        trials = all_pairs(*voices(20, 3, spread=1.2, seed=seed))
        one, other = (scored(trials, trials.scores + 0.3 * draw.normal(size=len(trials))) for _ in range(2))
        found += compare_systems(one, other, {"auc": Curve.auc}, draws=100, seed=seed)["auc"].p < 0.05
    assert found <= 8  # of two or three to be expected


def test_systems_on_other_trials_are_not_compared() -> None:
    trials = all_pairs(*voices(4, 3))
    with pytest.raises(ValueError, match="same trials"):
        compare_systems(trials, trials.where(np.arange(len(trials)) > 0), {"eer": Curve.eer})
    others = (
        replace(trials, first=trials.second),
        replace(trials, second=trials.first),
        replace(trials, voices=trials.voices[::-1]),
    )
    for other in others:
        with pytest.raises(ValueError, match="same trials"):
            compare_systems(trials, other, {"eer": Curve.eer})
    with pytest.raises(ValueError, match="2 draws"):
        compare_systems(trials, trials, {"eer": Curve.eer}, draws=1)
