"""The front ends in torch against those in numpy: every recording of a batch by itself, whatever lies beside it."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.errors import AudioError, ModelError
from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.training.features import TWINS, build_twin

SPECS = {
    "kaldi-fbank": FrontendSpec("kaldi-fbank", 16_000, 80),
    "log-mel": FrontendSpec("log-mel", 48_000, 80),
    "psf-64": FrontendSpec("psf-64", 16_000, 64),
    "spectrogram": FrontendSpec("spectrogram", 22_050, 227),
}
every_kind = pytest.mark.parametrize("kind", SPECS)


def padded(sounds: list[NDArray[np.float32]], filler: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch and its lengths."""
    lengths = [len(sound) for sound in sounds]
    batch = np.full((len(sounds), max(lengths)), filler, dtype=np.float32)
    for row, sound in zip(batch, sounds, strict=True):
        row[: len(sound)] = sound
    return torch.from_numpy(batch), torch.tensor(lengths)


def test_every_twin_is_tested() -> None:
    assert set(TWINS) == set(SPECS)


@pytest.mark.parametrize("kind", ["log-mel", "psf-64", "spectrogram"])
def test_seed_twin_equals_numpy(kind: str, speech: Waveform, noise: Waveform, silence: Waveform) -> None:
    frontend, twin = build_frontend(SPECS[kind]), build_twin(SPECS[kind])
    tone = np.sin(np.arange(5_000) / 3).astype(np.float32)  # faint bands beside a loud one
    hush = np.float32(1e-12) * noise.samples[:3_000]
    sounds = [speech.samples, noise.samples[:30_001], silence.samples[:700], speech.samples[:1], tone, hush]
    features, counts = twin(*padded(sounds))
    assert features.dtype == torch.float32
    for found, count, sound in zip(features.numpy(), counts.tolist(), sounds, strict=True):
        expected = frontend(sound)
        assert count == len(expected)
        np.testing.assert_allclose(found[:count], expected, rtol=0, atol=1e-4 if sound is hush else 1e-5)


def test_twin_of_kaldi_equals_kaldi(speech: Waveform, noise: Waveform, silence: Waveform) -> None:
    """The library works in single precision: rounding shows where a band lies far below the others of its frame."""
    frontend, twin = build_frontend(SPECS["kaldi-fbank"]), build_twin(SPECS["kaldi-fbank"])
    sounds = [speech.samples, noise.samples[:30_001], silence.samples[:700], speech.samples[8_000:24_000]]
    features, counts = twin(*padded(sounds))
    for found, count, sound in zip(features.numpy(), counts.tolist(), sounds, strict=True):
        expected = frontend(sound)
        assert count == len(expected)
        error = np.abs(found[:count] - expected)
        assert error.max() < 1e-3
        assert np.percentile(error, 99) < 1e-4
        assert np.sqrt(np.mean(np.square(error))) < 2e-5


def test_twin_of_kaldi_equals_a_plain_reading_in_double_precision(speech: Waveform, noise: Waveform) -> None:
    for rate, bands in ((16_000, 80), (8_000, 40)):
        twin = build_twin(FrontendSpec("kaldi-fbank", rate, bands))
        sounds = [speech.samples[:16_000], noise.samples[:9_999]]
        features, counts = twin(*padded(sounds))
        for found, count, sound in zip(features.numpy(), counts.tolist(), sounds, strict=True):
            expected = reference.kaldi_fbank(sound, rate, bands)
            np.testing.assert_allclose(found[:count], expected - expected.mean(axis=0), rtol=0, atol=1e-5)


@every_kind
@settings(max_examples=15)
@given(lengths=st.lists(st.integers(400, 6_000), min_size=1, max_size=4))
def test_seed_twin_ignores_batch_mates_and_padding(kind: str, lengths: list[int]) -> None:
    """Not even NaN behind a recording reaches its features; rows beyond its own are zero."""
    generator = np.random.default_rng(1)
    sounds = [generator.normal(0, 0.1, length).astype(np.float32) for length in lengths]
    twin = build_twin(SPECS[kind])
    features, counts = twin(*padded(sounds, filler=float("nan")))
    assert features.shape == (len(sounds), int(counts.max()), SPECS[kind].bands)
    for found, count, sound in zip(features, counts.tolist(), sounds, strict=True):
        alone, _ = twin(torch.from_numpy(sound)[None])
        torch.testing.assert_close(found[:count], alone[0], rtol=0, atol=1e-5)
        assert not found[count:].any()


@every_kind
def test_recordings_longer_than_a_group(kind: str) -> None:
    sounds = np.random.default_rng(1).normal(0, 0.1, (2, 330_000)).astype(np.float32)
    features, counts = build_twin(SPECS[kind])(torch.from_numpy(sounds))
    frontend = build_frontend(SPECS[kind])
    assert counts.tolist() == [frontend.count(330_000)] * 2
    for found, sound in zip(features.numpy(), sounds, strict=True):
        np.testing.assert_allclose(found, frontend(sound), rtol=0, atol=1e-3 if kind == "kaldi-fbank" else 1e-5)


@every_kind
def test_a_twin_learns_nothing_and_is_not_saved(kind: str) -> None:
    twin = build_twin(SPECS[kind])
    assert not list(twin.parameters())
    assert not twin.state_dict()


@every_kind
@pytest.mark.parametrize(
    ("samples", "lengths", "message"),
    [
        (torch.zeros(9_000), None, r"got torch.float32 \(9000,\); give floats \(batch, samples\)"),
        (torch.zeros(2, 9_000, dtype=torch.int16), None, r"got torch.int16 \(2, 9000\); give floats"),
        (torch.zeros(0, 9_000), None, r"lengths do not fit samples \(0, 9000\)"),
        (torch.zeros(2, 0), None, r"lengths do not fit samples \(2, 0\)"),
        (
            torch.zeros(2, 9_000),
            torch.tensor([9_000]),
            r"lengths do not fit samples \(2, 9000\); give integers \(batch,\)",
        ),
        (torch.zeros(2, 9_000), torch.tensor([9_001, 5]), "lengths do not fit"),
        (torch.zeros(2, 9_000), torch.tensor([9_000, 0]), "lengths do not fit"),
        (torch.zeros(2, 9_000), torch.tensor([True, True]), "lengths do not fit"),
        (torch.zeros(2, 9_000), torch.tensor([9_000, 8_000.5]), "lengths do not fit"),
        (torch.zeros(2, 9_000), [9_000, 8_000], "lengths do not fit"),
        (torch.full((2, 9_000), torch.nan), None, "NaN or infinite samples"),
        (torch.full((2, 9_000), torch.inf), None, "NaN or infinite samples"),
    ],
)
def test_what_is_no_batch_of_sound_is_refused(
    kind: str, samples: torch.Tensor, lengths: torch.Tensor | None, message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        build_twin(SPECS[kind])(samples, lengths)


def test_too_short_a_recording_is_refused() -> None:
    with pytest.raises(AudioError, match="a recording holds no frame; give at least 400 samples"):
        build_twin(SPECS["kaldi-fbank"])(torch.zeros(2, 9_000), torch.tensor([9_000, 399]))


def test_only_what_the_front_end_can_do_has_a_twin() -> None:
    with pytest.raises(
        ModelError, match=r"'mel-power' has no twin in torch; use one of kaldi-fbank, log-mel, psf-64, spectrogram"
    ):
        build_twin(FrontendSpec("mel-power", 16_000, 40))
    with pytest.raises(ModelError, match="psf-64 works at 16000 Hz, not at 8000 Hz"):
        build_twin(FrontendSpec("psf-64", 8_000, 64))
