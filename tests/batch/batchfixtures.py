"""A small corpus of real voices, and the dataset that one worker makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from samevoice.batch.listing import list_recordings
from samevoice.batch.running import embed_corpus

SPEAKERS = {"reader": "librispeech_1255_a.flac", "philippe": "philippe_1.flac"}
RATE = 16_000
PIECES = 14  # of each speaker


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Path:
    """A folder for each of two speakers, with pieces of 1.5 s that begin at different places."""
    root = tmp_path_factory.mktemp("corpus")
    for speaker, name in SPEAKERS.items():
        sound, rate = soundfile.read(samples / name, dtype="int16")
        (root / speaker).mkdir()
        for number in range(PIECES):
            start = round(number * 0.25 * rate)
            piece = sound[start : start + round(1.5 * rate)]
            soundfile.write(root / speaker / f"{number:02d}.wav", piece, rate)
    return root


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory, voices: Path) -> Path:
    """What a single worker makes of the corpus, in blocks of four."""
    folder = tmp_path_factory.mktemp("dataset") / "one"
    embed_corpus(list_recordings(voices), folder, model="campplus", workers=1, block=4)
    return folder


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """All files below a folder, hidden ones included, with their bytes."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
