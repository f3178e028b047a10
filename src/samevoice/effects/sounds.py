"""Folders of noises and room responses.

Knows: files. Does not know: what the sounds are for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samevoice.audio.decode import AUDIO_SUFFIXES, open_recording
from samevoice.audio.resample import mix, waveforms
from samevoice.audio.waveform import Samples
from samevoice.errors import DataError


def load_sounds(folder: Path, rate: int) -> list[Samples]:
    """Every recording below a folder, in the order of their paths.

    All of them stay in memory: an hour at 16 kHz takes 230 MB.

    Args:
        folder: searched with its subfolders for files with the suffixes of audio.
        rate: that they are brought to, in Hz.

    Returns:
        One channel each, shape (n,), none of them silent.

    Raises:
        DataError: the folder holds no recordings, or one of them only silence.
        AudioError: one of them cannot be read.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file())
    if not paths:
        raise DataError(f"{folder}: holds no recordings; give a folder of noises or room responses as WAV or FLAC")
    return [_load(path, rate) for path in paths]


def _load(path: Path, rate: int) -> Samples:
    """One recording, whole."""
    recording = open_recording(path)
    blocks = (mix(block) for block in recording.blocks())
    spans = [span.samples for span in waveforms(blocks, recording.info.rate, rate)]
    sound = np.concatenate(spans) if spans else np.zeros(0, dtype=np.float32)
    if not sound.any():
        raise DataError(f"{path}: holds only silence; remove it from the folder")
    return sound
