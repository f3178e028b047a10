"""Interpreters of this machine, and fresh environments that know nothing of the tree.

Knows: names on PATH, pyenv, venv, pip. Does not know: what is checked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from releasing.project import ROOT, ReleaseError

KEPT = ("PATH", "LANG", "SYSTEMROOT", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")  # and pip's own settings
MINUTES = 15


def interpreter(version: str) -> Path | None:
    """The interpreter of a version such as "3.12": by its name on PATH, else among those of pyenv; None if neither."""
    candidates = [shutil.which(f"python{version}")]
    if pyenv := shutil.which("pyenv"):
        listed = subprocess.run([pyenv, "versions", "--bare"], capture_output=True, text=True, check=False).stdout
        for full in sorted((line.strip() for line in listed.splitlines()), reverse=True):
            if full.startswith(f"{version}."):
                prefix = subprocess.run([pyenv, "prefix", full], capture_output=True, text=True, check=False).stdout
                candidates.append(str(Path(prefix.strip(), "bin", "python")))
    return next((Path(one) for one in candidates if one and _makes(one, version)), None)


def _makes(path: str, version: str) -> bool:
    """Whether a path runs that version and can make environments; a shim of pyenv may do neither."""
    code = "import sys, venv, ensurepip; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    try:
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == version


@dataclass(frozen=True, slots=True)
class Environment:
    """A fresh environment with its own home, from which nothing of the tree is seen.

    Args:
        folder: where it lies: `venv`, `home`, and `away`, the folder in which commands run.
    """

    folder: Path

    @staticmethod
    def made(python: Path, folder: Path) -> Environment:
        """Make one with an interpreter."""
        for name in ("home", "away"):
            (folder / name).mkdir(parents=True)
        _checked([str(python), "-m", "venv", str(folder / "venv")], folder)
        return Environment(folder)

    def install(self, *what: str, constraints: str = "") -> None:
        """Let the environment's own pip install something.

        Args:
            what: arguments of `pip install`.
            constraints: lines of a file of constraints.

        Raises:
            ReleaseError: it cannot be installed.
        """
        file = self.folder / "constraints.txt"
        file.write_text(constraints, encoding="utf-8")
        command = [self.binary("python"), "-m", "pip", "install", "--quiet", "--constraint", str(file), *what]
        _checked(command, self.folder)
        _checked([self.binary("python"), "-m", "pip", "check"], self.folder)

    def binary(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / name)

    def run(self, *command: str, models: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of its programs as a stranger would: another folder, an empty home, no settings.

        Args:
            command: name of the program and its arguments.
            models: where pulled models lie; none are there by default.
        """
        surroundings = {name: os.environ[name] for name in KEPT if name in os.environ}
        surroundings |= {"HOME": str(self.folder / "home"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        surroundings |= {"SAMEVOICE_CACHE": str(models or self.folder / "home" / "models")}
        program, *arguments = command
        return subprocess.run(
            [self.binary(program), *arguments],
            cwd=self.folder / "away",
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=60 * MINUTES,
            check=False,
        )


def _checked(command: list[str], folder: Path) -> None:
    """Run a step that must succeed; Python finds nothing of the tree."""
    surroundings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("WARNING")]
        raise ReleaseError(f"{' '.join(command).replace(str(ROOT), '.')}: {' '.join(said[-6:])}")
