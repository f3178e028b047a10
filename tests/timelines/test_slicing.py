"""From a recording to its timeline: what each column says, and that it says so however the recording comes."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import modelmakers
import numpy as np
import pytest
import soundfile
from makers import write
from numpy.typing import NDArray

import samevoice as sv
from samevoice.audio import blocks as audio_blocks
from samevoice.audio import resample
from samevoice.embedder import Model
from samevoice.loading import load_detector
from samevoice.models.card import Window
from samevoice.scoring.cosine import cosine
from samevoice.speech import listening
from samevoice.speech.vad import RATE, Hysteresis, everything
from samevoice.timelines.grid import SEEDS, Grid
from samevoice.timelines.slicing import timeline
from samevoice.timelines.table import SliceTable
from samevoice.timelines.voices import Voices
from samevoice.verification import calibration_of

SAMPLES = Path(__file__).parents[2] / "samples"
PAUSES, OTHER = SAMPLES / "philippe_2.flac", SAMPLES / "librispeech_1255_a.flac"
CLOSE = 2e-4  # of an embedding's coordinates: other blocks round otherwise


@pytest.fixture(scope="module")
def model() -> Model:
    return sv.load_model("campplus", threads=1)


@pytest.fixture(scope="module")
def sound() -> NDArray[np.float32]:
    """Speech with pauses, shorter and longer than a slice."""
    parts: list[NDArray[np.float32]] = []
    for name, pause in (("librispeech_1255_a.flac", 2.6), ("philippe_2.flac", 0.4), ("librispeech_19_a.flac", 0.0)):
        samples, rate = soundfile.read(SAMPLES / name, dtype="float32")
        assert rate == RATE
        parts += [samples, np.zeros(round(pause * RATE), dtype=np.float32)]
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def table(model: Model, sound: NDArray[np.float32]) -> SliceTable:
    return timeline(sv.Waveform(sound, RATE), model=model, reference=PAUSES)


def told(speech: sv.Timeline) -> Any:
    """A detector that knows where the speech is."""

    def known(found: Iterable[sv.Waveform], /) -> sv.Timeline:
        deque(found, maxlen=0)
        return speech

    return known


def same(one: SliceTable, other: SliceTable, *, within: float = 0.0) -> None:
    """Two tables say the same, numbers within a tolerance."""
    assert len(one) == len(other)
    for column in ("starts", "ends", "probability", "share", "level_dbfs", "vectors", "embedded"):
        mine, theirs = (getattr(table, column).astype(np.float64) for table in (one, other))
        assert np.abs(mine - theirs).max() <= within, column


def finite(table: SliceTable) -> bool:
    columns = (table.starts, table.ends, table.probability, table.share, table.level_dbfs, table.vectors)
    return all(np.isfinite(column).all() for column in (*columns, table.envelope))


def test_some_slices_are_embedded_and_some_are_not(table: SliceTable) -> None:
    assert finite(table)
    assert 0 < table.embedded.sum() < len(table)
    need = 0.5 - 1e-6
    spoken = table.share.astype(np.float64) * (table.ends - table.starts)
    assert (table.embedded == (spoken >= need)).all()
    assert np.allclose(np.linalg.norm(table.vectors, axis=1), table.embedded, atol=1e-5)


@pytest.mark.parametrize("grid", [Grid(), SEEDS], ids=["usual", "seeds"])
def test_an_embedding_is_that_of_the_same_sound_cut_out(model: Model, sound: NDArray[np.float32], grid: Grid) -> None:
    table = timeline(sv.Waveform(sound, RATE), model=model, grid=grid)
    whole = partial = 0
    for one in table:
        if one.embedding is None:
            continue
        cut = sv.Waveform(sound[round(one.start * RATE) : round(one.end * RATE)], RATE)
        if one.share > 0.9999:
            alone = model.with_detector(everything).embed(cut)
            whole += 1
        else:  # the same speech, in seconds of the cut-out
            inside = table.speech & sv.Timeline([sv.Segment(one.start, one.end)], table.extent)
            moved = [sv.Segment(max(part.start - one.start, 0.0), part.end - one.start) for part in inside]
            alone = model.with_detector(told(sv.Timeline(moved, cut.duration))).embed(cut)
            partial += 1
        assert np.abs(alone.vector - one.embedding.vector).max() < CLOSE
        assert one.embedding.seconds == pytest.approx(alone.seconds, abs=1e-3)
    assert whole > 3
    assert partial > 3


@pytest.mark.parametrize(("block", "span", "kept"), [(0.05, 20, 300.0), (3.0, 7, 300.0), (1.0, 1, 0.5)])
def test_blocks_do_not_matter(
    model: Model,
    sound: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
    block: float,
    span: int,
    kept: float,
) -> None:
    usual = timeline(write(sound, RATE), model=model)
    monkeypatch.setattr(audio_blocks, "BLOCK_SECONDS", block)
    monkeypatch.setattr(resample, "SPAN_SECONDS", span)
    monkeypatch.setattr(listening, "KEPT_SECONDS", kept)  # decoded twice
    other = timeline(write(sound, RATE), model=model)
    same(usual, other, within=CLOSE)
    assert np.abs(usual.envelope - other.envelope).max() == 0.0


def test_speech_is_the_mean_of_the_detectors_probabilities(sound: NDArray[np.float32], table: SliceTable) -> None:
    probabilities, _ = load_detector().probabilities([sv.Waveform(sound, RATE)])
    each = np.repeat(probabilities, 512)[: len(sound)]
    means = [each[round(one.start * RATE) : round(one.end * RATE)].mean() for one in table]
    assert np.abs(table.probability - np.array(means)).max() < 1e-4


def test_share_is_what_the_detector_calls_speech(sound: NDArray[np.float32], table: SliceTable) -> None:
    speech = load_detector()([sv.Waveform(sound, RATE)])
    assert speech == table.speech
    parts = [(speech & sv.Timeline([sv.Segment(one.start, one.end)], table.extent)).duration for one in table]
    assert np.abs(table.share - np.array(parts) / (table.ends - table.starts)).max() < 1e-5


def test_levels_are_those_of_the_slices(sound: NDArray[np.float32], table: SliceTable) -> None:
    for one in table:
        power = float(np.square(sound[round(one.start * RATE) : round(one.end * RATE)], dtype=np.float64).mean())
        assert one.level_dbfs == pytest.approx(max(10 * np.log10(max(power, 1e-20)), -200.0), abs=0.02)
    assert table.level_dbfs.min() == -200.0  # digital silence is a number too


def test_the_envelope_holds_every_sample(sound: NDArray[np.float32], table: SliceTable) -> None:
    low, high = table.envelope
    edges = np.linspace(0, len(sound), len(low) + 1)
    for part in range(0, len(low), 97):
        samples = sound[int(edges[part]) + 160 : max(int(edges[part + 1]) - 160, int(edges[part]) + 161)]
        lows, highs = low[max(part - 1, 0) : part + 2], high[max(part - 1, 0) : part + 2]
        assert lows.min() <= samples.min()
        assert samples.max() <= highs.max()
    assert low.min() == sound.min()
    assert high.max() == sound.max()


def test_a_reference_is_compared_with_every_voice(model: Model, table: SliceTable) -> None:
    reference, calibration = model.embed(PAUSES), calibration_of(model)
    assert calibration is not None
    for one in table:
        assert (one.likeness is None) == (one.embedding is None)
        if one.embedding and one.likeness:
            score = cosine(one.embedding, reference)
            llr = calibration.llr(score, min(one.embedding.seconds, reference.seconds))
            assert one.likeness.name == str(PAUSES)
            assert one.likeness.cosine == pytest.approx(score, abs=1e-6)
            assert one.likeness.llr == pytest.approx(llr, abs=1e-3)
    mine = [one.likeness.cosine for one in table if one.likeness and 9.2 <= one.start < 11.5]
    others = [one.likeness.cosine for one in table if one.likeness and one.end < 6.4]
    assert min(mine) > 0.4 > 0.2 > max(others)


def test_the_nearest_of_several_voices(model: Model, sound: NDArray[np.float32]) -> None:
    reader, philippe = model.embed(OTHER), model.embed(PAUSES)
    both = Voices(
        ("Reader", "Philippe"),
        np.stack([reader.vector, philippe.vector]),
        np.array([reader.seconds, philippe.seconds]),
        reader.model,
    )
    table = timeline(sv.Waveform(sound, RATE), model=model, reference=both)
    named = [(one.start, one.likeness.name) for one in table if one.likeness]
    assert {name for start, name in named if start < 5} == {"Reader"}
    assert {name for start, name in named if 9.2 <= start < 11.5} == {"Philippe"}
    assert [bool(name) for name in table.names] == table.embedded.tolist()
    for one in table:
        if one.embedding and one.likeness:
            assert one.likeness.cosine == pytest.approx(max(cosine(one.embedding, o) for o in (reader, philippe)))


def test_silence_never_reaches_the_network(
    model: Model, silence: sv.Waveform, noise: sv.Waveform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(windows: Sequence[object]) -> NDArray[np.float32]:
        raise AssertionError(f"{len(windows)} windows without speech were embedded")

    monkeypatch.setattr(model, "_encode", refuse)
    for quiet in (silence, noise):
        table = timeline(quiet, model=model)
        assert finite(table)
        assert len(table) == 3
        assert not table.embedded.any()
        assert all(one.embedding is None and one.likeness is None for one in table)
    with pytest.raises(AssertionError, match="without speech"):
        timeline(OTHER, model=model)


@pytest.mark.parametrize("seconds", [1 / RATE, 0.004, 0.3, 1.5, 1.51])
def test_short_recordings(model: Model, sound: NDArray[np.float32], seconds: float) -> None:
    samples = sound[RATE : RATE + round(seconds * RATE)]
    table = timeline(sv.Waveform(samples, RATE), model=model, reference=model.embed(OTHER))
    assert finite(table)
    assert len(table) == (2 if seconds > 1.5 else 1)
    assert table.ends[-1] == pytest.approx(seconds)
    assert table.embedded.any() == (seconds > 1.0)
    assert ((table.probability >= 0) & (table.probability <= 1)).all()


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (11_025, 2), (44_100, 2), (96_000, 1), (192_000, 2)])
def test_other_rates_and_channels(
    model: Model, table: SliceTable, sound: NDArray[np.float32], rate: int, channels: int
) -> None:
    converted = resample.resample(sv.Waveform(sound, RATE), rate).samples
    file = write(np.stack([converted] * channels, axis=1), rate, "WAV", "FLOAT")
    found = timeline(io.BytesIO(file), model=model)
    assert finite(found)
    assert found.extent == pytest.approx(table.extent, abs=1e-3)
    assert len(found) == len(table)
    assert np.abs(found.probability - table.probability).max() < 0.35
    assert np.abs(found.level_dbfs - table.level_dbfs)[table.embedded].max() < (3.0 if rate < RATE else 0.1)
    both = found.embedded & table.embedded
    cosines = (found.vectors * table.vectors).sum(axis=1)[both]
    assert both.sum() >= 0.85 * table.embedded.sum()
    assert np.median(cosines) > (0.5 if rate < RATE else 0.97)


def test_progress_rises_to_the_end(model: Model) -> None:
    shares: list[float] = []
    timeline(OTHER, model=model, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert shares[0] > 0


def test_what_cannot_be_asked(model: Model) -> None:
    with pytest.raises(sv.ConfigError, match=r"takes 0.5 to 20.02 s of speech at once, and a slice of 30 s is not"):
        timeline(OTHER, model=model, grid=Grid(30.0, 10.0))
    with pytest.raises(sv.FingerprintMismatch):
        timeline(OTHER, model=model, reference=sv.Embedding(np.eye(192)[0], "other@1", 3.0))
    with pytest.raises(sv.NotEnoughSpeech, match="reference: 0"):
        timeline(OTHER, model=model, reference=sv.Waveform(np.zeros(RATE), RATE))
    with pytest.raises(sv.AudioError, match="empty"):
        timeline(b"", model=model)


def tiny(**changes: Any) -> Model:
    """A model whose embedding is a product with the mean of the features."""
    graph = modelmakers.graph()
    return Model(modelmakers.card(**changes), graph, detector=load_detector())


@pytest.mark.parametrize("level", [None, -10.0])
def test_the_level_is_that_of_the_whole_recording(sound: NDArray[np.float32], level: float | None) -> None:
    model = tiny(level_dbfs=level, window=Window(600, 300))
    quiet = sv.Waveform(sound[: 5 * RATE] * np.float32(0.05), RATE)
    table = timeline(quiet, model=model, grid=Grid(5.0, 1.0))
    assert len(table) == 1
    assert np.abs(table.vectors[0] - model.embed(quiet).vector).max() < 1e-6


def test_a_network_of_one_length_gets_slices_full_of_speech(
    sound: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = modelmakers.value
    monkeypatch.setattr(
        modelmakers, "value", lambda name, *axes: free(name, *(160 if a == "frames" else a for a in axes))
    )
    model = tiny(window=Window(160, 80))
    with pytest.raises(sv.ConfigError, match=r"tiny takes 1.615 to 1.625 s of speech at once, and a slice of 1.5 s"):
        timeline(sv.Waveform(sound, RATE), model=model)
    table = timeline(sv.Waveform(sound, RATE), model=model, grid=Grid(1.62, 0.81))
    assert 3 < table.embedded.sum() < len(table)
    assert table.share[table.embedded].min() > 0.98
    assert table.embedded[table.share == 1.0][:-1].all()


def test_a_model_without_calibration_tells_no_evidence(sound: NDArray[np.float32]) -> None:
    model = tiny()
    table = timeline(sv.Waveform(sound, RATE), model=model, reference=OTHER)
    likenesses = [one.likeness for one in table if one.likeness]
    assert likenesses
    assert all(one.llr is None for one in likenesses)
    assert (table.llr, table.even) == (None, None)


def test_another_hysteresis_is_obeyed(model: Model, sound: NDArray[np.float32]) -> None:
    strict = timeline(sv.Waveform(sound, RATE), model=model, hysteresis=Hysteresis(onset=0.95, offset=0.9, padding=0.0))
    usual = timeline(sv.Waveform(sound, RATE), model=model)
    assert strict.speech.duration < usual.speech.duration
    assert (strict.share <= usual.share + 1e-6).all()
    assert (strict.probability == usual.probability).all()


def test_a_table_shows_no_numbers_and_cannot_be_changed(table: SliceTable) -> None:
    assert repr(table).startswith(f"SliceTable({len(table)} slices, ")
    with pytest.raises(ValueError, match="read-only"):
        table.vectors[0, 0] = 1.0
    with pytest.raises(IndexError):
        table[len(table)]
    assert list(table)[3].start == table[3].start == 2.25
