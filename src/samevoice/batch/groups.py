"""Voices that pairs link, each group suspected to be one person.

Knows: pairs. Does not know: names, cosines of pairs that were not listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samevoice.batch.pairs import Pairs


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that a chain of pairs connects.

    Args:
        rows: in order.
        pairs: places of its pairs in the list.
        complete: whether every two rows are a pair; if not, a chain links people who may be different.
        weakest: lowest cosine among its pairs.
    """

    rows: tuple[int, ...]
    pairs: tuple[int, ...]
    complete: bool
    weakest: float


def group(pairs: Pairs) -> tuple[Group, ...]:
    """The groups of all rows that occur in a pair, largest first, then in order of rows."""
    parent: dict[int, int] = {}

    def top(row: int) -> int:
        parent.setdefault(row, row)
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for one, two in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        parent[max(top(one), top(two))] = min(top(one), top(two))
    rows: dict[int, list[int]] = {}
    for row in sorted(parent):
        rows.setdefault(top(row), []).append(row)
    links: dict[int, list[int]] = {}
    for place, one in enumerate(pairs.first.tolist()):
        links.setdefault(top(one), []).append(place)
    groups = (
        Group(
            rows=tuple(members),
            pairs=tuple(links[key]),
            complete=2 * len(links[key]) == len(members) * (len(members) - 1),
            weakest=float(np.min(pairs.cosines[links[key]])),
        )
        for key, members in rows.items()
    )
    return tuple(sorted(groups, key=lambda one: (-len(one.rows), one.rows)))
