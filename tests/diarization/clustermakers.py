"""Made-up voices for tests of clustering."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.intp]


def unit(rows: ArrayLike) -> Array:
    """Rows of length one."""
    found = np.asarray(rows, dtype=np.float64)
    divided: Array = found / np.linalg.norm(found, axis=1, keepdims=True)
    return divided


def directions(seed: int, count: int, dimension: int = 8) -> Array:
    """Unit vectors that go anywhere."""
    return unit(np.random.default_rng(seed).standard_normal((count, dimension)))


def voices(seed: int, sizes: list[int], *, likeness: float = 0.6, dimension: int = 64) -> tuple[Array, Labels]:
    """Vectors of some voices in random order, and the voice of each.

    Args:
        seed: of everything.
        sizes: vectors of each voice.
        likeness: cosine to expect between two of one voice; that between voices is about 0.
        dimension: of the vectors.
    """
    generator = np.random.default_rng(seed)
    centres = unit(generator.standard_normal((len(sizes), dimension)))
    labels = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise = generator.standard_normal((len(labels), dimension)) * np.sqrt((1 / likeness - 1) / dimension)
    return unit(centres[labels] + noise), labels


def same(one: ArrayLike, other: ArrayLike) -> bool:
    """Whether two labellings are one partition."""
    first, second = np.asarray(one), np.asarray(other)
    together = first[:, None] == first
    return bool((together == (second[:, None] == second)).all())


def components(count: int, groups: list[list[int]]) -> Labels:
    """The least row that each row is bound to by groups, directly or not."""
    labels = np.arange(count)
    for _ in range(count):
        for group in groups:
            labels[np.isin(labels, labels[group])] = labels[group].min()
    return labels
