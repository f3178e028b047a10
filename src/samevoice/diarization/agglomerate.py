"""Average-link clustering of unit vectors, exact and in memory that grows with the vectors, not with their pairs.

The mean cosine between the members of two clusters is the product of the clusters' mean vectors. So a cluster is kept
as its mean, and no matrix of all pairs is ever held.

Knows: vectors, weights, pairs that must or cannot be together. Does not know: time, speakers, how many there should be.
Source: Sokal and Michener, "A statistical method for evaluating systematic relationships", 1958 (average linkage).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

SAME = 1e-12  # cosines that differ by less are equal; more than rounding, or a chain of equals would never end


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """What was merged with what, the most alike first.

    Args:
        merges: rows of each two clusters that were merged, named by their first members, int (m, 2).
        likeness: mean cosine between the two, float64 (m,); never rises, but after a merge that was demanded.
        items: how many vectors there were.
        demanded: how many of the merges, the first ones, were demanded.
    """

    merges: Labels
    likeness: Array
    items: int
    demanded: int = 0

    def merges_above(self, likeness: float) -> int:
        """How many merges join what is at least so much alike, those that were demanded included."""
        return self.demanded + int(np.searchsorted(-self.likeness[self.demanded :], -likeness, side="right"))

    def cut(self, likeness: float) -> Labels:
        """Clusters that remain when nothing less alike than this is merged, as labels int (n,) from 0 in order."""
        return self.cut_after(self.merges_above(likeness))

    def cut_to(self, clusters: int) -> Labels:
        """So many clusters, or the nearest number that the demands allow."""
        return self.cut_after(min(max(self.items - clusters, self.demanded), len(self.merges)))

    def cut_after(self, merges: int) -> Labels:
        """The clusters after so many merges."""
        parent = np.arange(self.items)
        for kept, gone in self.merges[:merges].tolist():
            parent[gone] = kept  # `kept` is still a root here; what hangs below `gone` is followed later
        for item in range(self.items):  # first members come first, so each parent is resolved before its children
            parent[item] = parent[parent[item]]
        _, labels = np.unique(parent, return_inverse=True)
        return labels


def agglomerate(
    vectors: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    together: Iterable[Sequence[int]] = (),
    apart: Iterable[tuple[int, int]] = (),
) -> Tree:
    """Merge the most alike clusters until one is left, or none may be merged.

    Args:
        vectors: float (n, d), unit rows.
        weights: of each vector, > 0; by default equal.
        together: groups of rows that are merged first, whatever their likeness.
        apart: pairs of rows that never meet in one cluster; where `together` says otherwise, that holds.
    """
    forest = _Forest(vectors, weights, apart)
    merges: list[tuple[int, int]] = []
    likeness: list[float] = []
    root = np.arange(len(forest.means))
    for group in together:
        for pair in pairwise(group):
            kept, gone = sorted(_root(root, item) for item in pair)
            if kept != gone:
                merges.append((kept, gone))
                likeness.append(float(forest.means[kept] @ forest.means[gone]))
                root[gone] = kept
                forest.merge(kept, gone)
    found = list(_chained(forest))
    found.sort(key=lambda merge: -merge[2])  # stable: what is equally alike stays in the order in which it was found
    merges += [(kept, gone) for kept, gone, _ in found]
    demanded = len(likeness)
    likeness += [cosine for _, _, cosine in found]
    return Tree(np.array(merges, dtype=np.intp).reshape(-1, 2), np.array(likeness), len(root), demanded)


def _chained(forest: _Forest) -> Iterator[tuple[int, int, float]]:
    """Follow nearest neighbours until two are each other's, and merge these; for average links the tree is the same.

    Source: Murtagh, "A survey of recent advances in hierarchical clustering algorithms", Computer Journal 26, 1983.
    """
    lowest = np.full(len(forest.means), np.inf)  # likeness of a cluster's last merge: rounding undoes no order
    waiting = np.flatnonzero(forest.alive).tolist()[::-1]
    chain: list[int] = []
    while waiting or chain:
        if not chain:
            first = waiting.pop()
            if not forest.alive[first]:
                continue
            chain.append(first)
        before = chain[-2] if len(chain) > 1 else None
        nearest, cosine = forest.nearest(chain[-1], before)
        if nearest is None:
            forest.retire(chain.pop())  # it may meet nobody who is left
        elif nearest == before:
            kept, gone = sorted((chain.pop(), chain.pop()))
            lowest[kept] = min(cosine, lowest[kept], lowest[gone])
            yield kept, gone, float(lowest[kept])
            forest.merge(kept, gone)
            waiting.append(kept)
        else:
            chain.append(nearest)


class _Forest:
    """The clusters so far, named by their first members; `means` of those that are gone mean nothing."""

    def __init__(self, vectors: ArrayLike, weights: ArrayLike | None, apart: Iterable[tuple[int, int]]) -> None:
        """Begin with a cluster for each vector."""
        self.means: Array = np.array(vectors, dtype=np.float64)
        count = len(self.means)
        self.alive = np.ones(count, dtype=np.bool_)
        self._mass = np.ones(count) if weights is None else np.array(weights, dtype=np.float64)
        self._foes: list[set[int]] = [set() for _ in range(count)]
        for one, other in apart:
            if one != other:  # nobody is apart from himself
                self._foes[one].add(other)
                self._foes[other].add(one)
        self._rows = np.arange(count)  # a superset of the clusters alive, and their means side by side
        self._table = self.means.copy()
        self._place = np.arange(count)

    def nearest(self, row: int, before: int | None) -> tuple[int | None, float]:
        """The cluster most alike, `before` where it is among several; None where all are foes."""
        cosines = self._table @ self.means[row]
        cosines[~self.alive[self._rows]] = -np.inf
        cosines[self._place[row]] = -np.inf
        if self._foes[row]:
            cosines[self._place[list(self._foes[row])]] = -np.inf
        best = int(cosines.argmax())
        if cosines[best] == -np.inf:
            return None, -np.inf
        if before is not None and cosines[self._place[before]] >= cosines[best] - SAME:
            return before, float(cosines[best])
        return int(self._rows[best]), float(cosines[best])

    def merge(self, kept: int, gone: int) -> None:
        """Put one cluster into another."""
        total = self._mass[kept] + self._mass[gone]
        self.means[kept] = (self._mass[kept] * self.means[kept] + self._mass[gone] * self.means[gone]) / total
        self._mass[kept] = total
        self._table[self._place[kept]] = self.means[kept]
        for foe in self._foes[gone]:
            self._foes[foe].discard(gone)
            self._foes[foe].add(kept)
        self._foes[kept] = (self._foes[kept] | self._foes[gone]) - {kept}
        self.retire(gone)

    def retire(self, row: int) -> None:
        """Take a cluster out of what is compared."""
        self.alive[row] = False
        for foe in self._foes[row]:
            self._foes[foe].discard(row)
        if 5 * self.alive.sum() < 4 * len(self._rows):
            self._rows = np.flatnonzero(self.alive)
            self._table = self.means[self._rows]
            self._place[self._rows] = np.arange(len(self._rows))


def _root(root: Labels, item: int) -> int:
    """The first member of an item's cluster."""
    while root[item] != item:
        item = int(root[item])
    return item
