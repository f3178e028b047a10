"""The sound value keeps its promises."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.errors import AudioError


def test_read_only_and_the_callers_array_untouched() -> None:
    mine = np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    before = mine.copy()
    wave = Waveform(mine, 16_000)
    with pytest.raises(ValueError, match="read-only"):
        wave.samples[0] = 1.0
    assert mine.flags.writeable
    mine[0] = before[0]
    np.testing.assert_array_equal(mine, before)


@pytest.mark.parametrize("clone", [lambda wave: pickle.loads(pickle.dumps(wave)), copy.deepcopy, copy.copy])  # noqa: S301
def test_copies_are_read_only_too(clone: Any, speech: Waveform) -> None:
    twin: Waveform = clone(speech)
    assert not twin.samples.flags.writeable
    assert twin.rate == speech.rate
    np.testing.assert_array_equal(twin.samples, speech.samples)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([-32768, 0, 16384], np.int16),
        ([-(2**31), 0, 2**30], np.int32),
        ([0, 128, 192], np.uint8),
        ([-128, 0, 64], np.int8),
    ],
)
def test_integers_are_scaled_by_their_full_range(values: list[int], dtype: type[np.integer[Any]]) -> None:
    np.testing.assert_array_equal(Waveform(np.array(values, dtype=dtype), 8_000).samples, [-1.0, 0.0, 0.5])


def test_columns_are_averaged() -> None:
    assert Waveform(np.zeros((1, 64)), 8_000).samples.shape == (1,)
    stereo = np.array([[0.5, -0.5], [0.2, 0.4]], dtype=np.float32)
    np.testing.assert_allclose(Waveform(stereo, 8_000).samples, [0.0, 0.3], atol=1e-7)
    np.testing.assert_array_equal(Waveform(np.array([[16384, 0]], dtype=np.int16), 8_000).samples, [0.25])


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.array([0.0, np.nan]), 16_000, "NaN or infinite"),
        (np.array([0.0, np.inf]), 16_000, "NaN or infinite"),
        (np.array([1e300]), 16_000, "NaN or infinite"),
        (np.array([0.0, 12_000.0]), 16_000, "divide 16-bit values by 32768"),
        (np.zeros(0), 16_000, "no samples"),
        (np.zeros((0, 2)), 16_000, "no samples"),
        (np.zeros((2, 0)), 16_000, "no samples"),
        (np.zeros((2, 2, 2)), 16_000, "shape"),
        (np.zeros((2, 48_000)), 16_000, r"shape \(2, 48000\): give \(n, channels\); transpose it"),
        (np.zeros((2, 65), dtype=np.int16), 16_000, "transpose it"),
        (np.float32(0.5), 16_000, "shape"),
        (np.zeros(4), 3_999, "3999 Hz"),
        (np.zeros(4), 768_001, "768001 Hz"),
        (np.zeros(4), 0, "0 Hz"),
        (np.zeros(4, dtype=np.complex128), 16_000, "not sound"),
        (np.array(["a", "b"]), 16_000, "not sound"),
        (np.zeros(4, dtype=np.bool_), 16_000, "not sound"),
    ],
)
def test_what_is_no_sound_is_refused(samples: NDArray[Any], rate: int, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        Waveform(samples, rate)


def test_duration_text_and_cut(speech: Waveform) -> None:
    assert repr(speech) == "Waveform(3.000 s, 16000 Hz)"
    part = speech.cut(1.0, 1.5)
    np.testing.assert_array_equal(part.samples, speech.samples[16_000:24_000])
    assert speech.cut(-5.0, 99.0).duration == 3.0
    with pytest.raises(AudioError, match="no samples"):
        speech.cut(2.0, 2.0)
    for start, end in ((0.0, -1.0), (-2.0, -1.0), (4.0, 5.0), (2.0, 1.0)):
        with pytest.raises(AudioError, match="no samples"):
            speech.cut(start, end)
    for start, end in ((0.0, np.nan), (np.nan, 1.0), (0.0, np.inf), (-np.inf, 1.0)):
        with pytest.raises(ValueError, match="finite bounds"):
            speech.cut(start, end)


def test_identity_not_value() -> None:
    first, second = Waveform(np.zeros(4), 8_000), Waveform(np.zeros(4), 8_000)
    assert first != second
    assert len({first, second}) == 2
