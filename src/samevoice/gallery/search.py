"""Search: the templates nearest to a voice, among up to a million, exactly.

All cosines of a probe are one product of matrices. What is far from the best is dropped at once; the few that are left
are computed again in double precision, so that neither the order of rows nor the size of a batch decides who is first.

An index has two parts: rows at rest, in order of id, and the fewer than 20,000 that came or changed since. From 20,000
on the rows at rest lie in a cache file, mapped into memory; where it cannot be written they lie in memory. All rows are
rotated by a key of the gallery, in memory as on disk: cosines stay as they are.

Knows: rows, counters, cosines. Does not know: tables, ciphers, the file's layout (`cache`), thresholds.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from samevoice.gallery import cache as files
from samevoice.gallery.cache import Stored
from samevoice.gallery.crypto import MasterKey, Rotation
from samevoice.gallery.layout import BLOCK, Head, Ids, Moment, Rows, key_of
from samevoice.gallery.locks import locked
from samevoice.gallery.rows import NOTHING, State, at_rest, merged

LIMIT = 20_000  # rows from which on a file is worth it, and after so many changes a new one
SCORES = 1 << 25  # numbers that a batch of queries may take at once: 128 MiB


class Batch(Protocol):
    """Some templates."""

    @property
    def ids(self) -> Ids:
        """Numbers of the people, int64 (n,)."""

    @property
    def vectors(self) -> Rows:
        """Of unit length, float32 (n, d)."""


class Shelf(Protocol):
    """What an index asks of a store."""

    @property
    def id(self) -> str:
        """The gallery's own id."""

    @property
    def key(self) -> MasterKey:
        """The gallery's master key."""

    def moment(self) -> Moment:
        """How far the gallery has come."""

    def has_been_at(self, moment: Moment) -> bool:
        """Whether the gallery was there once: the newest event of then is still in its record, with that digest."""

    def templates(self, model: str, *, since: int) -> Iterator[Batch]:
        """The templates of a model that were written after the count of changes was `since`, in any order.

        What is written meanwhile may come twice, the newer one later, or not at all.
        """

    def template_ids(self, model: str) -> Ids:
        """The ids of all templates of a model, int64 (n,), in any order; an id is never given to another person."""

    def owners(self, model: str, ids: Sequence[int]) -> dict[int, tuple[str, str, float]]:
        """Public id, name and seconds of speech of those templates that are there, by id."""


class Searched(Protocol):
    """What every index can do, see `Index`."""

    def refresh(self) -> None:
        """Pick up what was written since."""

    def search(self, vectors: Rows, top: int) -> tuple[Ids, Rows]:
        """The nearest templates of each query: numbers and cosines, best first."""


@dataclass(frozen=True, slots=True)
class Match:
    """A person whose template is near a probe.

    Args:
        person: public id.
        name: of the person.
        score: cosine, in [-1, 1].
        seconds: of speech behind the template.
    """

    person: str
    name: str
    score: float
    seconds: float


class Index:
    """All templates of one model, for search; may be used and refreshed by several threads at once.

    Args:
        store: where the templates are.
        model: fingerprint.
        cache: the file that keeps them from one start to the next, see `cache_file`; None: memory only.
    """

    def __init__(self, store: Shelf, model: str, cache: Path | None) -> None:
        """Remember the parts; `of` also reads the templates."""
        key = store.key.derive(f"index of {model} in gallery {store.id}")
        self._store, self._model, self._path = store, model, cache
        self._key = key_of(store.key, store.id)
        self._origin = hashlib.sha256(b"samevoice index of " + key).digest()
        self._rotation = functools.cache(functools.partial(Rotation, key))
        self._refreshing = threading.Lock()
        self._state = NOTHING
        self._is_open = False

    @staticmethod
    def of(store: Shelf, model: str, *, cache: Path | None) -> Index:
        """Open the index of a model's templates.

        Raises:
            GalleryError: the store cannot be read.
        """
        index = Index(store, model, cache)
        index.refresh()
        return index

    def __len__(self) -> int:
        """How many templates there are."""
        return len(self._state)

    def refresh(self) -> None:
        """Pick up what was written since, by this process or another; cheap when nothing was.

        Raises:
            GalleryError: the store cannot be read.
        """
        with self._refreshing:
            before = self._state if self._is_open else self._opened()
            state = self._renewed(before)
            if self._path is not None and len(removed := np.setdiff1d(state.removed(), before.removed())):
                with contextlib.suppress(OSError), locked(self._path):
                    files.erase(self._path, self._key, removed, since=state.rest.moment.changes)
            self._state = state if state.loose < LIMIT else self._settled(state)
            self._is_open = True

    def search(self, vectors: Rows, top: int = 10) -> tuple[Ids, Rows]:
        """The nearest templates of each query, exactly; of equal ones the person enrolled first.

        Args:
            vectors: queries of unit length, float32 (m, d).
            top: how many, at least 1.

        Returns:
            Ids, int64 (m, k), and cosines, float32 (m, k), best first; k is `top`, or all if there are fewer.

        Raises:
            ValueError: the queries have another shape or are not finite, or `top` is below 1.
        """
        state = self._state
        if top < 1 or vectors.ndim != 2 or (len(state) and vectors.shape[1] != state.dimension):
            raise ValueError(f"search takes queries (m, {state.dimension}) and top >= 1, got {vectors.shape}, {top}")
        if not np.isfinite(vectors).all():
            raise ValueError("search takes finite queries")
        shape = len(vectors), min(top, len(state))
        ids, scores = np.empty(shape, np.int64), np.empty(shape, np.float32)
        if ids.size:
            rotation = self._rotation(state.dimension)
            queries = np.concatenate([rotation(each[np.newaxis]) for each in vectors])  # the same in any company
            step = max(1, SCORES // state.places)
            for first in range(0, len(queries), step):
                for at, cosines in enumerate(state.cosines(queries[first : first + step]), first):
                    ids[at], scores[at] = state.best(queries[at], cosines, shape[1])
        return ids, scores

    def match(self, vector: Rows, top: int = 10) -> list[Match]:
        """The people nearest to a voice, best first, at most `top`.

        Args:
            vector: of unit length, float32 (d,).
            top: at least 1.

        Raises:
            GalleryError: the store cannot be read.
            ValueError: as `search`.
        """
        return named(self, self._store, self._model, vector, top)

    def _opened(self) -> State:
        """What there is before the store is asked: the cache file, made if there should be one."""
        if self._path is not None:
            if (stored := files.read(self._path, self._key, self._origin)) is not None:
                return at_rest(stored)
            if len(self._store.template_ids(self._model)) >= LIMIT:
                return self._settled(NOTHING)
        return NOTHING

    def _renewed(self, state: State) -> State:
        """The state after all that was written since; the same one if nothing was."""
        now, then = self._store.moment(), state.moment  # before the rows: what is written meanwhile is read again later
        if now == then:
            return state
        went_back = now.changes < then.changes or now.removals < then.removals
        if went_back or not self._store.has_been_at(then):  # an older database came back; what it had since is void
            state = NOTHING
        elif (now.changes, now.removals) == (then.changes, then.removals):
            return replace(state, moment=now)
        written = self._store.templates(self._model, since=state.moment.changes)
        fresh = merged([(batch.ids, self._rotation(batch.vectors.shape[1])(batch.vectors)) for batch in written])
        kept, gone = ~np.isin(state.ids, fresh[0]), np.isin(state.rest.ids, fresh[0])
        gone[state.gone] = True
        if now.removals != state.moment.removals and state.places:
            held = self._store.template_ids(self._model)
            kept &= np.isin(state.ids, held)
            gone |= ~np.isin(state.rest.ids, held)
        loose = merged([(state.ids[kept], state.rows[kept]), fresh])
        return State(now, state.rest, np.flatnonzero(gone), *loose)

    def _settled(self, state: State) -> State:
        """The same with all rows at rest: in the cache file if it is worth it and can be written, else in memory."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with locked(self._path):
                    return self._filed(self._path, state)
        return self._in_memory(self._renewed(state))

    def _filed(self, path: Path, state: State) -> State:
        """As `_settled`, under the lock of the cache file.

        Raises:
            OSError: it cannot be written.
        """
        stored = files.read(path, self._key, self._origin)
        if stored is not None and stored.moment.changes > state.rest.moment.changes:
            theirs = self._renewed(at_rest(stored))
            if theirs.loose < LIMIT:  # somebody else was faster
                files.erase(path, self._key, theirs.removed(), since=stored.moment.changes)
                return theirs
        state = self._renewed(state)  # under the lock, so that nobody is written whose deletion has returned
        if len(state) < LIMIT:
            files.remove(path)
            return self._in_memory(state)
        ids, order = state.order()
        blocks = (state.take(order[at : at + BLOCK]) for at in range(0, len(order), BLOCK))
        files.write(path, self._key, Head(state.dimension, state.moment, self._origin, ids), blocks)
        stored = files.read(path, self._key, self._origin)
        if stored is None:
            raise OSError("the cache file does not hold what was written")
        state = self._renewed(at_rest(stored))  # once more, should the lock mean nothing on this disk
        files.erase(path, self._key, state.removed(), since=stored.moment.changes)
        return state

    @staticmethod
    def _in_memory(state: State) -> State:
        """The same with all rows at rest, in memory."""
        ids, order = state.order()
        return at_rest(Stored(ids, state.take(order), state.moment))


def named(index: Searched, store: Shelf, model: str, vector: Rows, top: int) -> list[Match]:
    """What an index finds for one voice, with names; see `Index.match`."""
    for _ in range(2):
        ids, scores = index.search(vector[np.newaxis], top)
        owners = store.owners(model, ids[0].tolist())
        if len(owners) == ids.size:
            break
        index.refresh()  # somebody was deleted since: others move up
    found = zip(map(owners.get, ids[0].tolist()), scores[0].tolist(), strict=True)
    return [Match(owner[0], owner[1], score, owner[2]) for owner, score in found if owner]
