"""psf-64 against python_speech_features: its values as kept in a file, and live where it is installed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.features.psf import psf_filters

EXPECTED = Path(__file__).parents[1] / "data" / "psf_expected.json"
PSF = build_frontend(FrontendSpec("psf-64", 16_000, 64))


def live(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """The package's energies, normalised per frame."""
    package = pytest.importorskip("python_speech_features")
    energies = package.fbank(samples.astype(np.float64), samplerate=16_000, nfilt=64)[0]
    normalised: NDArray[np.float64] = (energies - energies.mean(axis=1, keepdims=True)) / np.maximum(
        energies.std(axis=1, keepdims=True), 1e-12
    )
    return normalised


def test_seed_psf_64_golden_vectors(samples: Path) -> None:
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    sound, rate = soundfile.read(samples / expected["sample"], dtype="float32")
    assert rate == expected["rate"] == 16_000
    for case in expected["cases"]:
        features = PSF(sound[case["start"] : case["stop"]])
        assert features.shape == (case["count"], 64), case["name"]
        for index, values in case["frames"].items():
            np.testing.assert_allclose(features[int(index)], values, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "frames"),
    [
        (1, 1),
        (400, 1),
        (401, 2),
        (560, 2),
        (561, 3),
        (25_600, 159),
        (25_616, 159),
        (25_680, 159),
        (25_681, 160),
        (25_760, 160),
        (25_840, 160),
    ],
)
def test_seed_psf_64_number_of_frames(samples: int, frames: int) -> None:
    """1.600 and 1.601 s give 159 frames, 160 first appear at 1.6051 s and end with 1.615 s."""
    assert PSF.count(samples) == frames
    assert PSF(np.zeros(samples, dtype=np.float32)).shape == (frames, 64)
    assert PSF.count(25_841) == 161


def test_seed_psf_64_per_frame_normalisation(speech: Waveform) -> None:
    features = PSF(speech.samples)
    np.testing.assert_allclose(features.mean(axis=1), 0.0, atol=1e-5)
    np.testing.assert_allclose(features.std(axis=1), 1.0, atol=1e-5)
    assert PSF.normalise(features) is features


def test_seed_psf_64_a_frame_of_zeros_stays_zeros(speech: Waveform, silence: Waveform) -> None:
    np.testing.assert_array_equal(PSF(silence.samples), 0.0)
    features = PSF(np.concatenate([speech.samples[:4_000], silence.samples[:4_000]]))
    assert np.abs(features[:24]).max(axis=1).min() > 1
    np.testing.assert_array_equal(features[26:], 0.0)


@pytest.mark.parametrize("length", [1, 399, 400, 401, 560, 561, 25_681, 48_000])
def test_agrees_with_the_package(speech: Waveform, length: int) -> None:
    samples = speech.samples[:length]
    expected = live(samples)
    features = PSF(samples)
    assert features.shape == expected.shape
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5)


@settings(max_examples=25)
@given(values=st.lists(st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e-3, 1 / 32_768]), min_size=1, max_size=1_200))
def test_agrees_with_the_package_on_odd_sounds(values: list[float]) -> None:
    samples = np.array(values, dtype=np.float32)
    np.testing.assert_allclose(PSF(samples), live(samples), rtol=0, atol=1e-5)


def test_the_scale_of_the_samples_cancels(speech: Waveform) -> None:
    """One seed reads 16-bit integers, the others floats."""
    np.testing.assert_allclose(PSF(0.25 * speech.samples), PSF(speech.samples), atol=1e-5)


def test_filters_as_counted_in_the_seeds() -> None:
    filters = psf_filters()
    assert filters.shape == (64, 257)
    sizes = (filters > 0).sum(axis=1)
    assert sizes.min() == 1
    assert (sizes == 1).sum() == 8
    np.testing.assert_array_equal(filters.max(axis=1), 1.0)
