"""Walks through the folders of a corpus, always in the same order.

Knows: folders, names, what stays below a root. Does not know: layouts, sound.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from samevoice.audio.decode import AUDIO_SUFFIXES
from samevoice.errors import DataError


def is_audio(name: str) -> bool:
    """Whether a file's name says that it is a recording; hidden files (".DS_Store", "._a.wav") never are."""
    path = PurePosixPath(name)
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


def stays_below(name: str) -> bool:
    """Whether a name with slashes, taken as a path, cannot lead out of the folder it starts from."""
    if not name or "\0" in name:
        return False
    both = (PurePosixPath(name), PureWindowsPath(name))  # an archive from elsewhere may be meant for either
    return not any(path.anchor or ".." in path.parts for path in both)


def below(path: Path, root: Path) -> str:
    """The path of a file from a folder above it, with forward slashes."""
    return path.relative_to(root).as_posix()


def subfolders(folder: Path) -> list[Path]:
    """Folders directly in a folder, without hidden ones and links that lead back; none if it is no folder.

    Raises:
        DataError: it may not be read.
    """
    found = [folder / entry.name for entry in _entries(folder) if entry.is_dir()]
    return [one for one in found if not (one.is_symlink() and folder.resolve().is_relative_to(one.resolve()))]


def audio_files(folder: Path) -> list[Path]:
    """Recordings directly in a folder, by their names.

    Raises:
        DataError: it may not be read.
    """
    return [folder / entry.name for entry in _entries(folder) if is_audio(entry.name) and not entry.is_dir()]


def all_audio(folder: Path) -> Iterator[Path]:
    """Recordings in a folder and in those below it; links to folders are not followed, since they may lead back.

    Raises:
        DataError: a folder may not be read.
    """
    yield from audio_files(folder)
    for inner in subfolders(folder):
        if not inner.is_symlink():
            yield from all_audio(inner)


def locate(name: str, folder: Path) -> str:
    """Where a list means a file to be: from its own folder, or else from the working directory.

    Args:
        name: as the list has it, absolute or relative.
        folder: of the list.

    Returns:
        The path from `folder` where it lies below, else an absolute one.
    """
    home = Path(os.path.abspath(folder))  # noqa: PTH100 (".." is taken out without following links)
    path = Path(os.path.normpath(home / name))
    if not Path(name).is_absolute() and not _is_there(path) and _is_there(Path(name)):
        path = Path(os.path.abspath(name))  # noqa: PTH100
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else path.as_posix()


def _is_there(path: Path) -> bool:
    """Whether there is such a file; never fails, whatever a list calls it."""
    return os.path.exists(path)  # noqa: PTH110 (Path.exists raises for a long name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, sorted, without hidden things; unlike paths, these know what they are without asking."""
    try:
        with os.scandir(folder) as entries:
            return sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)
    except NotADirectoryError:
        return []
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); check the path and its permissions") from error
