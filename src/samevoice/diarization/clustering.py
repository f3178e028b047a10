"""Which pieces have one voice, and how many voices there are.

Knows: pieces, trees, pairs that must or cannot be together. Does not know: sound, turns, names.
A voice is a cluster of average links that is a person. Pieces too short to say who speaks follow the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.agglomerate import Array, Labels, Tree, agglomerate
from samevoice.diarization.counting import Voices, least_length
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.spectral import spectral
from samevoice.errors import ConfigError
from samevoice.speech.segmentation import VOICES
from samevoice.speech.timeline import Seconds

HEAVIEST = 5.0  # seconds: a piece counts no more, however long it is
STRANGERS = 0.5  # cosine below which two voices of one window are two people
FIRST_LEVEL = 2_000  # pieces that one tree takes; more are first joined where they are surely one voice
SURELY = 0.75  # cosine of that

Method = Literal["agglomerative", "spectral"]


@dataclass(frozen=True, slots=True)
class Telling:
    """How voices are told apart.

    Args:
        speakers: how many there are, where that is known.
        least: at least so many.
        most: at most so many; None for no bound.
        method: "agglomerative" (average links) or "spectral".
        likeness: mean cosine from which two clusters are one voice, in (-1, 1).

    Raises:
        ConfigError: bounds that nothing can meet.
    """

    speakers: int | None = None
    least: int = 1
    most: int | None = None
    method: Method = "agglomerative"
    likeness: float = 0.45

    def __post_init__(self) -> None:
        """Refuse bounds that nothing can meet."""
        if self.speakers is not None and self.speakers < 1:
            raise ConfigError(f"{self.speakers} speakers cannot be told apart; give 1 or more")
        if self.least < 1 or (self.most is not None and self.most < self.least):
            raise ConfigError(f"{self.least} to {self.most} speakers cannot be told apart; give 1 <= least <= most")
        if not -1 < self.likeness < 1:
            raise ConfigError(f"likeness {self.likeness} is no cosine between -1 and 1")

    def bounded(self, count: int) -> int:
        """The number of speakers nearest to a count that the bounds allow.

        Args:
            count: a number of speakers.
        """
        if self.speakers is not None:
            return self.speakers
        return max(self.least, count if self.most is None else min(count, self.most))


@dataclass(frozen=True, slots=True)
class Constraints:
    """What somebody said about pieces.

    Args:
        together: groups of pieces that are one voice.
        apart: pairs of pieces that are two.
    """

    together: tuple[tuple[int, ...], ...] = ()
    apart: tuple[tuple[int, int], ...] = ()

    @property
    def mentioned(self) -> list[int]:
        """The pieces something is said about, some more than once."""
        return [piece for group in (*self.together, *self.apart) for piece in group]

    def units(self) -> dict[int, frozenset[int]]:
        """For each piece something is said about, all that are then one voice with it.

        Raises:
            ConfigError: two of them are said to be two voices.
        """
        of = {piece: frozenset((piece,)) for piece in self.mentioned}
        for group in self.together:
            one = frozenset(group).union(*(of[piece] for piece in group))
            of.update(dict.fromkeys(one, one))
        if any(other in of[one] for one, other in self.apart):
            raise ConfigError("two parts of the recording are said to be one voice and two; take one of the two back")
        return of


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Who is who.

    Args:
        labels: the speaker of each piece, int (p,), from 0 in order of first appearance.
        counts: probability of each number of speakers, likeliest first.
    """

    labels: Labels
    counts: tuple[tuple[int, float], ...]

    @property
    def speakers(self) -> int:
        """How many there are."""
        return int(self.labels.max()) + 1 if len(self.labels) else 0


def tell(evidence: Evidence, telling: Telling | None = None, constraints: Constraints | None = None) -> Told:
    """Tell the voices of a recording apart.

    Args:
        evidence: of the recording.
        telling: how.
        constraints: what is known about pieces.

    Raises:
        ConfigError: the constraints contradict each other.
    """
    rules, known = telling or Telling(), constraints or Constraints()
    if not len(evidence.windows):
        return Told(np.zeros(0, dtype=np.intp), ((0, 1.0),))
    least = least_length(float(evidence.seconds.sum()) / 2)  # each moment lies in two windows, but at the ends
    rows = _steady(evidence, least, known)
    place = {int(row): at for at, row in enumerate(rows)}
    together = [[place[piece] for piece in group] for group in known.together]
    apart = [(place[one], place[other]) for one, other in known.apart]
    units = known.units()
    seconds = evidence.seconds[rows].astype(np.float64)
    vectors = evidence.vectors[rows].astype(np.float64)
    mentioned = np.isin(rows, [*units])
    apart += _within_windows(evidence.windows[rows], vectors)
    weights = np.minimum(seconds, HEAVIEST)
    tree = _tree(vectors, weights, together, apart, mentioned)
    voices = Voices(tree, vectors, seconds, weights, least, mentioned)
    wanted = rules.bounded(voices.at(rules.likeness))
    if rules.method == "spectral":
        found = spectral(vectors, weights, rules, together, apart)
        wanted = rules.bounded(int(found.max()) + 1)  # more were kept if need be for two of one window to be two
    else:
        found = voices.cut(wanted, rules.likeness)
    kept = voices.people(found)
    if len(kept) != wanted:
        kept = _heaviest(found, seconds, wanted)
    return Told(
        _settled(evidence, rows, found, kept, known.apart, units), voices.probabilities(rules.likeness, rules.bounded)
    )


def _steady(evidence: Evidence, least: Seconds, known: Constraints) -> Labels:
    """The pieces that say who speaks: long ones, and those somebody said something about."""
    steady = evidence.seconds >= least
    if steady.sum() < 2:
        steady = np.ones(len(steady), dtype=np.bool_)
    steady[known.mentioned] = True
    return np.flatnonzero(steady)


def _within_windows(windows: NDArray[np.int64], vectors: Array) -> list[tuple[int, int]]:
    """Pairs of voices of one window that are two people: the segmentation says so, and they are unlike."""
    return [
        (one, one + shift)
        for shift in range(1, VOICES)
        for one in np.flatnonzero(windows[shift:] == windows[:-shift]).tolist()
        if vectors[one] @ vectors[one + shift] < STRANGERS
    ]


def _tree(
    vectors: Array,
    weights: Array,
    together: Sequence[Sequence[int]],
    apart: Sequence[tuple[int, int]],
    mentioned: NDArray[np.bool_],
) -> Tree:
    """The tree of all pieces; of very many, pieces that are near in time and surely one voice are joined first.

    Pieces somebody mentioned are not: what is joined before could make one of two that are said to be apart.
    """
    if len(vectors) <= FIRST_LEVEL:
        return agglomerate(vectors, weights, together=together, apart=apart)
    joined = [list(group) for group in together]
    foes: dict[int, set[int]] = {}
    for one, other in apart:
        foes.setdefault(one, set()).add(other)
    for start in range(0, len(vectors), FIRST_LEVEL // 2):
        rows = start + np.flatnonzero(~mentioned[start : start + FIRST_LEVEL // 2])
        if not len(rows):
            continue
        at = {row: place for place, row in enumerate(rows.tolist())}
        near = [(at[one], at[other]) for one in at for other in foes.get(one, ()) if other in at]
        labels = agglomerate(vectors[rows], weights[rows], apart=near).cut(SURELY)
        joined += [rows[labels == label].tolist() for label in range(labels.max() + 1)]
    return agglomerate(vectors, weights, together=joined, apart=apart)


def _heaviest(labels: Labels, seconds: Array, count: int) -> Labels:
    """The clusters with the most speech."""
    totals = np.bincount(labels, weights=seconds)
    return np.sort(np.argsort(-totals, kind="stable")[:count])


def _settled(
    evidence: Evidence,
    rows: Labels,
    found: Labels,
    kept: Labels,
    apart: Sequence[tuple[int, int]],
    units: Mapping[int, frozenset[int]],
) -> Labels:
    """A speaker for every piece: its cluster where that is kept, else the nearest; in order of first appearance.

    Pieces that are one voice go to one speaker, and to none they are said to be apart from: if need be, to a new one.
    """
    vectors = evidence.vectors.astype(np.float64)
    weights = np.minimum(evidence.seconds, HEAVIEST).astype(np.float64)
    labels = np.full(len(vectors), -1)
    labels[rows] = np.where(np.isin(found, kept), np.searchsorted(kept, found), -1)
    means = np.stack([weights[labels == one] @ vectors[labels == one] for one in range(len(kept))])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    loose = labels < 0
    loose[[*units]] = False
    labels[loose] = (vectors[loose] @ means.T).argmax(axis=1)
    for unit in sorted(set(units.values()), key=lambda one: -weights[[*one]].sum()):
        members = sorted(unit)
        if labels[members[0]] >= 0:
            continue
        foes = [other if one in unit else one for one, other in apart if one in unit or other in unit]
        total = weights[members] @ vectors[members]
        likeness = np.append(means @ total, -np.finfo(np.float64).max)  # somebody new where all are somebody else
        taken = labels[foes]
        likeness[taken[taken >= 0]] = -np.inf
        labels[members] = likeness.argmax()
        if labels[members[0]] == len(means):
            means = np.vstack([means, total / max(float(np.linalg.norm(total)), np.finfo(np.float64).tiny)])
    _, first = np.unique(labels, return_index=True)
    rank = np.empty(len(means), dtype=np.intp)
    rank[labels[np.sort(first)]] = np.arange(len(first))
    settled: Labels = rank[labels]
    return settled
