"""Kaldi's filter-bank against a re-implementation in double precision and against published values."""

from __future__ import annotations

from pathlib import Path

import kaldi_native_fbank
import numpy as np
import pytest
import reference
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.audio.waveform import Waveform
from samevoice.errors import ModelError
from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.features.kaldi import KaldiFbank

SPEC = FrontendSpec("kaldi-fbank", 16_000, 80)


@pytest.fixture(scope="module")
def fbank() -> KaldiFbank:
    return KaldiFbank(SPEC)


def test_check_values(fbank: KaldiFbank, samples: Path) -> None:
    """Noted once with the network's published features; the first is Kaldi's floor, ln(2^-23)."""
    sound, _ = soundfile.read(samples / "librispeech_1255_a.flac", dtype="float32")
    frames = fbank.frames(sound)
    assert frames.shape == (647, 80)
    assert frames.dtype == np.float32
    assert frames[0, 0] == pytest.approx(-15.9424, abs=1e-3)
    assert frames[100, 40] == pytest.approx(-10.0350, abs=1e-3)


@pytest.mark.parametrize(("rate", "bands"), [(16_000, 80), (16_000, 24), (8_000, 40), (22_050, 64)])
def test_agrees_with_kaldis_own_code(speech: Waveform, noise: Waveform, rate: int, bands: int) -> None:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.samp_freq = rate
    options.mel_opts.num_bins = bands
    for wave in (speech, noise):
        theirs = kaldi_native_fbank.OnlineFbank(options)
        theirs.accept_waveform(rate, wave.samples.tolist())
        theirs.input_finished()
        expected = np.stack([theirs.get_frame(number) for number in range(theirs.num_frames_ready)])
        frames = KaldiFbank(FrontendSpec("kaldi-fbank", rate, bands)).frames(wave.samples)
        assert frames.shape == expected.shape
        assert np.median(np.abs(frames - expected)) < 1e-5
        np.testing.assert_allclose(frames, expected, atol=5e-3)  # where there is next to no energy, theirs is coarser


def test_agrees_with_a_plain_reading_of_kaldi(fbank: KaldiFbank, speech: Waveform, noise: Waveform) -> None:
    for wave in (speech, noise):
        frames, expected = fbank.frames(wave.samples), reference.kaldi_fbank(wave.samples)
        assert frames.shape == expected.shape == (298, 80)
        audible = expected > -15  # below, single precision is coarse; at -15.94 Kaldi's floor ends all differences
        assert audible.mean() > 0.85
        np.testing.assert_allclose(frames[audible], expected[audible], atol=1e-3)


def test_another_rate_and_size(speech: Waveform) -> None:
    half = speech.samples[::2].copy()
    frames = KaldiFbank(FrontendSpec("kaldi-fbank", 8_000, 40)).frames(half)
    expected = reference.kaldi_fbank(half, 8_000, 40)
    assert frames.shape == expected.shape
    np.testing.assert_allclose(frames[expected > -15], expected[expected > -15], atol=1e-3)


@pytest.mark.parametrize(("count", "frames"), [(0, 0), (1, 0), (399, 0), (400, 1), (559, 1), (560, 2), (48_000, 298)])
def test_number_of_frames(fbank: KaldiFbank, count: int, frames: int) -> None:
    assert fbank.frames(np.zeros(count, dtype=np.float32)).shape == (frames, 80)
    assert frames == max(0, 1 + (count - fbank.width) // fbank.hop)


@settings(max_examples=25)
@given(points=st.lists(st.integers(0, 16_000), max_size=8))
def test_blocks_with_a_carried_rest_equal_the_whole(points: list[int]) -> None:
    fbank = KaldiFbank(SPEC)
    sound = np.random.default_rng(2).normal(0, 0.1, 16_000).astype(np.float32)
    rest, found = np.empty(0, dtype=np.float32), []
    for block in np.split(sound, sorted(points)):
        joined = np.concatenate([rest, block])
        found.append(fbank.frames(joined))
        rest = joined[len(found[-1]) * fbank.hop :]
    np.testing.assert_array_equal(np.concatenate(found), fbank.frames(sound))


def test_normalise_takes_the_mean_away(fbank: KaldiFbank, speech: Waveform, noise: Waveform) -> None:
    frames = fbank.frames(speech.samples)
    before = frames.copy()
    centred = fbank.normalise(frames)
    np.testing.assert_array_equal(frames, before)
    np.testing.assert_allclose(centred.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(centred - centred[0], frames - frames[0], atol=1e-4)
    quiet, loud = (fbank.normalise(fbank.frames(gain * noise.samples)) for gain in (np.float32(1), np.float32(3)))
    np.testing.assert_allclose(loud, quiet, atol=1e-3)  # gain goes with the mean


def test_silence_is_finite(fbank: KaldiFbank, silence: Waveform) -> None:
    frames = fbank.frames(silence.samples)
    assert np.isfinite(frames).all()
    np.testing.assert_allclose(frames, np.log(np.finfo(np.float32).eps), atol=1e-4)


def test_options_and_unknown_kinds_are_refused() -> None:
    with pytest.raises(ModelError, match="takes no options, got dither"):
        KaldiFbank(FrontendSpec("kaldi-fbank", 16_000, 80, {"dither": 1.0}))
    with pytest.raises(ModelError, match="unknown here; update samevoice"):
        build_frontend(FrontendSpec("wavelets", 16_000, 80))
    assert isinstance(build_frontend(SPEC), KaldiFbank)
