"""A recording to play and its outline."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from jobmakers import RATE, conversation, room_for, wav
from numpy.typing import NDArray

from samevoice.errors import AudioError, DataError
from samevoice.service.peaks import length, outlined, prepare


def ignored(_: float) -> None:
    """Nobody asks how far it is."""


def prepared(place: Path, audio: Path) -> float:
    return prepare(audio, "talk", place / "sound.flac", place / "peaks.npy", most=60, told=ignored)


def test_another_rate_two_channels_and_beyond_full_scale(tmp_path: Path) -> None:
    time = np.arange(44_100) / 44_100
    tone = 1.5 * np.sin(2 * np.pi * 200 * time).astype(np.float32)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, tone], axis=1), 44_100, subtype="FLOAT")
    assert prepared(tmp_path, tmp_path / "tone.wav") == pytest.approx(1.0, abs=0.001)
    sound, rate = soundfile.read(tmp_path / "sound.flac", dtype="float32")
    assert (rate, sound.ndim) == (RATE, 1)
    middle = slice(RATE // 4, RATE * 3 // 4)
    expected = np.clip(1.5 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE), -1, 1)
    np.testing.assert_allclose(sound[middle], expected[middle], atol=0.02)
    assert max(outlined(tmp_path / "peaks.npy", 10)) == 1.0


def test_a_disk_that_fills_up_with_the_last_bytes(tmp_path: Path) -> None:
    """What libsndfile holds back until the end is lost without a word."""
    audio = wav(tmp_path / "talk.wav", conversation())
    seconds = prepared(tmp_path, audio)
    assert length(tmp_path / "sound.flac") == pytest.approx(seconds)
    size = (tmp_path / "sound.flac").stat().st_size
    for missing in (1, 500, size // 2):
        with room_for(size - missing), pytest.raises(OSError, match="space"):
            prepared(tmp_path, audio)
        assert (tmp_path / "sound.flac").stat().st_size == size


def test_what_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"^talk: "):
        prepared(tmp_path, tmp_path / "text.wav")


@given(
    levels=st.lists(st.floats(0, 1, width=16), min_size=1, max_size=300),
    points=st.integers(1, 400),
)
def test_each_part_has_the_highest_of_its_cells(
    tmp_path_factory: pytest.TempPathFactory, levels: list[float], points: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "outline.npy"
    np.save(path, np.array(levels, dtype=np.float16))
    found = outlined(path, points)
    count = min(points, len(levels))
    starts = [number * len(levels) // count for number in range(count)] + [len(levels)]
    expected = [max(levels[first:last]) for first, last in pairwise(starts)]
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY", b"no outline"])
def test_a_damaged_outline(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "peaks.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError):
        outlined(path, 10)


@pytest.mark.parametrize("array", [np.zeros((2, 2), np.float16), np.zeros(0, np.float16), np.zeros(3), np.array(["a"])])
def test_another_array(tmp_path: Path, array: NDArray[Any]) -> None:
    np.save(tmp_path / "peaks.npy", array)
    with pytest.raises(DataError):
        outlined(tmp_path / "peaks.npy", 10)
