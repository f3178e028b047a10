"""What went wrong with a database, as one sentence that a person can act on.

Knows: result codes of SQLite (https://www.sqlite.org/rescode.html) and of PostgreSQL
(https://www.postgresql.org/docs/current/errcodes-appendix.html). Does not know: what was asked of the database, or
what lies in it: neither statements nor their parameters come into a message.
"""

from __future__ import annotations

import re
import sqlite3

from samevoice.errors import GalleryError

PATIENCE = 30.0
"""Seconds to wait for others to finish writing."""

DAMAGED = "is damaged; restore it from a copy"
FULL = "the disk is full; nothing that was confirmed is lost: make room and try again"
READ_ONLY = "cannot be written; check the permissions of the file and its folder, and that the disk is not read-only"
BUSY = f"another process has kept the gallery locked for longer than {PATIENCE:.0f} s; try again when it has finished"
AWAY = "the server cannot be reached; check the address and that it runs, then try again"

NOT_TEXT = "Could not decode"  # how the driver of SQLite says that what should be text is none
SQLITE = {
    sqlite3.SQLITE_NOTADB: "is not a gallery, or its beginning is damaged; check the path, or restore it from a copy",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its folder is there and that you may write in it",
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR: "the disk cannot be written or read; check that it is neither full nor failing; nothing that "
    "was confirmed is lost",
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
}
POSTGRESQL = {  # by the first characters of the code
    "08": AWAY,
    "57P": "the server was stopped or cut the connection; nothing that was confirmed is lost: try again",
    "28": "the server refuses the user or the password; check both",
    "42501": "the user may not do this in the database; grant the rights to its tables",
    "25006": "the database is read-only; use the primary server",
    "53100": FULL,
    "53": "the server has no room for another connection; try again later",
    "55P03": BUSY,
    "40": BUSY,
    "XX": DAMAGED,
}
PASSING = ("40001", "40P01")  # serialisation failure, deadlock
REASON = re.compile(r"failed: (?!connection to server)(?:FATAL:\s*)?([^\n]+)")


class DamagedError(Exception):
    """A value is not what its column is for; it says so without the value."""


def passes(error: Exception) -> bool:
    """Whether the same transaction may well succeed if it is simply done again."""
    cause = _cause(error)
    if isinstance(cause, sqlite3.Error):
        return _sqlite_code(cause) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(cause, "sqlstate", None) in PASSING


def as_sentence(error: Exception, where: str) -> GalleryError:
    """The error of a driver, for people.

    Args:
        error: from SQLAlchemy or straight from a driver, or about a value that was read.
        where: what the user calls the gallery, without passwords.
    """
    cause = _cause(error)
    if isinstance(cause, (DamagedError, UnicodeDecodeError)):
        told: str | None = DAMAGED
    elif isinstance(cause, sqlite3.Error):
        told = DAMAGED if NOT_TEXT in str(cause) else SQLITE.get(_sqlite_code(cause))
    else:
        told = _postgresql(cause)
    return GalleryError(f"{where}: {told or f'the database failed unexpectedly ({type(cause).__name__}); try again'}")


def _cause(error: Exception) -> BaseException:
    """What the driver raised."""
    return getattr(error, "orig", None) or error


def _sqlite_code(error: sqlite3.Error) -> int:
    """The primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _postgresql(error: BaseException) -> str | None:
    """The sentence for what psycopg raised; None if there is none."""
    if code := getattr(error, "sqlstate", None):
        return next((told for start, told in POSTGRESQL.items() if code.startswith(start)), None)
    if reasons := REASON.findall(str(error)):  # no connection, so no code: only words
        return f"the server cannot be reached ({reasons[-1].strip()}); check the address, the user and that it runs"
    return AWAY if type(error).__name__ == "OperationalError" else None
