"""Folders of noises and room responses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from samevoice.effects.sounds import load_sounds
from samevoice.errors import AudioError, DataError

RATE = 16_000


def test_sounds_are_loaded_in_order_at_the_rate_asked_for(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    high, low = (np.sin(2 * np.pi * 440 * np.arange(rate) / rate) for rate in (32_000, RATE))
    soundfile.write(tmp_path / "b.wav", np.stack([high, 0 * high], axis=1), 32_000)
    soundfile.write(tmp_path / "deep" / "c.FLAC", low[:500], RATE, format="FLAC")
    soundfile.write(tmp_path / "a.wav", low, RATE)
    (tmp_path / "readme.txt").write_text("no sound")
    first, second, third = load_sounds(tmp_path, RATE)
    assert (len(first), len(second), len(third)) == (RATE, RATE, 500)
    np.testing.assert_allclose(first, low, atol=1e-3)
    np.testing.assert_allclose(second[100:-100], 0.5 * low[100:-100], atol=1e-3)  # the mean of its channels


def test_folders_without_sound_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="holds no recordings; give a folder"):
            load_sounds(folder, RATE)
    soundfile.write(tmp_path / "quiet.wav", np.zeros(99), RATE)
    with pytest.raises(DataError, match=r"quiet\.wav: holds only silence; remove it"):
        load_sounds(tmp_path, RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match=r"broken\.wav"):
        load_sounds(tmp_path, RATE)
