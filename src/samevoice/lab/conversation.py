"""A simulated conversation: its labels, its sound, and what it was made of.

Knows: the order of the steps. Does not know: files, how labels are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from samevoice.audio.decode import Source
from samevoice.audio.waveform import Samples, Waveform
from samevoice.effects.noise import synthetic_noise
from samevoice.effects.rooms import synthetic_response
from samevoice.errors import ConfigError
from samevoice.lab.mixing import Sound
from samevoice.lab.planning import Plan, plan, reserve
from samevoice.lab.scene import Scene
from samevoice.lab.takes import Shelf, Take, take
from samevoice.lab.voices import Voice
from samevoice.speech.timeline import Seconds, Segment
from samevoice.speech.vad import RATE, VoiceActivityDetector

TILT = 1.0  # pink noise
NOISE_SECONDS = 60.0  # after which made-up noise begins again
DIRECT_DB = (-3.0, 9.0)  # direct sound over reverberation: from across a table to close to the microphone


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """A labelled conversation, which is mixed when its blocks are asked for, the same each time.

    Attributes:
        rate: 16,000 Hz.

    Args:
        extent: its length in seconds.
        scene: the settings.
        number: which of the conversations with these settings it is.
        rt60: seconds of reverberation; None without a room, or where its responses were given.
        snr: of the noise under the loudest speaker in dB; None for none.
    """

    extent: Seconds
    scene: Scene
    number: int
    rt60: float | None
    snr: float | None
    _plan: Plan
    _sound: Sound
    _shelf: Shelf

    rate = RATE

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, those with the largest share first."""
        return tuple(deck.voice.name for deck in self._plan.decks)

    @property
    def labels(self) -> tuple[tuple[Segment, str], ...]:
        """When who speaks, in order of time; pauses of up to 0.3 s belong to the speech, longer ones do not."""
        plan = self._plan
        return tuple(sorted((one, name) for name, own in zip(self.speakers, plan.labels, strict=True) for one in own))

    @property
    def overlap(self) -> float:
        """Share of the time with speech in which two or more speak."""
        return self._plan.overlap

    @property
    def reused(self) -> bool:
        """Whether somebody has to say something twice."""
        return any(deck.rounds > 1 for deck in self._plan.decks)

    def blocks(self, only: str | None = None) -> Iterator[Waveform]:
        """The sound from the beginning, in blocks of 20 s; the last one is shorter.

        Args:
            only: a speaker; the others are silent then.

        Raises:
            ValueError: nobody of that name speaks.
            AudioError: a recording cannot be read any more.
        """
        placed = self._plan.placed
        if only is not None:
            speaker = self.speakers.index(only)
            placed = tuple(one for one in placed if one.speaker == speaker)
        for block in self._sound.blocks(placed, self._shelf, round(self.extent * RATE)):
            yield Waveform(block, RATE)

    def waveform(self, only: str | None = None) -> Waveform:
        """The whole sound; as for `blocks`.

        Args:
            only: a speaker; the others are silent then.
        """
        return Waveform(np.concatenate([block.samples for block in self.blocks(only)]), RATE)

    def to_json(self) -> dict[str, Any]:
        """What it is and what it was made of, as plain values."""
        plan = self._plan
        speakers = [
            {
                "name": deck.voice.name,
                "seconds": round(own.duration, 3),
                "level_db": round(level, 2),
                "recordings": list(deck.used),
                "rounds": deck.rounds,
                "reused": deck.rounds > 1,
            }
            for deck, own, level in zip(plan.decks, plan.labels, self._sound.levels, strict=True)
        ]
        drawn = {"rt60": self.rt60, "snr": self.snr}
        return {
            "number": self.number,
            "seconds": self.extent,
            "overlap": round(self.overlap, 4),
            **{name: None if value is None else round(value, 3) for name, value in drawn.items()},
            "speakers": speakers,
            "scene": asdict(self.scene),
        }


class Studio:
    """Speakers who can be put into conversations; each recording is listened to once for all of them."""

    def __init__(
        self,
        sources: Mapping[str, Sequence[Source | Take]],
        scene: Scene,
        *,
        detector: VoiceActivityDetector,
        noises: Sequence[Samples] = (),
        responses: Sequence[Samples] = (),
    ) -> None:
        """Prepare; nothing is heard yet.

        Args:
            sources: recordings by speaker, with nobody else in them.
            scene: the settings.
            detector: finds the speech; it gets blocks at 16 kHz.
            noises: at 16 kHz, one of which is behind a conversation; made-up noise where there are none.
            responses: of rooms at 16 kHz, one for each speaker; a made-up room where there are none.

        Raises:
            ConfigError: the scene asks for more speakers than there are, or for more than there is time for.
        """
        most = scene.speakers[1]
        if most > len(sources):
            raise ConfigError(f"{most} speakers are asked for, but recordings of {len(sources)} are given; add others")
        if scene.minutes[0] * 60 < (least := most * reserve(scene)):
            raise ConfigError(
                f"{scene.minutes[0]:g} min are too short for {most} speakers to have their say; "
                f"ask for at least {np.ceil(least / 6) / 10:g} min"
            )
        self.scene = scene
        self._shelf = Shelf()
        self._noises, self._responses = tuple(noises), tuple(responses)
        self._voices = [
            Voice(
                name, [_as_take(one, f"{name}, recording {n}") for n, one in enumerate(own, 1)], detector, self._shelf
            )
            for name, own in sorted(sources.items())
        ]

    def conversation(self, number: int = 0) -> Conversation:
        """One of the conversations with these settings.

        Args:
            number: from 0; each has its own speakers, times and sound, whichever were made before.

        Raises:
            DataError: recordings of somebody hold no speech.
            AudioError: a recording cannot be read.
        """
        scene = self.scene
        # Streams of their own: the same is said at the same times in any room and noise.
        said, heard, rooms, noises = (np.random.default_rng((scene.seed, number, stream)) for stream in range(4))
        count = int(said.integers(scene.speakers[0], scene.speakers[1] + 1))
        voices = [self._voices[place] for place in said.choice(len(self._voices), count, replace=False)]
        extent = round(60 * said.uniform(*scene.minutes), 2)
        planned = plan(scene, voices, extent, said)
        levels = tuple(heard.permutation([0.0, *heard.uniform(-scene.levels, 0, count - 1)]).tolist())
        rt60, responses = self._room(count, rooms)
        snr, noise = self._noise(noises)
        sound = Sound(levels, responses, noise, 0.0 if snr is None else -snr, scene.codec)
        return Conversation(extent, scene, number, rt60, snr, planned, sound, self._shelf)

    def _room(self, count: int, random: np.random.Generator) -> tuple[float | None, tuple[Samples, ...]]:
        """Reverberation time and a response for each of so many speakers."""
        if self._responses:
            return None, tuple(self._responses[int(random.integers(len(self._responses)))] for _ in range(count))
        if self.scene.rt60 is None:
            return None, ()
        rt60 = float(random.uniform(*self.scene.rt60))
        return rt60, tuple(synthetic_response(RATE, rt60, random.uniform(*DIRECT_DB), random) for _ in range(count))

    def _noise(self, random: np.random.Generator) -> tuple[float | None, Samples | None]:
        """Ratio to the speech and noise."""
        if self.scene.snr is None:
            return None, None
        snr = float(random.uniform(*self.scene.snr))
        if not self._noises:
            return snr, synthetic_noise(round(NOISE_SECONDS * RATE), RATE, TILT, random)
        noise = self._noises[int(random.integers(len(self._noises)))]
        return snr, np.roll(noise, int(random.integers(len(noise))))


def simulate(
    sources: Mapping[str, Sequence[Source | Take]],
    scene: Scene | None = None,
    *,
    detector: VoiceActivityDetector,
    number: int = 0,
    noises: Sequence[Samples] = (),
    responses: Sequence[Samples] = (),
) -> Conversation:
    """One conversation; `Studio` makes many from the same recordings.

    Args:
        sources: recordings of each speaker, by name.
        scene: who speaks how; by default `Scene()`.
        detector: finds the speech in the recordings.
        number: of the conversation; another number, another conversation.
        noises: samples at 16 kHz to draw the noise from; made-up noise if there are none.
        responses: of rooms, samples at 16 kHz; made-up rooms if there are none.

    Raises:
        ConfigError: the scene cannot be made with these speakers.
        DataError: recordings of somebody hold no speech.
        AudioError: a recording cannot be read.
    """
    studio = Studio(sources, scene or Scene(), detector=detector, noises=noises, responses=responses)
    return studio.conversation(number)


def _as_take(source: Source | Take, name: str) -> Take:
    """A recording as it is read."""
    return source if isinstance(source, Take) else take(source, name)
