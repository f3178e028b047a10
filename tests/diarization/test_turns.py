"""Turns and diarizations: what is refused, what is joined, and laws that hold for any turns."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from turnmakers import diarizations

from samevoice.diarization.turns import Diarization, Turn
from samevoice.speech.timeline import Segment


def voices(diarization: Diarization, moments: np.ndarray) -> np.ndarray:
    """How many speak at each moment, counted one by one."""
    return np.array([sum(one.start <= now < one.end for one in diarization) for now in moments.tolist()])


@pytest.mark.parametrize(
    ("start", "end"), [(1, 1), (2, 1), (-1, 1), (0, math.inf), (math.nan, 1), (0, math.nan), (math.inf, math.inf)]
)
def test_times_out_of_order_are_no_turn(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="0 <= start < end"):
        Turn(start, end, "a")


@pytest.mark.parametrize("name", ["", "a\nb", "\t", "\x7f", "\x85", "\u2028", "\ud800", "\ufffe"])
def test_names_that_no_file_gives_back_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a speaker needs a name"):
        Turn(0, 1, name)
    if name:
        with pytest.raises(ValueError, match="a recording needs a name"):
            Diarization([], 1, name)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, math.nan])
def test_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Turn(0, 1, "a", confidence)


@pytest.mark.parametrize("extent", [-1, math.nan, math.inf])
def test_extent_is_a_time(extent: float) -> None:
    with pytest.raises(ValueError, match="extent"):
        Diarization([], extent)


def test_a_turn() -> None:
    turn = Turn(1.5, 2.25, "Ann Lee", 0.5)
    assert (turn.segment, turn.duration, str(turn)) == (Segment(1.5, 2.25), 0.75, "[1.50, 2.25] Ann Lee")
    assert turn == Turn(1.5, 2.25, "Ann Lee")
    assert Turn(1, 2, "b") < Turn(1, 3, "a") < Turn(1, 3, "b") < Turn(2, 2.5, "a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        turn.start = 0  # type: ignore[misc]


def test_turns_of_one_speaker_are_joined_and_cut() -> None:
    found = Diarization(
        [Turn(8, 12, "b"), Turn(0, 2, "a", 0.5), Turn(1, 2, "b"), Turn(1.5, 3, "a", 1), Turn(3, 3.5, "a", 1)], 10, "x"
    )
    assert found.turns == (Turn(0, 3.5, "a"), Turn(1, 2, "b"), Turn(8, 10, "b"))
    assert found.turns[0].confidence == pytest.approx((2 * 0.5 + 1.5 + 0.5) / 4)
    assert found.speakers == ("a", "b")
    assert str(found) == "Diarization(2 speakers, 5.5 of 10.0 s, 3 turns)"
    assert Diarization([Turn(5, 6, "a")], 5).turns == ()


def test_unknown_confidence_stays_unknown() -> None:
    (joined,) = Diarization([Turn(0, 1, "a", 1), Turn(1, 2, "a")], 2)
    assert joined.confidence is None
    (inside,) = Diarization([Turn(0, 9, "a", 0.2), Turn(1, 2, "a", 0.2), Turn(3, 4, "a", 0.2)], 9)
    assert inside.end == 9
    assert inside.confidence == pytest.approx(0.2)


def test_renaming_joins() -> None:
    talk = Diarization([Turn(0, 2, "a"), Turn(1, 3, "b"), Turn(4, 5, "c")], 6, "x")
    assert talk.renamed({"b": "a", "c": "Ann"}) == Diarization([Turn(0, 3, "a"), Turn(4, 5, "Ann")], 6, "x")
    assert talk.renamed({"a": "b", "b": "a"}).renamed({"a": "b", "b": "a"}) == talk


@given(diarizations(), st.randoms(use_true_random=False))
def test_any_order_gives_the_same(diarization: Diarization, random: np.random.Generator) -> None:
    turns = list(diarization)
    random.shuffle(turns)
    assert Diarization(turns, diarization.extent, diarization.recording) == diarization
    halves = [part for one in turns for part in _halves(one)]
    assert Diarization(halves, diarization.extent, diarization.recording) == diarization


def _halves(turn: Turn) -> list[Turn]:
    middle = (turn.start + turn.end) / 2
    return [Turn(middle, turn.end, turn.speaker), Turn(turn.start, middle, turn.speaker)]


@given(diarizations())
def test_speech_and_overlap_are_where_they_are(diarization: Diarization) -> None:
    assert list(diarization) == sorted(diarization)
    for speaker in diarization.speakers:
        own = [one for one in diarization if one.speaker == speaker]
        assert all(one.end < other.start for one, other in pairwise(own))
        assert list(diarization.of(speaker)) == [one.segment for one in own]
    assert list(diarization.of("nobody")) == []
    edges = sorted({edge for one in diarization for edge in (one.start, one.end)} | {0.0, diarization.extent})
    moments = (np.array(edges[:-1]) + np.array(edges[1:])) / 2
    number = voices(diarization, moments)
    assert (diarization.speech.covers(moments) == (number > 0)).all()
    assert (diarization.overlap.covers(moments) == (number > 1)).all()
    assert diarization.speech.extent == diarization.overlap.extent == diarization.extent
