"""A voice of a window that is two people's is parted; one person's is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samevoice.diarization.parting import TWO, part
from samevoice.speech.segmentation import FRAMES, VOICES

STRIDE = 320  # samples from moment to moment
MOMENTS = 500
PLACE = np.minimum((np.arange(MOMENTS) * STRIDE / 270).astype(np.int64), FRAMES - 1)


class Means:
    """Describes moments by the unit mean of their vectors."""

    dimension = 16
    stride = STRIDE
    centre = 200

    def sequence(self, samples: NDArray[np.float32], /) -> NDArray[np.float32]:
        raise NotImplementedError  # nobody asks

    def embed(self, sequence: NDArray[np.float32], chosen: NDArray[np.bool_], /) -> NDArray[np.float32]:
        means = chosen.astype(np.float32) @ sequence.T
        unit: NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit


def heard(people: list[tuple[int, int, int]], cosine: float = 0.0) -> NDArray[np.float32]:
    """Moments of people who speak from one moment to another, with a little noise; `cosine` between two people."""
    random = np.random.default_rng(0)
    first, second = np.eye(2, Means.dimension)
    vectors = [first, cosine * first + np.sqrt(1 - cosine**2) * second]
    sequence = 0.05 * random.standard_normal((Means.dimension, MOMENTS))
    for start, end, person in people:
        sequence[:, start:end] += vectors[person][:, None]
    return sequence.astype(np.float32)


def parted(
    people: list[tuple[int, int, int]], *, cosine: float = 0.0, taken: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the segmentation said, all of it one voice, and what came of it; `taken` other voices speak at the end."""
    active = np.zeros((FRAMES, VOICES), dtype=np.float32)
    for start, end, _ in people:
        active[PLACE[start] : PLACE[end - 1] + 1, 0] = 0.9
    active[-20:, 1 : 1 + taken] = 0.8
    before = active.copy()
    alone = np.zeros((MOMENTS, VOICES), dtype=np.bool_)
    for start, end, _ in people:
        alone[start:end, 0] = True
    part(active, alone, np.arange(MOMENTS), PLACE, heard(people, cosine), Means())
    return before, active


TURNS = [(0, 200, 0), (210, 400, 1)]  # four seconds each


def test_two_people_get_a_voice_each() -> None:
    before, after = parted(TURNS)
    sides = [after[PLACE[20] : PLACE[160]], after[PLACE[250] : PLACE[380]]]
    owners = [int(side.sum(axis=0).argmax()) for side in sides]
    assert sorted(owners) == [0, 1]
    for side, owner in zip(sides, owners, strict=True):
        assert (side[:, owner] > 0.8).all()
        assert not np.delete(side, owner, axis=1).any()
    np.testing.assert_allclose(after.sum(axis=1), before.sum(axis=1))  # nobody speaks more or less than before


def test_one_person_stays_one_voice() -> None:
    before, after = parted([(0, 200, 0), (210, 400, 0)])
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(("cosine", "apart"), [(TWO - 0.2, True), (TWO + 0.1, False)])  # parts of both lie between
def test_people_are_as_unlike_as_stated(cosine: float, apart: bool) -> None:
    before, after = parted(TURNS, cosine=cosine)
    assert (after != before).any() == apart


def test_three_voices_leave_no_room() -> None:
    before, after = parted(TURNS, taken=2)
    np.testing.assert_array_equal(after, before)
    _, after = parted(TURNS, taken=1)
    assert after[:, 2].any()


@pytest.mark.parametrize("people", [[], [(0, 1, 0)], [(0, 70, 0), (75, 140, 1)], [(0, 300, 0), (310, 335, 1)]])
def test_little_speech_is_not_parted(people: list[tuple[int, int, int]]) -> None:
    before, after = parted(people)
    np.testing.assert_array_equal(after, before)
