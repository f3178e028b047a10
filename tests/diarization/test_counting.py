"""Counting people: who says something at length is one; short pieces, mixtures and echoes of others are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from evidencemakers import people
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from samevoice.diarization.agglomerate import agglomerate
from samevoice.diarization.counting import LEAST, MIXED, MOST, SHARE, SPREAD, Voices, least_length

Array = NDArray[np.float64]

FIRST, SECOND, THIRD = people(3)
HOUR = 3600.0
CUT = 0.45  # likeness


@dataclass(frozen=True)
class Said:
    """Some pieces of one voice.

    Args:
        voice: unit vector.
        pieces: how many.
        seconds: of each.
        mentioned: whether somebody pointed at them.
    """

    voice: Array
    pieces: int
    seconds: float = 5.0
    mentioned: bool = False


def counted(*said: Said, speech: float = HOUR, noise: float = 0.2) -> Voices:
    """The voices of a recording with so much speech, of which these pieces are looked at."""
    random = np.random.default_rng(1)
    owners = np.repeat(np.arange(len(said)), [one.pieces for one in said])
    vectors = np.stack([one.voice for one in said])[owners]
    vectors = vectors + noise / np.sqrt(vectors.shape[1]) * random.standard_normal(vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    seconds = np.array([one.seconds for one in said])[owners]
    mentioned = np.array([one.mentioned for one in said])[owners]
    weights = np.minimum(seconds, 5.0)
    return Voices(agglomerate(vectors, weights), vectors, seconds, weights, least_length(speech), mentioned)


def between(one: Array, other: Array, cosine: float) -> Array:
    """The unit vector with a cosine to the first of two that are at right angles, in their plane."""
    found: Array = cosine * one + np.sqrt(1 - cosine**2) * other
    return found


TWO = (Said(FIRST, 30), Said(SECOND, 30))


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_least_length_grows_with_speech_within_bounds(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert LEAST <= least_length(less) <= least_length(more) <= MOST
    if LEAST < least_length(one) < MOST:
        assert least_length(one) == pytest.approx(one * SHARE)


@pytest.mark.parametrize(
    ("third", "speech", "wanted"),
    [
        (Said(THIRD, 2, 5.0), HOUR, 3),  # 5 s at length
        (Said(THIRD, 6, 2.2), HOUR, 2),  # 6.6 s, but little at a time
        (Said(THIRD, 1, 5.0), HOUR, 2),  # too little
        (Said(THIRD, 1, 2.0), 60.0, 3),  # of a minute it is much
        (Said(THIRD, 2, 0.7), 60.0, 2),
    ],
)
def test_a_person_says_something_at_length(third: Said, speech: float, wanted: int) -> None:
    assert counted(*TWO, third, speech=speech).at(CUT) == wanted


@pytest.mark.parametrize(("cosine", "pieces", "wanted"), [(0.0, 5, 3), (0.6, 5, 2), (0.6, 8, 3), (0.8, 100, 2)])
def test_what_is_like_a_greater_voice_needs_more(cosine: float, pieces: int, wanted: int) -> None:
    """Pieces of 3 s: at a cosine of 0.6 a part of 0.64 is not explained by the other; at 0.8 most is."""
    likely = Said(between(FIRST, THIRD, cosine), pieces, 3.0)
    assert counted(*TWO, likely).at(0.9) == wanted


def test_a_mixture_is_nobody_however_much_it_says() -> None:
    mixture = between(FIRST, SECOND, np.sqrt(0.5))
    assert counted(*TWO, Said(mixture, 20)).at(0.9) == 2
    assert counted(*TWO, Said(between(mixture, THIRD, np.sqrt(MIXED + 0.1)), 20)).at(0.9) == 2
    assert counted(*TWO, Said(between(mixture, THIRD, np.sqrt(MIXED - 0.1)), 20)).at(0.9) == 3


def test_whom_somebody_pointed_at_is_no_mixture() -> None:
    mixture = between(FIRST, SECOND, np.sqrt(0.5))
    assert counted(*TWO, Said(mixture, 20, mentioned=True)).at(0.9) == 3


def test_there_is_somebody_however_little_is_said() -> None:
    voices = counted(Said(FIRST, 1, 1.0), Said(SECOND, 1, 1.5))
    labels = voices.cut(1, CUT)
    assert voices.at(CUT) == 1
    assert voices.people(labels).tolist() == [labels[1]], "who says most"


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_so_many_are_cut_as_are_wanted(wanted: int) -> None:
    voices = counted(*TWO, Said(THIRD, 20))
    labels = voices.cut(wanted, CUT)
    assert len(voices.people(labels)) == wanted
    if wanted == 3:
        assert labels.tolist() == [0] * 30 + [1] * 30 + [2] * 20


@given(st.integers(1, 4))
def test_likely_numbers_add_up(most: int) -> None:
    shares = counted(*TWO, Said(THIRD, 20)).probabilities(CUT, lambda count: min(count, most))
    assert sum(share for _, share in shares) == pytest.approx(1.0)
    assert max(count for count, _ in shares) <= most
    assert [share for _, share in shares] == sorted((share for _, share in shares), reverse=True)


@pytest.mark.parametrize(("deviations", "low", "high"), [(-4.0, 0.99, 1.0), (-1.0, 0.75, 0.9), (0.0, 0.4, 0.6)])
def test_the_nearer_to_the_cut_the_less_is_certain(deviations: float, low: float, high: float) -> None:
    """Two people whose mean cosine lies so many standard deviations from the best cut."""
    other = between(FIRST, THIRD, CUT + deviations * SPREAD)
    found = dict(counted(Said(FIRST, 40), Said(other, 30), noise=0.0).probabilities(CUT, lambda count: count))
    assert low <= found[2] <= high
