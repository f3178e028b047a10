"""The front end of SpeechIdentity against a plain transform and the figures measured on its sample recordings."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.features.mel import mel_triangles

LOG_MEL = build_frontend(FrontendSpec("log-mel", 48_000, 80))
SILENT = math.log(1e-6)


@pytest.fixture(scope="module")
def clips(samples: Path) -> list[NDArray[np.float32]]:
    """The seed's three sample recordings at 48 kHz, of 4.12, 5.21 and 3.00 s."""
    read = [soundfile.read(samples / f"sample_{name}.mp3", dtype="float32") for name in ("1a", "1b", "2")]
    assert [rate for _, rate in read] == [48_000] * 3
    return [sound for sound, _ in read]


def test_seed_log_mel_shape() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 240_000).astype(np.float32)
    assert LOG_MEL(sound).shape == (938, 80)
    assert [LOG_MEL.count(samples) for samples in (1, 256, 257, 240_000)] == [1, 1, 2, 938]


def test_seed_log_mel_levels_of_the_sample_recordings(clips: list[NDArray[np.float32]]) -> None:
    """Means of -3.5 to -2.6 and deviations of 1.4 to 1.7 alone; -5.42 and 4.55 as the padded batch of the seed."""
    alone = [LOG_MEL.frames(sound, LOG_MEL.count(len(sound))) for sound in clips]
    assert all(-3.5 < log.mean() < -2.6 for log in alone)
    assert all(1.4 < log.std() < 1.74 for log in alone)
    longest = LOG_MEL.count(max(map(len, clips)))
    batch = np.stack([LOG_MEL.frames(sound, longest) for sound in clips])
    assert batch.mean() == pytest.approx(-5.42, abs=0.005)
    assert batch.std() == pytest.approx(4.55, abs=0.005)
    assert batch[2, -1] == pytest.approx(SILENT)


def test_seed_log_mel_normalisation_per_clip(clips: list[NDArray[np.float32]]) -> None:
    for sound in clips:
        features = LOG_MEL(sound)
        assert features.mean() == pytest.approx(0.0, abs=1e-5)
        assert features.std() == pytest.approx(1.0, abs=1e-5)
        log = LOG_MEL.frames(sound, len(features))
        np.testing.assert_allclose(features * log.std() + log.mean(), log, atol=1e-4)  # one scale for all bands


def test_seed_log_mel_of_silence() -> None:
    np.testing.assert_allclose(LOG_MEL(np.zeros(240_000, dtype=np.float32)), 0.0, atol=1e-6)
    np.testing.assert_allclose(LOG_MEL.frames(np.zeros(4_096, dtype=np.float32)), SILENT, atol=1e-6)
    hush = 1e-12 * np.random.default_rng(0).normal(size=48_000)
    assert np.abs(LOG_MEL(hush)).max() < 0.1  # nothing audible is not raised to the level of speech


def test_a_plain_transform_agrees(clips: list[NDArray[np.float32]]) -> None:
    sound = clips[0][90_000:91_500].astype(np.float64)
    found = LOG_MEL.frames(sound.astype(np.float32), 6)
    padded = np.concatenate([sound, np.zeros(5 * 256 + 1024 - 1_500)])
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / 1024) for n in range(1024)]
    turns = np.exp(-2j * np.pi * np.outer(np.arange(513), np.arange(1024)) / 1024)

    def mel(hertz: float) -> float:
        return 1127.0 * math.log(1.0 + hertz / 700.0)

    step = (mel(10_000.0) - mel(80.0)) / 81
    for frame in (0, 2, 5):
        magnitude = np.abs(turns @ (padded[frame * 256 : frame * 256 + 1024] * hann))
        for band in (0, 1, 40, 79):
            total = 0.0
            for index in range(513):
                place = (mel(index * 48_000 / 1024) - mel(80.0)) / step - band  # 0 left, 1 centre, 2 right
                total += max(0.0, min(place, 2.0 - place)) * magnitude[index]
            assert found[frame, band] == pytest.approx(math.log(total + 1e-6), abs=1e-5)


def test_filters_as_counted_in_the_seed() -> None:
    filters = mel_triangles(48_000, 1024, 80, low=80.0, high=10_000.0)
    sizes = (filters > 0).sum(axis=1)
    assert sizes.min() == 1
    assert (sizes == 1).sum() == 10
    assert filters.max() <= 1
    assert not filters[:, 0].any()
