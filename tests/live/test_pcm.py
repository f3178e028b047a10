"""Bare samples, against libsndfile."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from samevoice.errors import AudioError, ConfigError
from samevoice.live.feed import Note, pcm
from samevoice.live.pcm import Decoder, Encoding

KINDS = {"PCM_U8": (8, False), "PCM_16": (16, False), "PCM_24": (24, False), "PCM_32": (32, False)}
KINDS |= {"FLOAT": (32, True), "DOUBLE": (64, True)}


@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(1, 3),
    st.integers(0, 200),
    st.lists(st.integers(0, 2_000), max_size=6),
    st.integers(0, 2**32),
)
def test_samples_are_those_of_libsndfile(kind: str, channels: int, count: int, points: list[int], seed: int) -> None:
    sound = np.random.default_rng(seed).uniform(-1, 1, (count, channels)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, sound, 16_000, subtype=kind, format="RAW")
    raw = file.getvalue()
    expected, _ = (
        soundfile.read(
            io.BytesIO(raw),
            samplerate=16_000,
            channels=channels,
            subtype=kind,
            format="RAW",
            dtype="float32",
            always_2d=True,
        )
        if count
        else (sound, 0)
    )
    bits, floating = KINDS[kind]
    decoder = Decoder(Encoding(16_000, channels, bits, floating))
    edges = [0, *sorted(min(point, len(raw)) for point in points), len(raw)]
    parts = [decoder.push(raw[first:last]) for first, last in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), expected.mean(axis=1, dtype=np.float32))
    assert decoder.left == b""


def test_a_pipe_may_end_within_a_sample() -> None:
    items = list(pcm(io.BytesIO(b"\1\0\2\0\3"), Encoding(8_000)).items)
    assert isinstance(items[0], np.ndarray)
    np.testing.assert_array_equal(items[0] * 32_768, [1, 2])
    (note,) = items[1:]
    assert isinstance(note, Note)
    assert "16-bit integers at 8000 Hz in 1 channel" in note.text


def test_a_pipe_that_breaks_is_an_error_in_words() -> None:
    class Broken:
        def read(self, size: int, /) -> bytes:
            del size
            raise OSError(5, "Input/output error")

    with pytest.raises(AudioError, match=r"standard input: cannot be read any more .*Input/output"):
        list(pcm(Broken(), Encoding()).items)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_floats_that_are_no_sound_are_refused(value: float) -> None:
    decoder = Decoder(Encoding(bits=64, floating=True))
    with pytest.raises(AudioError, match="samples"):
        decoder.push(np.array([0.0, value]).tobytes())


def test_what_cannot_be_decoded_is_refused() -> None:
    for wrong in ({"channels": 0}, {"channels": 65}, {"bits": 12}, {"bits": 16, "floating": True}):
        with pytest.raises(ConfigError):
            Encoding(**wrong)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="rate"):
        Encoding(rate=100)
