"""What lies in a wheel and in an sdist, beside what must: all files that git tracks, and nothing else.

Knows: both formats. Does not know: how they are made.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from releasing.project import NAME, version

SOURCES = "src/"
ADDED_TO_SDIST = {"PKG-INFO"}


def in_wheel(wheel: Path) -> set[str]:
    """Names of all members."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def in_sdist(sdist: Path) -> set[str]:
    """Names of all files, below the one folder that an sdist has."""
    start = f"{NAME}-{version()}/"
    with tarfile.open(sdist) as archive:
        return {member.name.removeprefix(start) for member in archive if not member.isdir()}


def wanted_in_wheel(tracked: Iterable[str], licences: Iterable[str]) -> set[str]:
    """The package as it is tracked, and what says what it is.

    Args:
        tracked: files of the project.
        licences: those that `license-files` names.
    """
    facts = f"{NAME}-{version()}.dist-info"
    files = {name.removeprefix(SOURCES) for name in tracked if name.startswith(SOURCES)}
    told = {f"{facts}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    return files | told | {f"{facts}/licenses/{name}" for name in licences}


def wanted_in_sdist(tracked: Iterable[str]) -> set[str]:
    """Everything: who has it can build the same wheel and run all tests."""
    return set(tracked) | ADDED_TO_SDIST


def differences(what: str, found: set[str], wanted: set[str]) -> list[str]:
    """What is too little or too much, a sentence each."""
    missing = [f"{what} lacks {name}" for name in sorted(wanted - found)]
    return missing + [f"{what} holds {name}, which does not belong there" for name in sorted(found - wanted)]
