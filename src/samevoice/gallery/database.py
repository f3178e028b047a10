"""The database of a gallery: a file of SQLite, or PostgreSQL by its URL.

One process writes at a time and waits for its turn: BEGIN IMMEDIATE on SQLite, an advisory lock on PostgreSQL. So a
transaction sees all that was done before it, numbers are given in the order of commits, and nothing deadlocks.
What `write` returned from is on the disk (synchronous=FULL, synchronous_commit=on) and outlives kill -9.

Knows: engines, pragmas, schema upgrades, patience. Does not know: people, keys.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery.failures import DAMAGED, PATIENCE, DamagedError, as_sentence, passes
from samevoice.gallery.places import address, prepare_file
from samevoice.gallery.records import REVISION, Record

Result = TypeVar("Result")

VERSION_TABLE = "samevoice_version"
MIGRATIONS = "samevoice.gallery:migrations"
CHECKED_SIZE = 64 << 20
"""Files up to this many bytes are checked as a whole when opened, which takes up to about 0.1 s. A larger file is
checked where it is read: SQLite then finds broken pages, the seals find everything else."""
PRAGMAS = ("foreign_keys=ON", "secure_delete=ON", "synchronous=FULL")
SERVER = {"connect_timeout": 10, "client_encoding": "utf8"}
WRITER = 0x5A3E_701C  # our advisory lock among those of other programs; the number means nothing


class Database:
    """A database with the tables of this version of samevoice.

    Attributes:
        where: what the user calls it, without passwords.
        path: its file; None on a server.
        engine: connects to it.
        guard: looks at the database at the beginning of every transaction, and may refuse.
    """

    guard: Callable[[Connection], None] | None = None

    def __init__(self, engine: Engine, where: str, path: Path | None) -> None:
        """Keep the parts; `open` makes them."""
        self.where = where
        self.path = path
        self.engine = engine
        self._inherited: list[Any] = []
        _open.add(self)

    @staticmethod
    def open(place: str | Path, *, create: bool = True) -> Database:
        """Connect, and bring the tables up to date.

        Args:
            place: path of a file, or a URL that starts with postgresql://.
            create: make a gallery where there is none.

        Raises:
            GalleryError: it is not there, cannot be opened or written, is damaged, belongs to another program, or was
                written by a newer samevoice.
            ConfigError: the URL is none that samevoice can use, or the driver is not installed.
        """
        url, where, path = address(place)
        if path is not None:
            prepare_file(path, create)
        server = path is None
        try:
            engine = create_engine(
                url,
                hide_parameters=True,
                pool_pre_ping=server,
                pool_timeout=PATIENCE,
                connect_args=SERVER if server else {"timeout": PATIENCE / 6},
            )
        except ImportError as error:
            raise ConfigError(f"{where}: needs psycopg; install it with: pip install 'samevoice[scale]'") from error
        event.listen(engine, "connect", _set_up_server if server else _set_up_file)
        if not server:
            event.listen(engine, "begin", _begin_file)
        database = Database(engine, where, path)
        try:
            database._bring_up_to_date(create)
        except BaseException:
            database.close()
            raise
        return database

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Do something that only reads; all of it sees one state of the database.

        Args:
            work: reads; done again from its beginning when the database was busy.

        Raises:
            GalleryError: the database cannot be read.
        """
        return self._attempt(lambda: self._transact(work, writes=False))

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Do something that writes, wholly or not at all, and alone; once this returns it is on the disk.

        Args:
            work: reads and writes; done again from its beginning when the database was busy. What it raises undoes
                what it wrote.

        Raises:
            GalleryError: the database cannot be written.
        """
        return self._attempt(lambda: self._transact(work, writes=True))

    def scrub(self, *, patient: bool = True) -> None:
        """Leave no copy of what was removed in the file's log; a server's log is its own.

        Args:
            patient: wait for those who still read the old state; otherwise what they hold is left to the next call.

        Raises:
            GalleryError: somebody kept reading the old state for too long.
        """
        until = time.monotonic() + PATIENCE
        while self.path is not None and self._attempt(lambda: self._is_log_held(patient=patient)) and patient:
            if time.monotonic() > until:
                raise GalleryError(
                    f"{self.where}: removed, but the log still holds the old bytes because another process keeps "
                    "reading them; close it, then run: samevoice people purge"
                )
            _rest()

    def close(self) -> None:
        """Close all connections; the database can be used again and then opens new ones."""
        self.engine.dispose()

    def leave_to_parent(self) -> None:
        """In a forked child: use none of the parent's connections, and close none, which would close them for both."""
        self._inherited.append(self.engine.pool)
        self.engine.dispose(close=False)

    def __repr__(self) -> str:
        """Where it is; never a password."""
        return f"Database({self.where})"

    def _transact(self, work: Callable[[Connection], Result], *, writes: bool) -> Result:
        with self.engine.connect() as connection:
            if self.path is not None:
                connection.execution_options(writes=writes)
            elif not writes:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                if writes and self.path is None:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": WRITER})
                if self.guard is not None:
                    self.guard(connection)
                return work(connection)

    def _attempt(self, work: Callable[[], Result]) -> Result:
        """Do something until it succeeds, fails for good or patience ends."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return work()
            except (SQLAlchemyError, sqlite3.Error, DamagedError, UnicodeDecodeError) as error:
                if not passes(error) or time.monotonic() > until:
                    raise as_sentence(error, self.where) from error
            _rest()

    def _pragma(self, statement: str) -> Any:
        """The first row that a pragma answers, outside of transactions."""
        with contextlib.closing(self.engine.raw_connection()) as connection:
            return connection.cursor().execute(f"PRAGMA {statement}").fetchone()

    def _is_log_held(self, *, patient: bool) -> bool:
        """Empty the log into the file; whether somebody kept that from happening."""
        if patient:
            return bool(self._pragma("wal_checkpoint(TRUNCATE)")[0])
        [wait] = self._pragma("busy_timeout")
        with contextlib.closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute("PRAGMA busy_timeout = 0")
                return bool(cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {wait}")

    def _bring_up_to_date(self, create: bool) -> None:
        if self.path is None and (encoding := self.read(_encoding)) != "UTF8":
            raise GalleryError(
                f"{self.where}: this database keeps text as {encoding}, which has not all names; create one with: "
                "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )
        version = self.read(self._version)  # before anything is changed: the file may be another program's
        if version is None and not create:
            raise GalleryError(f"{self.where}: there is no gallery here yet; enrol somebody first")
        if (path := self.path) is not None:
            if self._attempt(lambda: self._pragma("journal_mode=WAL"))[0] != "wal":
                raise GalleryError(f"{self.where}: this disk cannot share a file between processes; use a local disk")
            if self._attempt(lambda: self._damaged(path.stat().st_size)):
                raise GalleryError(f"{self.where}: {DAMAGED}")
        if version != REVISION:
            self.write(self._upgrade)

    def _damaged(self, size: int) -> bool:
        """Whether a file of so many bytes is damaged, as far as that is seen without reading a large one."""
        cut = size % self._pragma("page_size")[0] != 0
        return bool(cut or (size <= CHECKED_SIZE and self._pragma("integrity_check(1)")[0] != "ok"))

    def _version(self, connection: Connection) -> str | None:
        """The revision of the tables; None if there are none."""
        tables = set(inspect(connection).get_table_names())
        if VERSION_TABLE in tables:
            return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 a constant
        if tables if self.path is not None else tables & set(Record.metadata.tables):
            raise GalleryError(f"{self.where}: is the database of another program; give the gallery one of its own")
        return None

    def _upgrade(self, connection: Connection) -> None:
        """Run the migrations that are missing, in the transaction of the connection."""
        from alembic import command  # only here: most galleries are up to date
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", MIGRATIONS)
        config.attributes["connection"] = connection
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        version = self._version(connection)  # another process may have been faster
        if version is not None and version not in known:
            raise GalleryError(f"{self.where}: was written by a newer samevoice (tables {version}); update samevoice")
        command.upgrade(config, REVISION)


def _set_up_file(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_file`, not guessed by the driver
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_file(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_server(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{PATIENCE:.0f}s'")
        cursor.execute("SET synchronous_commit = on")
    connection.commit()


def _encoding(connection: Connection) -> str:
    """How a server keeps text."""
    return str(connection.execute(text("SHOW server_encoding")).scalar())


def _rest() -> None:
    """Wait a moment of random length, so that two who wait do not keep meeting."""
    time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 nothing secret


_open: weakref.WeakSet[Database] = weakref.WeakSet()


def _leave_all_to_parent() -> None:
    for database in _open:
        database.leave_to_parent()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_leave_all_to_parent)
