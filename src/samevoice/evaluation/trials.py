"""Trials: pairs of recordings with a score and the truth about them.

Knows: unit vectors, labels. Does not know: sound, models, thresholds.
Source: Li et al., "Deep Speaker: an End-to-End Neural Speaker Embedding System", arXiv 1705.02304 (1 + 99 trials).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["SessionCounts", "Trials", "all_pairs", "count_sessions", "one_and_many"]

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Scored pairs of rows, each row one recording.

    Args:
        scores: higher means more alike, shape (n,).
        first: row on one side, shape (n,).
        second: row on the other side, shape (n,).
        voices: number of the speaker of every row, shape (rows,); an index of `names`.
        names: the speakers.
        left_out: speakers without any trial because they have too few recordings.

    Raises:
        ValueError: the shapes do not agree.
    """

    scores: NDArray[np.float64]
    first: Indices
    second: Indices
    voices: Indices
    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        if not self.scores.shape == self.first.shape == self.second.shape == (len(self.scores),):
            shapes = self.scores.shape, self.first.shape, self.second.shape
            raise ValueError(f"scores and both rows of trials need one shape (n,), got {shapes}")

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.scores)

    @property
    def is_target(self) -> NDArray[np.bool_]:
        """Whether one speaker spoke both sides, shape (n,)."""
        same: NDArray[np.bool_] = self.voices[self.first] == self.voices[self.second]
        return same

    @property
    def targets(self) -> NDArray[np.float64]:
        """Scores of trials with one speaker."""
        return self.scores[self.is_target]

    @property
    def non_targets(self) -> NDArray[np.float64]:
        """Scores of trials with two speakers."""
        return self.scores[~self.is_target]

    def where(self, chosen: NDArray[np.bool_] | Indices) -> Trials:
        """Some of the trials, chosen by a mask of shape (n,) or by their numbers; the rows stay.

        Args:
            chosen: a mask, or numbers of trials, which may repeat.
        """
        return replace(self, scores=self.scores[chosen], first=self.first[chosen], second=self.second[chosen])


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """How many target trials share room, microphone and day, and are easier for it.

    Args:
        one: both sides come from one session.
        two: from two.
        unknown: the session of a side was not told.
    """

    one: int
    two: int
    unknown: int


def all_pairs(vectors: NDArray[np.float32], speakers: Sequence[str]) -> Trials:
    """Every pair of different rows once.

    Args:
        vectors: unit vectors, shape (n, d).
        speakers: who speaks in each row.

    Raises:
        ValueError: the lengths differ, or a vector is not a finite unit vector.
    """
    voices, names = _checked(vectors, speakers)
    first, second = np.triu_indices(len(vectors), k=1)
    return Trials(_cosines(vectors, first, second), first, second, voices, names)


def one_and_many(vectors: NDArray[np.float32], speakers: Sequence[str], negatives: int = 99, seed: int = 0) -> Trials:
    """The trials of Deep Speaker: for each speaker one anchor against one positive and many negatives.

    Anchor and positive are two random rows of the speaker. Each negative is a random row of a random other speaker
    (both drawn with replacement, so that few speakers do for many negatives).

    Args:
        vectors: unit vectors, shape (n, d).
        speakers: who speaks in each row; those with one row have no positive and are named in `left_out`, but serve
            as negatives.
        negatives: how many for each speaker, at least 1.
        seed: of the draws.

    Raises:
        ValueError: the lengths differ, a vector is not a finite unit vector, `negatives` is below 1, or there are
            fewer than two speakers.
    """
    voices, names = _checked(vectors, speakers)
    if negatives < 1 or len(names) < 2:
        raise ValueError(f"needs two speakers and one negative, got {len(names)} and {negatives}")
    draw = np.random.default_rng(seed)
    rows = [np.flatnonzero(voices == voice) for voice in range(len(names))]
    first: list[int] = []
    second: list[int] = []
    for voice, own in enumerate(rows):
        if len(own) < 2:
            continue
        anchor, positive = draw.choice(own, 2, replace=False)
        others = (voice + draw.integers(1, len(names), size=negatives)) % len(names)
        first += [int(anchor)] * (1 + negatives)
        second += [int(positive), *(int(draw.choice(rows[other])) for other in others)]
    sides = np.array(first, dtype=np.intp), np.array(second, dtype=np.intp)
    left_out = tuple(name for name, own in zip(names, rows, strict=True) if len(own) < 2)
    return Trials(_cosines(vectors, *sides), *sides, voices, names, left_out)


def count_sessions(trials: Trials, sessions: Sequence[str], utterances: Sequence[str]) -> SessionCounts:
    """How many target trials lie within one session.

    Args:
        trials: any.
        sessions: of every row; "" where unknown.
        utterances: of every row; rows of one utterance share a session even where none is told.

    Raises:
        ValueError: the lengths differ from the number of rows.
    """
    if not len(sessions) == len(utterances) == len(trials.voices):
        raise ValueError(f"{len(trials.voices)} rows need as many sessions and utterances")
    first, second = (side[trials.is_target] for side in (trials.first, trials.second))
    names, pieces = np.array(sessions), np.array(utterances)
    told = (names != "")[first] & (names != "")[second]
    one = (pieces[first] == pieces[second]) | (told & (names[first] == names[second]))
    return SessionCounts(int(one.sum()), int((told & ~one).sum()), int((~told & ~one).sum()))


def _checked(vectors: NDArray[np.float32], speakers: Sequence[str]) -> tuple[Indices, tuple[str, ...]]:
    """The number of the speaker of every row, and the speakers."""
    if vectors.ndim != 2 or len(vectors) != len(speakers):
        raise ValueError(f"vectors of shape {vectors.shape} need (n, d) and n speakers, got {len(speakers)}")
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3):  # false for NaN too
        raise ValueError("trials need finite unit vectors; divide each by its norm")
    names = tuple(sorted(set(speakers)))
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[name] for name in speakers], dtype=np.intp), names


def _cosines(vectors: NDArray[np.float32], first: Indices, second: Indices) -> NDArray[np.float64]:
    """Cosine of each pair of rows, in [-1, 1]."""
    scores: NDArray[np.float64] = np.clip((vectors @ vectors.T)[first, second], -1.0, 1.0).astype(np.float64)
    return scores
