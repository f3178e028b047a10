"""Which pieces have one voice, and how many voices there are.

Knows: pieces, trees, pairs that must or cannot be together. Does not know: sound, turns, names.
A voice is a cluster of average links that holds enough speech. Where best to cut the tree differs between recordings,
and by as much the number of voices is uncertain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.agglomerate import Array, Labels, Tree, agglomerate
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.spectral import spectral
from samevoice.errors import ConfigError
from samevoice.speech.segmentation import VOICES

STEADY = 1.0  # seconds of a piece that says who speaks; shorter ones follow the others
HEAVIEST = 5.0  # seconds: a piece counts no more, however long it is
STRANGERS = 0.5  # cosine below which two voices of one window are two people
SHARE = 1 / 60  # of all speech that a speaker needs, within these bounds in seconds
LEAST, ENOUGH = 0.5, 4.0
MIXED = 0.5  # share of a voice that two others make up, from which on it is a mixture of them
SPREAD = 0.05  # standard deviation of the best cut between recordings
CUTS = np.linspace(-2.5, 2.5, 101)  # of these deviations
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
    likeness: float = 0.40

    def __post_init__(self) -> None:
        """Refuse bounds that nothing can meet."""
        if self.speakers is not None and self.speakers < 1:
            raise ConfigError(f"{self.speakers} speakers cannot be told apart; give 1 or more")
        if self.least < 1 or (self.most is not None and self.most < self.least):
            raise ConfigError(f"{self.least} to {self.most} speakers cannot be told apart; give 1 <= least <= most")
        if not -1 < self.likeness < 1:
            raise ConfigError(f"likeness {self.likeness} is no cosine between -1 and 1")

    def bounded(self, count: int) -> int:
        """The number of speakers nearest to a count that the bounds allow."""
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
    rows = _steady(evidence, known)
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
    voices = _Voices(tree, seconds, _enough(evidence), vectors, weights, mentioned)
    wanted = rules.bounded(voices.at(rules.likeness))
    if rules.method == "spectral":
        found = spectral(vectors, weights, rules, together, apart)
        wanted = rules.bounded(int(found.max()) + 1)  # more were kept if need be for two of one window to be two
    else:
        found = voices.cut(wanted, rules.likeness)
    kept = voices.people(found)
    if len(kept) != wanted:
        kept = _heaviest(found, seconds, wanted)
    return Told(_settled(evidence, rows, found, kept, known.apart, units), voices.probabilities(rules))


def _steady(evidence: Evidence, known: Constraints) -> Labels:
    """The pieces that say who speaks: long ones, and those somebody said something about."""
    steady = evidence.seconds >= STEADY
    if steady.sum() < 2:
        steady = np.ones(len(steady), dtype=np.bool_)
    steady[known.mentioned] = True
    return np.flatnonzero(steady)


def _enough(evidence: Evidence) -> float:
    """Seconds of speech that a speaker needs here; each moment lies in two windows, but at the ends."""
    return float(np.clip(evidence.seconds.sum() / 2 * SHARE, LEAST, ENOUGH))


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


class _Voices:
    """How many voices with enough speech there are after each merge of a tree.

    Args:
        tree: of pieces.
        seconds: of the pieces.
        enough: seconds that a voice needs; each moment counts twice, since it lies in two windows.
        vectors: of the pieces, unit rows.
        weights: of the pieces in the mean of a voice.
        mentioned: pieces that somebody said something about; whoever has one is a person.
    """

    def __init__(
        self,
        tree: Tree,
        seconds: Array,
        enough: float,
        vectors: Array,
        weights: Array,
        mentioned: NDArray[np.bool_],
    ) -> None:
        """Follow the merges."""
        self._seconds, self._enough, self._vectors, self._weights = seconds, enough, vectors, weights
        self._mentioned = mentioned
        mass = seconds / 2
        counts = [int((mass >= enough).sum())]
        mass = mass.copy()
        for kept, gone in tree.merges.tolist():
            before = int(mass[kept] >= enough) + int(mass[gone] >= enough)
            mass[kept] += mass[gone]
            counts.append(counts[-1] + int(mass[kept] >= enough) - before)
        self._tree, self._counts = tree, np.maximum(counts, 1)

    def at(self, likeness: float) -> int:
        """How many people there are where the tree is cut at a likeness."""
        return len(self.people(self._tree.cut_after(self._tree.merges_above(likeness))))

    def people(self, labels: Labels) -> Labels:
        """The clusters that are people: with enough speech, and not the mixture of one or two with more.

        Where the segmentation takes two people for one voice, the piece lies between them; such pieces are alike.
        """
        totals = np.bincount(labels, weights=self._seconds) / 2
        order = [one for one in np.argsort(-totals, kind="stable").tolist() if totals[one] >= self._enough]
        means = np.stack([self._weights[labels == one] @ self._vectors[labels == one] for one in order or [0]])
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        kept: list[int] = []
        said = set(labels[self._mentioned].tolist())  # whom a person pointed at
        for place in range(len(means)):
            if not kept or order[place] in said or _explained(means[place], means[kept]) < MIXED:
                kept.append(place)
        return np.sort([(order or [int(totals.argmax())])[place] for place in kept])

    def cut(self, wanted: int, likeness: float) -> Labels:
        """Clusters of which so many are people; nearest to the cut at a likeness."""
        found = self._tree.cut_after(self._tree.merges_above(likeness))
        return found if len(self.people(found)) == wanted else self._tree.cut_after(self.merges(wanted, likeness))

    def merges(self, wanted: int, likeness: float) -> int:
        """After how many merges so many voices are left, or nearly; nearest to the cut at a likeness."""
        wrong = np.abs(self._counts[self._tree.demanded :] - wanted)
        candidates = np.flatnonzero(wrong == wrong.min()) + self._tree.demanded
        cut = self._tree.merges_above(likeness)
        return int(candidates[np.abs(candidates - cut).argmin()])

    def probabilities(self, rules: Telling) -> tuple[tuple[int, float], ...]:
        """Of each number of speakers, likeliest first: the best cut differs between recordings."""
        shares = np.exp(-0.5 * CUTS**2)
        found: dict[int, float] = {}
        for cut, share in zip(rules.likeness + SPREAD * CUTS, shares / shares.sum(), strict=True):
            count = rules.bounded(self.at(float(cut)))
            found[count] = found.get(count, 0.0) + float(share)
        return tuple(sorted(found.items(), key=lambda item: -item[1]))


def _explained(vector: Array, others: Array) -> float:
    """The share of a unit vector that the best sum of two others, or one of them, makes up; weights are positive."""
    cosines = others @ vector
    best = float(np.square(np.maximum(cosines, 0.0)).max())
    first, second = np.triu_indices(len(others), 1)
    between = np.einsum("id,id->i", others[first], others[second])
    one, other = cosines[first] - between * cosines[second], cosines[second] - between * cosines[first]
    both = (one > 0) & (other > 0) & (between < 1 - 1e-9)
    if both.any():
        one, other = one[both], other[both]
        share = (cosines[first][both] * one + cosines[second][both] * other) / (1 - np.square(between[both]))
        best = max(best, float(share.max()))
    return best


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
