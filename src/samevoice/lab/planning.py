"""Who says what when: turns that take over from each other, with pauses and overlap as asked for.

The next speaker is drawn by how much is missing from everybody's share. Overlap is a debt: it grows with the speech
that is placed, and once it is large enough the next turn begins before the last one has ended.

Knows: decks of phrases, times, chance. Does not know: how the sound is mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.lab.scene import Scene
from samevoice.lab.voices import BREATH, LONGEST, Deck, Phrase, Voice
from samevoice.speech.timeline import Seconds, Segment, Timeline
from samevoice.speech.vad import RATE

LABELLED_PAUSE = 0.3  # seconds; a longer one is no speech of its speaker
LONGEST_PAUSE = 4.0  # times the mean
HORIZON = 20.0  # seconds of speech over which shares are made up for
SAME_AGAIN = 0.2  # how much less likely the last speaker is to go on after a pause
PATIENCE = 0.5  # mean seconds of overlap that are owed before a turn overlaps
STEP = 0.01  # seconds in which overlap is counted while turns are placed
EXACT = 0.005  # of overlap: a plan as close as this is taken at once
ATTEMPTS = 8  # the closest of so many is taken


@dataclass(frozen=True, slots=True)
class Placed:
    """Sound of one speaker from a recording, put somewhere.

    Args:
        speaker: place in the list of speakers.
        phrases: follow each other in one recording; what lies between them is heard too.
        at: first sample of it in the conversation.
    """

    speaker: int
    phrases: tuple[Phrase, ...]
    at: int

    def spans(self) -> list[tuple[float, float]]:
        """Where its phrases lie in the conversation, in seconds."""
        shift = self.at - self.phrases[0].first
        return [((one.first + shift) / RATE, (one.last + shift) / RATE) for one in self.phrases]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A conversation before it sounds.

    Args:
        placed: in order of time.
        decks: of the speakers, as they were left.
        labels: when each speaker speaks; pauses of up to 0.3 s belong to the speech.
    """

    placed: tuple[Placed, ...]
    decks: tuple[Deck, ...]
    labels: tuple[Timeline, ...]

    @property
    def overlap(self) -> float:
        """Share of the time with speech in which two or more speak; 0 without speech."""
        edges = sorted(edge for own in self.labels for one in own for edge in ((one.start, 1), (one.end, -1)))
        times, changes = np.array(edges).reshape(-1, 2).T
        lengths, speaking = np.diff(times), np.cumsum(changes)[:-1]
        return float(lengths[speaking > 1].sum() / max(lengths[speaking > 0].sum(), STEP))


def reserve(scene: Scene) -> Seconds:
    """Seconds in which any phrase and the pause before it have room."""
    return LONGEST / RATE + LABELLED_PAUSE + LONGEST_PAUSE * scene.pause


def plan(scene: Scene, voices: Sequence[Voice], seconds: Seconds, random: np.random.Generator) -> Plan:
    """Place turns until nothing more fits; of a few attempts, the one with the overlap asked for.

    Args:
        scene: what is asked for.
        voices: who speaks, those with the most to say first.
        seconds: of the conversation; `reserve` of the scene for each speaker at least.
        random: decides all.

    Raises:
        DataError: somebody's recordings hold no speech.
        AudioError: a recording cannot be read.
    """
    tried: list[Plan] = []
    for _ in range(ATTEMPTS):
        tried.append(_Planner(scene, [Deck(voice, random) for voice in voices], seconds, random).run())
        if len(voices) == 1 or abs(tried[-1].overlap - scene.overlap) < EXACT:
            break
    return min(tried, key=lambda one: abs(one.overlap - scene.overlap))


class _Planner:
    """Places one turn after the other."""

    def __init__(self, scene: Scene, decks: Sequence[Deck], seconds: Seconds, random: np.random.Generator) -> None:
        """Begin with an empty conversation."""
        self._scene, self._decks, self._seconds, self._random = scene, tuple(decks), seconds, random
        shares = (1 - scene.dominance) ** np.arange(len(decks))
        self._shares: NDArray[np.float64] = shares / shares.sum()
        self._spoken = np.zeros(len(decks))
        self._free = np.zeros(len(decks))  # when each may speak again
        self._counts = np.zeros(round(seconds / STEP) + 2, dtype=np.uint8)  # how many speak in each step
        self._speech = self._overlap = 0.0  # seconds
        self._begun = self._end = 0.0  # of the last turn; of all speech
        self._last = -1
        self._placed: list[Placed] = []

    def run(self) -> Plan:
        """Place turns until nothing more fits."""
        while self._turn():
            pass
        spans: list[list[Segment]] = [[] for _ in self._decks]
        for one in self._placed:
            spans[one.speaker] += [Segment(*span) for span in one.spans()]
        labels = tuple(Timeline(_joined(own), self._seconds) for own in spans)
        return Plan(tuple(sorted(self._placed, key=lambda one: one.at)), self._decks, labels)

    def _turn(self) -> bool:
        """Place one turn; False where there is no room."""
        scene = self._scene
        begin = self._end + min(self._random.exponential(scene.pause), LONGEST_PAUSE * scene.pause)
        silent = self._spoken == 0
        # What those need who said nothing yet is not given away.
        spare = self._seconds - begin - reserve(scene) * silent.sum()
        hurried = silent.any() and spare < reserve(scene)
        speaker = self._next_speaker(silent if hurried else np.ones_like(silent))
        start = max(begin, self._free[speaker])
        parts = self._decks[speaker].deal(
            self._random.exponential(scene.turn), spare + reserve(scene) * silent[speaker] - (start - begin)
        )
        if not parts:
            return False
        breaths = self._random.uniform(*BREATH, len(parts))
        lengths = np.array([(part[-1].last - part[0].first) / RATE for part in parts])
        offsets = np.cumsum(lengths + breaths) - lengths - breaths
        duration = float(offsets[-1] + lengths[-1])
        if speaker != self._last and (shift := self._shift(speaker, duration)) > 0:
            start = self._end - shift
        for part, offset in zip(parts, offsets, strict=True):
            self._place(speaker, part, start + offset)
        self._free[speaker] = start + duration + LABELLED_PAUSE
        self._begun, self._end, self._last = start, max(self._end, start + duration), speaker
        return True

    def _next_speaker(self, allowed: NDArray[np.bool_]) -> int:
        """Draw one of those allowed."""
        missing = self._shares * (self._spoken.sum() + HORIZON) - self._spoken
        weights = np.where(allowed, np.maximum(missing, 0.01 * self._shares), 0)
        if self._last >= 0:
            owing = self._scene.overlap * self._speech - self._overlap > PATIENCE  # only others can overlap
            weights[self._last] *= 0 if owing and weights.sum() > weights[self._last] else SAME_AGAIN
        return int(self._random.choice(len(weights), p=weights / weights.sum()))

    def _shift(self, speaker: int, duration: Seconds) -> Seconds:
        """By how much a turn begins before the end of what was said; 0 or less for after a pause."""
        wanted = self._scene.overlap
        owed = (wanted * (self._speech + duration) - self._overlap) / (1 + wanted)
        if owed <= self._random.exponential(PATIENCE):
            return 0.0
        return float(min(owed, duration, self._end - max(self._begun, self._free[speaker])))

    def _place(self, speaker: int, part: Sequence[Phrase], start: Seconds) -> None:
        """Put phrases somewhere and count what that changes."""
        one = Placed(speaker, tuple(part), round(start * RATE))
        self._placed.append(one)
        for begin, end in one.spans():
            counts = self._counts[round(begin / STEP) : round(end / STEP)]
            self._speech += STEP * int((counts == 0).sum())
            self._overlap += STEP * int((counts == 1).sum())
            counts += 1
            self._spoken[speaker] += end - begin


def _joined(segments: Sequence[Segment]) -> list[Segment]:
    """The speech of one speaker, with the pauses that count as part of it."""
    joined: list[Segment] = []
    for segment in sorted(segments):
        if joined and segment.start - joined[-1].end <= LABELLED_PAUSE:
            joined[-1] = Segment(joined[-1].start, max(joined[-1].end, segment.end))
        else:
            joined.append(segment)
    return joined
