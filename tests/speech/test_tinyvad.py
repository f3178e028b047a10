"""The detector in the package as a whole: silence, noise and speech, and no memory of how the sound was cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.audio.waveform import Samples, Waveform
from samevoice.errors import AudioError, ModelError
from samevoice.loading import load_detector
from samevoice.models import shipped
from samevoice.models.encoder import read_model
from samevoice.speech.timeline import Segment, Timeline
from samevoice.speech.tinyvad import SPAN, TinyVad

RATE = 16_000
RECORDINGS = ("librispeech_1255_a", "librispeech_19_a", "philippe_1", "philippe_2")


@pytest.fixture(scope="module")
def detector() -> TinyVad:
    return TinyVad(shipped.read("vad"))


def cut(samples: Samples, points: list[int]) -> list[Waveform]:
    return [Waveform(part, RATE) for part in np.split(samples, points) if len(part)]


def recording(samples: Path, name: str) -> Waveform:
    return Waveform(*soundfile.read(samples / f"{name}.flac", dtype="float32"))


def covered(timeline: Timeline) -> np.ndarray:
    return timeline.covers((np.arange(int(100 * timeline.extent)) + 0.5) / 100)


def test_the_file_is_small_and_tells_what_it_is() -> None:
    assert shipped.path_of("vad").stat().st_size < 150_000
    card, _ = read_model(shipped.path_of("vad"))
    assert (card.name, card.kind, card.dimension, card.rate) == ("vad", "voice-activity", 0, RATE)
    assert card.frontend is not None
    assert (card.frontend.kind, card.frontend.bands) == ("kaldi-fbank", 80)
    assert "Silero" in card.licences.data


@settings(max_examples=40)
@given(points=st.lists(st.integers(0, 48_000), max_size=12).map(sorted))
def test_blocks_do_not_matter(detector: TinyVad, speech: Waveform, points: list[int]) -> None:
    whole, extent = detector.probabilities([speech])
    pieces, same = detector.probabilities(cut(speech.samples, points))
    assert extent == same == 3.0
    np.testing.assert_allclose(pieces, whole, atol=1e-5)
    assert detector(cut(speech.samples, points)) == detector([speech])


@pytest.mark.parametrize("size", [1, 159, 160, 161, 1_000])
def test_many_small_blocks_do_not_matter(detector: TinyVad, speech: Waveform, size: int) -> None:
    some = speech.samples[: min(48_000, 400 * size)]
    pieces, _ = detector.probabilities(cut(some, list(range(size, len(some), size))))
    np.testing.assert_allclose(pieces, detector.probabilities([Waveform(some, RATE)])[0], atol=1e-5)


def test_a_long_block_is_as_good_as_many(detector: TinyVad, speech: Waveform) -> None:
    long = np.tile(speech.samples, 16)
    assert len(long) > 2 * SPAN
    pieces, _ = detector.probabilities(cut(long, list(range(16_000, len(long), 16_000))))
    np.testing.assert_allclose(detector.probabilities([Waveform(long, RATE)])[0], pieces, atol=1e-5)


def test_a_stream_keeps_no_more_than_it_needs_and_is_late_by_a_fifth_of_a_second(
    detector: TinyVad, speech: Waveform
) -> None:
    stream, told = detector.stream(), 0
    for number in range(1, 601):
        told += len(stream.push(speech.samples[number % 30 * 1_600 :][:1_600]))
        assert told * detector.hop > number * 0.1 - 0.24
        assert len(stream._frames) <= 66 + 18 + 12
        assert len(stream._rest) < 560
    told += len(stream.finish())
    assert 59.97 <= told * detector.hop <= 60.0
    assert len(stream.finish()) == 0


@pytest.mark.parametrize(
    ("count", "answers"), [(0, 0), (1, 0), (399, 0), (400, 1), (559, 1), (560, 1), (720, 2), (880, 2), (5_120, 15)]
)
def test_one_probability_per_two_frames(detector: TinyVad, speech: Waveform, count: int, answers: int) -> None:
    blocks = [Waveform(speech.samples[:count], RATE)] if count else []
    probabilities, extent = detector.probabilities(blocks)
    assert len(probabilities) == answers
    assert probabilities.dtype == np.float32
    assert extent == count / RATE
    assert detector(blocks).extent == extent


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01])
def test_what_is_no_voice_is_no_speech(detector: TinyVad, silence: Waveform, noise: Waveform, level: float) -> None:
    times = np.arange(48_000) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 440 * times)
    hum = 0.2 * np.sin(2 * np.pi * 50 * times) + 0.1 * np.sin(2 * np.pi * 150 * times)
    clicks = 0.5 * (np.arange(48_000) % 8_000 < 20)
    for sound in (silence.samples, noise.samples, tone, hum, clicks):
        got = detector([Waveform((level * sound).astype(np.float32), RATE)])
        assert len(got) == 0, got
        assert got.extent == 3.0


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize(("level", "least"), [(1.0, 0.95), (0.1, 0.94), (0.03, 0.92)])
def test_it_says_what_silero_says(detector: TinyVad, samples: Path, name: str, level: float, least: float) -> None:
    """F1 over moments 10 ms apart, while Silero always hears the recording as it is."""
    try:
        teacher = load_detector()
    except ModelError as error:
        pytest.skip(str(error))
    whole = recording(samples, name)
    wanted = covered(teacher([whole]))
    found = covered(detector([Waveform(np.float32(level) * whole.samples, RATE)]))
    assert 2 * (found & wanted).sum() / (found.sum() + wanted.sum()) >= least


def test_speech_between_silences_is_found_in_place(detector: TinyVad, speech: Waveform) -> None:
    """2 s of nothing, 3 s of speech, 2 s of nothing; at half, a tenth and a hundredth of the level too."""
    quiet = np.zeros(32_000, dtype=np.float32)
    for gain in (1.0, 0.5, 0.1, 0.01):
        got = detector([Waveform(np.concatenate([quiet, np.float32(gain) * speech.samples, quiet]), RATE)])
        assert got.duration > 1.8
        assert (got & Timeline([Segment(1.8, 5.2)], 7.0)).duration == pytest.approx(got.duration)


def test_speech_up_to_the_end_is_speech_up_to_the_end(detector: TinyVad, speech: Waveform) -> None:
    """The last frames have no features, but the padding reaches over them."""
    whole = detector([speech])
    middle = whole.segments[0].start + 0.5
    for size in range(round(middle * RATE), round(middle * RATE) + 320, 37):
        got = detector([Waveform(speech.samples[:size], RATE)])
        assert got.segments[-1].end == got.extent


def test_nothing_is_kept_between_recordings(detector: TinyVad, speech: Waveform, noise: Waveform) -> None:
    first = detector.probabilities([speech])[0]
    detector([noise])
    np.testing.assert_array_equal(detector.probabilities([speech])[0], first)


def test_another_rate_is_refused(detector: TinyVad) -> None:
    with pytest.raises(AudioError, match="16000 Hz, got 8000 Hz; resample first"):
        detector([Waveform(np.zeros(8_000), 8_000)])


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ModelError, match="vad: ONNX Runtime cannot open this model"):
        TinyVad(b"no graph")
