"""One speaker's recordings as phrases: stretches of speech between two pauses, found once and used in turns.

A detector says where speech is to within a few hundredths of a second and adds a margin. As what lies in the margin is
far softer than the speech, borders are moved inwards to the first and last 10 ms that are not.

Knows: recordings, speech, which phrases were used. Does not know: other speakers, times of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from samevoice.audio.waveform import Samples, Waveform
from samevoice.effects.fourier import mean_power
from samevoice.errors import DataError
from samevoice.lab.takes import Shelf, Take
from samevoice.speech.timeline import Seconds
from samevoice.speech.vad import RATE, VoiceActivityDetector

FRAME = RATE // 100
MARGIN = 20  # frames by which a border may move inwards, where they are less than a third
FLOOR_DB = -35.0  # below the loud parts of a phrase: no speech, but what the detector added
LONGEST = 10 * RATE  # samples of a phrase; longer ones are cut into equal parts
BREAK = RATE  # samples of a pause after which a turn goes on elsewhere
BREATH = (0.35, 0.8)  # seconds between two recordings within a turn


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of speech: samples first <= n < last of a take.

    Args:
        take: the recording.
        first: first sample.
        last: one after the last sample.
        gain: factor that brings the speech of the take to a mean power of 1.
    """

    take: Take
    first: int
    last: int
    gain: float

    def __len__(self) -> int:
        """How many samples it has."""
        return self.last - self.first

    def followed_by(self, other: Phrase) -> bool:
        """Whether the other comes next in the same recording, after no more than a breath."""
        return self.take is other.take and 0 <= other.first - self.last <= BREAK


class Voice:
    """A speaker, whose recordings are listened to when they are needed, once each."""

    def __init__(self, name: str, takes: Sequence[Take], detector: VoiceActivityDetector, shelf: Shelf) -> None:
        """Hear nothing yet.

        Args:
            name: of the speaker.
            takes: recordings of the speaker alone.
            detector: finds the speech.
            shelf: reads the takes.
        """
        self.name = name
        self.takes = tuple(takes)
        self._detector = detector
        self._shelf = shelf
        self._heard: dict[Take, tuple[Phrase, ...]] = {}

    def phrases(self, take: Take) -> tuple[Phrase, ...]:
        """The speech in a take, in order; none where there is none.

        Raises:
            AudioError: it cannot be read.
        """
        if take not in self._heard:
            samples = self._shelf[take]
            spans = [span for span in self._spans(samples) if samples[slice(*span)].any()]
            power = mean_power(np.concatenate([samples[slice(*span)] for span in spans])) if spans else 1.0
            self._heard[take] = tuple(Phrase(take, *part, power**-0.5) for span in spans for part in _parts(*span))
        return self._heard[take]

    def _spans(self, samples: Samples) -> Iterator[tuple[int, int]]:
        """First sample of each stretch of speech, and one after the last."""
        for segment in self._detector([Waveform(samples, RATE)]):
            first, last = round(segment.start * RATE), min(round(segment.end * RATE), len(samples))
            if last > first:
                before, behind = _margins(samples[first:last])
                yield first + before, last - behind


@dataclass(slots=True, eq=False)
class Deck:
    """The phrases of one speaker in one conversation, dealt in an order of its own.

    Recordings come in random order, their phrases one after the other. When all were used, they are shuffled again and
    begin with another phrase, so that what must be said twice is not said in the same turns.

    Attributes:
        voice: the speaker.
        random: decides the order.
        rounds: 1 until sound is used again, 2 until all was used twice, and so on.
        used: names of the recordings that were used.
    """

    voice: Voice
    random: np.random.Generator
    rounds: int = 0
    used: dict[str, None] = field(default_factory=dict)
    _round: int = 0
    _waiting: list[Phrase] = field(default_factory=list)  # the next one last
    _takes: list[Take] = field(default_factory=list)

    def deal(self, seconds: Seconds, most: Seconds) -> list[list[Phrase]]:
        """Phrases for a turn of about so many seconds: in each list, such as follow each other in their recording.

        Args:
            seconds: wanted; it comes as near as whole phrases can, with one at least.
            most: seconds that the turn may take with the longest breaths; nothing is dealt if not one phrase fits.

        Raises:
            DataError: no recording of the speaker holds speech.
            AudioError: a recording cannot be read.
        """
        parts: list[list[Phrase]] = []
        total = 0.0
        while True:
            phrase = self._next()
            follows = bool(parts) and parts[-1][-1].followed_by(phrase)
            more = (phrase.last - parts[-1][-1].last if follows else len(phrase)) / RATE
            if total + more + BREATH[1] * len(parts) > most or (parts and total + more / 2 > seconds):
                return parts
            self._waiting.pop()
            self.used[phrase.take.name] = None
            self.rounds = self._round
            total += more
            if follows:
                parts[-1].append(phrase)
            else:
                parts.append([phrase])

    def _next(self) -> Phrase:
        """The phrase on top."""
        while not self._waiting:
            if self._takes:
                self._waiting = list(self.voice.phrases(self._takes.pop()))[::-1]
            else:
                self._shuffle()
        return self._waiting[-1]

    def _shuffle(self) -> None:
        """Begin another round."""
        if self._round and not self.used:
            count = len(self.voice.takes)
            where = "its recording" if count == 1 else f"any of {count} recordings"
            raise DataError(f"{self.voice.name}: no speech was found in {where}; leave this speaker out")
        takes = [self.voice.takes[place] for place in self.random.permutation(len(self.voice.takes))]
        self._takes = takes
        if self._round and (again := self.voice.phrases(takes[-1])):
            start = int(self.random.integers(len(again)))
            self._takes = takes[:-1]
            self._waiting = [*again[start:], *again[:start]][::-1]
        self._round += 1


def _margins(samples: Samples) -> tuple[int, int]:
    """Samples before and behind the speech in a stretch that are much softer than it, in whole frames."""
    count = len(samples) // FRAME
    most = min(MARGIN, count // 3)
    if not most:
        return 0, 0
    powers = np.mean(np.square(samples[: count * FRAME].reshape(count, FRAME), dtype=np.float64), axis=1)
    loud = powers > np.quantile(powers, 0.9) * 10 ** (FLOOR_DB / 10)
    before, behind = (int(edge.argmax()) if edge.any() else most for edge in (loud[:most], loud[::-1][:most]))
    return before * FRAME, behind and len(samples) - (count - behind) * FRAME


def _parts(first: int, last: int) -> Iterator[tuple[int, int]]:
    """A stretch as it is or, where it is long, in equal parts."""
    edges = np.linspace(first, last, 1 + -(-(last - first) // LONGEST)).round().astype(int).tolist()
    yield from pairwise(edges)
