"""Clips of 160 frames and slices of 64: every place, no ragged batch, and what is too short."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.audio.waveform import Waveform
from samevoice.errors import AudioError, ConfigError
from samevoice.features.cuts import clip, clips, recording_slices, slices
from samevoice.features.frontend import Features, FrontendSpec, build_frontend

PSF = build_frontend(FrontendSpec("psf-64", 16_000, 64))


def numbered(frames: int, bands: int = 4) -> Features:
    """Row t holds t + 1, so that a cut tells where it came from and no row is zero."""
    return np.repeat(np.arange(1, frames + 1, dtype=np.float32)[:, None], bands, axis=1)


def test_seed_clip_draws_every_start() -> None:
    """Starts 0 to T - 160 alike; the seed never drew the last one."""
    generator = np.random.default_rng(1)
    features = numbered(165)
    starts = [int(clip(features, generator)[0, 0]) - 1 for _ in range(1_200)]
    counts = np.bincount(starts, minlength=6)
    assert len(counts) == 6
    assert counts.min() > 150  # 200 expected, deviation 13


def test_seed_clip_is_consecutive_and_repeats_under_a_seed() -> None:
    first, second = (clip(numbered(500), np.random.default_rng(9)) for _ in range(2))
    assert first.shape == (160, 4)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.diff(first[:, 0]), 1.0)


@pytest.mark.parametrize("frames", [1, 159, 160])
def test_seed_clip_pads_short_recordings(frames: int) -> None:
    found = clip(numbered(frames), np.random.default_rng(0))
    assert found.shape == (160, 4)
    np.testing.assert_array_equal(found[:frames], numbered(frames))
    np.testing.assert_array_equal(found[frames:], 0.0)


@given(lengths=st.lists(st.integers(1, 400), min_size=1, max_size=8), frames=st.integers(1, 200))
def test_seed_clip_batches_are_never_ragged(lengths: list[int], frames: int) -> None:
    recordings = [numbered(length) for length in lengths]
    batch = clips(recordings, np.random.default_rng(2), frames=frames)
    assert batch.shape == (len(lengths), frames, 4)
    for rows, length in zip(batch[:, :, 0], lengths, strict=True):
        held = rows[rows > 0]
        assert len(held) == min(length, frames)
        assert held[-1] <= length


def test_a_clip_changes_no_generator_without_need() -> None:
    """A short recording does not shift the draws of the others."""
    alone, after = np.random.default_rng(4), np.random.default_rng(4)
    expected = clip(numbered(300), alone)
    np.testing.assert_array_equal(clips([numbered(30), numbered(300)], after)[1], expected)


@given(frames=st.integers(64, 700))
def test_seed_slices_count(frames: int) -> None:
    found = slices(numbered(frames))
    assert found.shape == (frames // 64, 64, 4)
    np.testing.assert_array_equal(found.reshape(-1, 4), numbered(frames)[: 64 * (frames // 64)])


def test_seed_slices_least_recording() -> None:
    sound = np.random.default_rng(3).normal(0, 0.1, 18_321).astype(np.float32)
    with pytest.raises(AudioError, match=r"18320 samples at 16000 Hz are too few; give at least 18321 \(1\.1451 s\)"):
        recording_slices(sound[:-1], PSF)
    assert recording_slices(sound, PSF).shape == (1, 64, 64)
    for length in (0, 1, 8_000, 16_000):
        with pytest.raises(AudioError, match="give at least 18321"):
            recording_slices(sound[:length], PSF)


def test_seed_slices_leave_out_both_ends() -> None:
    """0.25 s: 4,000 samples each; what lies there changes nothing."""
    sound = np.random.default_rng(3).normal(0, 0.1, 40_000).astype(np.float32)
    found = recording_slices(sound, PSF)
    assert found.shape == (PSF.count(32_000) // 64, 64, 64) == (3, 64, 64)
    np.testing.assert_array_equal(found.reshape(-1, 64), PSF(sound[4_000:-4_000])[:192])
    sound[:4_000] = sound[-4_000:] = 0.7
    np.testing.assert_array_equal(recording_slices(sound, PSF), found)


def test_another_length_of_slice() -> None:
    fbank = build_frontend(FrontendSpec("kaldi-fbank", 16_000, 80))
    sound = np.random.default_rng(3).normal(0, 0.1, 24_000).astype(np.float32)
    assert recording_slices(sound, fbank, frames=98).shape == (1, 98, 80)
    with pytest.raises(AudioError, match="give at least 24080 "):
        recording_slices(sound, fbank, frames=99)


def test_what_cannot_be_cut_is_refused() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(AudioError, match="63 frames are too few; give at least 64"):
        slices(numbered(63))
    damaged = numbered(200)
    damaged[7, 1] = np.nan
    for cut in (lambda features: clip(features, generator), slices):
        with pytest.raises(AudioError, match="NaN or infinite"):
            cut(damaged)
        for shape in ((0, 4), (200, 0), (200,), (1, 200, 4)):
            with pytest.raises(AudioError, match=r"features have shape \(.*give \(frames, bands\)"):
                cut(np.zeros(shape, dtype=np.float32))
    with pytest.raises(AudioError, match=r"recordings have \[4, 5\] bands; give"):
        clips([numbered(200), numbered(200, bands=5)], generator)
    with pytest.raises(AudioError, match=r"recordings have \[\] bands; give at least one"):
        clips([], generator)
    with pytest.raises(AudioError, match="one channel"):
        recording_slices(np.zeros((2, 40_000), dtype=np.float32), PSF)


@pytest.mark.parametrize("frames", [0, -5])
def test_a_cut_of_no_frames_is_refused(frames: int) -> None:
    generator, features = np.random.default_rng(0), numbered(200)
    with pytest.raises(ConfigError, match=f"a clip of {frames} frames cannot be; choose at least 1"):
        clip(features, generator, frames=frames)
    with pytest.raises(ConfigError, match=f"a clip of {frames} frames"):
        clips([features], generator, frames=frames)
    with pytest.raises(ConfigError, match=f"a slice of {frames} frames cannot be; choose at least 1"):
        slices(features, frames=frames)
    with pytest.raises(ConfigError, match=f"a slice of {frames} frames"):
        recording_slices(np.zeros(9, dtype=np.float32), PSF, frames=frames)


def test_slices_of_a_waveform_are_checked_for_their_rate() -> None:
    sound = np.random.default_rng(3).normal(0, 0.1, 40_000).astype(np.float32)
    np.testing.assert_array_equal(recording_slices(Waveform(sound, 16_000), PSF), recording_slices(sound, PSF))
    with pytest.raises(AudioError, match="psf-64 works at 16000 Hz, the sound has 48000 Hz; resample it to 16000 Hz"):
        recording_slices(Waveform(sound, 48_000), PSF)
