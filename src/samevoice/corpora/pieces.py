"""Stretches of utterances: what training draws crops from, and what evaluation compares.

Knows: lengths. Does not know: sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from samevoice.corpora.manifest import Utterance
from samevoice.options import checked_number

Thing = TypeVar("Thing")

SLACK = 1e-6  # seconds: what rounding in a manifest may cost


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an utterance.

    Args:
        utterance: what it is a part of.
        start: seconds after the utterance's own start.
        seconds: how long it is.
    """

    utterance: Utterance
    start: float
    seconds: float


def cut_pieces(utterances: Iterable[Utterance], seconds: float | None) -> list[Piece]:
    """Consecutive pieces of one length that do not overlap; what remains of an utterance is left out.

    Args:
        utterances: shorter ones give no piece.
        seconds: length of a piece, above 0; None for whole utterances.

    Raises:
        ConfigError: a piece of so many seconds cannot be.
    """
    if seconds is None:
        return [Piece(one, 0.0, one.seconds) for one in utterances]
    length = checked_number("seconds of a piece", seconds, above=0)
    return [
        Piece(one, number * length, length)
        for one in utterances
        for number in range(int((one.seconds + SLACK) / length))
    ]


def evenly(things: Sequence[Thing], most: int) -> list[Thing]:
    """At most so many of them, evenly spread.

    Args:
        things: any number of them.
        most: at least 1.
    """
    if len(things) <= most:
        return list(things)
    return [things[number * len(things) // most] for number in range(most)]
