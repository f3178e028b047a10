"""`python -m releasing.building`: wheel and sdist of the last commit, in dist/.

Each is built twice: from two copies of the commit in different folders, with another umask, time zone, language and
seed of hashes, and the second wheel from the second sdist. Only if all bytes are the same are they kept.

Knows: the order of steps. Does not know: what a wheel is made of.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from releasing import contents, project
from releasing.project import NAME, ROOT, ReleaseError

USUAL = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}
UNUSUAL = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "2"}
SUMS = "SHA256SUMS"


def build(into: Path) -> list[Path]:
    """Make the files of a release.

    Args:
        into: the folder for them; what it held of this version is replaced.

    Returns:
        The wheel and the sdist.

    Raises:
        ReleaseError: two builds differ, or a file is missing or does not belong.
    """
    with tempfile.TemporaryDirectory(prefix="samevoice-release-") as scratch:
        first, second = Path(scratch, "first"), Path(scratch, "the second one")
        for folder in (first, second):
            project.export(folder / "tree")
        sdist = _run_backend(first / "tree", first, "sdist", USUAL, 0o022)
        wheel = _run_backend(first / "tree", first, "wheel", USUAL, 0o022)
        again = _run_backend(second / "tree", second, "sdist", UNUSUAL, 0o077)
        other = _run_backend(_unpacked(again, second / "unpacked"), second, "wheel", UNUSUAL, 0o077)
        for one, two in ((sdist, again), (wheel, other)):
            if digest(one) != digest(two):
                raise ReleaseError(f"{one.name}: two builds differ; compare what they hold")
        _check(wheel, sdist)
        into.mkdir(parents=True, exist_ok=True)
        kept = [Path(shutil.copyfile(path, into / path.name)) for path in (wheel, sdist)]
    lines = [f"{digest(path)}  {path.name}\n" for path in kept]
    (into / SUMS).write_text("".join(lines), encoding="utf-8")
    return kept


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run_backend(tree: Path, into: Path, target: str, surroundings: dict[str, str], umask: int) -> Path:
    """Let hatchling build one target."""
    environment = {**os.environ, **surroundings, "SOURCE_DATE_EPOCH": str(project.moment())}
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)]
    done = subprocess.run(command, cwd=tree, env=environment, umask=umask, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"the {target} cannot be built: {done.stderr.strip()}")
    [path] = into.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return path


def _unpacked(sdist: Path, folder: Path) -> Path:
    """The tree of an sdist."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"{NAME}-{project.version()}"


def _check(wheel: Path, sdist: Path) -> None:
    """Refuse files that lack something or hold too much."""
    tracked, licences = project.tracked(), project.table()["license-files"]
    wrong = [
        *contents.differences("the wheel", contents.in_wheel(wheel), contents.wanted_in_wheel(tracked, licences)),
        *contents.differences("the sdist", contents.in_sdist(sdist), contents.wanted_in_sdist(tracked)),
    ]
    if wrong:
        raise ReleaseError("; ".join(wrong))


def main() -> int:
    """Build into dist/, and say what was made of what."""
    parser = argparse.ArgumentParser(prog="python -m releasing.building", description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="folder for the files (default: dist)")
    into = parser.parse_args().into
    try:
        if left := project.changed():
            print(f"note: {len(left)} changed files are not committed, and so not part of the release")
        for path in build(into):
            print(f"{path}  {path.stat().st_size:,} bytes  sha256 {digest(path)}")
    except ReleaseError as error:
        print(f"no release: {error}", file=sys.stderr)
        return 1
    print(f"commit {project.commit()}: built twice in different folders and settings, the same bytes both times")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
