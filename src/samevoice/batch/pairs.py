"""All against all, block by block: which rows of a matrix are more alike than a threshold.

Knows: unit vectors, cosines. Does not know: speakers, files, what a threshold means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ConfigError

ROWS = 4_096  # of a block: 64 MB of cosines at a time
MOST = 5_000_000  # pairs that can be listed
SAMPLE_ROWS = 3_000  # whose 4.5 million pairs tell how alike strangers are
SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of rows with first < second, most alike first.

    Args:
        first: int64 (n,).
        second: int64 (n,).
        cosines: float32 (n,), in [-1, 1].
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    cosines: NDArray[np.float32]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.cosines)


def count(rows: int) -> int:
    """How many pairs so many rows have."""
    return rows * (rows - 1) // 2


def similar(
    vectors: NDArray[np.float32],
    threshold: float,
    *,
    rows: int = ROWS,
    progress: Callable[[int, int], object] | None = None,
) -> Pairs:
    """All pairs at or above a cosine.

    Args:
        vectors: unit vectors, float32 (n, d); may lie on disk, and is read block by block.
        threshold: lowest cosine.
        rows: of a block.
        progress: told (pairs compared, pairs in all).

    Raises:
        ConfigError: there are more than five million such pairs.
    """
    size, done, kept = len(vectors), 0, 0
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    for top in range(0, size, rows):
        upper = np.ascontiguousarray(vectors[top : top + rows])
        for left in range(top, size, rows):
            cosines = upper @ vectors[left : left + rows].T
            first, second = np.nonzero(cosines >= threshold)
            if top == left:
                above = first < second
                first, second = first[above], second[above]
                done += count(len(upper))
            else:
                done += cosines.size
            found.append((first + top, second + left, cosines[first, second]))
            if (kept := kept + len(first)) > MOST:
                raise ConfigError(f"more than {MOST:,} pairs are that much alike; give a higher threshold")
            if progress:
                progress(done, count(size))
    if not found:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    first, second, values = (np.concatenate(column) for column in zip(*found, strict=True))
    falling = np.lexsort((second, first, -values))
    return Pairs(first[falling], second[falling], np.clip(values[falling], -1, 1))


def sample(vectors: NDArray[np.float32], most: int = SAMPLE_ROWS) -> NDArray[np.float32]:
    """Cosines of all pairs among at most so many rows, drawn at random, but always the same ones.

    Args:
        vectors: unit vectors, float32 (n, d).
        most: rows.

    Returns:
        float32 (m (m - 1) / 2,) with m = min(n, most).
    """
    size = len(vectors)
    chosen = np.arange(size) if size <= most else np.random.default_rng(SEED).choice(size, most, replace=False)
    rows = vectors[np.sort(chosen)]
    cosines: NDArray[np.float32] = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return cosines
