"""One recording, one vector: the same whatever the company, the threads, the blocks or the walk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import samevoice as sv
from samevoice import embedder
from samevoice.audio.decode import open_recording
from samevoice.audio.resample import mix, waveforms
from samevoice.features.frontend import Features
from samevoice.models import store
from samevoice.scoring.cosine import cosine
from samevoice.speech import listening

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.*3")) + sorted(
    (Path(__file__).parents[1] / "samples").glob("*.flac")
)


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.load_model("campplus", threads=1)


def sound(path: Path) -> NDArray[np.float32]:
    recording = open_recording(path)
    mono = (mix(block) for block in recording.blocks())
    return np.concatenate([block.samples for block in waveforms(mono, recording.info.rate, 16_000)])


@pytest.fixture(scope="module")
def long_speech() -> sv.Waveform:
    """Seventy seconds of several people: more speech than two windows of CAM++."""
    return sv.Waveform(np.tile(np.concatenate([sound(path) for path in SAMPLES]), 3)[: 70 * 16_000], 16_000)


def test_an_embedding_keeps_its_promises(model: sv.Model) -> None:
    embedding = model.embed(SAMPLES[0])
    assert embedding.vector.shape == (192,)
    assert embedding.vector.dtype == np.float32
    assert np.linalg.norm(embedding.vector) == pytest.approx(1.0, abs=1e-5)
    assert embedding.model == model.card.fingerprint
    assert 1.0 < embedding.seconds < 4.2
    assert not embedding.vector.flags.writeable


def test_many_are_the_same_as_singles(model: sv.Model) -> None:
    clip = sv.Waveform(sound(SAMPLES[-1])[:48_000], 16_000)
    quieter = sv.Waveform(clip.samples * 0.5, 16_000)  # equal length: shares a network call
    audios: list[Path | sv.Waveform] = [*SAMPLES, clip, quieter, clip]
    together = model.embed_many(audios)
    for audio, batched in zip(audios, together, strict=True):
        alone = model.embed(audio)
        np.testing.assert_allclose(batched.vector, alone.vector, atol=1e-5)
        assert batched.seconds == alone.seconds
        assert batched.warnings == alone.warnings


def test_threads_do_not_matter(model: sv.Model) -> None:
    other = sv.load_model("campplus", threads=2)
    np.testing.assert_allclose(other.embed(SAMPLES[1]).vector, model.embed(SAMPLES[1]).vector, atol=1e-5)


def test_path_bytes_file_and_samples_agree(model: sv.Model) -> None:
    path = SAMPLES[-1]
    expected = model.embed(path).vector
    np.testing.assert_allclose(model.embed(path.read_bytes()).vector, expected, atol=1e-6)
    with path.open("rb") as file:
        np.testing.assert_allclose(model.embed(file).vector, expected, atol=1e-6)
    np.testing.assert_allclose(model.embed(sv.Waveform(sound(path), 16_000)).vector, expected, atol=1e-6)


def test_second_walk_decodes_again_with_the_same_result(
    model: sv.Model, long_speech: sv.Waveform, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = model.embed(long_speech).vector
    monkeypatch.setattr(listening, "KEPT_SECONDS", 1.0)
    assert model.listen(long_speech).kept is None
    np.testing.assert_allclose(model.embed(long_speech).vector, kept, atol=1e-6)


def test_long_speech_is_the_mean_of_evenly_spread_windows(model: sv.Model, long_speech: sv.Waveform) -> None:
    """Against a plain computation over all speech frames at once."""
    heard = model.listen(long_speech)
    frontend, window = model.frontend, model.window
    features = frontend.frames(long_speech.samples)
    times = (np.arange(len(features)) * 160 + 200) / 16_000
    speech = features[[any(moment in segment for segment in heard.speech) for moment in times]]
    assert len(speech) > 2 * window.frames
    count = int(np.ceil((len(speech) - window.frames) / window.hop)) + 1
    starts = [round(index * (len(speech) - window.frames) / (count - 1)) for index in range(count)]
    raw = [model.encoder(frontend.normalise(speech[start : start + window.frames])[None])[0] for start in starts]
    mean = np.mean([vector / np.linalg.norm(vector) for vector in raw], axis=0)
    np.testing.assert_allclose(model.embed(long_speech).vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_progress_grows_to_one(model: sv.Model, long_speech: sv.Waveform) -> None:
    told: list[float] = []
    model.embed(long_speech, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    assert len(set(told)) >= 4


def test_progress_over_many_counts_recordings(model: sv.Model) -> None:
    told: list[float] = []
    list(model.embed_each(SAMPLES[:3], progress=told.append))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(3.0)


@pytest.mark.parametrize("milliseconds", [1, 10, 24, 25, 26, 50, 100, 250, 400])
def test_too_little_speech_is_told_in_seconds(model: sv.Model, milliseconds: int) -> None:
    clip = sv.Waveform(sound(SAMPLES[-1])[8_000 : 8_000 + 16 * milliseconds], 16_000)
    with pytest.raises(sv.NotEnoughSpeech, match=r"at least 0\.5 s needed") as caught:
        model.embed(clip)
    assert caught.value.have <= milliseconds / 1000
    assert caught.value.need == 0.5


def test_progress_waits_for_the_network(model: sv.Model) -> None:
    """What is listened to but not embedded counts a quarter."""
    told: list[float] = []
    first = next(iter(model.embed_each(SAMPLES[:3], progress=told.append)))
    assert isinstance(first, sv.Embedding)
    assert sum(share <= 3 * embedder.FIRST_WALK for share in told) >= 3


def test_a_failing_batch_spares_the_others(model: sv.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = model._encode
    calls: list[int] = []

    def fails_once(windows: Sequence[Features]) -> NDArray[np.float32]:
        calls.append(len(windows))
        if len(calls) == 1:
            raise sv.ModelError("out of order")
        return encode(windows)

    monkeypatch.setattr(model, "_encode", fails_once)
    outcomes = list(model.embed_each(SAMPLES[:3]))
    assert [isinstance(outcome, sv.ModelError) for outcome in outcomes].count(True) == calls[0]
    assert any(isinstance(outcome, sv.Embedding) for outcome in outcomes)


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_recording_that_changes_while_it_is_read(
    model: sv.Model, factor: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "KEPT_SECONDS", 1.0)
    clip = np.tile(sound(SAMPLES[-1]), 3)
    path = tmp_path / "growing.wav"
    soundfile.write(path, clip[: 8 * 16_000], 16_000)
    listen = model.listen

    def then_change(*arguments: Any, **options: Any) -> Any:
        heard = listen(*arguments, **options)
        soundfile.write(path, clip[: round(factor * 8 * 16_000)], 16_000)
        return heard

    monkeypatch.setattr(model, "listen", then_change)
    with pytest.raises(sv.AudioError, match="changed while it was read"):
        model.embed(path)


def test_one_bad_recording_does_not_stop_the_others(model: sv.Model) -> None:
    outcomes = list(model.embed_each([SAMPLES[0], b"not audio", SAMPLES[1]]))
    assert [isinstance(outcome, sv.Embedding) for outcome in outcomes] == [True, False, True]
    assert isinstance(outcomes[1], sv.AudioError)
    with pytest.raises(sv.AudioError):
        model.embed_many([SAMPLES[0], b"not audio"])


@pytest.mark.parametrize(("gain", "cosine_at_least"), [(0.5, 0.98), (0.1, 0.95)])
def test_gain_hardly_matters(model: sv.Model, gain: float, cosine_at_least: float) -> None:
    """The features forget the gain; the detector hears a little less speech in a quiet recording."""
    clip = sound(SAMPLES[-1])
    loud, quiet = (model.embed(sv.Waveform(clip * factor, 16_000)).vector for factor in (1.0, gain))
    assert float(loud @ quiet) > cosine_at_least


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_sample_rate_hardly_matters(model: sv.Model, rate: int) -> None:
    import soxr

    clip = sound(SAMPLES[-1])
    raised = sv.Waveform(soxr.resample(clip, 16_000, rate), rate)
    assert float(model.embed(raised).vector @ model.embed(sv.Waveform(clip, 16_000)).vector) > 0.99


def test_the_zoo_takes_another_model_by_the_same_code() -> None:
    other = sv.load_model("ge2e", threads=1)
    vectors = [one.vector for one in other.embed_many(SAMPLES[:3])]
    assert vectors[0].shape == (256,)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    theirs, ours = other.embed(SAMPLES[0]), sv.load_model("campplus").embed(SAMPLES[0])
    with pytest.raises(sv.FingerprintMismatch):
        cosine(theirs, ours)


def test_a_detector_is_no_embedding_model() -> None:
    with pytest.raises(sv.ModelError, match="voice-activity"):
        sv.load_model("silero")


def test_verify_in_two_lines() -> None:
    decision = sv.verify(SAMPLES[0], SAMPLES[1])
    assert decision.verdict == "same"
    assert decision.score is not None
    assert decision.threshold is not None
    assert decision.score >= decision.threshold
    matrix = sv.compare(SAMPLES[:3])
    assert matrix.shape == (3, 3)
    np.testing.assert_allclose(matrix, matrix.T)
    assert matrix[0, 1] > max(matrix[0, 2], matrix[1, 2])


def test_verify_takes_the_file_of_a_model() -> None:
    path = store.default_folder() / "campplus.onnx"
    assert sv.verify(SAMPLES[0], SAMPLES[1], model=path).verdict == "same"


def test_verify_names_what_has_no_name() -> None:
    silence = sv.Waveform(np.zeros(16_000, dtype=np.float32), 16_000)
    decision = sv.verify(SAMPLES[0], silence)
    assert decision.verdict == "unsure"
    assert decision.score is None
    assert "second recording" in decision.reason
