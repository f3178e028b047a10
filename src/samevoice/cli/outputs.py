"""What a command can write, found out before its work and not after it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import samevoice as sv  # whose gallery is imported when it is first used: SQLAlchemy takes a quarter of a second
from samevoice.errors import ConfigError
from samevoice.evaluation.plots import check_picture
from samevoice.files import write_atomically

PAGES = (".html", ".htm")


def require_writable(output: Path) -> None:
    """Say at once, not after hours of work, that there is no place for the result.

    Raises:
        ConfigError: a file cannot be made in the folder, or the name is that of a folder or a device.
    """
    try:
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise ConfigError(f"{output.parent}: no file can be written here ({error.strerror}); choose another") from error
    if output.is_dir():
        raise ConfigError(f"{output}: is a folder; name a file")
    if output.exists() and not output.is_file():
        raise ConfigError(f"{output}: is a device or the like; name a file")


def require_apart(gallery: sv.Gallery, *outputs: Path | None) -> None:
    """Say at once that a result would be written over the gallery that is open, or over its key.

    Args:
        gallery: which is open.
        outputs: where results go; None for those that nobody asked for.

    Raises:
        ConfigError: so.
    """
    from samevoice.gallery.ownfiles import require_other

    for output in outputs:
        if output is not None:
            require_other(output, gallery.store)


def write_text(output: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        write_atomically(output, lambda file: file.write(text.encode()))
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written ({error.strerror}); choose another") from error


def require_page(path: Path) -> None:
    """The same for a page with pictures.

    Raises:
        ConfigError: as for `require_writable`; or matplotlib is not installed, or the suffix is not that of a page.
    """
    if path.suffix.lower() not in PAGES:
        raise ConfigError(f"{path}: a report is a page; end its name with {PAGES[0]}")
    check_picture(path.with_suffix(".svg"))
    require_writable(path)
