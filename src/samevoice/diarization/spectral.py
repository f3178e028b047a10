"""Spectral clustering of unit vectors, with the number of speakers read from the gap between eigenvalues.

Each vector is joined to the p others most like it. The Laplacian of that graph has as many small eigenvalues as the
graph has parts that hang together, so the widest gap tells their number; p is the one that gives a wide gap with few
links.

Knows: vectors, weights, pairs that must or cannot be together. Does not know: time, sound.
Source: Park, Han, Kumar and Narayanan, "Auto-tuning spectral clustering for speaker diarization using normalized
maximum eigengap", IEEE Signal Processing Letters 27, 2020. Here many vectors are first reduced by average links, and a
vector is no neighbour of itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samevoice.diarization.agglomerate import Array, Labels, agglomerate

NODES = 300  # of the graph; where there are more vectors, the most alike share a node
FEWEST = 24  # nodes below which a spectrum says little, and average links decide
MOST = 20  # speakers that are looked for without a bound
NEIGHBOURS = 15  # numbers of neighbours that are tried
SMALLEST = 4  # of these; fewer tear small graphs apart
LARGEST = 1 / 3  # of the nodes are neighbours at most
STARTS = 8  # of k-means
ROUNDS = 50  # of k-means from each
EPSILON = 1e-10


class Rules(Protocol):
    """How many speakers there may be."""

    @property
    def likeness(self) -> float:
        """Mean cosine from which two clusters are one voice; used where there are few vectors."""

    def bounded(self, count: int, /) -> int:
        """The allowed number of speakers that is nearest."""


def spectral(
    vectors: ArrayLike,
    weights: ArrayLike,
    rules: Rules,
    together: Iterable[Sequence[int]] = (),
    apart: Iterable[tuple[int, int]] = (),
) -> Labels:
    """Tell which vectors have one voice.

    Args:
        vectors: float (n, d), unit rows; n of some thousands at most.
        weights: of each vector, float (n,), > 0.
        rules: how many speakers there may be.
        together: groups of rows that get one label.
        apart: pairs of rows that get two, even where that takes more speakers than `rules` allow; where `together` says
            otherwise, that holds.

    Returns:
        Labels int (n,), from 0 in order of first appearance.
    """
    x, mass, foes = np.asarray(vectors, dtype=np.float64), np.asarray(weights, dtype=np.float64), list(apart)
    tree = agglomerate(x, mass, together=together, apart=foes)
    nodes = tree.cut_to(NODES)
    count = int(nodes.max()) + 1 if len(nodes) else 0
    if count < FEWEST:
        return tree.cut_to(rules.bounded(int(tree.cut(rules.likeness).max()) + 1)) if count else nodes
    heavy = np.bincount(nodes, mass).astype(np.float64)
    means = np.zeros((count, x.shape[1]))
    np.add.at(means, nodes, mass[:, None] * x)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), EPSILON)
    strange = np.zeros((count, count), dtype=np.bool_)
    for one, other in foes:
        strange[nodes[one], nodes[other]] = strange[nodes[other], nodes[one]] = nodes[one] != nodes[other]
    speakers, rows = _spectrum(np.where(strange, -np.inf, means @ means.T), rules)
    labels = _parted(_k_means(rows, heavy, speakers), means, heavy, strange)[nodes]
    _, first, found = np.unique(labels, return_index=True, return_inverse=True)
    order: Labels = np.argsort(np.argsort(first))[found]
    return order


def _spectrum(cosines: Array, rules: Rules) -> tuple[int, Array]:
    """The number of speakers, and as many coordinates of each node.

    Args:
        cosines: of nodes, (n, n); -inf between nodes that are not one voice.
        rules: how many speakers there may be.
    """
    count = len(cosines)
    least, most = (min(rules.bounded(bound), count) for bound in (1, min(MOST, count - 1)))
    first = least if least == most else 1  # a gap where nobody is says nothing, so a lower bound comes after
    nearest = cosines.copy()
    np.fill_diagonal(nearest, -np.inf)
    order = np.argsort(-nearest, axis=1, kind="stable")
    best, speakers, graph = np.inf, first, np.empty(0)
    for size in np.unique(
        np.geomspace(SMALLEST, max(SMALLEST, LARGEST * count), NEIGHBOURS).round().astype(int)
    ).tolist():
        links = np.zeros_like(cosines)
        np.put_along_axis(links, order[:, :size], 1.0, axis=1)
        links[np.isinf(nearest)] = 0.0
        links = (links + links.T) / 2
        laplacian = np.diag(links.sum(axis=1)) - links
        values = np.append(np.linalg.eigvalsh(laplacian), np.inf)  # all apart: a gap like no other
        gaps = np.diff(values)[first - 1 : most]
        ratio = size * max(float(values[-2]), EPSILON) / max(float(gaps.max()), EPSILON)
        if ratio < best:
            best, speakers, graph = ratio, first + int(gaps.argmax()), laplacian
    speakers = max(speakers, least)
    return speakers, np.linalg.eigh(graph)[1][:, :speakers]


def _k_means(points: Array, weights: Array, clusters: int) -> Labels:
    """Clusters of least weighted squared distance, from starts that are far from each other; none is empty.

    Args:
        points: (n, d), n >= clusters.
        weights: (n,).
        clusters: how many.
    """
    best, labels = np.inf, np.zeros(len(points), dtype=np.intp)
    for first in np.unique(np.linspace(0, len(points) - 1, STARTS).astype(int)).tolist():
        chosen = [first]
        away = _squares(points, points[[first]])[:, 0]
        for _ in range(clusters - 1):
            chosen.append(int(away.argmax()))
            away = np.minimum(away, _squares(points, points[chosen[-1:]])[:, 0])
        found, total = _settled(points, weights, points[chosen])
        if total < best * (1 - EPSILON):
            best, labels = total, found
    return labels


def _settled(points: Array, weights: Array, centres: Array) -> tuple[Labels, float]:
    """Labels after rounds of k-means from given centres, and the weighted squared distance that remains."""
    labels = np.full(len(points), -1)
    total = np.inf
    for _ in range(ROUNDS):
        squares = _squares(points, centres)
        nearest, away = squares.argmin(axis=1), squares.min(axis=1)
        for cluster in np.flatnonzero(np.bincount(nearest, minlength=len(centres)) == 0):
            alone = np.bincount(nearest, minlength=len(centres))[nearest] == 1
            row = int(np.where(alone, -1.0, away).argmax())
            nearest[row], away[row] = cluster, 0.0
        total = float(weights @ away)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        member = np.eye(len(centres))[labels] * weights[:, None]
        centres = (member.T @ points) / member.sum(axis=0)[:, None]
    return labels, total


def _squares(points: Array, centres: Array) -> Array:
    """Squared distances of points (n, d) from centres (k, d), (n, k)."""
    distances: Array = np.square(points[:, None] - centres).sum(axis=2)
    return distances


def _parted(labels: Labels, means: Array, weights: Array, strange: NDArray[np.bool_]) -> Labels:
    """Labels in which no two strangers meet: the lesser goes to the cluster most like it that has no stranger to it.

    Args:
        labels: of nodes, (n,).
        means: their unit vectors, (n, d).
        weights: their masses, (n,).
        strange: which pairs are strangers, (n, n).
    """
    labels = labels.copy()
    for one, other in np.argwhere(np.triu(strange)).tolist():
        if labels[one] != labels[other]:
            continue
        lesser = one if weights[one] < weights[other] else other
        member = np.eye(labels.max() + 2)[labels] * weights[:, None]  # the last one is new, and like nobody
        centres = member.T @ means
        cosines = centres @ means[lesser] / np.maximum(np.linalg.norm(centres, axis=1), EPSILON)
        cosines[labels[strange[lesser]]] = -np.inf
        cosines[-1] = -2.0
        labels[lesser] = cosines.argmax()
    return labels
