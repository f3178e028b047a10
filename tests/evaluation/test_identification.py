"""Open-set identification against loops over probes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.evaluation.bootstrap import Interval
from samevoice.evaluation.curves import Array
from samevoice.evaluation.identification import Searches, by_probe_speaker, search
from samevoice.evaluation.trials import Indices

Case = tuple[list[list[int]], list[int]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Scores with many ties, and at least one probe of either kind."""
    people, probes = draw(st.integers(1, 4)), draw(st.integers(2, 9))
    scores = draw(
        st.lists(st.lists(st.integers(-2, 2), min_size=people, max_size=people), min_size=probes, max_size=probes)
    )
    truth = draw(st.lists(st.integers(-1, people - 1), min_size=probes, max_size=probes))
    return scores, [-1, 0, *truth[2:]]


def arrays(case: Case) -> tuple[Array, Indices]:
    """The same for numpy."""
    return np.array(case[0], dtype=np.float64), np.array(case[1], dtype=np.intp)


def rates(case: Case, threshold: float, rank: int) -> tuple[float, float]:
    """FNIR and FPIR, word by word."""
    missed, alarms = [], []
    for row, own in zip(*case, strict=True):
        if own < 0:
            alarms.append(any(score >= threshold for score in row))
        else:
            ahead = sum(score >= row[own] for person, score in enumerate(row) if person != own)
            missed.append(ahead >= rank or row[own] < threshold)
    return sum(missed) / len(missed), sum(alarms) / len(alarms)


@given(cases(), st.sampled_from([-math.inf, -2.0, -0.5, 0.0, 1.0, 2.0, 2.5]), st.integers(1, 3))
def test_rates_are_counted(case: Case, threshold: float, rank: int) -> None:
    found = search(*arrays(case))
    expected = rates(case, threshold, rank)
    assert (found.fnir(threshold, rank), found.fpir(threshold)) == pytest.approx(expected, abs=1e-9)
    assert found.rank_rate(rank) == pytest.approx(1 - rates(case, -math.inf, rank)[0], abs=1e-9)


@given(cases(), st.integers(1, 3))
def test_the_curve_holds_the_rates_of_its_thresholds(case: Case, rank: int) -> None:
    thresholds, fnir, fpir = search(*arrays(case)).curve(rank)
    for threshold, missed, alarmed in zip(thresholds, fnir, fpir, strict=True):
        assert (missed, alarmed) == pytest.approx(rates(case, float(threshold), rank), abs=1e-9)
    assert (fnir[-1], fpir[0], fpir[-1]) == (1, 1, 0)
    assert set(thresholds) >= {max(row) for row, own in zip(*case, strict=True) if own < 0}


@given(cases(), st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.9]))
def test_the_threshold_is_the_smallest_that_keeps_the_rate(case: Case, wanted: float) -> None:
    threshold = search(*arrays(case)).threshold(wanted)
    assert rates(case, threshold, 1)[1] <= wanted + 1e-9
    assert rates(case, math.nextafter(threshold, -math.inf), 1)[1] > wanted


@given(cases(), st.data())
def test_a_weight_equals_repetition(case: Case, data: st.DataObject) -> None:
    weights = [1, 1, *(data.draw(st.integers(0, 3)) for _ in case[1][2:])]
    found = search(*arrays(case))
    weighted = Searches(found.top, found.own, found.place, found.speakers, np.array(weights, dtype=np.float64))
    scores, truth = arrays(case)
    repeated = search(np.repeat(scores, weights, axis=0), np.repeat(truth, weights))
    for threshold in (-1.0, 0.5):
        assert weighted.fnir(threshold) == pytest.approx(repeated.fnir(threshold), abs=1e-9)
        assert weighted.fpir(threshold) == pytest.approx(repeated.fpir(threshold), abs=1e-9)
    assert weighted.rank_rate() == pytest.approx(repeated.rank_rate(), abs=1e-9)
    assert weighted.threshold(0.25) == repeated.threshold(0.25)


def test_a_small_case() -> None:
    scores = np.array([[0.9, 0.1], [0.6, 0.5], [0.3, 0.7], [0.2, 0.4], [0.1, 0.8]])
    found = search(scores, np.array([0, 1, 1, -1, -1]))
    assert found.rank_rate() == pytest.approx(2 / 3)
    assert found.rank_rate(2) == 1
    assert (found.fpir(0.5), found.fpir(0.3)) == (0.5, 1.0)
    assert found.fnir(0.8) == pytest.approx(2 / 3)
    assert found.threshold(0.5) == math.nextafter(0.4, 1)


def test_the_interval_of_independent_probes_is_the_normal_one() -> None:
    draw = np.random.default_rng(1)
    own = draw.random(500) < 0.8
    scores = np.stack([np.where(own, 1.0, 0.0), np.full(500, 0.5)], axis=1)
    truth = np.where(np.arange(500) < 300, 0, -1)
    found = by_probe_speaker(
        search(scores, truth, np.arange(500)),
        {"rank-1": Searches.rank_rate, "fpir": lambda one: one.fpir(0.7)},
        draws=1000,
    )
    for name, share, count in (("rank-1", own[:300].mean(), 300), ("fpir", own[300:].mean(), 200)):
        half = 1.96 * math.sqrt(share * (1 - share) / count)
        assert found[name].value == pytest.approx(share)
        assert found[name].low == pytest.approx(share - half, abs=0.15 * half)
        assert found[name].high == pytest.approx(share + half, abs=0.15 * half)


def test_probes_of_one_speaker_are_drawn_together() -> None:
    draw = np.random.default_rng(2)
    own = np.repeat(draw.random(40) < 0.7, 25).astype(np.float64)  # all of a speaker's probes fare alike
    scores, truth = np.stack([own, np.full(1000, 0.5)], axis=1), np.zeros(1000, dtype=np.intp)
    together, apart = (
        by_probe_speaker(search(scores, truth, speakers), {"rank-1": Searches.rank_rate}, draws=300)["rank-1"]
        for speakers in (np.arange(1000) // 25, np.arange(1000))
    )
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_by_default_people_are_columns_and_each_stranger_has_one_probe() -> None:
    found = search(np.zeros((5, 2)), np.array([1, -1, 0, -1, 1]))
    assert found.speakers.tolist() == [1, 3, 0, 5, 1]
    flawless = search(np.eye(2), np.array([0, 1]))
    assert by_probe_speaker(flawless, {"rank-1": Searches.rank_rate}, draws=9)["rank-1"] == Interval(1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("scores", "truth"),
    [
        (np.zeros((2, 2)), [0]),
        (np.zeros(2), [0, 1]),
        (np.zeros((2, 0)), [-1, -1]),
        (np.zeros((0, 2)), []),
        (np.array([[0.0, np.nan]]), [0]),
        (np.zeros((2, 2)), [0, 2]),
        (np.zeros((2, 2)), [0, -2]),
    ],
)
def test_what_is_no_search_is_refused(scores: Array, truth: list[int]) -> None:
    with pytest.raises(ValueError, match=r"need to be finite|a truth"):
        search(scores, np.array(truth, dtype=np.intp))


def test_a_measure_needs_its_probes() -> None:
    known = search(np.eye(2), np.array([0, 1]))
    for measure in (lambda: known.fpir(0.5), lambda: known.threshold(0.1), known.curve):
        with pytest.raises(ValueError, match="probes"):
            measure()
    with pytest.raises(ValueError, match="probes"):
        search(np.eye(2), np.array([-1, -1])).rank_rate()
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        search(np.eye(2), np.array([0, -1])).threshold(1.0)
    with pytest.raises(ValueError, match="2 draws"):
        by_probe_speaker(known, {"rank-1": Searches.rank_rate}, draws=1)
    with pytest.raises(ValueError, match="as many speakers"):
        search(np.eye(2), np.array([0, 1]), np.zeros(1, dtype=np.intp))
    with pytest.raises(ValueError, match="both enrolled"):
        by_probe_speaker(search(np.eye(2), np.array([0, -1]), np.zeros(2, dtype=np.intp)), {})
