"""The default detector as a whole: silence, noise and speech, and no memory of how the sound was cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from samevoice.audio.waveform import Samples, Waveform
from samevoice.errors import AudioError, ModelError
from samevoice.loading import load_detector
from samevoice.speech.timeline import Segment, Timeline
from samevoice.speech.vad import SileroVad


@pytest.fixture(scope="module")
def detector() -> SileroVad:
    try:
        return load_detector()
    except ModelError as error:
        pytest.skip(str(error))


def cut(samples: Samples, points: list[int]) -> list[Waveform]:
    return [Waveform(part, 16_000) for part in np.split(samples, points) if len(part)]


@pytest.mark.parametrize(
    "points",
    [
        [1],
        [511],
        [512],
        [513],
        [64, 65, 66],
        [16_000, 32_000],
        [100, 612, 1_700, 40_000],
        list(range(500, 48_000, 500)),
    ],
)
def test_blocks_do_not_matter(detector: SileroVad, speech: Waveform, points: list[int]) -> None:
    whole, extent = detector.probabilities([speech])
    pieces, same = detector.probabilities(cut(speech.samples, points))
    assert extent == same == 3.0
    np.testing.assert_allclose(pieces, whole, atol=1e-5)
    assert detector(cut(speech.samples, points)) == detector([speech])


def test_one_probability_per_window(detector: SileroVad, speech: Waveform) -> None:
    for count in (1, 511, 512, 513, 5_120):
        probabilities, extent = detector.probabilities([Waveform(speech.samples[:count], 16_000)])
        assert len(probabilities) == -(-count // 512)
        assert extent == count / 16_000
    assert detector([]) == Timeline((), 0.0)


def test_silence_and_noise_are_no_speech(detector: SileroVad, silence: Waveform, noise: Waveform) -> None:
    tone = Waveform(0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000), 16_000)
    for sound in (silence, noise, tone):
        got = detector([sound])
        assert len(got) == 0, got
        assert got.extent == 3.0


@pytest.mark.parametrize("name", ["librispeech_1255_a", "librispeech_19_a", "philippe_1", "philippe_2"])
def test_recordings_are_mostly_speech(detector: SileroVad, samples: Path, name: str) -> None:
    sound, rate = soundfile.read(samples / f"{name}.flac", dtype="float32")
    got = detector([Waveform(sound, rate)])
    assert 0.6 * got.extent < got.duration <= got.extent


def test_speech_between_silences_is_found_in_place(detector: SileroVad, speech: Waveform) -> None:
    """2 s of nothing, 3 s of speech, 2 s of nothing; at half and at a tenth of the level too."""
    quiet = np.zeros(32_000, dtype=np.float32)
    for gain in (1.0, 0.5, 0.1):
        got = detector([Waveform(np.concatenate([quiet, np.float32(gain) * speech.samples, quiet]), 16_000)])
        assert got.duration > 1.8
        assert (got & Timeline([Segment(1.8, 5.2)], 7.0)).duration == pytest.approx(got.duration)


def test_nothing_is_kept_between_recordings(detector: SileroVad, speech: Waveform, noise: Waveform) -> None:
    first = detector.probabilities([speech])[0]
    detector([noise])
    np.testing.assert_array_equal(detector.probabilities([speech])[0], first)


def test_another_rate_is_refused(detector: SileroVad) -> None:
    with pytest.raises(AudioError, match="16000 Hz, got 8000 Hz; resample first"):
        detector([Waveform(np.zeros(8_000), 8_000)])
