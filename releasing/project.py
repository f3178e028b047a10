"""What the project says of itself: requirements, the files that git tracks, the moment of the last commit.

Knows: pyproject.toml, git. Does not know: how anything is built or installed.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
from io import BytesIO
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
NAME = "samevoice"
MADE = re.compile(r"PKG-INFO|__pycache__|\.venv.*|\.(mypy|pytest|ruff|import_linter)_cache|\.hypothesis|dist|build")
"""Files and folders that tools leave, and that are no part of the project."""


class ReleaseError(Exception):
    """Why a release cannot be made, in one sentence."""


def table() -> dict[str, Any]:
    """The `[project]` table."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def version() -> str:
    """Of the package."""
    return str(table()["version"])


def requirements(extra: str | None = None) -> list[Requirement]:
    """What the core needs, or what an extra adds to it.

    Args:
        extra: its name; None for the core.
    """
    project = table()
    lines = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def extras() -> list[str]:
    """The extras for users: `dev` and `docs` are for who works on samevoice."""
    return [name for name in table()["optional-dependencies"] if name not in ("dev", "docs")]


def pythons() -> list[str]:
    """The versions of Python that the classifiers promise, such as "3.11", oldest first."""
    start = "Programming Language :: Python :: 3."
    return [f"3.{line.removeprefix(start)}" for line in table()["classifiers"] if line.startswith(start)]


def is_checkout() -> bool:
    """Whether this tree is a checkout, and not an unpacked sdist."""
    return (ROOT / ".git").exists()


def tracked() -> set[str]:
    """All files of the last commit, with forward slashes."""
    return set(_git("ls-tree", "-r", "-z", "--name-only", "HEAD").decode().rstrip("\0").split("\0"))


def files() -> set[str]:
    """All files of the project, also where it was unpacked from an sdist."""
    if is_checkout():
        return tracked()
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if not any(MADE.fullmatch(part) for part in path.parts)}


def changed() -> list[str]:
    """Files that differ from the last commit, or that git does not know."""
    return _git("status", "--porcelain").decode().splitlines()


def moment() -> int:
    """When the last commit was made, in seconds since 1970: what SOURCE_DATE_EPOCH wants."""
    return int(_git("log", "-1", "--format=%ct"))


def commit() -> str:
    """The last commit, short."""
    return _git("rev-parse", "--short", "HEAD").decode().strip()


def export(folder: Path) -> Path:
    """Lay the last commit into a folder, without what git does not know.

    Args:
        folder: made if it is not there.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=BytesIO(_git("archive", "HEAD"))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _git(*arguments: str) -> bytes:
    """What git answers."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ReleaseError(f"git {arguments[0]} failed ({error}); a release is made from a checkout") from error
