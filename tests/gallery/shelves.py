"""A store in memory for tests of search, and the truth about it by sorting everything."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.layout import Ids, Moment, Rows

MODEL = "test@0"
D = 16
KEY = MasterKey.from_bytes(bytes(range(32)))


def units(count: int, seed: int = 0, size: int = D) -> Rows:
    found: Rows = np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


@dataclass
class Some:
    ids: Ids
    vectors: Rows


class Shelf:
    """A store in memory: what `Index` may rely on, and no more. A copy of it goes its own way."""

    def __init__(self, identity: str = "one", key: MasterKey = KEY, model: str = MODEL) -> None:
        self.id, self.key, self.model = identity, key, model
        self.changes = self.removals = self.reads = 0
        self.kept: dict[int, tuple[int, Rows]] = {}
        self.next = 1
        self.events = [secrets.token_bytes(32)]

    def copy(self) -> Shelf:
        """The same as it is now."""
        other = Shelf(self.id, self.key, self.model)
        other.put_back(self)
        return other

    def put_back(self, copy: Shelf) -> None:
        """Be what was copied, whatever happened since."""
        self.changes, self.removals, self.next = copy.changes, copy.removals, copy.next
        self.kept, self.events = dict(copy.kept), list(copy.events)

    def add(self, vectors: Rows) -> list[int]:
        self.count(0)
        ids = list(range(self.next, self.next + len(vectors)))
        self.kept.update({each: (self.changes, vector) for each, vector in zip(ids, vectors, strict=True)})
        self.next += len(vectors)
        return ids

    def change(self, each: int, vector: Rows) -> None:
        self.count(1)
        self.kept[each] = (self.changes, vector)

    def remove(self, *ids: int) -> None:
        self.count(1)
        for each in ids:
            del self.kept[each]

    def count(self, removals: int) -> None:
        self.changes, self.removals = self.changes + 1, self.removals + removals
        self.events.append(secrets.token_bytes(32))

    def moment(self) -> Moment:
        return Moment(self.changes, self.removals, len(self.events), self.events[-1])

    def has_been_at(self, moment: Moment) -> bool:
        return self.events[moment.event - 1 : moment.event] == [moment.digest]

    def templates(self, model: str, *, since: int) -> Iterator[Some]:
        assert model == self.model
        found = [(each, vector) for each, (written, vector) in self.kept.items() if written > since]
        self.reads += len(found)
        for first in range(0, len(found), 7_000):
            ids, vectors = zip(*found[first : first + 7_000], strict=True)
            yield Some(np.array(ids), np.stack(vectors))

    def template_ids(self, model: str) -> Ids:
        assert model == self.model
        return np.array([*self.kept], np.int64)

    def owners(self, model: str, ids: Sequence[int]) -> dict[int, tuple[str, str, float]]:
        assert model == self.model
        return {each: (f"p{each}", f"Person {each}", 3.0 + each) for each in ids if each in self.kept}


def truth(shelf: Shelf, queries: Rows, top: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """By sorting everything, in double precision, without rotation."""
    ids = np.array(sorted(shelf.kept))
    vectors = np.stack([shelf.kept[each][1] for each in ids.tolist()]).astype(np.float64)
    cosines = queries.astype(np.float64) @ vectors.T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :top]
    return ids[order], np.take_along_axis(cosines, order, axis=1)
