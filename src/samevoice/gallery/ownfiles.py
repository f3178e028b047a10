"""The files that an open gallery lives on, which no result may be written over.

Knows: the database, what SQLite keeps beside it, the key file. Does not know: what is written.
"""

from __future__ import annotations

from pathlib import Path

from samevoice.errors import ConfigError
from samevoice.gallery.archive import Archive
from samevoice.gallery.keyfile import InFile
from samevoice.gallery.keys import home_of

_BESIDE = ("", "-wal", "-shm")  # what the names of SQLite's files end with


def require_other(output: Path, gallery: Archive) -> None:
    """Refuse to write over a gallery that is open, or over its key.

    Args:
        output: where something is to be written.
        gallery: the store of the gallery.

    Raises:
        ConfigError: it is one of the gallery's own files, by whichever name.
    """
    for own in _own(gallery):
        if _are_one(output, own):
            raise ConfigError(f"{output}: the gallery itself would be lost, this is one of its files; name another")


def _own(gallery: Archive) -> list[Path]:
    """Its files; a database on a server has none."""
    path = gallery.database.path
    found = [] if path is None else [path.with_name(path.name + end) for end in _BESIDE]
    home = home_of(gallery.database.where, gallery.id)
    return [*found, home.path] if isinstance(home, InFile) else found


def _are_one(first: Path, second: Path) -> bool:
    """Whether two paths lead to one file, which need not be there yet."""
    try:
        return first.samefile(second)
    except OSError:  # one of them is not there
        return first.resolve() == second.resolve()
