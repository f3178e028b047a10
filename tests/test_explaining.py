"""What a decision rests on: measured on real voices, with defects planted where they must be found."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from modelmakers import card, graph
from numpy.typing import NDArray

import samevoice as sv
from samevoice.audio.decode import open_recording
from samevoice.audio.resample import mix, waveforms
from samevoice.explaining import LONGER, MAX_SLICES, SLICE_SECONDS, Repeatable, _rises, explain
from samevoice.features.frontend import FrontendSpec
from samevoice.scoring.cosine import cosine
from samevoice.scoring.explanation import Explanation
from samevoice.speech import listening
from samevoice.speech.slices import count_slices, cut_slices, place_slices
from samevoice.speech.vad import VoiceActivityDetector, everything
from samevoice.verification import calibration_of

RATE = 16_000
SAMPLES = Path(__file__).parents[1] / "samples"
ONE, TWO, OTHER = (SAMPLES / name for name in ("philippe_1.flac", "philippe_2.flac", "librispeech_1255_a.flac"))
VOICE = slice(round(3.8 * RATE), round(5.3 * RATE))  # of OTHER: 1.5 s without a pause

Sound = NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.load_model("campplus", threads=1)


@pytest.fixture(scope="module")
def plain(model: sv.Model) -> Explanation:
    return explain(ONE, TWO, model=model)


def tiny(min_speech: float = 0.5) -> sv.Model:
    """A model without calibration that takes everything for speech."""
    spec = FrontendSpec("mel-power", RATE, 80)
    return sv.Model(card(graph(), frontend=spec, min_speech=min_speech), graph(), detector=everything)


def sound(path: Path) -> Sound:
    recording = open_recording(path)
    mono = (mix(block) for block in recording.blocks())
    return np.concatenate([block.samples for block in waveforms(mono, recording.info.rate, RATE)])


def hiss(seconds: float, seed: int = 0) -> Sound:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def power(samples: Sound) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


def telling(speech: sv.Timeline) -> VoiceActivityDetector:
    """A detector that knows the answer."""

    def told(blocks: Iterable[sv.Waveform], /) -> sv.Timeline:
        assert list(blocks)
        return speech

    return told


@pytest.mark.parametrize("options", [{}, {"far": 0.05}, {"threshold": 0.9}, {"prior": 0.01}])
def test_the_decision_is_that_of_verify(model: sv.Model, options: dict[str, float]) -> None:
    explanation = explain(ONE, OTHER, model=model, **options)
    assert explanation.decision == sv.verify(ONE, OTHER, model=model, **options)


def test_the_map_holds_cosines_of_slices(plain: Explanation) -> None:
    deaf = sv.load_model("campplus", threads=1, detector=everything)
    sounds = [sound(ONE), sound(TWO)]
    vectors = []
    for side, samples in zip(plain.sides, sounds, strict=True):
        moments = np.arange(len(samples)) / RATE
        spoken = np.array([any(moment in segment for segment in side.speech) for moment in moments])
        cuts = [samples[spoken & (moments >= one.start) & (moments < one.end)] for one in side.slices]
        assert all(abs(len(cut) / RATE - SLICE_SECONDS) < 0.001 for cut in cuts)
        vectors.append([deaf.embed(sv.Waveform(cut, RATE)).vector for cut in cuts])
    expected = np.array([[np.dot(row, column) for column in vectors[1]] for row in vectors[0]])
    assert plain.similarities.dtype == np.float32
    np.testing.assert_allclose(plain.similarities, expected, atol=2e-3)  # a slice may begin a sample later
    for side, along in zip(plain.sides, (plain.similarities, plain.similarities.T), strict=True):
        assert [one.similarity for one in side.slices] == pytest.approx([row.mean() for row in along], abs=1e-6)


@pytest.mark.parametrize(("at", "turned"), [(1.0, False), (2.0, True), (4.6, False)])
def test_a_planted_voice_is_found(model: sv.Model, at: float, turned: bool) -> None:
    samples, voice = sound(ONE), sound(OTHER)[VOICE]
    first = round(at * RATE)
    samples[first : first + len(voice)] = voice * np.sqrt(power(samples) / power(voice))
    pair: list[Repeatable] = [sv.Waveform(samples, RATE), TWO]
    explanation = explain(*pair[::-1] if turned else pair, model=model)
    planted, clean = explanation.sides[::-1] if turned else explanation.sides
    worst = planted.hurts_most
    assert worst is not None
    assert at <= (worst.start + worst.end) / 2 <= at + len(voice) / RATE
    assert clean.hurts_most is None
    least = min(planted.slices, key=lambda one: one.similarity)
    assert (least.start, least.end) == (worst.start, worst.end)
    # What is claimed for the rest is what a model that never hears the slice says.
    rest = planted.speech & sv.Timeline([sv.Segment(worst.start, worst.end)], planted.speech.extent).gaps()
    left = sv.load_model("campplus", threads=1, detector=telling(rest)).embed(sv.Waveform(samples, RATE))
    assert worst.score == pytest.approx(cosine(left, model.embed(TWO)), abs=1e-6)
    assert worst.score > (explanation.decision.score or 0) + 0.01
    assert f"{worst.start:.2f} to {worst.end:.2f} s hurts most" in str(explanation)


@pytest.mark.parametrize("name", ["campplus", "ge2e"])
def test_planted_noise_is_found(name: str) -> None:
    samples, at = 0.2 * sound(ONE), 2.4
    first, noise = round(at * RATE), hiss(1.5)
    there = samples[first : first + len(noise)]
    there += noise * np.float32(10 ** (25 / 20) * np.sqrt(power(there) / power(noise)))  # 25 dB above the speech
    explanation = explain(sv.Waveform(np.clip(samples, -1, 1), RATE), TWO, model=sv.load_model(name, threads=1))
    worst = explanation.sides[0].hurts_most
    assert worst is not None
    assert at <= (worst.start + worst.end) / 2 <= at + 1.5
    assert worst.llr is not None


def test_nothing_hurts_two_clean_recordings(plain: Explanation) -> None:
    assert [side.hurts_most for side in plain.sides] == [None, None]
    assert str(plain).count("would not raise the cosine") == 2


def test_duration_is_read_off_the_calibration() -> None:
    model = sv.load_model("ge2e", threads=1)
    explanation = explain(SAMPLES / "sample_1a.mp3", SAMPLES / "sample_1b.mp3", model=model)
    calibration, duration, decision = calibration_of(model), explanation.duration, explanation.decision
    assert calibration is not None
    assert duration is not None
    assert decision.score is not None
    assert (duration.seconds, duration.longest) == (min(decision.speech), calibration.durations[-1])
    assert duration.llr == decision.llr
    bias, slope, log_bias, log_slope = calibration.weights
    log = np.log(duration.longest)
    llr = bias + slope * decision.score + log_bias * log + log_slope * decision.score * log
    assert duration.llr_longest == pytest.approx(min(llr, calibration.max_llr), abs=1e-6)
    assert duration.llr_longest != duration.llr


def test_facts_about_the_sound_are_told(plain: Explanation, model: sv.Model) -> None:
    for side, path in zip(plain.sides, (ONE, TWO), strict=True):
        report = model.listen(path).report
        assert side.report == report
        assert f"{path}: speech {report.snr_db:.0f} dB above the noise" in str(plain)


def test_too_little_speech_is_no_error(model: sv.Model, silence: sv.Waveform) -> None:
    explanation = explain(ONE, silence, model=model)
    assert explanation.decision == sv.verify(ONE, silence, model=model)
    assert explanation.decision.verdict == "unsure"
    assert explanation.similarities.shape == (0, 0)
    assert [side.slices for side in explanation.sides] == [(), ()]
    assert explanation.duration is None
    assert "second recording: noise unknown" in str(explanation)
    json.dumps(explanation.to_json(), allow_nan=False)


def test_barely_enough_speech_is_one_slice() -> None:
    short = sv.load_model("campplus", threads=1, detector=everything)
    piece = sv.Waveform(sound(TWO)[2 * RATE : 2 * RATE + 8_000], RATE)  # as much as the model needs
    explanation = explain(piece, ONE, model=short)
    (only,) = explanation.sides[0].slices
    assert (only.start, only.end, only.rise) == (0.0, 0.5, 0.0)
    assert explanation.sides[0].hurts_most is None
    assert explanation.similarities.shape[0] == 1


def test_a_model_without_calibration() -> None:
    explanation = explain(sv.Waveform(hiss(4), RATE), sv.Waveform(sound(ONE), RATE), model=tiny(), threshold=0.5)
    assert explanation.duration is None
    assert all(side.hurts_most is None or side.hurts_most.llr is None for side in explanation.sides)
    assert "Duration" not in str(explanation)
    json.dumps(explanation.to_json(), allow_nan=False)


def test_slices_are_as_long_as_the_model_needs() -> None:
    explanation = explain(sv.Waveform(hiss(9), RATE), sv.Waveform(hiss(2.1, 1), RATE), model=tiny(2.0), threshold=0.5)
    first, second = explanation.sides
    assert first.seconds == pytest.approx(2.0 * LONGER)
    assert all(one.end - one.start == pytest.approx(2.0 * LONGER) for one in first.slices)
    assert len(second.slices) == 1


def test_slices_of_long_recordings_are_few_and_spread() -> None:
    explanation = explain(sv.Waveform(hiss(100), RATE), sv.Waveform(hiss(3, 1), RATE), model=tiny(), threshold=0.5)
    side = explanation.sides[0]
    assert len(side.slices) == MAX_SLICES < side.covering
    assert (side.slices[0].start, side.slices[-1].end) == pytest.approx((0, 100))
    assert np.ptp(np.diff([one.start for one in side.slices])) < 1e-6
    assert "60 (evenly spread) of 1.5 s against 3 of 1.5 s" in str(explanation)


def test_json_tells_everything(plain: Explanation) -> None:
    said = json.loads(json.dumps(plain.to_json(), allow_nan=False))
    assert set(said) == {"sides", "similarities", "duration"}
    np.testing.assert_allclose(said["similarities"], plain.similarities)
    for told, side in zip(said["sides"], plain.sides, strict=True):
        assert [(one["start"], one["end"]) for one in told["slices"]] == [(one.start, one.end) for one in side.slices]
        assert told["report"]["snr_db"] == side.report.snr_db


@pytest.mark.parametrize("stream", ["-", io.BytesIO(b"RIFF")])
def test_streams_are_refused(model: sv.Model, stream: str) -> None:
    with pytest.raises(sv.AudioError, match="only once"):
        explain(ONE, stream, model=model)


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_rises_are_those_of_a_plain_loop(count: int, dimension: int, seed: int) -> None:
    draw = np.random.default_rng(seed).standard_normal((count + 1, dimension))
    unit = (draw / np.linalg.norm(draw, axis=1, keepdims=True)).astype(np.float32)
    slices, other = unit[:-1].astype(np.float64), unit[-1].astype(np.float64)

    def score(chosen: NDArray[np.float64]) -> float:
        total = chosen.sum(axis=0)
        return float(total @ other / np.linalg.norm(total))

    norms = [np.linalg.norm(np.delete(slices, index, axis=0).sum(axis=0)) for index in range(count)]
    if count > 1 and min(*norms, np.linalg.norm(slices.sum(axis=0))) < 1e-3:
        return  # no direction is left
    expected = [score(np.delete(slices, index, axis=0)) - score(slices) if count > 1 else 0 for index in range(count)]
    np.testing.assert_allclose(_rises(unit[:-1], unit[-1]), expected, atol=1e-6)


spans = st.lists(st.tuples(st.floats(0.05, 5), st.floats(0.05, 5)), min_size=1, max_size=12)


@given(spans, st.floats(0.2, 3), st.integers(1, 40))
def test_slices_lie_in_the_speech(pieces: list[tuple[float, float]], seconds: float, most: int) -> None:
    at, segments = 0.0, []
    for pause, length in pieces:
        segments.append(sv.Segment(at + pause, at + pause + length))
        at += pause + length
    speech = sv.Timeline(segments, at + 1)
    places = place_slices(speech, seconds, most)
    assert len(places) == min(count_slices(speech, seconds), most)
    for place in places:  # every one holds so much speech, and begins and ends with speech
        inside = speech & sv.Timeline([place], speech.extent)
        assert inside.duration == pytest.approx(min(seconds, speech.duration), abs=1e-5)
        assert inside.segments[0].start - place.start < 1e-5
        assert place.end - inside.segments[-1].end < 1e-5
    assert places == sorted(places)
    assert places[0].start == pytest.approx(segments[0].start, abs=1e-5)
    if len(places) == count_slices(speech, seconds):
        assert (speech & sv.Timeline(places, speech.extent)).duration == pytest.approx(speech.duration)
        for one, following in pairwise(places):
            shared = speech & sv.Timeline([sv.Segment(following.start, one.end)], speech.extent)
            assert shared.duration >= seconds / 2 - 1e-5


@pytest.mark.parametrize("kept", [300.0, 1.0])
def test_cuts_are_the_samples_of_the_speech(kept: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "KEPT_SECONDS", kept)
    ramp = np.linspace(-1, 1, 47 * RATE, dtype=np.float32)  # three blocks; the value tells the place
    speech = sv.Timeline([sv.Segment(0.5, 19.75), sv.Segment(20.5, 39.5), sv.Segment(41, 46.5)], 47)
    heard = listening.listen(sv.Waveform(ramp, RATE), telling(speech))
    assert (heard.kept is None) == (kept == 1.0)
    places = [sv.Segment(19.0, 21.0), sv.Segment(1.0, 2.0), sv.Segment(39.0, 42.0), sv.Segment(39.25, 45.0)]
    for cut, place in zip(cut_slices(heard, places, "HQ"), places, strict=True):
        both = speech & sv.Timeline([place], 47)
        expected = [ramp[round(part.start * RATE) : round(part.end * RATE)] for part in both]
        np.testing.assert_array_equal(cut.samples, np.concatenate(expected))


def test_a_recording_that_shrinks_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "KEPT_SECONDS", 1.0)
    path, speech = tmp_path / "a.wav", sv.Timeline([sv.Segment(0.5, 29.5)], 30)
    soundfile.write(path, np.zeros(30 * RATE), RATE)
    heard = listening.listen(path, telling(speech))
    soundfile.write(path, np.zeros(RATE), RATE)
    with pytest.raises(sv.AudioError, match=r"a\.wav: changed while it was read"):
        cut_slices(heard, [sv.Segment(0.5, 0.9), sv.Segment(20.0, 22.0)], "HQ")
