"""The level gates of the seeds: what their thresholds mean, and the faults that were mended."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.errors import AudioError
from samevoice.speech.energy import EdgeTrim, LevelGate, joined
from samevoice.speech.timeline import Segment, Timeline


def square(dbfs: float, seconds: float = 1.0, rate: int = 16_000) -> Waveform:
    """A square wave: its root mean square is its level, in every chunk."""
    signs = np.where(np.arange(round(seconds * rate)) % 2, -1.0, 1.0)
    return Waveform(signs * 10 ** (dbfs / 20), rate)


@pytest.mark.parametrize(("threshold", "dbfs"), [(10, -51.28), (15, -46.28), (20, -41.28)])
def test_a_threshold_in_dbfs(threshold: float, dbfs: float) -> None:
    """threshold + 10 log10(800) - 20 log10(32768)"""
    assert threshold + 10 * np.log10(800) - 20 * np.log10(32_768) == pytest.approx(dbfs, abs=0.005)
    gate = LevelGate(threshold)
    assert gate([square(dbfs + 0.02)]).duration == pytest.approx(1.0)
    assert len(gate([square(dbfs - 0.02)])) == 0


def test_the_default_is_15() -> None:
    assert LevelGate().threshold == 15
    assert LevelGate()([square(-46.2)]).duration == pytest.approx(1.0)
    assert len(LevelGate()([square(-46.4)])) == 0


def test_the_last_chunk_counts() -> None:
    """The origin dropped it even when complete; a shorter one is judged by its own length."""
    silent = np.zeros(16_000, dtype=np.float32)
    for extra in (800, 300):
        sound = np.concatenate([silent, square(-10).samples[:extra]])
        assert LevelGate()([Waveform(sound, 16_000)]).segments == (Segment(1.0, 1.0 + extra / 16_000),)


def test_chunks_one_by_one(speech: Waveform) -> None:
    kept = []
    for start in range(0, 48_000, 800):
        total = sum((32_768 * float(value)) ** 2 for value in speech.samples[start : start + 800])
        kept.append(20 * np.log10(np.sqrt(total) / 800 + 1e-12) >= 15)
    got = LevelGate()([speech])
    assert 0.3 < np.mean(kept) < 1
    assert got.duration == pytest.approx(sum(kept) * 0.05)
    np.testing.assert_array_equal(got.covers(np.linspace(0.025, 2.975, 60)), kept)


def test_a_quiet_recording_is_all_silence(speech: Waveform) -> None:
    """Its known weakness: the level is absolute."""
    gains = (np.float32(gain) for gain in (1, 0.1, 0.001))
    durations = [LevelGate()([Waveform(speech.samples * gain, 16_000)]).duration for gain in gains]
    assert durations[0] > durations[1] > durations[2] == 0


def test_blocks_do_not_matter(speech: Waveform) -> None:
    blocks = [Waveform(part, 16_000) for part in np.split(speech.samples, [1, 799, 20_001])]
    for gate in (LevelGate(), EdgeTrim()):
        assert gate(iter(blocks)) == gate([speech])


def spl_loop(sound: NDArray[np.float32], threshold: float) -> list[bool]:
    """The origin's gate, chunk by chunk: which are kept; its loop never reaches the last one."""
    kept = []
    start = 0
    while start + 800 < len(sound):
        total = sum((32_768 * float(value)) ** 2 for value in sound[start : start + 800])
        kept.append(not 20 * np.log10(np.sqrt(total) / 800 + 1e-12) < threshold)
        start += 800
    return kept


def tones(*dbfs: float, chunks: int = 3) -> NDArray[np.float32]:
    """One tone of 400 Hz after the other, each so many chunks of 50 ms at a level."""
    moments = np.arange(800 * chunks) / 16_000
    parts = [np.sqrt(2) * 10 ** (level / 20) * np.sin(2 * np.pi * 400 * moments) for level in dbfs]
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize(
    ("threshold", "mask"),
    [(10, [True] * 9), (15, [False] * 3 + [True] * 6), (20, [False] * 6 + [True] * 3)],
)
def test_seed_spl_vad_keep_mask(threshold: float, mask: list[bool]) -> None:
    """Tones at -50, -45 and -40 dBFS against thresholds of -51.3, -46.3 and -41.3 dBFS."""
    sound = tones(-50, -45, -40)
    middles = np.linspace(0.025, 0.425, 9)
    fixed = LevelGate(threshold)([Waveform(sound, 16_000)]).covers(middles)
    np.testing.assert_array_equal(fixed, mask)
    origin = LevelGate(threshold, keep_last=False)([Waveform(sound, 16_000)]).covers(middles)
    np.testing.assert_array_equal(origin, [*spl_loop(sound, threshold), False])
    np.testing.assert_array_equal(origin[:-1], mask[:-1])


@pytest.mark.parametrize("length", [1, 799, 800, 801, 1_600, 1_700, 7_200])
def test_seed_spl_vad_last_chunk(length: int) -> None:
    """Kept in the fixed mode, dropped as in the origin when asked for, complete or not."""
    sound = square(-20).samples[:length]
    assert LevelGate()([Waveform(sound, 16_000)]).duration == pytest.approx(length / 16_000)
    origin = LevelGate(keep_last=False)([Waveform(sound, 16_000)])
    assert origin.duration == pytest.approx(0.05 * sum(spl_loop(sound, 15)))


def test_seed_spl_vad_gain_normalised(speech: Waveform) -> None:
    """Judged at one level, every gain keeps the same chunks: those of the recording raised to that level by hand."""
    gate = LevelGate(level_dbfs=-26.0)
    timelines = [gate([Waveform(gain * speech.samples, 16_000)]) for gain in (1.0, 0.5, 0.001)]
    assert timelines[0] == timelines[1] == timelines[2]
    level = float(np.sqrt(np.mean(np.square(speech.samples, dtype=np.float64))))
    raised = Waveform(speech.samples * np.float32(10 ** (-26 / 20) / level), 16_000)
    assert timelines[0] == LevelGate()([raised])
    assert 0.3 < timelines[0].duration < 3
    assert len(LevelGate()([Waveform(np.float32(0.001) * speech.samples, 16_000)])) == 0


def test_seed_spl_vad_of_silence(silence: Waveform) -> None:
    for gate in (LevelGate(), LevelGate(level_dbfs=-26.0)):
        assert len(gate([silence])) == 0


def test_seed_edge_trim_span() -> None:
    """From the first to the last loud sample; quiet stretches between them stay."""
    sound = np.concatenate([tones(-70), tones(-20), tones(-70), tones(-20), tones(-70)])
    (segment,) = EdgeTrim(percentile=60.5)([Waveform(sound, 16_000)])
    size = np.abs(sound)
    loud = np.flatnonzero(size > np.percentile(size, 60.5))
    assert (segment.start, segment.end) == (loud[0] / 16_000, loud[-1] / 16_000)
    assert (segment.start, segment.end) == pytest.approx((0.15, 0.6), abs=0.002)


@pytest.mark.parametrize("value", [0.0, 0.3, -0.3])
def test_seed_edge_trim_of_a_constant(value: float) -> None:
    """No sample exceeds the percentile: an empty timeline where the origin raised an index error."""
    timeline = EdgeTrim()([Waveform(np.full(16_000, value), 16_000)])
    assert timeline == Timeline((), 1.0)


def test_edge_trim_by_hand() -> None:
    """Of 100 samples five are loud; the 95th percentile lies below them."""
    sound = np.full(100, 0.01)
    sound[[20, 30, 40, 50, 70]] = [0.5, -0.6, 0.5, 0.7, -0.5]
    got = EdgeTrim()([Waveform(sound, 10_000)])
    assert got.segments == (Segment(20 / 10_000, 70 / 10_000),)  # the last loud sample is left out
    assert got.extent == 0.01


def test_edge_trim_keeps_pauses_and_ignores_gain(speech: Waveform) -> None:
    got = EdgeTrim()([speech])
    assert len(got) == 1
    assert EdgeTrim()([Waveform(0.01 * speech.samples, 16_000)]).segments == got.segments
    limit = sorted(abs(float(value)) for value in speech.samples)[45_600]  # 2,400 of 48,000 are as loud
    loud = [index for index, value in enumerate(speech.samples.tolist()) if abs(value) >= limit]
    assert got.segments == (Segment(loud[0] / 16_000, loud[-1] / 16_000),)


def test_edge_trim_of_nothing(silence: Waveform) -> None:
    assert len(EdgeTrim()([silence])) == 0
    assert len(EdgeTrim()([Waveform(np.array([0.5]), 16_000)])) == 0


def test_no_blocks_at_all() -> None:
    with pytest.raises(AudioError, match="no sound"):
        joined([])
