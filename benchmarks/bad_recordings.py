"""Recordings to enrol with, good and bad, made of real speech, noises and rooms of the data folder.

The folder holds no music; `songs` synthesises some: chords, a melody with harmonics and vibrato, drums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from samevoice.audio.resample import resample
from samevoice.audio.waveform import Samples, Waveform
from samevoice.effects.codecs import round_trip
from samevoice.effects.noise import add_noise, stretch
from samevoice.effects.rooms import reverberate
from samevoice.embedder import Model
from samevoice.evaluation.stress import crop
from samevoice.speech.vad import RATE

SEMITONE = 2 ** (1 / 12)


@dataclass(frozen=True, slots=True)
class Stage:
    """What the recordings are made of."""

    model: Model
    sounds: list[Samples]
    noises: list[Samples]
    rooms: list[Samples]
    music: list[Samples]
    rng: np.random.Generator

    def piece(self, place: int, least: float = 4.0, most: float = 12.0) -> Samples:
        """The beginning of an utterance, at an even level."""
        sound = self.sounds[place][: int(RATE * self.rng.uniform(least, most))]
        return scaled(sound, 0.05 / float(np.sqrt(np.mean(sound**2))))

    def one(self, sounds: Sequence[Samples]) -> Samples:
        """Any of several."""
        return sounds[int(self.rng.integers(len(sounds)))]

    def within(self, voice: Samples, other: Samples, snr_db: float) -> Samples:
        """A voice with something else behind it."""
        return add_noise(voice, stretch(other, len(voice), self.rng), snr_db)


Make = Callable[[Stage, int], Waveform]


def as_recorded(stage: Stage, place: int) -> Waveform:
    return Waveform(stage.sounds[place], RATE)


def mild(stage: Stage, place: int) -> Waveform:
    voice = reverberate(stage.piece(place), stage.one(stage.rooms))
    return Waveform(stage.within(voice, stage.one(stage.noises), stage.rng.uniform(20, 25)), RATE)


def noisy(stage: Stage, place: int) -> Waveform:
    return Waveform(stage.within(stage.piece(place), stage.one(stage.noises), stage.rng.uniform(-3, 5)), RATE)


def clipped(stage: Stage, place: int) -> Waveform:
    voice = stage.piece(place)
    loud = voice / np.abs(voice).max() * 10 ** (stage.rng.uniform(10, 25) / 20)
    return Waveform(scaled(np.clip(loud, -1, 1), stage.rng.uniform(0.3, 1)), RATE)


def two_speakers(stage: Stage, place: int) -> Waveform:
    """One after the other, or both at once at levels up to 5 dB apart."""
    one, other = stage.piece(place), stage.piece((place + 1) % len(stage.sounds))
    if stage.rng.random() < 0.5:
        return Waveform(np.concatenate([one, other]), RATE)
    size = min(len(one), len(other))
    return Waveform(one[:size] + scaled(other[:size], 10 ** (stage.rng.uniform(-5, 5) / 20)), RATE)


def too_short(stage: Stage, place: int) -> Waveform:
    sound = Waveform(stage.sounds[place], RATE)
    return crop(sound, stage.model.listen(sound).speech, stage.rng.uniform(0.3, 1.2))


def silence(stage: Stage, _: int) -> Waveform:
    """A muted microphone, or a room in which nobody speaks."""
    size = int(RATE * stage.rng.uniform(3, 10))
    if stage.rng.random() < 0.3:
        return Waveform(np.zeros(size, dtype=np.float32), RATE)
    noise = stretch(stage.noises[2], size, stage.rng)  # pink
    return Waveform(scaled(noise, 10 ** (stage.rng.uniform(-75, -45) / 20) / float(np.std(noise))), RATE)


def telephone(stage: Stage, place: int) -> Waveform:
    """At 8 kHz, as a file of that rate or of a higher one."""
    narrow = resample(Waveform(stage.piece(place), RATE), 8_000)
    return narrow if stage.rng.random() < 0.5 else resample(narrow, (16_000, 44_100)[int(stage.rng.integers(2))])


def music(stage: Stage, place: int) -> Waveform:
    """Alone, or as loud as the voice before it."""
    tune = stage.one(stage.music)
    if stage.rng.random() < 0.5:
        return Waveform(stretch(tune, int(RATE * stage.rng.uniform(4, 12)), stage.rng), RATE)
    return Waveform(stage.within(stage.piece(place), tune, stage.rng.uniform(-3, 3)), RATE)


def replayed(stage: Stage, place: int) -> Waveform:
    """The recording of somebody who is enrolled, through a codec, at another level, with cut ends."""
    sound = stage.sounds[place]
    first, last = (int(RATE * stage.rng.uniform(0, 1)) for _ in range(2))
    part = sound[first : len(sound) - last]
    level = scaled(part, stage.rng.uniform(0.1, 0.9) / float(np.abs(part).max()))
    return Waveform(round_trip(level, RATE, ("mp3", "opus")[int(stage.rng.integers(2))]), RATE)


KINDS: dict[str, Make] = {
    "noise, -3 to 5 dB": noisy,
    "clipped": clipped,
    "two speakers": two_speakers,
    "too short": too_short,
    "silence": silence,
    "8 kHz": telephone,
    "music": music,
    "replayed duplicate": replayed,
}


def songs(rng: np.random.Generator) -> list[Samples]:
    """A few pieces of synthetic music, 20 s each."""
    return [song(rng) for _ in range(6)]


def song(rng: np.random.Generator) -> Samples:
    """Four chords over and over, a melody with harmonics and vibrato above them, drums below."""
    beat = int(RATE * rng.uniform(0.3, 0.6))
    root, beats = rng.uniform(100, 180), 20 * RATE // beat
    out = np.zeros((beats + 1) * beat)
    for number in range(beats):
        base = root * SEMITONE ** (0, 5, 7, 3)[number // 4 % 4]
        pitches = [
            *(base * SEMITONE**step for step in (0, 4, 7)),
            2 * base * SEMITONE ** rng.choice([0, 2, 4, 7, 9, 12]),
        ]
        time = np.arange(beat) / RATE
        wave = np.zeros(beat)
        for voice, pitch in enumerate(pitches):
            phase = 2 * np.pi * pitch * time + (0.3 * np.sin(2 * np.pi * 5.5 * time) if voice == 3 else 0.0)
            wave += sum(np.sin(k * phase) / k for k in range(1, 9)) * (1.5 if voice == 3 else 0.6)
        hit = rng.standard_normal(beat) * np.exp(-time * (15, 40)[number % 2]) * 2
        out[number * beat : (number + 1) * beat] += wave * np.exp(-2 * time) + hit
    return scaled(out, 0.1 / float(np.std(out)))


def read(path: Path) -> Samples:
    """A recording at 16 kHz, channels mixed."""
    samples, rate = soundfile.read(path, dtype="float32")
    return resample(Waveform(samples, rate), RATE).samples


def scaled(samples: NDArray[np.floating], factor: float) -> Samples:
    """Samples times a factor."""
    return np.asarray(samples * factor, dtype=np.float32)
