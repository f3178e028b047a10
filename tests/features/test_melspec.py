from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from samevoice.errors import ModelError
from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.features.melspec import MelPower, hz_of, mel_filters, mel_of

SPEC = FrontendSpec("mel-power", 16_000, 40)


def test_the_scale_has_slaneys_published_values() -> None:
    hz = np.array([0.0, 60.0, 200.0, 1000.0, 6400.0])  # 1000 x 6.4 lies 27 steps above 15
    mel = np.array([0.0, 0.9, 3.0, 15.0, 42.0])
    np.testing.assert_allclose(mel_of(hz), mel)
    np.testing.assert_allclose(hz_of(mel), hz, atol=1e-9)


def test_a_loop_over_frames_bins_and_bands_agrees(samples: Path) -> None:
    sound, _ = soundfile.read(samples / "librispeech_1255_a.flac", frames=2000, dtype="float32")
    found = MelPower(SPEC).frames(sound)
    assert found.shape == (1 + (2000 - 400) // 160, 40)
    hann = [0.5 - 0.5 * np.cos(2 * np.pi * n / 400) for n in range(400)]
    corners = hz_of(np.linspace(0.0, mel_of(np.array(8000.0)).item(), 42))
    for frame in (0, 7, 10):
        windowed = sound[frame * 160 : frame * 160 + 400].astype(np.float64) * hann
        turns = np.exp(-2j * np.pi * np.outer(np.arange(201), np.arange(400)) / 400)
        power = np.abs(turns @ windowed) ** 2
        for band in (0, 1, 20, 39):
            low, mid, high = corners[band : band + 3]
            total = 0.0
            for index in range(201):
                hz = index * 40.0
                height = (hz - low) / (mid - low) if hz <= mid else (high - hz) / (high - mid)
                total += max(0.0, height) * 2 / (high - low) * power[index]
            assert found[frame, band] == pytest.approx(total, rel=1e-4)


def test_filters_have_unit_area_where_bins_are_dense() -> None:
    areas = mel_filters(16_000, 4096, 40).sum(axis=1) * 16_000 / 4096
    np.testing.assert_allclose(areas, 1.0, atol=0.02)


def test_blocks_give_the_same_frames_as_the_whole(samples: Path) -> None:
    sound, _ = soundfile.read(samples / "librispeech_1255_a.flac", dtype="float32")
    bank = build_frontend(SPEC)
    whole = bank.frames(sound)
    np.testing.assert_allclose(bank.frames(sound[160 * 50 :]), whole[50:], rtol=1e-5)
    assert bank.normalise(whole) is whole
    assert bank.frames(sound[:399]).shape == (0, 40)


def test_options_are_refused() -> None:
    with pytest.raises(ModelError, match="takes no options, got power"):
        MelPower(FrontendSpec("mel-power", 16_000, 40, {"power": 1.0}))
