"""Where a gallery may lie: the path of a file, or the URL of a PostgreSQL database.

Knows: paths, URLs and what they may say. Does not know: what lies there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from samevoice.errors import ConfigError, GalleryError

POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_making = threading.Lock()  # a second thread must not open a file that the first has yet to close


def resolved(place: str | Path) -> Path:
    """Where a file of that path really lies: one gallery has one path, whichever links lead there.

    Raises:
        GalleryError: the path leads nowhere.
    """
    try:
        return Path(place).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # too long, in a closed folder; of nobody, in a circle; NUL
        reason = getattr(error, "strerror", None) or error
        raise GalleryError(f"{place}: cannot be a path of a gallery ({reason}); give another") from error


def _parameters() -> set[str]:
    """What a URL of PostgreSQL may say after the question mark.

    Raises:
        ConfigError: the driver is not installed.
    """
    try:
        from psycopg import pq
    except ImportError as error:
        raise ConfigError(
            "a gallery on PostgreSQL needs psycopg; install it with: pip install 'samevoice[scale]'"
        ) from error
    return {option.keyword.decode() for option in pq.Conninfo.get_defaults()}


def address(place: str | Path) -> tuple[URL, str, Path | None]:
    """The URL for SQLAlchemy, what to call it, and the file if it is one.

    Raises:
        GalleryError: the path leads nowhere.
        ConfigError: the URL is none that samevoice can use, or the driver is not installed.
    """
    if isinstance(place, Path) or "://" not in place:
        path = resolved(place)
        return URL.create("sqlite", database=str(path)), str(path), path
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "the URL of the gallery cannot be read; write postgresql://user:password@host:5432/database"
        ) from None  # what the parser says repeats the password
    if url.drivername not in POSTGRESQL:
        raise ConfigError(f"a gallery cannot be kept in {url.drivername}; give a path, or a URL of postgresql://")
    url = url.set(drivername="postgresql+psycopg")
    if unknown := [name for name in url.query if name not in _parameters()]:
        raise ConfigError(
            f"the URL of the gallery has a parameter that PostgreSQL does not know, {unknown[0]!r}; remove it"
        )
    shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    return url, shown.render_as_string(), None


def prepare_file(path: Path, create: bool) -> None:
    """Make the file, for its owner only; SQLite gives its log the same permissions.

    A file that is there is looked at and never opened: to close it would drop all locks of this process on it, and
    another process that closes the gallery would remove the log that is still in use here.

    Raises:
        GalleryError: it cannot be made, is not there though it should be, or is certainly something else.
    """
    try:
        if not create and not path.exists():
            raise GalleryError(f"{path}: there is no gallery here yet; enrol somebody first")
        with _making, contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        _check_writable(path)
        if path.stat().st_size == 1:  # which SQLite takes for empty, and would write over
            raise GalleryError(f"{path}: is not a gallery; check the path")
    except OSError as error:
        raise GalleryError(
            f"{path}: cannot be opened for writing ({error.strerror}); check that its folder is there and that you "
            "may write in it"
        ) from error


def _check_writable(path: Path) -> None:
    """Refuse what this process may not write, with the error that opening the file would give.

    Raises:
        OSError: so.
    """
    reason = None
    if path.is_dir():
        reason = errno.EISDIR
    elif not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        reason = errno.EROFS if _is_read_only(path) else errno.EACCES
    if reason is not None:
        raise OSError(reason, os.strerror(reason))


def _is_read_only(path: Path) -> bool:
    """Whether nothing can be written on the disk of a file; Windows has no such call."""
    return hasattr(os, "statvfs") and bool(os.statvfs(path).f_flag & os.ST_RDONLY)
