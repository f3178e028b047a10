"""Approximate search for galleries on PostgreSQL, where the operator asks for it: pgvector's HNSW index.

The server must compare vectors, so they cannot be sealed: the table holds them rotated by a key of the gallery, which
the server does not have (`crypto.Rotation` says what that protects against and what not). What is removed leaves the
table with the next `refresh`; its bytes may stay in the server's files and log until the server reuses them.

Knows: one table for each model. Does not know: people, thresholds.
Sources: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable
small world graphs", IEEE TPAMI 42(4), 2020; https://github.com/pgvector/pgvector.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import (
    ARRAY,
    URL,
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    MetaData,
    Table,
    any_,
    delete,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery.crypto import Rotation
from samevoice.gallery.extension import OFF, as_sentence, client
from samevoice.gallery.layout import Ids, Moment, Rows
from samevoice.gallery.marks import MARKS, has_marks, take_turn
from samevoice.gallery.rows import NEVER
from samevoice.gallery.search import Batch, Match, Shelf, named
from samevoice.gallery.search import Index as Exact

BREADTH = 400  # candidates that a search keeps: more of them find more and take longer
MOST = 1_000  # pgvector's limit for it
HNSW: dict[str, Any] = {
    "postgresql_using": "hnsw",
    "postgresql_ops": {"vector": "vector_ip_ops"},  # of unit vectors it is the cosine
    "postgresql_with": {"m": 16, "ef_construction": 64},  # edges of a node, candidates when it is built: the defaults
}
MEMORY = "1GB"  # for building the graph, if the server does not give more; a larger one is built too, but slowly

ENOUGH_MEMORY = text(
    "SELECT set_config('maintenance_work_mem', greatest(pg_size_bytes(current_setting('maintenance_work_mem')), "
    "pg_size_bytes(:least)) / 1024 || 'kB', true)"
)


class Neighbours:
    """The templates of one model in a table of the server, kept in step with the store by `refresh`.

    Args:
        store: where the templates are.
        model: fingerprint.
        engine: connects to the PostgreSQL database of the gallery.

    Raises:
        ConfigError: pgvector's client is not installed, or the database is no PostgreSQL.
    """

    def __init__(self, store: Shelf, model: str, engine: Engine) -> None:
        """Keep the parts; nothing is asked of the server yet."""
        self._vector, self._register = client()
        if engine.dialect.name != "postgresql":
            raise ConfigError(
                "approximate search needs a gallery on PostgreSQL; use the exact search, which needs none"
            )
        self._store, self._model, self._engine = store, model, engine
        self._key = store.key.derive(f"neighbours of {model} in gallery {store.id}")
        self._origin = hashlib.sha256(b"samevoice neighbours of " + self._key).digest()
        self._count, self._counted = 0, NEVER
        self._name = f"neighbours_{hashlib.sha256(model.encode()).hexdigest()[:16]}"

    def __len__(self) -> int:
        """How many templates there were at the last `refresh`."""
        return self._count

    def is_on(self) -> bool:
        """Whether there is a table of this model, be it behind or of an old key.

        Raises:
            GalleryError: the server cannot be asked.
        """
        with self._transaction() as connection:
            return self._is_on(connection)

    def turn_on(self) -> None:
        """Make the table and its index, if they are not there.

        Raises:
            GalleryError: the server cannot do this, for example for want of pgvector or of the right to install it.
        """
        with self._transaction() as connection:
            take_turn(connection)
            MARKS.create(connection, checkfirst=True)
            if not self._is_on(connection):
                connection.execute(insert(MARKS).values(self._mark(0, NEVER)))
        self.refresh()

    def refresh(self) -> None:
        """Bring the table in step with the store; made anew after a change of keys. Cheap when nothing changed.

        Raises:
            GalleryError: it was turned off, or the server fails.
        """
        with self._transaction() as connection:
            take_turn(connection)
            if not self._is_on(connection):
                raise GalleryError(f"{self._where()}: {OFF}")
            now = self._store.moment()  # before the rows: what is written meanwhile is read again
            size, then = self._known(connection)
            if now != then:
                went_back = then.changes > now.changes or then.removals > now.removals
                if not size or went_back or not self._store.has_been_at(then):
                    size = self._build(connection)
                else:
                    self._update(connection, self._table(size), then.changes, now.removals != then.removals)
                connection.execute(delete(MARKS).where(MARKS.c.name == self._name))
                connection.execute(insert(MARKS).values(self._mark(size, now)))
            self._recount(connection, size, now)

    def match(self, vector: Rows, top: int = 10) -> list[Match]:
        """The people nearest to a voice, best first, at most `top`; some may be missed.

        Args:
            vector: of unit length, float32 (d,).
            top: 1 to 1,000.

        Raises:
            GalleryError: the server or the store cannot be asked, or it was turned off.
        """
        return named(self, self._store, self._model, vector, top)

    def search(self, vectors: Rows, top: int = 10, *, breadth: int = BREADTH) -> tuple[Ids, Rows]:
        """The nearest templates of each query, as `search.Index.search` gives them, except that some may be missed.

        Args:
            vectors: queries of unit length, float32 (m, d).
            top: how many, 1 to 1,000.
            breadth: candidates to keep; less than `top` or more than 1,000 are not possible.

        Returns:
            Ids, int64 (m, k), and cosines, float32 (m, k), best first. Where fewer were found than for another query,
            the rest is filled with -1 and minus infinity.

        Raises:
            GalleryError: the server cannot be asked, or `refresh` was never called.
            ValueError: `top` is out of range.
        """
        if not 1 <= top <= MOST:
            raise ValueError(f"top must be 1 to {MOST}, got {top}")
        found: list[list[tuple[int, float]]] = [[] for _ in vectors]
        with self._transaction() as connection:
            size, then = self._known(connection)
            if then == NEVER:
                raise GalleryError(f"{self._where()}: {OFF}")
            if size:
                _set(connection, "hnsw.ef_search", str(min(MOST, max(top, breadth))))
                _set(connection, "hnsw.iterative_scan", "strict_order")
                column = self._table(size).c
                for query, rows in zip(Rotation(self._key, size)(vectors), found, strict=True):
                    far = column.vector.max_inner_product(query)  # the negative one; the index serves this very form
                    asked = select(column.id, far.label("far")).order_by(far).limit(top)
                    rows.extend((row.id, row.far) for row in connection.execute(asked))
        most = max(map(len, found), default=0)
        ids, scores = np.full((len(found), most), -1, np.int64), np.full((len(found), most), -np.inf, np.float32)
        for at, rows in enumerate(found):
            ids[at, : len(rows)] = [each for each, _ in rows]
            scores[at, : len(rows)] = np.clip([-far for _, far in rows], -1.0, 1.0)
        return ids, scores

    def recall(self, queries: Rows, exact: Exact, top: int = 10, *, breadth: int = BREADTH) -> float:
        """The share of the true nearest templates that are found, in [0, 1].

        Args:
            queries: of unit length, float32 (m, d).
            exact: over the same templates.
            top: how many to find for each.
            breadth: as for `search`.

        Raises:
            GalleryError: as `search`.
            ValueError: there is nothing to find.
        """
        wanted, _ = exact.search(queries, top)
        if not wanted.size:
            raise ValueError("recall needs queries and templates")
        found, _ = self.search(queries, top, breadth=breadth)
        return sum(len(np.intersect1d(*pair)) for pair in zip(wanted, found, strict=True)) / wanted.size

    def drop(self) -> None:
        """Remove the table from the database, for when this protection is no longer enough.

        Raises:
            GalleryError: the server refuses.
        """
        with self._transaction() as connection:
            take_turn(connection)
            self._table(1).drop(connection, checkfirst=True)
            MARKS.create(connection, checkfirst=True)
            connection.execute(delete(MARKS).where(MARKS.c.name == self._name))

    def _is_on(self, connection: Connection) -> bool:
        mark = select(MARKS.c.name).where(MARKS.c.name == self._name)
        return has_marks(connection) and connection.execute(mark).first() is not None

    def _mark(self, size: int, now: Moment) -> dict[str, Any]:
        """What is noted about the table."""
        return {"name": self._name, "origin": self._origin, "size": size, **asdict(now)}

    def _recount(self, connection: Connection, size: int, now: Moment) -> None:
        """Count the rows, if that was not done since they changed."""
        if now != self._counted:
            count = select(func.count()).select_from(self._table(size))
            self._count, self._counted = connection.execute(count).scalar_one() if size else 0, now

    def _known(self, connection: Connection) -> tuple[int, Moment]:
        """Dimension of the table as it is, 0 without rows yet, and its moment, `NEVER` if it was never made."""
        columns = (MARKS.c.size, MARKS.c.changes, MARKS.c.removals, MARKS.c.event, MARKS.c.digest)
        wanted = select(*columns).where(MARKS.c.name == self._name, MARKS.c.origin == self._origin)
        row = connection.execute(wanted).one_or_none()
        return (0, NEVER) if row is None else (row.size, Moment(*row[1:]))

    def _build(self, connection: Connection) -> int:
        """Make the table from all templates, the index last, which is faster; gives the dimension, 0 without any."""
        self._table(1).drop(connection, checkfirst=True)
        size = 0
        for batch in self._store.templates(self._model, since=-1):
            if not size:
                size = batch.vectors.shape[1]
                connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
                self._table(size).create(connection)
            self._take_in(connection, self._table(size), batch)
        if size:
            connection.execute(ENOUGH_MEMORY, {"least": MEMORY})
            column = self._table(size).c.vector
            Index(f"{self._name}_hnsw", column, **HNSW).create(connection)
            connection.execute(text(f"ANALYZE {self._name}"))  # a name of letters and digits
        return size

    def _update(self, connection: Connection, table: Table, since: int, removed: bool) -> None:
        """Take in what was written since, and take out what is there no more."""
        for batch in self._store.templates(self._model, since=since):
            self._take_in(connection, table, batch)
        if removed:
            there = np.fromiter(connection.execute(select(table.c.id)).scalars(), np.int64)
            _remove(connection, table, np.setdiff1d(there, self._store.template_ids(self._model)))

    def _take_in(self, connection: Connection, table: Table, batch: Batch) -> None:
        """Put templates in, for those of the same people that are there."""
        _remove(connection, table, batch.ids)
        rows = Rotation(self._key, batch.vectors.shape[1])(batch.vectors)
        driver: Any = connection.connection.driver_connection
        self._register(driver)
        statement = f"COPY {self._name} (id, vector) FROM STDIN (FORMAT BINARY)"
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(["int8", "vector"])
            for row in zip(batch.ids.tolist(), rows, strict=True):
                copy.write_row(row)

    def _table(self, size: int) -> Table:
        """The table of templates with so many numbers."""
        identity = Column("id", BigInteger, primary_key=True, autoincrement=False)
        return Table(self._name, MetaData(), identity, Column("vector", self._vector(size), nullable=False))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction; errors come out as sentences."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise as_sentence(error, self._where()) from error

    def _where(self) -> str:
        """What to call the database, without a password."""
        url = self._engine.url
        return URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()


def _remove(connection: Connection, table: Table, ids: Ids) -> None:
    """Delete rows by id."""
    if len(ids):
        connection.execute(delete(table).where(table.c.id == any_(literal(ids.tolist(), ARRAY(BigInteger)))))


def _set(connection: Connection, name: str, value: str) -> None:
    """Change a setting of the server for this transaction."""
    connection.execute(select(func.set_config(name, value, True)))
