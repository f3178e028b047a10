"""Utterances as numbers: which speaker said each of them, and how to find a speaker's utterances fast.

Knows: speaker labels and counts. Does not know: files, audio, how a batch is drawn.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samevoice.errors import ConfigError

__all__ = ["PairCounts", "UtteranceIndex", "pair_counts"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class UtteranceIndex:
    """The corpus as samplers see it: utterance i was said by speaker `labels[i]`.

    Args:
        labels: speaker number of each utterance, any integers, shape (n,), n >= 1.

    Attributes:
        speakers: the distinct labels, ascending, shape (S,). A speaker's *position* is its place in here.
        positions: position of the speaker of each utterance, in 0..S-1, shape (n,): the labels that losses over
            training speakers need.
        order: utterances, those of one speaker together, ascending within a speaker, shape (n,).
        owners: position of the speaker of each entry of `order`, shape (n,).
        starts: where each speaker begins in `order`, shape (S,).
        counts: utterances of each speaker, shape (S,).

    Raises:
        ConfigError: the labels are not integers of shape (n,), or there are none.
    """

    labels: Rows
    speakers: Rows = field(init=False)
    positions: Rows = field(init=False)
    order: Rows = field(init=False)
    owners: Rows = field(init=False)
    starts: Rows = field(init=False)
    counts: Rows = field(init=False)

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if labels.ndim != 1 or labels.size == 0 or labels.dtype.kind not in "iu":
            raise ConfigError(
                f"speaker labels must be integers of shape (n,), one per utterance and n >= 1, got {labels.dtype} of "
                f"shape {labels.shape}"
            )
        labels = labels.astype(np.int64)  # a copy: what the caller does later changes nothing here
        speakers, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
        order = np.argsort(labels, kind="stable")
        found = {
            "labels": labels,
            "speakers": speakers,
            "positions": positions,
            "order": order,
            "owners": positions[order],
            "starts": np.cumsum(counts) - counts,
            "counts": counts,
        }
        for name, array in found.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        """Number of utterances."""
        return len(self.labels)

    @property
    def with_partner(self) -> Rows:
        """Positions of the speakers who have at least two utterances, ascending."""
        return np.flatnonzero(self.counts >= 2)

    @property
    def alone(self) -> Rows:
        """Labels of the speakers who have a single utterance, ascending."""
        return self.speakers[self.counts < 2]

    @property
    def digest(self) -> str:
        """Short name of exactly this list of labels, the same on every machine."""
        return hashlib.sha256(self.labels.astype("<i8").tobytes()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PairCounts:
    """What a batch offers to learn from; worth logging with the loss.

    Args:
        same: unordered pairs of rows of one speaker.
        different: unordered pairs of rows of two speakers.
        alone: rows whose speaker has no other row in the batch; the first number to look at when a loss stays flat.
    """

    same: int
    different: int
    alone: int


def pair_counts(labels: ArrayLike) -> PairCounts:
    """Count the pairs of a batch.

    Args:
        labels: speaker of each row, shape (N,).
    """
    _, counts = np.unique(np.asarray(labels), return_counts=True)
    rows = int(counts.sum())
    same = int((counts * (counts - 1) // 2).sum())
    return PairCounts(same=same, different=rows * (rows - 1) // 2 - same, alone=int((counts == 1).sum()))
