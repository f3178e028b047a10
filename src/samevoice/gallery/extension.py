"""pgvector as it is met from here: its client, which may be missing, and what a server says that has none.

Knows: the package, codes of errors. Does not know: tables, vectors.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery import failures

NO_EXTENSION = {"0A000", "58P01", "42501"}  # not available, no such file, no right to install it
NO_TABLE = "42P01"
OFF = "has no table for approximate search; turn that on first"


def client() -> tuple[Any, Any]:
    """The type of a column of vectors, and what makes a connection know it.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from pgvector.psycopg import register_vector
        from pgvector.sqlalchemy import Vector
    except ImportError as error:
        raise ConfigError(
            "approximate search needs pgvector; install it with: pip install 'samevoice[scale]'"
        ) from error
    return Vector, register_vector


def as_sentence(error: SQLAlchemyError, where: str) -> GalleryError:
    """The error for people."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    if state in NO_EXTENSION:
        return GalleryError(
            f"{where}: the server has no pgvector that this user may turn on; have its administrator install it and "
            "run: CREATE EXTENSION vector"
        )
    if state == NO_TABLE:
        return GalleryError(f"{where}: {OFF}")
    return failures.as_sentence(error, where)
