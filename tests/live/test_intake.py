"""The two threads: the one that fetches sound, and the one that hears stretches."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from livemakers import feed

from samevoice.audio.waveform import Samples
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.hearing import Stretch, stretches
from samevoice.errors import AudioError, ModelError
from samevoice.live.background import Background
from samevoice.live.feed import Note
from samevoice.live.intake import Intake

BLOCK = np.ones(10, dtype=np.float32)


def settled(count: list[int]) -> int:
    """What a counter shows when it no longer moves."""
    before = -1
    while count[0] != before:
        before = count[0]
        time.sleep(0.05)
    return before


def test_a_slow_listener_makes_the_source_wait_and_nothing_is_lost() -> None:
    taken = [0]

    def blocks() -> Iterator[Samples | Note]:
        for number in range(50):
            taken[0] += 1
            yield BLOCK * number

    intake = Intake(feed(blocks()), most=5)
    assert settled(taken) == 6
    found = []
    for arrived in intake:
        assert not isinstance(arrived.item, Note)
        assert arrived.waited >= 0
        found.append(int(arrived.item[0]))
    assert found == list(range(50))


def test_waiting_is_measured() -> None:
    intake = Intake(feed([BLOCK, BLOCK]))
    time.sleep(0.2)
    assert all(arrived.waited >= 0.15 for arrived in intake)


def test_stopping_hands_out_what_came_and_ends_the_thread() -> None:
    taken = [0]

    def endless() -> Iterator[Samples | Note]:
        while True:
            taken[0] += 1
            yield BLOCK

    before = threading.active_count()
    intake = Intake(feed(endless()), most=5)
    settled(taken)
    intake.stop()
    arriving = iter(intake)
    for _ in range(5):
        next(arriving)
    assert settled(taken) == 11  # it waits for room again
    assert list(arriving) == []
    time.sleep(0.1)
    assert threading.active_count() == before


def test_failures_come_through() -> None:
    def failing(error: BaseException) -> Iterator[Samples | Note]:
        yield BLOCK
        raise error

    *_, last = Intake(feed(failing(AudioError("gone"))))
    assert last.item == Note("gone")
    with pytest.raises(ZeroDivisionError):  # a defect is no note
        list(Intake(feed(failing(ZeroDivisionError()))))


def evidence(stretch: Stretch) -> Evidence:
    """Nothing but the stretch's length."""
    none = np.zeros(0, dtype=np.int64)
    tracks, short = np.zeros((0, 589, 5), dtype=np.uint8), np.zeros(0, dtype=np.float32)
    vectors = np.zeros((0, 2), dtype=np.float32)
    return Evidence(
        "x", float(stretch.samples.sum()), "m", none, tracks, none, none, short, vectors, short, vectors.astype("f2")
    )


def test_stretches_are_heard_while_sound_comes() -> None:
    second = np.ones(16_000, dtype=np.float32)
    background = Background(evidence)
    for _ in range(300):
        background.push(second)
    parts = background.finish()
    expected = [evidence(stretch) for stretch in stretches([second] * 300)]
    assert [one.extent for one in parts] == [one.extent for one in expected]
    assert len(parts) == 3


@pytest.mark.parametrize("seconds", [10, 1_000])
def test_a_failure_in_the_background_is_told_and_nobody_waits_for_ever(seconds: int) -> None:
    def failing(_: Stretch) -> Evidence:
        raise ModelError("campplus: fails")

    background = Background(failing)
    with pytest.raises(ModelError, match="campplus: fails"):  # noqa: PT012 - either of the two says so
        for _ in range(seconds):
            background.push(np.zeros(16_000, dtype=np.float32))
        background.finish()


def test_no_sound_leaves_no_parts() -> None:
    assert Background(evidence).finish() == []
