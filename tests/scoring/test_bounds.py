"""Thresholds that hold for other people: against a loop over the same draws, and on people who come later."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.scoring.bounds import bounded_thresholds, count_pairs, least_rate, pairs_needed, people_needed

TRIALS = st.lists(st.tuples(st.integers(-3, 3), st.sampled_from(list(combinations(range(5), 2)))), min_size=1)


def columns(trials: list[tuple[int, tuple[int, int]]]) -> tuple[list[float], list[int], list[int]]:
    return [score / 4 for score, _ in trials], [pair[0] for _, pair in trials], [pair[1] for _, pair in trials]


@settings(max_examples=100)
@given(TRIALS, st.sampled_from([1.0, 0.5, 0.3, 0.1]), st.sampled_from([0.5, 0.9]))
def test_equals_a_loop_over_the_draws(
    trials: list[tuple[int, tuple[int, int]]], rate: float, confidence: float
) -> None:
    scores, first, second = columns(trials)
    (got,) = bounded_thresholds(
        np.array(scores), np.array(first), np.array(second), [rate], confidence=confidence, draws=20, seed=3
    )
    people = sorted({*first, *second})
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(20):
        drawn = [people[place] for place in generator.integers(0, len(people), len(people))]
        weights = [drawn.count(one) * drawn.count(two) for one, two in zip(first, second, strict=True)]
        accepted = sum(weight for weight, score in zip(weights, scores, strict=True) if score >= got)
        held += accepted <= rate * sum(weights) + 1e-9
    assert held >= confidence * 20 - 1e-9
    plain = reference.counted_threshold(scores, rate)
    assert got >= plain - 1e-12
    assert sum(score >= got for score in scores) <= rate * len(scores)


def test_one_speaker_who_resembles_many_is_seen() -> None:
    """The same share of high scores is harmless when spread over all pairs, and not when one person causes it."""
    first, second = np.triu_indices(40, k=1)
    spread = np.where(np.random.default_rng(0).permutation(len(first)) < 39, 0.9, 0.1)
    wolf = np.where(first == 0, 0.9, 0.1)  # 39 of 780 too
    assert (spread > 0.5).sum() == (wolf > 0.5).sum()
    assert bounded_thresholds(spread, first, second, [0.12])[0] == pytest.approx(0.1)
    assert bounded_thresholds(wolf, first, second, [0.12])[0] == pytest.approx(0.9)


def test_the_same_trials_give_the_same_bounds() -> None:
    first, second = np.triu_indices(15, k=1)
    scores = np.random.default_rng(1).normal(size=len(first))
    got = [bounded_thresholds(scores, first, second, [0.2, 0.1], draws=20) for _ in range(2)]
    assert got[0] == got[1]
    assert got[0] != bounded_thresholds(scores, first, second, [0.2, 0.1], draws=20, seed=1)
    assert got[0] == bounded_thresholds(scores, first, second, [0.2, 0.1], draws=20, seed=0)


def test_each_rate_has_a_bound_of_its_own() -> None:
    first, second = np.triu_indices(15, k=1)
    scores = np.random.default_rng(1).normal(size=len(first))
    both = bounded_thresholds(scores, first, second, [0.2, 0.1])
    alone = [bounded_thresholds(scores, first, second, [rate])[0] for rate in (0.2, 0.1)]
    assert both == alone
    assert both[0] < both[1]


def test_the_rate_holds_for_people_who_come_later() -> None:
    """Voices drawn from one population: in at least 95 % of 200 runs the stated rate is kept by other people."""
    generator = np.random.default_rng(0)
    first, second = np.triu_indices(40, k=1)
    broken = 0
    for run in range(200):
        voices = generator.standard_normal((80, 16))
        voices /= np.linalg.norm(voices, axis=1, keepdims=True)
        known, other = ((one @ one.T)[first, second] for one in (voices[:40], voices[40:]))
        (threshold,) = bounded_thresholds(known, first, second, [0.05], draws=100, seed=run)
        broken += int(np.mean(other >= threshold) > 0.05)
    assert broken <= 10


def test_what_cannot_be_bounded() -> None:
    one = np.array([0])
    with pytest.raises(ValueError, match="at least one score"):
        bounded_thresholds(np.array([]), one[:0], one[:0], [0.1])
    with pytest.raises(ValueError, match="finite"):
        bounded_thresholds(np.array([math.nan]), one, one + 1, [0.1])
    with pytest.raises(ValueError, match="one speaker"):
        bounded_thresholds(np.array([0.5]), one, one, [0.1])


@given(st.integers(2, 900))
def test_numbers_of_people_and_pairs(people: int) -> None:
    pairs = people * (people - 1) // 2
    rate = least_rate(pairs)
    assert pairs_needed(rate) == pairs
    assert people_needed(rate) == people
    assert people_needed(rate * 0.999) == people + 1
    first, second = np.triu_indices(min(people, 60), k=1)
    assert count_pairs(np.concatenate([first, second]), np.concatenate([second, first])) == len(first)
