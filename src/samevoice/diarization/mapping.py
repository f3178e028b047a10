"""Who is who: the one-to-one pairing of two lists with the largest sum, by the Hungarian method.

Knows: matrices. Does not know: speakers, seconds.
Source: Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly 2, 1955, in the form
of shortest augmenting paths: Jonker and Volgenant, Computing 38, 1987. O(n^2 m) for n rows and m >= n columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Indices = NDArray[np.intp]


def best_pairs(gain: Matrix) -> tuple[Indices, Indices]:
    """Pair rows with columns, each with at most one, so that the gains of the pairs sum to the most.

    Args:
        gain: what each pair would bring, finite, shape (rows, columns).

    Returns:
        Rows in rising order and their columns, each of shape (min(rows, columns),).

    Raises:
        ValueError: a gain is not finite, or it is no matrix.
    """
    if gain.ndim != 2 or not np.isfinite(gain).all():
        raise ValueError(f"pairing needs a matrix of finite gains, got one of shape {gain.shape}")
    if gain.shape[0] > gain.shape[1]:
        columns, rows = best_pairs(gain.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    owner = _owners(-gain)
    columns = np.flatnonzero(owner >= 0)
    order = np.argsort(owner[columns])
    return owner[columns][order], columns[order]


def _owners(cost: Matrix) -> Indices:
    """The row that each column goes to at the least cost, or -1; no more rows than columns."""
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns + 1)
    owner = np.full(columns + 1, -1, dtype=np.intp)  # the last column is none: where each new row starts
    for row in range(rows):
        owner[columns] = row
        distance = np.full(columns, np.inf)  # of the cheapest path from the new row to each column
        before = np.full(columns, columns, dtype=np.intp)  # the column that comes before on that path
        seen = np.zeros(columns + 1, dtype=np.bool_)
        column = columns
        while owner[column] >= 0:
            seen[column] = True
            at = owner[column]
            reduced = cost[at] - row_price[at] - column_price[:columns]
            nearer = ~seen[:columns] & (reduced < distance)
            distance[nearer], before[nearer] = reduced[nearer], column
            free = np.flatnonzero(~seen[:columns])
            nearest = free[np.argmin(distance[free])]
            step = distance[nearest]
            row_price[owner[seen]] += step
            column_price[seen] -= step
            distance[free] -= step
            column = int(nearest)
        while column != columns:  # turn the path round
            owner[column] = owner[before[column]]
            column = before[column]
    return owner[:columns]
