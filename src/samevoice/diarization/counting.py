"""How many of the clusters of a tree are people.

A person says something at length. What the segmentation gets wrong (the end of one turn and the start of the next taken
for one voice, two who speak at once, a noise) comes in short pieces, more of them the longer a recording is, and lies
between the voices that it is made of. So a piece counts by what goes beyond a least length, and a cluster by as much of
that as greater clusters do not explain.

Knows: trees, vectors, seconds. Does not know: sound, windows, turns, names.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.agglomerate import Array, Labels, Tree
from samevoice.speech.timeline import Seconds

SHARE = 1 / 120  # of all speech: the least length, within these bounds in seconds
LEAST, MOST = 0.2, 2.0
MIXED = 0.5  # share of a voice that one or two greater ones explain, from which on it is a mixture of them
SPREAD = 0.1  # standard deviation of the best cut between recordings
CUTS = np.linspace(-2.5, 2.5, 101)  # of these deviations


def least_length(speech: Seconds) -> Seconds:
    """The length from which a piece says who speaks; a person needs as much speech again that goes beyond it.

    Args:
        speech: seconds of it in the recording.
    """
    return float(np.clip(speech * SHARE, LEAST, MOST))


class Voices:
    """How many people there are after each merge of a tree.

    Args:
        tree: of pieces.
        vectors: of the pieces, float64 (n, d), unit rows.
        seconds: of the pieces, float64 (n,); each moment counts twice, since it lies in two windows.
        weights: of the pieces in the mean of a voice, float64 (n,).
        least: the least length.
        mentioned: pieces that somebody said something about, bool (n,); a voice that has one is no mixture.
    """

    def __init__(
        self,
        tree: Tree,
        vectors: Array,
        seconds: Array,
        weights: Array,
        least: Seconds,
        mentioned: NDArray[np.bool_],
    ) -> None:
        """Follow the merges."""
        self._tree, self._vectors, self._weights = tree, vectors, weights
        self._least, self._mentioned = least, mentioned
        self._worth: Array = np.maximum(seconds - least, 0.0) / 2
        mass = self._worth.copy()
        counts = [int((mass >= least).sum())]
        for kept, gone in tree.merges.tolist():
            before = int(mass[kept] >= least) + int(mass[gone] >= least)
            mass[kept] += mass[gone]
            counts.append(counts[-1] + int(mass[kept] >= least) - before)
        self._counts = np.maximum(counts, 1)

    def at(self, likeness: float) -> int:
        """How many people there are where the tree is cut at a likeness."""
        return len(self.people(self._tree.cut(likeness)))

    def people(self, labels: Labels) -> Labels:
        """The clusters that are people, in order; at least one.

        Args:
            labels: the cluster of each piece, int (n,).
        """
        worth = np.bincount(labels, weights=self._worth)
        order = [one for one in np.argsort(-worth, kind="stable").tolist() if worth[one] >= self._least]
        first, *others = order or [int(np.bincount(labels, weights=self._weights).argmax())]
        said = set(labels[self._mentioned].tolist())
        kept, means = [first], self._mean(labels == first)[None]
        for one in others:
            mean = self._mean(labels == one)
            own = 1.0 - _explained(mean, means)
            if one in said or (own > 1 - MIXED and own * worth[one] >= self._least):
                kept.append(one)
                means = np.vstack([means, mean])
        return np.sort(kept)

    def cut(self, wanted: int, likeness: float) -> Labels:
        """Clusters of which so many are people; nearest to the cut at a likeness."""
        found = self._tree.cut(likeness)
        return found if len(self.people(found)) == wanted else self._tree.cut_after(self._merges(wanted, likeness))

    def probabilities(self, likeness: float, bounded: Callable[[int], int]) -> tuple[tuple[int, float], ...]:
        """Of each number of people, likeliest first: the best cut differs between recordings.

        Args:
            likeness: the cut that is likeliest to be the best.
            bounded: the nearest number that can be.
        """
        shares = np.exp(-0.5 * CUTS**2)
        found: dict[int, float] = {}
        for cut, share in zip(likeness + SPREAD * CUTS, shares / shares.sum(), strict=True):
            count = bounded(self.at(float(cut)))
            found[count] = found.get(count, 0.0) + float(share)
        return tuple(sorted(found.items(), key=lambda item: -item[1]))

    def _mean(self, members: NDArray[np.bool_]) -> Array:
        """The unit vector of a cluster."""
        total = self._weights[members] @ self._vectors[members]
        mean: Array = total / max(float(np.linalg.norm(total)), np.finfo(np.float64).tiny)
        return mean

    def _merges(self, wanted: int, likeness: float) -> int:
        """After how many merges so many voices speak enough, or nearly; nearest to the cut at a likeness."""
        wrong = np.abs(self._counts[self._tree.demanded :] - wanted)
        candidates = np.flatnonzero(wrong == wrong.min()) + self._tree.demanded
        cut = self._tree.merges_above(likeness)
        return int(candidates[np.abs(candidates - cut).argmin()])


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
