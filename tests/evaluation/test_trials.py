"""Trials against their definition, word by word."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from trialmakers import voices

from samevoice.evaluation.trials import Trials, all_pairs, count_sessions, one_and_many


def test_all_pairs_are_all_pairs() -> None:
    vectors, speakers = voices(3, 2)
    order = np.random.default_rng(1).permutation(6)
    vectors, speakers = vectors[order], [speakers[row] for row in order]
    trials = all_pairs(vectors, speakers)
    expected = {
        (i, j): (float(np.dot(vectors[i], vectors[j])), speakers[i] == speakers[j])
        for i, j in itertools.combinations(range(6), 2)
    }
    found = {
        (int(i), int(j)): (score, same)
        for i, j, score, same in zip(trials.first, trials.second, trials.scores, trials.is_target, strict=True)
    }
    assert found.keys() == expected.keys()
    for pair, (score, same) in expected.items():
        assert found[pair] == (pytest.approx(score, abs=1e-6), same)
    assert trials.names == ("p000", "p001", "p002")
    assert [trials.names[voice] for voice in trials.voices] == speakers
    assert (len(trials.targets), len(trials.non_targets), len(trials)) == (3, 12, 15)


@pytest.mark.parametrize(("people", "each", "negatives"), [(5, 3, 99), (2, 2, 1), (150, 2, 99)])
def test_one_and_many_has_its_numbers(people: int, each: int, negatives: int) -> None:
    vectors, speakers = voices(people, each)
    trials = one_and_many(vectors, speakers, negatives)
    assert (len(trials.targets), len(trials.non_targets)) == (people, people * negatives)
    assert trials.left_out == ()
    anchors = Counter(speakers[row] for row in trials.first)
    assert anchors == dict.fromkeys(set(speakers), 1 + negatives)
    assert all(len(set(trials.first[trials.voices[trials.first] == voice])) == 1 for voice in range(people))
    assert (trials.first != trials.second).all()
    np.testing.assert_allclose(
        trials.scores, np.einsum("nd,nd->n", vectors[trials.first], vectors[trials.second]), atol=1e-6
    )


def test_every_other_speaker_serves_as_a_negative() -> None:
    vectors, speakers = voices(4, 2)
    trials = one_and_many(vectors, speakers, 99)
    met = {(speakers[i], speakers[j]) for i, j in zip(trials.first, trials.second, strict=True)}
    assert met == set(itertools.product(set(speakers), repeat=2))


def test_who_has_one_recording_is_named() -> None:
    vectors, speakers = voices(3, 2)
    trials = one_and_many(vectors[1:], speakers[1:], 20)
    assert trials.left_out == ("p000",)
    assert len(trials.targets) == 2
    assert 0 in trials.second  # but serves as a negative


def test_a_seed_repeats_the_draw() -> None:
    vectors, speakers = voices(6, 4)
    first, again, other = (one_and_many(vectors, speakers, 9, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.second, again.second)
    assert not np.array_equal(first.second, other.second)


def test_sessions_are_counted() -> None:
    vectors, _ = voices(1, 5)
    trials = all_pairs(np.concatenate([vectors, vectors[:1]]), ["a"] * 5 + ["b"])
    sessions = ["x", "x", "y", "", "", ""]
    utterances = ["1", "2", "3", "4", "4", "5"]
    # One: 1-2, and 4-4 though nobody told their session. Two: 1-3, 2-3. Unknown: each of 1, 2, 3 with each 4.
    counts = count_sessions(trials, sessions, utterances)
    assert (counts.one, counts.two, counts.unknown) == (2, 2, 6)
    with pytest.raises(ValueError, match="as many sessions"):
        count_sessions(trials, sessions[:-1], utterances)


@pytest.mark.parametrize(
    ("vectors", "speakers", "words"),
    [
        (np.eye(3), ["a", "b"], "n speakers"),
        (np.ones(3), ["a", "b", "c"], "n speakers"),
        (2 * np.eye(2), ["a", "b"], "unit vectors"),
        (np.full((2, 2), np.nan), ["a", "b"], "unit vectors"),
    ],
)
def test_what_is_no_set_of_voices_is_refused(vectors: np.ndarray, speakers: list[str], words: str) -> None:
    for make in (all_pairs, one_and_many):
        with pytest.raises(ValueError, match=words):
            make(vectors.astype(np.float32), speakers)


def test_one_speaker_has_no_negatives() -> None:
    vectors, speakers = voices(1, 3)
    with pytest.raises(ValueError, match="two speakers"):
        one_and_many(vectors, speakers)


def test_columns_of_trials_have_one_length() -> None:
    one, two = np.zeros(1, dtype=np.intp), np.zeros(2, dtype=np.intp)
    with pytest.raises(ValueError, match="one shape"):
        Trials(np.zeros(2), one, two, one, ("a",))
