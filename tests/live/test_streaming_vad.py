"""Silero on a recording that is still going on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livemakers import RATE, READER, read

from samevoice.audio.waveform import Waveform
from samevoice.loading import load_detector
from samevoice.speech.vad import SileroVad

ROUNDING = 1e-6  # the network adds up in another order when it sees another number of windows


@pytest.fixture(scope="module")
def detector() -> SileroVad:
    return load_detector()


@settings(max_examples=25)
@given(points=st.lists(st.integers(0, 3 * RATE), max_size=8), length=st.integers(1, 3 * RATE))
def test_the_answer_is_that_of_the_whole(detector: SileroVad, points: list[int], length: int) -> None:
    sound = read(READER)[RATE : RATE + length]
    whole, extent = detector.probabilities([Waveform(sound, RATE)])
    stream = detector.stream()
    parts = [stream.push(part) for part in np.split(sound, sorted(min(point, length) for point in points))]
    found = np.concatenate([*parts, stream.finish()])
    assert extent == length / RATE
    assert len(found) == len(whole)
    np.testing.assert_allclose(found, whole, rtol=0, atol=ROUNDING)


def test_windows_come_as_soon_as_they_are_complete(detector: SileroVad) -> None:
    stream = detector.stream()
    counts = [len(stream.push(np.zeros(count, dtype=np.float32))) for count in (511, 1, 0, 1_024, 100)]
    assert counts == [0, 1, 0, 2, 0]
    assert [len(stream.finish()) for _ in range(2)] == [1, 0]


def test_two_streams_do_not_mix(detector: SileroVad) -> None:
    sound = read(READER)[RATE : 2 * RATE]
    alone = detector.stream().push(sound)
    first, second = detector.stream(), detector.stream()
    found = []
    for part in np.split(sound, 10):
        found.append(first.push(part))
        second.push(part[::-1].copy())
    np.testing.assert_allclose(np.concatenate(found), alone, rtol=0, atol=ROUNDING)
