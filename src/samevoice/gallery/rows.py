"""The rows of an index at one moment: those at rest, those that came since, those that count no more.

Knows: arrays. Does not know: where rows come from, when they change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.gallery.cache import Stored
from samevoice.gallery.layout import BLOCK, Ids, Moment, Rows

DOUBT = 1e-5  # more than cosines in single precision are off

Places = NDArray[np.intp]
Piece = tuple[Ids, Rows]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The index at one moment; nothing in it ever changes, so that a search needs no lock.

    Args:
        moment: of the store, before the newest rows were read.
        rest: rows at rest.
        gone: places in `rest` of rows that count no more, ascending.
        ids, rows: those that came or changed since, ascending ids.
    """

    moment: Moment
    rest: Stored
    gone: Places
    ids: Ids
    rows: Rows

    def __len__(self) -> int:
        """How many templates count."""
        return self.places - len(self.gone)

    @property
    def places(self) -> int:
        """How many rows there are: those at rest come first."""
        return len(self.rest.ids) + len(self.ids)

    @property
    def loose(self) -> int:
        """How many rows differ from those at rest."""
        return len(self.ids) + len(self.gone)

    @property
    def dimension(self) -> int:
        """Of the rows; 0 while there are none."""
        return int((self.rest.rows if len(self.rest.ids) else self.rows).shape[1])

    def removed(self) -> Ids:
        """Ids of rows at rest that count no more and have no newer one, ascending."""
        return np.setdiff1d(self.rest.ids[self.gone], self.ids)

    def order(self) -> tuple[Ids, Places]:
        """The ids that count, ascending, and the places of their rows."""
        places = np.delete(np.arange(self.places), self.gone)
        ids = _pick(self.rest.ids, self.ids, places)
        order = np.argsort(ids)
        return ids[order], places[order]

    def take(self, places: Places) -> Rows:
        """The rows at some places, copied."""
        return _pick(self.rest.rows, self.rows, places)

    def cosines(self, queries: Rows) -> Rows:
        """Of all queries with all rows, float32 (m, places); minus infinity where a row counts no more."""
        found = np.empty((len(queries), self.places), np.float32)
        split = len(self.rest.ids)
        if split:
            np.matmul(queries, self.rest.rows.T, out=found[:, :split])
        if len(self.ids):
            np.matmul(queries, self.rows.T, out=found[:, split:])
        found[:, self.gone] = -np.inf
        return found

    def best(self, query: Rows, cosines: Rows, count: int) -> tuple[Ids, Rows]:
        """Ids and cosines of the nearest `count` rows, which must be there, in order."""
        least = np.partition(cosines, -count)[-count]
        near = np.flatnonzero(cosines >= least - DOUBT)
        blocks = range(0, len(near), BLOCK)  # many people of one template are many near ones
        wide = query.astype(np.float64)
        scores = np.concatenate([(self.take(near[at : at + BLOCK]) * wide).sum(axis=1) for at in blocks])
        ids = _pick(self.rest.ids, self.ids, near)
        order = np.lexsort((ids, -scores))[:count]
        return ids[order], np.clip(scores[order], -1.0, 1.0).astype(np.float32)


def at_rest(stored: Stored) -> State:
    """The state of rows that all are at rest."""
    return State(stored.moment, stored, np.empty(0, np.intp), NO_IDS, NO_ROWS)


def _pick(first: NDArray[Any], second: NDArray[Any], places: Places) -> NDArray[Any]:
    """Entries of two arrays as if the second followed the first; either may be empty, of any width."""
    split = len(first)
    early = places < split
    found = np.empty((len(places), *(first if split else second).shape[1:]), first.dtype)
    if split:
        found[early] = first[places[early]]
    if len(second):
        found[~early] = second[places[~early] - split]
    return found


def merged(pieces: list[Piece]) -> Piece:
    """All in order of id; of one that comes twice, the later. The list is emptied, to free what is copied."""
    pieces[:] = [piece for piece in pieces if len(piece[0])] or pieces[:1] or [(NO_IDS, NO_ROWS)]
    if len(pieces) == 1 and (np.diff(pieces[0][0]) > 0).all():
        return pieces[0]
    ids = np.concatenate([piece for piece, _ in pieces])
    order = np.argsort(ids, kind="stable")
    kept = order[np.append(np.diff(ids[order]) > 0, True)]
    places = np.full(len(ids), -1)
    places[kept] = np.arange(len(kept))
    found = np.empty((len(kept), pieces[0][1].shape[1]), np.float32)
    while pieces:
        _, rows = pieces.pop()
        places, mine = places[: len(places) - len(rows)], places[len(places) - len(rows) :]
        found[mine[mine >= 0]] = rows[mine >= 0]
    return ids[kept], found


NEVER = Moment(-1, -1, 0, b"")
NO_IDS: Ids = np.empty(0, np.int64)
NO_ROWS: Rows = np.empty((0, 0), np.float32)
NOTHING = at_rest(Stored(NO_IDS, NO_ROWS, NEVER))
