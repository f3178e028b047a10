"""Codecs: in place, in length, and near to what went in."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from samevoice.audio.waveform import Samples, Waveform
from samevoice.effects.codecs import CODECS, available, round_trip

# Least correlation with the input from 500 to 3,400 Hz, on the speech of the samples.
LEAST = {"mp3": 0.95, "opus": 0.97, "gsm": 0.85, "ulaw": 0.99, "g726": 0.97, "amr": 0.9, "aac": 0.97}


def band(samples: Samples, rate: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What every codec carries in phase; the high-pass of AMR turns the phases below."""
    filtered = scipy.signal.sosfiltfilt(scipy.signal.butter(6, (500, 3_400), "band", fs=rate, output="sos"), samples)
    return np.asarray(filtered)


def test_every_codec_is_measured_and_those_of_libsndfile_are_there() -> None:
    assert tuple(CODECS) == tuple(LEAST)
    assert {"mp3", "opus", "gsm", "ulaw", "g726"} <= set(available())


def test_what_ffmpeg_can_write_is_there() -> None:
    codecs = pytest.importorskip("av").codecs_available
    wanted = {name for name, encoder in (("aac", "aac"), ("amr", "libopencore_amrnb")) if encoder in codecs}
    assert wanted == {"aac", "amr"} & set(available())


@pytest.mark.parametrize("name", available())
def test_a_codec_keeps_times_length_level_and_most_of_the_wave(name: str, speech: Waveform) -> None:
    samples = speech.samples[: 2 * speech.rate]  # whole frames of AMR: its delay is not hidden in filling
    coded = round_trip(samples, speech.rate, name)
    assert coded.shape == samples.shape
    assert coded.dtype == np.float32
    before, after = band(samples, speech.rate), band(coded, speech.rate)
    lag = int(np.argmax(scipy.signal.correlate(after, before))) - (len(before) - 1)
    assert abs(lag) <= speech.rate // 1_000
    likeness = np.corrcoef(before, after)[0, 1]
    assert LEAST[name] < likeness < 0.99999  # and lossy it is
    assert np.std(after) == pytest.approx(np.std(before), rel=0.2)
    assert likeness < 0.96 or name not in ("gsm", "amr")
    assert np.std(coded[-64:]) > 0.3 * np.std(samples[-64:])  # the end is not cut off
    np.testing.assert_array_equal(round_trip(samples, speech.rate, name), coded)


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("scale", [1e-6, 30.0])
def test_the_level_does_not_matter(name: str, scale: float, speech: Waveform) -> None:
    samples = speech.samples[: speech.rate]
    expected = round_trip(samples, speech.rate, name)
    coded = round_trip(samples * np.float32(scale), speech.rate, name) / scale
    assert np.corrcoef(coded, expected)[0, 1] > 0.99
    assert np.std(coded) == pytest.approx(np.std(expected), rel=0.02)


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000])
def test_codecs_take_other_rates_and_any_length(name: str, rate: int) -> None:
    random = np.random.default_rng(0)
    for size in (1, 2, 159, 161, 5_000):
        samples = random.uniform(-1, 1, size).astype(np.float32)
        coded = round_trip(samples, rate, name)
        assert coded.shape == samples.shape
        assert np.isfinite(coded).all()
    silence = np.zeros(500, dtype=np.float32)
    np.testing.assert_array_equal(round_trip(silence, rate, name), silence)
