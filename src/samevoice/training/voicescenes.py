"""What the tiny voice activity network learns from: made-up scenes of recordings, pauses and noise, and the answers.

The teacher hears every recording as it is; the student hears it in a scene: with others, with pauses of any length, in
a room, over noise, through another microphone, and louder or softer. Scenes without a voice are answered by 0.

Knows: recordings with the teacher's answers, noises, scenes. Does not know: networks, where recordings lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples, Waveform
from samevoice.corpora.pieces import evenly
from samevoice.effects.channel import coloured, gain
from samevoice.effects.noise import babble, synthetic_noise
from samevoice.speech.tinyvad import TinyVad
from samevoice.speech.vad import RATE, SileroVad, runs
from samevoice.training.augment.chain import Augmenter
from samevoice.training.augment.options import AugmentOptions, Band, Colour, Gain, Noise, Room

STEP = round(TinyVad.hop * RATE)  # samples per answer
STEPS = 300  # answers of a scene: 6 s
SIZE = STEPS * STEP + 240  # samples that make twice as many frames of 25 ms every 10 ms
VOICELESS = 0.3  # share of the scenes without a voice
HISSES = 16  # made-up noises among those that lie behind voices
SURE = 0.1  # below, the teacher hears no voice
PAUSE, EDGE = 50, 5  # steps of a pause that is used as a noise, and what is cut off both of its ends
PAUSES = 400  # at most
LEAST_PEAK = 0.001  # of a pause: 33 steps of 16 bits
OPTIONS = AugmentOptions(
    room=Room(chance=0.35),
    noise=Noise(chance=0.7, snr=(-2.0, 25.0), sounds=(1, 2)),
    colour=Colour(chance=0.4, db=9.0),
    band=Band(chance=0.15),
    gain=Gain(chance=0.75, db=(-40.0, 10.0)),
)

Random = np.random.Generator
Answers = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A recording and what the teacher says of it.

    Args:
        pcm: 16-bit samples at 16 kHz, shape (n,).
        answers: probability of speech in each whole 20 ms, shape (n // 320,).
    """

    pcm: NDArray[np.int16]
    answers: Answers


def taught(samples: Samples, teacher: SileroVad) -> Taught:
    """Ask the teacher about a recording.

    Args:
        samples: at 16 kHz, shape (n,).
        teacher: answers once per 32 ms; the answers between are on straight lines.
    """
    heard, _ = teacher.probabilities([Waveform(samples, RATE)])
    moments = (np.arange(len(samples) // STEP) + 0.5) * TinyVad.hop
    answers = np.interp(moments, (np.arange(len(heard)) + 0.5) * teacher.hop, heard)
    return Taught(_as_pcm(samples), answers.astype(np.float32))


class Scenes:
    """Draws scenes.

    Args:
        recordings: with answers; each of one step or more.
        noises: sounds without a voice, shape (n,) each; pauses of the recordings and made-up ones are added to them.
        responses: of rooms, shape (n,) each; made-up rooms where there are none.
        random: draws the made-up noises that lie behind voices.
    """

    def __init__(
        self, recordings: Sequence[Taught], noises: Sequence[Samples], responses: Sequence[Samples], random: Random
    ) -> None:
        """Make up some noises."""
        self._recordings = recordings
        pauses = evenly([pause for one in recordings for pause in _pauses(one)], PAUSES)
        hisses = [_hiss(random) for _ in range(HISSES)]
        self._noises = [group for group in (noises, pauses, hisses) if group]
        often = [*list(noises) * (1 + len(pauses) // max(1, len(noises))), *pauses, *hisses]  # as often as all pauses
        self._augment = Augmenter(OPTIONS, RATE, noises=often, responses=responses)

    def __call__(self, random: Random) -> tuple[Samples, Answers]:
        """A scene and what to say of it.

        Args:
            random: decides all; it moves on.

        Returns:
            Samples of shape (96240,) in steps of 16 bits, answers of shape (300,).
        """
        sound, answers = self._voiceless(random) if random.random() < VOICELESS else self._voices(random)
        return _as_samples(_as_pcm(self._augment(sound, random))), answers

    def _voiceless(self, random: Random) -> tuple[Samples, Answers]:
        """A noise of any kind at any level, or nothing at all."""
        kinds = (self._noise, self._noise, self._noise, _hiss, _bursts, _tones, _notes)
        sound = kinds[int(random.integers(len(kinds)))](random)
        level = 10 ** (random.uniform(-2.5, -0.1)) / max(float(np.abs(sound).max()), 1e-9)
        scaled: Samples = (sound * level * (random.random() > 0.05)).astype(np.float32)  # 1 in 20 is silence
        return scaled, np.zeros(STEPS, dtype=np.float32)

    def _noise(self, random: Random) -> Samples:
        """A stretch of one of the noises, faster or slower than it was, or of two at once."""
        group = self._noises[int(random.integers(len(self._noises)))]
        sound = babble(group, int(random.integers(1, 3)), SIZE + 1, random)
        moments = np.arange(SIZE) * random.uniform(0.6, 1.0)
        return coloured(
            np.interp(moments, np.arange(SIZE + 1), sound).astype(np.float32), random.uniform(-9, 9, size=7)
        )

    def _voices(self, random: Random) -> tuple[Samples, Answers]:
        """Recordings one behind the other, each from anywhere on, with pauses of up to 1.5 s."""
        sound, answers = np.zeros(SIZE, dtype=np.float32), np.zeros(STEPS, dtype=np.float32)
        place = _gap(random)
        while place < STEPS:
            one = self._recordings[int(random.integers(len(self._recordings)))]
            first = int(random.integers(len(one.answers))) if random.random() < 0.5 else 0
            said = one.answers[first : first + STEPS - place]
            spoken = _as_samples(one.pcm[first * STEP : (first + len(said)) * STEP])
            sound[place * STEP : (place + len(said)) * STEP] = gain(spoken, random.uniform(-8, 4))
            answers[place : place + len(said)] = said
            place += len(said) + _gap(random)
        return sound, answers


def _gap(random: Random) -> int:
    """Steps of nothing, often none."""
    return int(random.integers(75)) if random.random() < 0.6 else 0


def _as_pcm(samples: Samples) -> NDArray[np.int16]:
    """To 16 bits; what is too loud is clipped, as converters do."""
    return np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype(np.int16)


def _as_samples(pcm: NDArray[np.int16]) -> Samples:
    """From 16 bits."""
    return pcm.astype(np.float32) / np.float32(32_768)


def _pauses(one: Taught) -> list[Samples]:
    """What lies between the words of a recording: the noise of a real place, loud enough to be more than rounding."""
    quiet = [
        (first + EDGE, last - EDGE) for first, last in runs(one.answers < SURE) if last - first >= PAUSE + 2 * EDGE
    ]
    found = [_as_samples(one.pcm[first * STEP : last * STEP]) for first, last in quiet]
    return [sound for sound in found if np.abs(sound).max() > LEAST_PEAK]


def _hiss(random: Random) -> Samples:
    """Noise of a random colour, steady, swelling, or coming and going."""
    noise = synthetic_noise(SIZE, RATE, random.uniform(-2, 2), random)
    if random.random() < 0.6:
        noise = coloured(noise, random.uniform(-15, 15, size=int(random.integers(4, 20))))
    swell = 1 + random.uniform(0, 0.95) * np.sin(np.arange(SIZE) * 2 * np.pi * random.uniform(0.1, 12) / RATE)
    if random.random() < 0.3:
        swell = np.where(swell > random.uniform(0.5, 1.3), 1.0, random.uniform(0, 0.1))
    return (noise * swell).astype(np.float32)


def _bursts(random: Random) -> Samples:
    """Knocks, clicks and rustle: noises that begin at once and die away."""
    sound = 0.003 * random.standard_normal(SIZE)
    for start in random.integers(SIZE, size=int(random.integers(4, 60))):
        length = min(SIZE - int(start), round(RATE * random.uniform(0.005, 0.6)))
        burst = synthetic_noise(length + 1, RATE, random.uniform(-1, 2), random)[:length]
        fall = random.uniform(3, 9) if random.random() < 0.7 else 0.0
        sound[start : start + length] += random.uniform(0.1, 1) * burst * np.exp(-fall * np.arange(length) / length)
    return sound.astype(np.float32)


def _tones(random: Random) -> Samples:
    """Hum, whistles and sirens: one to six partials that stay or wander, going on or in beeps."""
    times = np.arange(SIZE) / RATE
    wander = random.uniform(0, 0.3) * np.sin(2 * np.pi * random.uniform(0.1, 6) * times)
    pitch = np.exp(random.uniform(np.log(50), np.log(2_500)) + wander)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = _partials(phase, int(random.integers(1, 7)), random)
    if random.random() < 0.5:
        sound = sound * (np.sin(2 * np.pi * random.uniform(0.5, 6) * times) > random.uniform(-0.7, 0.7))
    return (sound + 0.002 * random.standard_normal(len(times))).astype(np.float32)


def _notes(random: Random) -> Samples:
    """Music of plucked or bowed notes and chords on a tempered scale, with a drum now and then."""
    beat, lowest, partials = random.uniform(0.12, 0.8), random.uniform(55, 330), int(random.integers(2, 12))
    fall, vibrato = random.choice([0.5, 2.0, 6.0]), random.choice([0.0, 0.0, 0.5, 3.0])
    since = np.arange(round(2 * beat * RATE)) / RATE  # the beginning of a note
    shape = np.exp(-fall * since) * np.minimum(1, since / 0.01) * np.minimum(1, since[::-1] / 0.03)
    starts = np.arange(0, SIZE, round(beat * RATE))
    sound = np.zeros(SIZE + len(since))
    for start in starts:
        for tone in random.integers(25, size=int(random.choice([0, 1, 1, 3]))):
            pitch = lowest * 2 ** (tone / 12)
            phase = 2 * np.pi * pitch * since + vibrato * np.sin(2 * np.pi * 5.5 * since)
            sound[start : start + len(since)] += _partials(phase, partials, random) * shape
        if random.random() < 0.3:
            drum = np.exp(-random.uniform(15, 60) * since)
            sound[start : start + len(since)] += random.standard_normal(len(since)) * drum
    return sound[:SIZE].astype(np.float32)


def _partials(phase: NDArray[np.float64], count: int, random: Random) -> NDArray[np.float64]:
    """A tone of so many partials with falling, random strengths."""
    strengths = random.uniform(0.2, 1, size=count) / np.arange(1, count + 1)
    tone = np.zeros(len(phase))
    for number, strength in enumerate(strengths, 1):
        tone += strength * np.sin(number * phase)
    return tone
