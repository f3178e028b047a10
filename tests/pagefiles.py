"""The files that pages name: recordings of several voices, meetings, folders of people; made of the samples."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from makers import encode

import samevoice as sv
from samevoice.audio.waveform import Samples
from samevoice.lab import Scene, simulate

SAMPLES = Path(__file__).parent.parent / "samples"
RATE, PIECE = 16_000, 3 * 16_000
PEOPLE = {
    "anna": ("sample_1a.mp3", "sample_1b.mp3"),
    "bert": ("philippe_1.flac", "philippe_2.flac"),
    "cara": ("librispeech_1255_a.flac",),
}
SPEEDS = {"": 1.0, "-slow": 0.9, "-slower": 0.8}  # a voice at another speed passes for another person
CLIPS = {
    "ada.wav": "sample_1a.mp3",
    "today.wav": "sample_1b.mp3",
    "visitor.wav": "sample_1b.mp3",
    "a.wav": "sample_1a.mp3",
    "b.wav": "sample_1b.mp3",
    "ann.wav": "librispeech_1255_a.flac",
    "bob.wav": "philippe_1.flac",
}
TALKS = ("meeting.m4a", "meeting.wav", "monday.wav", "friday.wav", "call.wav")


def voices(root: Path) -> None:
    """A folder per person: `1.wav`, `2.wav`, ... of three seconds."""
    for person, files in PEOPLE.items():
        for name, speed in SPEEDS.items():
            (root / f"{person}{name}").mkdir(parents=True)
            parts = []
            for file in files:
                sound, rate = soundfile.read(SAMPLES / file, dtype="float32", always_2d=True)
                parts.append(soxr.resample(sound.mean(axis=1), rate, RATE / speed))
            whole = np.concatenate(parts)
            for number in range(len(whole) // PIECE):
                piece = whole[number * PIECE : (number + 1) * PIECE]
                soundfile.write(root / f"{person}{name}" / f"{number + 1}.wav", piece, RATE)


def clip(path: Path) -> None:
    """One of the samples under a name of a page."""
    sound, rate = soundfile.read(SAMPLES / CLIPS[path.name], dtype="float32")
    soundfile.write(path, sound, rate)


@cache
def conversation() -> Samples:
    """Half a minute of two people, at 16 kHz."""
    speakers = {"ann": [SAMPLES / "librispeech_1255_a.flac"], "bob": [SAMPLES / "philippe_1.flac"]}
    scene = Scene(speakers=(2, 2), minutes=(0.5, 0.5), overlap=0.05, seed=5)
    return simulate(speakers, scene, detector=sv.load_detector()).waveform().samples


def talk(path: Path) -> None:
    """A meeting, in the format that its name says; on Friday the second half comes first."""
    kind = "m4a" if path.suffix == ".m4a" else "wav-16"
    samples = conversation()
    path.write_bytes(encode(kind, np.roll(samples, len(samples) // 2) if path.stem == "friday" else samples, RATE))


def librispeech(root: Path) -> None:
    """A corpus as LibriSpeech is laid out."""
    for speaker, chapter, number, name in (("1255", "90413", 1, "1255_a"), ("19", "198", 0, "19_a")):
        folder = root / "dev-clean" / speaker / chapter
        folder.mkdir(parents=True)
        shutil.copy(SAMPLES / f"librispeech_{name}.flac", folder / f"{speaker}-{chapter}-{number:04}.flac")


def link(path: Path) -> None:
    """The samples, as in a checkout."""
    path.symlink_to(SAMPLES)


def copies(path: Path) -> None:
    """The samples, as somebody's folder of recordings."""
    shutil.copytree(SAMPLES, path)


def noises(root: Path) -> None:
    """Noise, or what a room answers: the same file does for both."""
    root.mkdir()
    fading = np.exp(-np.arange(RATE) / 1_600) * np.random.default_rng(0).standard_normal(RATE)
    soundfile.write(root / "one.wav", 0.1 * fading, RATE)


MAKERS: dict[str, Callable[[Path], None]] = {
    "samples/": link,
    "voices/": voices,
    "people/": voices,
    "recordings/": copies,
    "LibriSpeech/": librispeech,
    **dict.fromkeys(("noises/", "responses/"), noises),
    **dict.fromkeys(CLIPS, clip),
    **dict.fromkeys(TALKS, talk),
}


def prepare(folder: Path, text: str) -> None:
    """Make whatever the commands of a page name, but for what they make themselves."""
    for name, make in MAKERS.items():
        if name in text and f"-o {name}" not in text and not (folder / name).exists():
            make(folder / name)
