"""Error rates of diarization against pyannote.metrics, against hand-made cases and against their own laws."""

from __future__ import annotations

import time
from importlib import import_module
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyannote.core import Annotation
from pyannote.core import Segment as Stretch
from pyannote.core import Timeline as Map
from scipy.optimize import linear_sum_assignment
from turnmakers import diarizations, random_diarization

from samevoice.diarization.mapping import best_pairs
from samevoice.diarization.scoring import DiarizationScore, score, total
from samevoice.diarization.turns import Diarization, Turn
from samevoice.speech.timeline import Segment, Timeline

METRICS = import_module("pyannote.metrics.diarization")  # the oracle, partly without types
RULES = [(collar, overlap) for collar in (0.0, 0.25) for overlap in (True, False)]


def annotation(diarization: Diarization) -> Annotation:
    """The same for pyannote."""
    made = Annotation()
    for track, turn in enumerate(diarization):
        made[Stretch(turn.start, turn.end), track] = turn.speaker
    return made


def random_case(seed: int) -> tuple[Diarization, Diarization, Timeline]:
    """Few or many speakers and turns on both sides, and two stretches (or all) to score."""
    generator = np.random.default_rng(seed)
    speakers, turns = generator.integers(1, 7, 2).tolist(), generator.integers(2, 40, 2).tolist()
    sides = [random_diarization(2 * seed + side, 60.0, speakers[side], turns[side]) for side in range(2)]
    cut = np.sort(generator.uniform(0, 90, 4)).tolist()
    parts = [Segment(*cut[:2]), Segment(*cut[2:])] if seed % 2 else [Segment(0, 200)]
    return sides[0], sides[1], Timeline(parts, 200.0)


def one_best_pairing(common: NDArray[np.float64]) -> bool:
    """Whether to forbid any pair of the best pairing costs something."""
    rows, columns = linear_sum_assignment(common, maximize=True)
    best = common[rows, columns].sum()
    for row, column in zip(rows, columns, strict=True):
        without = common.copy()
        without[row, column] = 0
        pairs = linear_sum_assignment(without, maximize=True)
        if common[row, column] and without[pairs].sum() > best - 1e-7:
            return False
    return True


def made(*turns: tuple[float, float, str]) -> Diarization:
    return Diarization([Turn(*turn) for turn in turns], 1000.0)


@pytest.mark.slow
@pytest.mark.parametrize(("collar", "overlap"), RULES)
def test_equals_pyannote_metrics(collar: float, overlap: bool) -> None:
    """200 cases under each rule, every other one with an evaluation map."""
    options = {"collar": 2 * collar, "skip_overlap": not overlap}
    der, jer = METRICS.DiarizationErrorRate(**options), METRICS.JaccardErrorRate(**options)
    decided = 0
    for seed in range(200):
        reference, hypothesis, uem = random_case(seed)
        ours = score(reference, hypothesis, collar=collar, overlap=overlap, uem=uem if seed % 2 else None)
        sides = annotation(reference), annotation(hypothesis)
        theirs = Map(Stretch(*part) for part in ((one.start, one.end) for one in uem))
        detail = der(*sides, uem=theirs, detailed=True)
        names = {
            "total": ours.reference,
            "missed detection": ours.miss,
            "false alarm": ours.false_alarm,
            "confusion": ours.confusion,
            "correct": ours.correct,
            "diarization error rate": ours.der,
        }
        assert {name: detail[name] for name in names} == pytest.approx(names, abs=1e-6), seed
        detail = jer(*sides, uem=theirs, detailed=True)
        assert ours.scored_speakers == detail["speaker count"]
        if ours.scored_speakers:
            cropped = jer.uemify(*sides, uem=theirs, collar=2 * collar, skip_overlap=not overlap)
            assert ours.jer <= detail["jaccard error rate"] + 1e-6
            if one_best_pairing(cropped[0] * cropped[1]):
                decided += 1
                assert ours.jer == pytest.approx(detail["jaccard error rate"], abs=1e-6), seed
    assert decided > 150  # in the others pyannote.metrics takes any of the best pairings


def test_sums_equal_pyannote_metrics() -> None:
    pairs = [(random_diarization(seed), random_diarization(seed + 100, turns=20)) for seed in range(10)]
    ours = total(score(*pair, collar=0.25) for pair in pairs)
    der, jer = METRICS.DiarizationErrorRate(collar=0.5), METRICS.JaccardErrorRate(collar=0.5)
    for pair in pairs:
        sides = [annotation(side) for side in pair]
        for metric in (der, jer):
            metric(*sides, uem=Map([Stretch(0, 130)]))
    assert (ours.der, ours.jer) == pytest.approx((abs(der), abs(jer)))
    assert ours.recordings == 10


def test_a_case_done_by_hand() -> None:
    truth = made((0, 4, "a"), (3, 6, "b"), (8, 10, "b"))
    guess = made((0, 3, "x"), (3, 6, "y"), (6, 7, "x"), (8, 9, "x"))
    plain = score(truth, guess)
    found = plain.reference, plain.miss, plain.false_alarm, plain.confusion, plain.correct
    assert found == pytest.approx((9, 2, 1, 1, 6))
    assert plain.der == pytest.approx(4 / 9)
    # a and x: 3 s in common of 6; b and y: 3 of 5
    assert plain.jer == pytest.approx((0.5 + 0.4) / 2)
    apart = score(truth, guess, overlap=False)
    assert (apart.reference, apart.miss, apart.correct) == pytest.approx((7, 1, 5))
    collared = score(truth, guess, collar=0.5)
    assert collared.reference == pytest.approx(2.0 + 1.0 + 1.0)
    assert collared.false_alarm == pytest.approx(0.5)


def test_who_gets_which_name_does_not_matter() -> None:
    truth = random_diarization(1)
    for names in permutations(truth.speakers):
        turned = truth.renamed(dict(zip(truth.speakers, names, strict=True)))
        assert score(truth, turned).der == pytest.approx(0, abs=1e-12)
        assert score(truth, turned).jer == pytest.approx(0, abs=1e-12)


def test_without_reference_speech_there_is_a_number() -> None:
    nobody, somebody = made(), made((1, 2, "a"))
    both = score(nobody, nobody)
    assert (both.der, both.jer, both.reference, both.exact_counts) == (0, 0, 0, 1)
    invented = score(nobody, somebody)
    assert (invented.der, invented.jer, invented.false_alarm, invented.count_error) == (1, 1, 1, 1)
    missed = score(somebody, nobody)
    assert (missed.der, missed.jer, missed.miss, missed.count_error) == (1, 1, 1, 1)
    assert (invented + missed).der == 2  # one false second for each that was said
    assert score(somebody, somebody, uem=Timeline((), 0.0)).der == 0


def test_speakers_are_counted_under_every_collar_alike() -> None:
    truth, guess = made((0, 0.3, "short"), (1, 9, "long")), made((0, 9, "one"))
    for collar, overlap in RULES:
        found = score(truth, guess, collar=collar, overlap=overlap)
        assert (found.reference_speakers, found.hypothesis_speakers, found.count_error) == (2, 1, 1)
    assert score(truth, guess, collar=0.25).scored_speakers == 1
    assert score(truth, guess, uem=Timeline([Segment(2, 5)], 5)).reference_speakers == 1


def test_rules_do_not_mix() -> None:
    plain, collared = score(made(), made()), score(made(), made(), collar=0.25)
    with pytest.raises(ValueError, match="cannot be added"):
        plain + collared
    with pytest.raises(ValueError, match="cannot be added"):
        plain + score(made(), made(), overlap=False)
    for collar in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="collar"):
            score(made(), made(), collar=collar)


@given(diarizations(), diarizations(), st.sampled_from(RULES))
def test_laws(reference: Diarization, hypothesis: Diarization, rule: tuple[float, bool]) -> None:
    found = score(reference, hypothesis, collar=rule[0], overlap=rule[1])
    assert found.miss + found.confusion + found.correct == pytest.approx(found.reference, abs=1e-6)
    assert min(found.miss, found.false_alarm, found.confusion, found.correct) >= 0
    assert 0 <= found.jer <= 1
    assert found.scored_speakers <= found.reference_speakers == len(reference.speakers)
    if rule == RULES[0]:
        back = score(hypothesis, reference)
        assert (back.miss, back.false_alarm) == pytest.approx((found.false_alarm, found.miss), abs=1e-6)
        assert back.confusion == pytest.approx(found.confusion, abs=1e-6)


@given(st.integers(0, 7), st.integers(0, 7), st.integers(0, 2**32 - 1), st.booleans())
def test_pairs_are_as_good_as_those_of_scipy(rows: int, columns: int, seed: int, whole: bool) -> None:
    generator = np.random.default_rng(seed)
    gain = generator.integers(-3, 4, (rows, columns)).astype(float)
    if not whole:
        gain += generator.standard_normal(gain.shape)
    mine, other = best_pairs(gain), linear_sum_assignment(gain, maximize=True)
    assert len(mine[0]) == min(rows, columns) == len(set(mine[0].tolist())) == len(set(mine[1].tolist()))
    assert (np.diff(mine[0]) > 0).all()
    assert gain[mine].sum() == pytest.approx(gain[other].sum(), abs=1e-9)


@pytest.mark.parametrize("shape", [(100, 100), (30, 200), (200, 30)])
def test_pairs_of_many(shape: tuple[int, int]) -> None:
    gain = np.random.default_rng(0).random(shape)
    began = time.perf_counter()
    mine = best_pairs(gain)
    assert time.perf_counter() - began < 2  # 0.03 s on a quiet machine
    assert gain[mine].sum() == pytest.approx(gain[linear_sum_assignment(gain, maximize=True)].sum())


def test_only_finite_matrices_are_paired() -> None:
    for bad in (np.array([[np.nan]]), np.array([[np.inf]]), np.zeros(3)):
        with pytest.raises(ValueError, match="finite gains"):
            best_pairs(bad)


def test_long_recordings_are_quick() -> None:
    reference, hypothesis = (random_diarization(seed, 28_800.0, 8, 5_000) for seed in (1, 2))
    began = time.perf_counter()
    found = [score(reference, hypothesis, collar=collar, overlap=overlap) for collar, overlap in RULES]
    assert time.perf_counter() - began < 4  # all four rules; one second for each
    assert all(isinstance(one, DiarizationScore) and one.reference > 0 for one in found)


def test_words() -> None:
    found = score(made((0, 8, "a")), made((0, 6, "x"), (9, 10, "x")))
    assert str(found) == "DER 37.5% (25.0% miss, 12.5% false alarm, 0.0% confusion), JER 33.3%"
