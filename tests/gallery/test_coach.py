"""The enrolment coach on real recordings, and what was done to them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from makers import encode

import samevoice as sv
from samevoice.audio.resample import resample
from samevoice.audio.waveform import Samples, Waveform
from samevoice.embedder import Model
from samevoice.gallery import coach as coaching
from samevoice.gallery.checks import part, pause_snr
from samevoice.gallery.coach import Known, coach
from samevoice.gallery.replay import BITS, LEAST_WORDS, SAME_SOUND, likeness, trace_of
from samevoice.gallery.updating import may_update, update_bar
from samevoice.models.embedding import Embedding
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.cosine import cosine
from samevoice.scoring.decision import DEFAULT_FAR, SAME_LLR
from samevoice.speech.timeline import Segment, Timeline
from samevoice.verification import calibration_of

RATE = 16_000
SAMPLES = Path(__file__).parents[2] / "samples"
GOOD = (
    "librispeech_1255_a.flac",
    "philippe_1.flac",
    "philippe_2.flac",
    "sample_1a.mp3",
    "sample_1b.mp3",
    "sample_2.mp3",
)


def read(name: str) -> Samples:
    samples, rate = soundfile.read(SAMPLES / name, dtype="float32")
    return resample(Waveform(samples, rate), RATE).samples


def sounding(samples: Samples) -> Waveform:
    return Waveform(np.clip(samples, -1, 1).astype(np.float32), RATE)


def level(samples: Samples) -> Samples:
    return (0.05 * samples / np.std(samples)).astype(np.float32)


def with_noise(samples: Samples, snr_db: float) -> Samples:
    noise = np.random.default_rng(1).standard_normal(len(samples)) * np.std(samples) * 10 ** (-snr_db / 20)
    return (samples + noise).astype(np.float32)


def tune() -> Samples:
    """A melody with harmonics, two notes in a second."""
    pitches = 220 * 2 ** (np.array([0, 4, 7, 12, 9, 5, 7, 4, 2, 0]) / 12)
    time = np.arange(RATE // 2) / RATE
    notes = [
        sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 8)) * np.exp(-2 * time) for pitch in pitches
    ]
    return level(np.concatenate(notes))


READER, OTHER = read("librispeech_1255_a.flac"), read("philippe_1.flac")
READER_START = Waveform(READER[: 3 * RATE], RATE)
SHORTER = min(len(READER), len(OTHER))

BAD: dict[str, tuple[Callable[[], Samples], str]] = {
    "noise": (lambda: with_noise(READER, 0), "noise"),
    "music behind": (lambda: level(READER) + np.resize(tune(), len(READER)), "noise"),
    "clipped": (lambda: np.clip(READER * 10 / np.abs(READER).max(), -1, 1) * 0.5, "clipped"),
    "one after the other": (lambda: np.concatenate([level(READER), level(OTHER)]), "two-voices"),
    "too short": (lambda: READER[: int(1.3 * RATE)], "short-speech"),
    "digital silence": (lambda: np.zeros(3 * RATE, dtype=np.float32), "silence"),
    "empty room": (
        lambda: (0.003 * np.random.default_rng(2).standard_normal(3 * RATE)).astype(np.float32),
        "no-speech",
    ),
    "music alone": (tune, "no-speech"),
}


@pytest.fixture(scope="module")
def model() -> Model:
    return sv.load_model("campplus", threads=1)


@pytest.fixture(scope="module")
def calibration(model: Model) -> Calibration:
    found = calibration_of(model)
    assert found is not None
    return found


@pytest.mark.parametrize("name", GOOD)
def test_a_good_recording_passes_and_is_embedded_as_ever(model: Model, name: str) -> None:
    found = coach(SAMPLES / name, model)
    assert found.usable
    assert found.embedding is not None
    assert cosine(found.embedding, model.embed(SAMPLES / name)) > 0.9999
    assert {one.code for one in found.advice} <= {"short-speech"}
    assert bool(found.advice) == (found.embedding.seconds < 5)


def test_light_noise_passes(model: Model) -> None:
    assert coach(sounding(with_noise(READER, 20)), model).usable


@pytest.mark.parametrize(("make", "code"), BAD.values(), ids=BAD)
def test_a_bad_recording_is_refused_for_what_is_wrong(model: Model, make: Callable[[], Samples], code: str) -> None:
    found = coach(sounding(make()), model)
    assert not found.usable
    assert code in [one.code for one in found.advice if one.refuses]
    assert all("; " in one.sentence for one in found.advice)  # what is wrong; what to do


def test_refusals_come_first(model: Model) -> None:
    found = coach(sounding(with_noise(READER_START.samples, 0)), model)
    assert [(one.code, one.refuses) for one in found.advice[-2:]] == [("noise", True), ("short-speech", False)]


def test_two_voices_at_once_are_refused(model: Model) -> None:
    found = coach(sounding(level(READER[:SHORTER]) + level(OTHER[:SHORTER])), model)
    assert {"two-voices", "inconsistent", "noise"} & {one.code for one in found.advice if one.refuses}


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_telephone_speech_is_refused_unless_it_is_meant(model: Model, rate: int) -> None:
    narrow = resample(resample(Waveform(READER, RATE), 8_000), rate)
    (refusal,) = coach(narrow, model).advice
    assert refusal.refuses
    assert refusal.code == "narrow-band"
    assert '"telephone"' in refusal.sentence
    meant = coach(narrow, model, channel="telephone")
    assert meant.usable
    assert [(one.code, one.refuses) for one in meant.advice] == [("narrow-band", False)]


@pytest.mark.parametrize("kind", ["mp3", "ogg-opus"])
def test_a_replayed_recording_is_known_again(model: Model, kind: str) -> None:
    again = encode(kind, 0.3 * READER[RATE // 3 : -RATE // 4], RATE)
    known = [Known(name, 0.1, 5.0, (trace_of(Waveform(one, RATE)),)) for name, one in (("Bob", OTHER), ("Ann", READER))]
    found = coach(again, model, others=lambda _: known, person="Ann")
    assert [one.sentence for one in found.advice if one.refuses] == [
        "this very recording is enrolled already, for Ann; a new recording is needed"
    ]
    assert coach(again, model, others=lambda _: known[:1]).usable


def test_another_recording_of_the_same_voice_is_no_replay(model: Model) -> None:
    known = [Known("Ann", 0.7, 2.0, (trace_of(Waveform(read("sample_1a.mp3"), RATE)),))]
    assert coach(SAMPLES / "sample_1b.mp3", model, others=lambda _: known).usable


@pytest.mark.parametrize(
    ("score", "person", "people", "codes"),
    [(0.75, None, 1, ["alike"]), (0.3, None, 1, []), (0.75, "Ann", 1, []), (0.75, None, 10**9, [])],
)
def test_a_voice_enrolled_under_another_name_is_pointed_out(
    model: Model, score: float, person: str | None, people: int, codes: list[str]
) -> None:
    known = [Known("Bob", 0.0, 9.0), Known("Ann", score, 9.0)]
    found = coach(READER_START, model, others=lambda _: known, person=person, people=people)
    assert found.usable
    assert [one.code for one in found.advice if one.code != "short-speech"] == codes


def test_a_stream_is_judged_like_a_file(model: Model) -> None:
    asked: list[Embedding] = []

    def others(embedding: Embedding) -> list[Known]:
        asked.append(embedding)
        return []

    one = coach(io.BytesIO((SAMPLES / "sample_2.mp3").read_bytes()), model, name="microphone", others=others)
    other = coach(SAMPLES / "sample_2.mp3", model)
    assert one.embedding is not None
    assert other.embedding is not None
    assert asked == [one.embedding]
    assert one.report.name == "microphone"
    assert np.array_equal(one.embedding.vector, other.embedding.vector)
    assert (one.advice, one.trace) == (other.advice, other.trace)
    assert repr(one) == "Coached('microphone', ['short-speech'], usable=True)"  # no vector, no trace


def test_of_a_long_recording_the_beginning_counts(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coaching, "MOST_SECONDS", 20.0)
    silent = np.zeros(15 * RATE, dtype=np.float32)
    late, early = (sounding(np.concatenate(parts)) for parts in ((silent, silent, READER), (READER, silent, OTHER)))
    found = coach(early, model)
    assert found.usable  # the second voice comes later
    assert found.embedding is not None
    assert found.embedding.seconds <= 20 < found.report.seconds
    assert [one.code for one in coach(late, model).advice] == ["no-speech"]


# --- changing somebody who is enrolled


@given(st.floats(-1, 1), st.floats(5, 60), st.floats(1.5, 600))
def test_the_bar_for_a_change_is_higher_than_that_of_a_login(
    calibration: Calibration, score: float, new: float, known: float
) -> None:
    seconds = min(new, known)
    login = max(calibration.threshold(DEFAULT_FAR, seconds), calibration.crossing(SAME_LLR, seconds))
    assert update_bar(calibration, seconds) > login
    refusal = may_update(score, (new, known), calibration)
    assert (refusal is None) == (score >= update_bar(calibration, seconds))
    if refusal is None:
        assert calibration.llr(score, seconds) >= calibration.max_llr - 1e-9
    else:
        assert refusal.refuses


def test_too_little_speech_or_no_calibration_changes_nobody(calibration: Calibration) -> None:
    short, unknown = may_update(0.99, (4.99, 60.0), calibration), may_update(0.99, (60.0, 60.0), None)
    assert short is not None
    assert short.sentence.startswith("4.9 s of speech")
    assert unknown is not None
    assert "no calibration" in unknown.sentence


# --- traces


WORDS = st.lists(st.just(0) | st.integers(0, 2**BITS - 1), min_size=20, max_size=60)


@given(WORDS, WORDS)
def test_likeness_is_that_of_plain_counting(one: list[int], other: list[int]) -> None:
    words, best = (one, other), 0.0
    for shift in range(-len(words[1]), len(words[0]) + 1):
        both = [(a, words[1][at - shift]) for at, a in enumerate(words[0]) if 0 <= at - shift < len(words[1])]
        heard = [(a, b) for a, b in both if a and b]
        if len(heard) >= LEAST_WORDS:
            differing = sum((a ^ b).bit_count() for a, b in heard)
            best = max(best, (BITS * len(heard) - 2 * differing) / np.sqrt(BITS * len(heard)))
    traces = [b"".join(word.to_bytes(2, "big") for word in row) for row in words]
    assert likeness(*traces) == pytest.approx(best, abs=1e-6)


def test_a_trace_forgets_level_and_colour_but_not_the_sound() -> None:
    first = trace_of(Waveform(READER, RATE))
    coloured = np.convolve(READER, [1, -0.7], mode="same").astype(np.float32)
    assert likeness(trace_of(Waveform(0.01 * READER, RATE)), first) > 3 * SAME_SOUND
    assert likeness(trace_of(Waveform(coloured, RATE)), first) > 2 * SAME_SOUND
    assert likeness(trace_of(Waveform(OTHER, RATE)), first) < SAME_SOUND
    assert len(first) <= 2 * len(READER) / (0.064 * RATE)


def test_silence_agrees_with_nothing() -> None:
    silent = trace_of(Waveform(np.zeros(9 * RATE, dtype=np.float32), RATE))
    assert not any(silent)
    assert likeness(silent, silent) == 0


@pytest.mark.parametrize("count", [1, 511, 512, 9_000])
def test_short_sounds_leave_no_trace(count: int) -> None:
    assert trace_of(Waveform(READER[:count], RATE)) == b""


def test_what_is_no_trace_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        likeness(b"abc", b"abcd")
    with pytest.raises(ValueError, match="8000 Hz"):
        trace_of(Waveform(READER, 8_000))


# --- measures


@given(st.floats(2, 40), st.integers(0, 2**32 - 1))
def test_pause_snr_finds_the_ratio_of_steady_sounds(snr_db: float, seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(4 * RATE) * 0.003
    voice = np.random.default_rng(seed + 1).standard_normal(4 * RATE) * 0.003 * 10 ** (snr_db / 20)
    voice[: 2 * RATE] = 0
    sound = Waveform((noise + voice).astype(np.float32), RATE)
    found = pause_snr(sound, Timeline([Segment(2.0, 4.0)], 4.0))
    assert found == pytest.approx(snr_db, abs=1.5)


def test_a_word_that_the_detector_missed_is_no_noise() -> None:
    noise = np.random.default_rng(3).standard_normal(4 * RATE).astype(np.float32) * 0.001
    noise[2 * RATE :] *= 100
    noise[: RATE // 5] *= 300
    found = pause_snr(Waveform(noise, RATE), Timeline([Segment(2.0, 4.0)], 4.0))
    assert found == pytest.approx(40, abs=1.5)


@given(st.integers(2, 20), st.integers(2, 20), st.floats(-0.5, 0.5), st.integers(0, 2**32 - 1))
def test_two_groups_are_parted_where_they_are(first: int, second: int, apart: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    means = np.zeros((2, 32))
    means[0, 0], means[1, :2] = 1, (apart, np.sqrt(1 - apart**2))
    which = rng.permutation([0] * first + [1] * second)
    vectors = means[which] + 0.01 * rng.standard_normal((len(which), 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = part(vectors.astype(np.float32), 10.0)
    assert found.cosine == pytest.approx(apart, abs=0.1)
    assert found.share == pytest.approx(min(first, second) / (first + second))
    assert found.seconds == pytest.approx(10 * found.share)


def test_equal_vectors_are_one_voice() -> None:
    assert part(np.full((5, 4), 0.5, dtype=np.float32), 5.0).cosine == pytest.approx(1)
