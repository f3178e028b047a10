"""Stretches cover a recording however it arrives, and what is heard in each hangs on its sound alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import samevoice as sv
from samevoice.audio.waveform import Samples, Waveform
from samevoice.diarization.diarizer import Diarizer, load_diarizer
from samevoice.diarization.evidence import ARRAYS, HOP, Evidence, joined
from samevoice.diarization.hearing import CORE, STRETCH, STRIDE, Stretch, stretches
from samevoice.speech.segmentation import FRAME, RATE, STEP, WINDOW

FIRST = CORE - STRIDE + WINDOW  # samples of a first stretch that another follows


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    """The real networks, on one core."""
    return load_diarizer(sv.load_model("campplus", threads=1), threads=1)


@pytest.fixture(scope="module")
def talk(samples: Path) -> Samples:
    """Two people who speak in turn for 137 s."""
    parts = []
    for number in range(14):
        name = ("librispeech_1255_a.flac", "philippe_1.flac")[number % 2]
        sound, rate = soundfile.read(samples / name, dtype="float32")
        assert rate == RATE
        parts += [np.roll(sound, 1000 * number), np.zeros(RATE * 5 // 2, dtype=np.float32)]
    whole: Samples = np.concatenate(parts)[: 137 * RATE]
    return whole


@pytest.fixture(scope="module")
def parts(diarizer: Diarizer, talk: Samples) -> list[Evidence]:
    """What is heard in its stretches."""
    return [diarizer.hear(stretch, "talk") for stretch in stretches([talk])]


def counting(length: int) -> Samples:
    """Samples that say where they are."""
    return np.arange(length, dtype=np.float32)


def cut(samples: Samples, places: list[int]) -> Iterator[Samples]:
    """The samples in blocks."""
    edges = [0, *sorted(place % (len(samples) + 1) for place in places), len(samples)]
    for start, end in pairwise(edges):
        yield samples[start:end]


def alike(one: Evidence, other: Evidence) -> bool:
    """Whether two hold the same, to the last bit."""
    return (one.recording, one.extent, one.model) == (other.recording, other.extent, other.model) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS
    )


def covers(found: list[Stretch], length: int) -> None:
    """Stretches follow each other on their grid, and leave nothing out."""
    assert [stretch.number for stretch in found] == list(range(len(found)))
    for stretch in found:
        start = max(stretch.number * CORE - STRIDE, 0)
        assert stretch.samples[0] == start
        np.testing.assert_array_equal(stretch.samples, np.arange(start, start + len(stretch.samples)))
        assert stretch.whole == (stretch is not found[-1])
        if stretch.whole:
            assert start + len(stretch.samples) == stretch.number * CORE + FIRST
    assert found[-1].samples[-1] == length - 1
    assert len(found[-1].samples) <= STRIDE + FIRST


@pytest.mark.parametrize(
    "length",
    [1, 2, WINDOW, FIRST - 1, FIRST, FIRST + 1, CORE, CORE + FIRST - 1, CORE + FIRST, CORE + FIRST + 1, 3 * CORE],
)
def test_stretches_cover_any_length(length: int) -> None:
    whole = list(stretches([counting(length)]))
    covers(whole, length)
    assert len(whole) == 1 + max(-(-(length - FIRST) // CORE), 0)


@settings(max_examples=25)
@given(st.integers(1, 2 * CORE + FIRST), st.lists(st.integers(0, 2 * CORE + FIRST), max_size=8))
def test_stretches_do_not_hang_on_blocks(length: int, places: list[int]) -> None:
    samples = counting(length)
    found = list(stretches(cut(samples, places)))
    covers(found, length)
    for one, other in zip(found, stretches([samples]), strict=True):
        assert one.whole == other.whole
        assert np.array_equal(one.samples, other.samples)


def test_small_blocks() -> None:
    length = CORE + FIRST + 777
    samples = counting(length)
    found = list(stretches(samples[start : start + 4_001] for start in range(0, length, 4_001)))
    covers(found, length)
    assert len(found) == 3


@pytest.mark.parametrize("skipped", [0, 1, 2, 3, 5])
def test_stretches_that_are_not_wanted(skipped: int) -> None:
    samples = counting(2 * CORE + FIRST)
    whole = list(stretches([samples]))
    assert len(whole) == 3
    left = list(stretches([samples], skipped))
    assert [stretch.number for stretch in left] == list(range(3))[skipped:]
    for one, other in zip(left, whole[skipped:], strict=True):
        assert np.array_equal(one.samples, other.samples)


def test_no_samples_no_stretch() -> None:
    assert list(stretches([])) == []
    assert list(stretches([np.empty(0, dtype=np.float32)] * 3)) == []


def test_memory_does_not_grow_with_the_recording() -> None:
    second = np.zeros(RATE, dtype=np.float32)
    tracemalloc.start()
    try:
        for _ in stretches(second + 1 for _ in range(40 * 60)):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * 4 * FIRST  # the whole would take three times that
    assert 3 * 6 * 4 * FIRST < 40 * 60 * RATE * 4 * 1.01


def test_windows_lie_on_one_grid(parts: list[Evidence]) -> None:
    assert len(parts) == 2
    firsts = [part.firsts.tolist() for part in parts]
    assert firsts[0] == [STEP * number for number in range(STRETCH)]
    grid = [STEP * (STRETCH + number) for number in range(len(firsts[1]) - 1)]
    assert firsts[1][:-1] == grid
    assert 0 < firsts[1][-1] - grid[-1] <= STEP, "the last window ends with the recording"
    joined(parts, 137.0).check("here")


def test_spans_follow_each_other_without_gap_or_repeat(parts: list[Evidence]) -> None:
    border = CORE / RATE
    starts = np.concatenate([part.starts for part in parts])
    assert (np.diff(starts) >= 0.5).all()
    np.testing.assert_array_equal(starts % 0.5, 0)
    assert parts[0].starts[-1] < border <= parts[1].starts[0]
    assert parts[0].starts[-1] > border - 12


def test_what_is_heard_is_sound(parts: list[Evidence]) -> None:
    whole = joined(parts, 137.0)
    assert len(whole.windows) > 25
    for vectors in (whole.vectors, whole.span_vectors.astype(np.float32)):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=2e-3)
    assert whole.seconds.min() >= 0.2 - 1e-6
    assert whole.seconds.max() <= 10.0
    assert 0.5 < (whole.tracks[:, :, 3] > 127).mean() < 0.9
    nearest = whole.vectors @ whole.vectors.T
    np.fill_diagonal(nearest, -1)
    assert (nearest.max(axis=1) > 0.5).mean() > 0.9, "everybody speaks more than once"


def test_hearing_twice_is_hearing_once(diarizer: Diarizer, talk: Samples, parts: list[Evidence]) -> None:
    """Cut elsewhere, without the first stretch, after other sound: a stretch is heard as it was."""
    (last,) = stretches(cut(talk, [5, 99_999, 1_700_001]), skipped=1)
    diarizer.hear(Stretch(0, talk[:50_000], whole=False), "other")
    assert alike(diarizer.hear(last, "talk"), parts[1])


@pytest.mark.parametrize("length", [1, 400, 1_260, 1_261, 4_800, 159_840, 160_000, 160_001, 161_599, 161_600, 200_000])
def test_short_recordings(diarizer: Diarizer, talk: Samples, length: int) -> None:
    (stretch,) = stretches([talk[3_000 : 3_000 + length]])
    found = joined([diarizer.hear(stretch, "short")], length / RATE)
    found.check("here")
    assert found.extent == length / RATE
    assert len(found.firsts) == 1 + (length >= 161_600)
    assert (len(found.windows) > 0) == (length > 4_800)
    assert (found.starts < max(found.extent, HOP)).all()


@pytest.mark.parametrize("length", [1, RATE, 11 * RATE])
def test_silence_holds_nobody(diarizer: Diarizer, length: int) -> None:
    (stretch,) = stretches([np.zeros(length, dtype=np.float32)])
    found = joined([diarizer.hear(stretch, "silence")], length / RATE)
    found.check("here")
    assert len(found.windows) == len(found.starts) == 0


def test_a_recording_that_ends_with_a_stretch_keeps_its_last_spans(diarizer: Diarizer, talk: Samples) -> None:
    """To the sample, the last stretch is then as long as one that another follows."""
    (last,) = stretches([talk[:FIRST]])
    sound = np.zeros(FIRST, dtype=np.float32)
    sound[-12 * RATE :] = talk[: 12 * RATE]
    found = diarizer.hear(replace(last, samples=sound), "talk")
    assert found.starts[-1] > CORE / RATE


def test_listening_is_told_in_whole(diarizer: Diarizer, talk: Samples, parts: list[Evidence]) -> None:
    short = talk[: 20 * RATE]
    told: list[float] = []
    found = diarizer.listen(Waveform(short, RATE), name="talk", progress=told.append)
    (stretch,) = stretches([short])
    assert alike(found, joined([diarizer.hear(stretch, "talk")], 20.0))
    assert all(0 < share <= 1 for share in told)
    assert len(parts[0].firsts) * STEP * FRAME == CORE
