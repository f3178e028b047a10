"""Follows whoever speaks: when a turn ends, and who it is.

A turn ends with a pause, or where the voice changes: a second and a half of speech is compared with the turn, every
half second, and two in a row must differ. Everything happens at multiples of half a second of speech, so that the
answers do not depend on how the sound was cut.

Knows: the ring, turns. Does not know: where sound comes from, what is speech.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from samevoice.audio.waveform import Samples
from samevoice.gallery.sequential import LOOKS
from samevoice.live.events import Change, Event, Identity, Label
from samevoice.live.ring import SpeechRing
from samevoice.live.voices import Array, Voices
from samevoice.models.embedding import Embedding
from samevoice.speech.timeline import Seconds

PAUSE: Seconds = 0.8  # that ends a turn
STEP: Seconds = 0.5
WINDOW: Seconds = 1.5
BACK: Seconds = 1.0  # of the newest speech belong to the new voice when a change is noticed
APART = 4  # windows: the newest two and those that overlap them are not what they are compared with

Describe = Callable[[Samples], Embedding | None]
"""The embedding of speech; None where it is too little for the model."""


class Follower:
    """Follows turns through speech.

    Args:
        ring: takes the speech; holds at least the longest look.
        describe: makes embeddings.
        voices: says who it is.
    """

    def __init__(self, ring: SpeechRing, describe: Describe, voices: Voices) -> None:
        """Nobody has spoken."""
        self._ring, self._describe, self._voices = ring, describe, voices
        self._step, self._window = round(STEP * ring.rate), round(WINDOW * ring.rate)
        self._turn: _Turn | None = None
        self._end = 0  # of the speech so far, in samples of the source

    def hear(self, first: int, samples: Samples) -> Iterator[Event]:
        """More speech.

        Args:
            first: its place in the source, in samples.
            samples: shape (n,).
        """
        rate = self._ring.rate
        if self._turn and first - self._end >= PAUSE * rate:
            yield from self.finish()
        self._turn = self._turn or _Turn(first / rate)
        while len(samples):
            part = samples[: self._step - self._turn.count % self._step]
            samples = samples[len(part) :]
            self._ring.push(first, part)
            first += len(part)
            self._turn.count += len(part)
            if self._turn.count % self._step == 0:
                yield from self._stepped(self._turn)
        self._end = first

    def finish(self) -> Iterator[Event]:
        """The turn is over."""
        if self._turn:
            yield from self._look(self._turn, last=True)
            self._learn(self._turn)
            self._turn = None

    def _stepped(self, turn: _Turn) -> Iterator[Event]:
        """Another half second was said."""
        if turn.count >= self._window and (window := self._describe(self._ring.last(self._window))):
            likeness = turn.likeness(window)
            if likeness is not None and self._voices.changed(likeness, WINDOW):
                yield from self._changed(turn)
                return
        yield from self._look(turn)

    def _changed(self, turn: _Turn) -> Iterator[Event]:
        """Somebody else speaks."""
        if not turn.label.certain and turn.voice is not None:
            turn.label = self._voices.look(turn.voice, last=True)
        self._learn(turn)
        back = round(BACK * self._ring.rate)
        self._turn = _Turn(self._ring.time_of(back), back)
        yield Change(self._now, self._turn.start, turn.label)
        yield from self._look(self._turn)

    def _look(self, turn: _Turn, *, last: bool = False) -> Iterator[Event]:
        """Ask who it is, where that is not known and it is time."""
        rate = self._ring.rate
        seconds = turn.count / rate
        due = bool(turn.looks) and seconds >= turn.looks[0]
        if turn.label.certain or not (due or (last and seconds >= LOOKS[0])):
            return
        last = last or len(turn.looks) == 1
        while turn.looks and seconds >= turn.looks[0]:
            turn.looks.popleft()
        if (voice := self._describe(self._ring.last(min(turn.count, round(LOOKS[-1] * rate))))) is None:
            return
        turn.voice, turn.label = voice, self._voices.look(voice, last=last)
        yield Identity(self._now, turn.start, seconds, turn.label)

    def _learn(self, turn: _Turn) -> None:
        """Remember whose turn it was."""
        if turn.label.certain and turn.voice is not None:
            self._voices.learn(turn.label, turn.voice)

    @property
    def _now(self) -> Seconds:
        """When the newest speech was said."""
        return self._ring.time_of(1)


class _Turn:
    """Somebody's turn so far."""

    def __init__(self, start: Seconds, count: int = 0) -> None:
        """Begin."""
        self.start, self.count = start, count  # seconds of the source, samples of speech
        self.label = Label()
        self.voice: Embedding | None = None
        self.looks = deque(LOOKS)
        self._recent: deque[Array] = deque()
        self._settled: Array | None = None  # sum of the windows before the recent ones

    def likeness(self, window: Embedding) -> float | None:
        """Cosine of the newest two windows with all that share no sound with them; None where there is none yet."""
        self._recent.append(window.vector.astype(np.float64))
        if len(self._recent) <= APART:
            return None
        oldest = self._recent.popleft()
        self._settled = oldest if self._settled is None else self._settled + oldest
        newest = (self._recent[-1] + self._recent[-2]) / 2
        return float(self._settled @ newest / np.linalg.norm(self._settled))
