"""Speaker segmentation at its surface: windows, classes, tracks, and what the network hears in real voices."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples, Waveform
from samevoice.errors import AudioError, ConfigError, ModelError
from samevoice.models import store
from samevoice.speech import segmentation
from samevoice.speech.segmentation import FRAME, FRAMES, SETS, TAIL, WINDOW, Segmenter
from samevoice.speech.vad import Hysteresis

RATE = 16_000


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    try:
        return Segmenter(store.load("segmentation")[1])
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def meeting(samples: Path) -> Samples:
    """13 s: a voice from 1.0 s, another from 6.0 s while the first speaks on until 7.3 s, silence from 12.0 s."""
    first, second = (
        soundfile.read(samples / f"{name}.flac", dtype="float32")[0] for name in ("librispeech_1255_a", "philippe_1")
    )
    sound = np.zeros(13 * RATE, dtype=np.float32)
    sound[RATE : RATE + len(first)] += first[: 12 * RATE]
    sound[6 * RATE : 12 * RATE] += second[: 6 * RATE]
    return sound


def ramp(count: int) -> Samples:
    """Samples that say where they are."""
    return np.arange(1, count + 1, dtype=np.float32) / 1e5


def cut(samples: Samples, points: list[int]) -> list[Waveform]:
    return [Waveform(part, RATE) for part in np.split(samples, sorted(points)) if len(part)]


def drawn(shape: tuple[int, ...], seed: int = 5) -> NDArray[np.float32]:
    """Log-probabilities."""
    logits = 3 * np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)), dtype=np.float32)


@given(
    count=st.one_of(st.integers(1, 700_000), st.sampled_from([159_999, 160_000, 160_001, 160_270, 319_840, 320_000])),
    step=st.sampled_from([37, 148, 296, 588, 589]),
    points=st.lists(st.integers(0, 700_000), max_size=4),
)
def test_windows_cover_a_recording_in_frames(count: int, step: int, points: list[int]) -> None:
    sound = ramp(count)
    found = list(segmentation.windows(cut(sound, [point % count for point in points]), step))
    firsts = [first for first, _ in found]
    for first, window in found:
        assert window.shape == (WINDOW,)
        wanted = sound[first * FRAME :][:WINDOW]
        np.testing.assert_array_equal(window[: len(wanted)], wanted)
        assert not window[len(wanted) :].any()
    assert firsts[0] == 0
    assert all(after - before == step for before, after in pairwise(firsts[:-1]))
    assert all(0 < after - before <= step for before, after in pairwise(firsts))
    end = firsts[-1] * FRAME + WINDOW
    assert count - TAIL < end < max(count, WINDOW) + FRAME  # less than TAIL at the end may be left out


def test_windows_of_nothing_and_wrong_steps() -> None:
    assert list(segmentation.windows([])) == []
    for step in (0, 590, -1):
        with pytest.raises(ValueError, match="1 to 589 frames apart"):
            list(segmentation.windows([], step))
    with pytest.raises(AudioError, match="16000 Hz, got 8000 Hz; resample first"):
        list(segmentation.windows([Waveform(np.zeros(8_000), 8_000)]))


def test_classes_become_voices_speech_and_overlap() -> None:
    """Class by class, then a mixture counted by hand."""
    sure = np.log(np.eye(7, dtype=np.float32) + 1e-12)
    wanted = [[voice in who for voice in range(3)] for who in SETS]
    assert SETS == ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
    np.testing.assert_allclose(segmentation.activity(sure), wanted, atol=1e-6)
    np.testing.assert_allclose(segmentation.speech(sure), [0, 1, 1, 1, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(segmentation.overlap(sure), [0, 0, 0, 0, 1, 1, 1], atol=1e-6)
    mixed = np.log(np.array([[[0.1, 0.2, 0.05, 0.15, 0.3, 0.12, 0.08]]], dtype=np.float32))
    np.testing.assert_allclose(segmentation.activity(mixed), [[[0.62, 0.43, 0.35]]], atol=1e-6)
    np.testing.assert_allclose(segmentation.speech(mixed), [[0.9]], atol=1e-6)
    np.testing.assert_allclose(segmentation.overlap(mixed), [[0.5]], atol=1e-6)


def test_probabilities_stay_in_their_range() -> None:
    found = drawn((4, 589, 7))
    for track in (segmentation.activity(found), segmentation.speech(found), segmentation.overlap(found)):
        assert track.dtype == np.float32
        assert track.min() >= 0
        assert track.max() <= 1
    counted = segmentation.speech(found) + segmentation.overlap(found)
    np.testing.assert_allclose(segmentation.activity(found).sum(axis=2), counted, atol=1e-5)


def test_frame_times_are_centres() -> None:
    times = segmentation.frame_times(FRAMES)
    assert times[0] == pytest.approx(495 / 16_000)
    assert times[-1] == pytest.approx((588 * 270 + 495) / 16_000)
    np.testing.assert_allclose(segmentation.frame_times(3, first=586), times[586:])


def test_joined_windows_agree_with_a_plain_mean() -> None:
    """Against a sum frame by frame; where all windows agree the track is theirs."""
    generator = np.random.default_rng(3)
    tracks, firsts = generator.random((4, 50)).astype(np.float32), np.array([0, 20, 40, 47])
    weight = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(50) / 49)
    wanted = []
    for frame in range(97):
        heard = [(weight[frame - f], t[frame - f]) for t, f in zip(tracks, firsts, strict=True) if 0 <= frame - f < 50]
        wanted.append(sum(w * t for w, t in heard) / sum(w for w, _ in heard))
    np.testing.assert_allclose(segmentation.joined(tracks, firsts), wanted, atol=1e-6)
    whole = generator.random(97).astype(np.float32)
    parts = np.stack([whole[first : first + 50] for first in firsts])
    np.testing.assert_allclose(segmentation.joined(parts, firsts), whole, atol=1e-6)
    assert segmentation.joined(np.empty((0, 50), dtype=np.float32), np.empty(0, dtype=np.int64)).shape == (0,)


def on_grid(track: NDArray[np.float32], extent: float, hop: float = Segmenter.hop) -> NDArray[np.float32]:
    """A track at the centre of each hop, as `Hysteresis.segments` takes it."""
    centres = (np.arange(int(np.ceil(extent / hop))) + 0.5) * hop
    found: NDArray[np.float32] = np.interp(centres, segmentation.frame_times(len(track)), track).astype(np.float32)
    return found


def test_two_voices_and_their_overlap_are_heard(segmenter: Segmenter, meeting: Samples) -> None:
    (firsts, found), *more = segmenter.walk([Waveform(meeting, RATE)])
    assert not more
    assert firsts.tolist() == [0, 178]
    assert found.shape == (2, FRAMES, 7)
    np.testing.assert_allclose(np.exp(found).sum(axis=2), 1, atol=1e-5)
    grid = {
        name: on_grid(segmentation.joined(track(found), firsts), 13.0, 0.1)
        for name, track in (("speech", segmentation.speech), ("overlap", segmentation.overlap))
    }
    assert grid["speech"][3:8].max() < 0.1
    assert grid["speech"][20:60].mean() > 0.9
    assert grid["speech"][123:].max() < 0.3
    assert grid["overlap"][:55].max() < 0.3
    assert grid["overlap"][65:70].mean() > 0.4
    assert grid["overlap"][80:].mean() < 0.05
    voices = segmentation.activity(found[0])
    alone, other = voices[100:300].mean(axis=0), voices[470:].mean(axis=0)
    assert alone.argmax() != other.argmax()
    assert sorted(alone)[1] < 0.1 < 0.8 < alone.max()


def test_the_track_makes_a_timeline(segmenter: Segmenter, meeting: Samples) -> None:
    (firsts, found), *_ = segmenter.walk([Waveform(meeting, RATE)])
    track = on_grid(segmentation.joined(segmentation.speech(found), firsts), 13.0)
    (spoken,) = Hysteresis().segments(track, Segmenter.hop, 13.0)
    assert 1.3 < spoken.start < 1.7
    assert 11.8 < spoken.end < 12.2


def test_neither_blocks_nor_batches_matter(segmenter: Segmenter, meeting: Samples) -> None:
    whole = list(segmenter.walk([Waveform(meeting, RATE)], step=148))
    pieces = list(segmenter.walk(cut(meeting, [1, 270, 40_000, 170_001]), step=148, batch=1))
    assert [len(firsts) for firsts, _ in pieces] == [1] * 3
    for index in (0, 1):
        joined = [np.concatenate([part[index] for part in parts]) for parts in (whole, pieces)]
        np.testing.assert_allclose(joined[1], joined[0], atol=1e-4)


def test_silence_and_noise_are_no_speech(segmenter: Segmenter, silence: Waveform, noise: Waveform) -> None:
    for sound in (silence, noise):
        ((_, found),) = segmenter.walk([sound])
        assert segmentation.speech(found).max() < 0.5


def test_a_single_sample_is_enough_and_nothing_gives_nothing(segmenter: Segmenter) -> None:
    ((_, found),) = segmenter.walk([Waveform(np.full(1, 0.5), RATE)])
    assert found.shape == (1, FRAMES, 7)
    assert list(segmenter.walk([])) == []


@pytest.mark.parametrize("shape", [(160_000,), (1, 1_260), (0, 160_000), (1, 2, 160_000)])
def test_other_shapes_are_refused(segmenter: Segmenter, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="takes windows"):
        segmenter(np.zeros(shape, dtype=np.float32))


def test_a_graph_that_is_none_and_threads_out_of_range() -> None:
    with pytest.raises(ModelError, match="segmentation: ONNX Runtime cannot open"):
        Segmenter(b"nonsense")
    with pytest.raises(ConfigError, match="choose 1 to 256"):
        Segmenter(b"", threads=0)
