"""The pictures of SpectrogramNet: number, shape, range, and where sound lies in them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.errors import AudioError
from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.features.spectrogram import band_frequencies, band_weights, pictures

RATE = 22_050
SPECTROGRAM = build_frontend(FrontendSpec("spectrogram", RATE, 227))


def noise(seconds: float, seed: int = 5) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def tone(hertz: float, seconds: float = 5.0) -> NDArray[np.float32]:
    moments = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hertz * moments)).astype(np.float32)


@pytest.mark.parametrize(("seconds", "number"), [(5.001, 1), (9.0, 1), (9.001, 2), (13.0, 2), (13.5, 3), (17.2, 4)])
def test_seed_spectrogram_one_image_per_step(seconds: float, number: int) -> None:
    assert pictures(noise(seconds), SPECTROGRAM).shape == (number, 227, 227)


def test_seed_spectrogram_image_of_each_step() -> None:
    """A picture shows its own 5 s, and nothing of what lies around them."""
    sound = noise(14)
    found = pictures(sound, SPECTROGRAM)
    for index, image in enumerate(found):
        np.testing.assert_array_equal(image, SPECTROGRAM(sound[index * 4 * RATE :][: 5 * RATE]))


def test_seed_spectrogram_range_and_determinism() -> None:
    sound = noise(9.5)
    images = pictures(sound, SPECTROGRAM)
    np.testing.assert_array_equal(images.min(axis=(1, 2)), 0.0)
    np.testing.assert_array_equal(images.max(axis=(1, 2)), 1.0)
    np.testing.assert_array_equal(pictures(sound.copy(), SPECTROGRAM), images)
    assert images.dtype == np.float32


def test_seed_spectrogram_too_short_a_recording() -> None:
    for length in (1, 5 * RATE):
        with pytest.raises(AudioError, match=f"{length} samples at 22050 Hz are too few; give more than 110250"):
            pictures(noise(5)[:length], SPECTROGRAM)


def test_pictures_of_a_waveform_are_checked_for_their_rate() -> None:
    sound = noise(6)
    np.testing.assert_array_equal(pictures(Waveform(sound, RATE), SPECTROGRAM), pictures(sound, SPECTROGRAM))
    with pytest.raises(AudioError, match="spectrogram works at 22050 Hz, the sound has 16000 Hz; resample it"):
        pictures(Waveform(sound, 16_000), SPECTROGRAM)


def test_zeros_lie_around_a_picture() -> None:
    """As though the sound began and ended in silence: no reflection."""
    sound = noise(5)
    silence = np.zeros(10 * 486, dtype=np.float32)
    longer = SPECTROGRAM.frames(np.concatenate([np.zeros(1024, dtype=np.float32), silence, sound, silence]))
    inner = SPECTROGRAM.normalise(longer[10:237])
    np.testing.assert_allclose(SPECTROGRAM(sound), inner, atol=1e-6)


def test_silence_is_black() -> None:
    np.testing.assert_array_equal(SPECTROGRAM(np.zeros(5 * RATE, dtype=np.float32)), 0.0)


@pytest.mark.parametrize("hertz", [100.0, 440.0, 3_000.0, 9_000.0])
def test_a_tone_is_a_line_at_its_frequency(hertz: float) -> None:
    image = SPECTROGRAM(tone(hertz))
    brightest = band_frequencies()[image[5:-5].argmax(axis=1)]
    np.testing.assert_allclose(brightest, hertz, rtol=0.06)  # a bin is 10.8 Hz, a band up to 280 Hz
    assert image.mean() < 0.5


def test_time_runs_along_the_rows() -> None:
    """The first 2 s of 5 are silent: 90.8 of 227 rows."""
    sound = noise(5)
    sound[: 2 * RATE] = 0
    image = SPECTROGRAM(sound)
    np.testing.assert_array_equal(image[:88], 0.0)
    assert image[94:].mean() > 0.5


def test_levels_are_decibels_of_a_plain_transform() -> None:
    """A frame of bins lies around each 486th sample; zeros lie before the first."""
    sound = noise(0.3)
    found = SPECTROGRAM.frames(np.concatenate([np.zeros(1024, dtype=np.float32), sound]))
    padded = np.concatenate([np.zeros(1024), sound.astype(np.float64)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(1025), np.arange(2048)) / 2048)
    for frame in (0, 3, 9):
        levels = 20 * np.log10(np.abs(turns @ (padded[frame * 486 : frame * 486 + 2048] * hann)))
        for band, hertz in ((0, 0.0), (40, band_frequencies()[40]), (226, 11_025.0)):
            if band == 226:
                assert levels[-27:].min() < found[frame, band] < levels[-27:].max()
            else:
                straight = np.interp(hertz, np.arange(1025) * RATE / 2048, levels)
                assert found[frame, band] == pytest.approx(straight, abs=1e-4)


def test_only_the_upper_80_decibels_are_shown() -> None:
    levels = np.array([[-100.0, -70.0], [-30.0, 10.0]], dtype=np.float32)
    np.testing.assert_allclose(SPECTROGRAM.normalise(levels), [[0.0, 0.0], [0.5, 1.0]], atol=1e-6)
    upper = np.array([[-25.0, -20.0], [-10.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(SPECTROGRAM.normalise(upper), [[0.0, 0.2], [0.6, 1.0]], atol=1e-6)


def test_the_axis_is_logarithmic() -> None:
    hertz = band_frequencies()
    assert hertz[0] == 0.0
    assert hertz[-1] == pytest.approx(11_025.0)
    low, high = hertz[hertz < 65.4], hertz[hertz > 65.5]
    np.testing.assert_allclose(np.diff(low, 2), 0.0, atol=1e-9)  # even steps
    np.testing.assert_allclose(np.diff(np.log(high), 2), 0.0, atol=1e-9)  # equal ratios
    np.testing.assert_allclose(band_weights().sum(axis=1), 1.0)
    assert (band_weights().sum(axis=0) > 0).all()  # no bin is lost
