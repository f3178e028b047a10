"""Sweeping the boundaries of two diarizations: who speaks together for how long, in time that is scored.

Knows: turns as arrays, time that stands still where nothing is scored. Does not know: errors, pairings, collars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.turns import Diarization
from samevoice.speech.timeline import Seconds, Timeline

Times = NDArray[np.float64]
Indices = NDArray[np.intp]
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """Turns as arrays, sorted by start: `starts` and `ends` in seconds, `voices` as rows of `speakers` people."""

    starts: Times
    ends: Times
    voices: Indices
    speakers: int

    @classmethod
    def of(cls, diarization: Diarization) -> Voices:
        """The turns of one side."""
        number = {speaker: index for index, speaker in enumerate(diarization.speakers)}
        return cls(
            np.array([turn.start for turn in diarization], dtype=np.float64),
            np.array([turn.end for turn in diarization], dtype=np.float64),
            np.array([number[turn.speaker] for turn in diarization], dtype=np.intp),
            len(number),
        )

    def by_speaker(self, clock: Clock) -> Times:
        """Scored seconds of each speaker, shape (speakers,)."""
        seconds = clock.until(self.ends) - clock.until(self.starts)
        summed: Times = np.bincount(self.voices, seconds, minlength=self.speakers).astype(np.float64)
        return summed

    def speaking(self, moments: Times) -> Indices:
        """How many speak just after each moment."""
        begun = np.searchsorted(self.starts, moments, side="right")
        return begun - np.searchsorted(np.sort(self.ends), moments, side="right")


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """Time that runs only where something is scored: piecewise linear between `edges`, where it shows `shown`."""

    edges: Times
    shown: Times

    @classmethod
    def of(cls, truth: Voices, guess: Voices, uem: Timeline | None) -> Clock:
        """A clock that runs within the evaluation map, with all boundaries among its edges."""
        bounds = np.concatenate([truth.starts, truth.ends, guess.starts, guess.ends, [0.0]])
        if uem is None:
            edges = np.unique(bounds)
            return cls(edges, edges)
        edges = np.unique(np.concatenate([bounds, [edge for one in uem for edge in (one.start, one.end)]]))
        return cls(edges, edges).running(uem.covers(edges[:-1]))

    def without(self, skipped: Timeline) -> Clock:
        """The same, but standing still during `skipped`."""
        if not len(skipped):
            return self
        edges = np.unique(np.concatenate([self.edges, [edge for one in skipped for edge in (one.start, one.end)]]))
        finer = Clock(edges, self.until(edges))
        return finer.running(~skipped.covers(edges[:-1]))

    def until(self, moments: Times) -> Times:
        """What it shows at each moment."""
        return np.interp(moments, self.edges, self.shown)

    def running(self, runs: NDArray[np.bool_]) -> Clock:
        """The same, but standing still after each edge where it does not run."""
        return Clock(self.edges, np.concatenate([[0.0], np.cumsum(np.where(runs, np.diff(self.shown), 0.0))]))


def common_speech(truth: Voices, guess: Voices, clock: Clock) -> Times:
    """Scored seconds in which each reference speaker and each hypothesis speaker speak, shape (reference, hypothesis).

    Of two turns that overlap, one starts within the other; each pair is found from the side of the one that began.
    """
    common = np.zeros((truth.speakers, guess.speakers))
    for one, other, side in zip((truth, guess), (guess, truth), SIDES, strict=True):
        first = np.searchsorted(other.starts, one.starts, side=side)
        last = np.searchsorted(other.starts, one.ends, side="left")
        number = np.maximum(last - first, 0)
        mine = np.repeat(np.arange(len(one.starts)), number)
        theirs = np.arange(len(mine)) - np.repeat(np.cumsum(number) - number, number) + np.repeat(first, number)
        seconds = clock.until(np.minimum(one.ends[mine], other.ends[theirs])) - clock.until(other.starts[theirs])
        pair = (one.voices[mine], other.voices[theirs])
        np.add.at(common, pair if one is truth else pair[::-1], seconds)
    return common


def crowds(truth: Voices, guess: Voices, clock: Clock) -> tuple[Seconds, Seconds, Seconds]:
    """Seconds of missed, invented and detected speech, whoever it is given to."""
    seconds = np.diff(clock.shown)
    said, guessed = truth.speaking(clock.edges[:-1]), guess.speaking(clock.edges[:-1])
    numbers = np.maximum(said - guessed, 0), np.maximum(guessed - said, 0), np.minimum(said, guessed)
    missed, invented, both = (float(number @ seconds) for number in numbers)
    return missed, invented, both
