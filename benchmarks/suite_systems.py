"""What the suite compares, each in a process that waits while it is not asked.

Knows: interpreters, pipes, one line of JSON per answer. Does not know: what is measured with them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ModelError
from samevoice.measuring.machine import THREAD_VARIABLES
from samevoice.models import store

ALONE = ", onnxruntime alone"  # ends the names of networks without this package
CHILD = Path(__file__).with_name("suite_child.py")
Vectors = NDArray[np.float32]


class Missing(Exception):
    """A peer, a model or data that is not here; the message says what and why."""


@dataclass(frozen=True, slots=True)
class System:
    """One of those compared.

    Args:
        name: as the page calls it.
        kind: of `suite_child.KINDS`.
        model: a name or a path; empty for a peer with one model.
        python: the interpreter that it is installed for.
    """

    name: str
    kind: str
    model: str = ""
    python: str = sys.executable


class Running:
    """A system that was started.

    Args:
        system: which.
        process: that answers.
        heard: what it writes beside its answers.

    Attributes:
        ready: what it told when it was: `import_s`, `load_s`.
    """

    def __init__(self, system: System, process: subprocess.Popen[str], heard: IO[bytes]) -> None:
        """Wait until it is ready."""
        self.system, self._process, self._heard = system, process, heard
        self.ready = self._answer()

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Ask, and wait for the answer.

        Raises:
            Missing: it ended.
        """
        wanted = cast("IO[str]", self._process.stdin)
        with suppress(BrokenPipeError):  # what it wrote before it ended tells why
            print(json.dumps({"do": do, **more}), file=wanted, flush=True)
        return self._answer()

    def embed(self, paths: Sequence[Path]) -> Vectors:
        """Unit vectors of files, shape (n, d); NaN where one was refused."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "vectors.npy"
            self.ask("embed", paths=[str(path) for path in paths], out=str(out))
            found: Vectors = np.load(out)
        return found

    def _answer(self) -> dict[str, Any]:
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            self._process.wait()
            self._heard.seek(0)
            told = self._heard.read().decode(errors="replace").strip().splitlines()
            raise Missing(f"{self.system.name}: {told[-1] if told else 'it ended without a word'}")
        found: dict[str, Any] = json.loads(line)
        return found


class Team:
    """Processes of one system that share the work.

    Args:
        members: at least one.

    Attributes:
        system: which.
    """

    def __init__(self, members: Sequence[Running]) -> None:
        """Keep the members."""
        self.system, self._members = members[0].system, members

    def embed(self, paths: Sequence[Path]) -> Vectors:
        """Unit vectors of files, shape (n, d); NaN where one was refused."""
        shares = np.array_split(np.arange(len(paths)), len(self._members))
        with ThreadPoolExecutor(len(self._members)) as pool:
            asked = [
                pool.submit(one.embed, [paths[at] for at in share])
                for one, share in zip(self._members, shares, strict=True)
                if len(share)
            ]
            found = [one.result() for one in asked]
        size = max(one.shape[1] for one in found)  # where all was refused nobody knows it
        return np.concatenate([one if one.shape[1] == size else np.full((len(one), size), np.nan) for one in found])


@contextmanager
def running(system: System, threads: int) -> Iterator[Running]:
    """A system in a process of its own, which ends with the block.

    Raises:
        Missing: it cannot be started.
    """
    command = [system.python, "-I", str(CHILD), system.kind, system.model, str(threads)]
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    with tempfile.TemporaryFile() as heard:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=heard, text=True, env=environment
            )
        except OSError as error:
            raise Missing(f"{system.name}: {error}") from error
        with process:
            try:
                yield Running(system, process, heard)
            finally:
                process.kill()


def ours(model: str, *, whole: bool) -> System:
    """This package with one of its models.

    Args:
        model: a name or a path.
        whole: take all of a clip for speech.

    Raises:
        Missing: the model is not here.
    """
    return System(label(model), "samevoice-whole" if whole else "samevoice", located(model))


def bare(model: str) -> System:
    """The same network without this package.

    Raises:
        Missing: the model is not here, or has features of its own.
    """
    card, _ = opened(model)
    if card.frontend is None or (card.frontend.kind, card.frontend.bands) != ("kaldi-fbank", 80):
        raise Missing(f"{label(model)} without samevoice: its features are not kaldi-fbank")
    path = model if store.is_path(model) else str(store.model_path(model))
    return System(label(model) + ALONE, "bare", path)


def resemblyzer(python: str, *, trimmed: bool) -> System:
    """The peer.

    Args:
        python: the interpreter that it is installed for.
        trimmed: with its own preparation, which trims pauses and levels.
    """
    return System(
        "Resemblyzer" if trimmed else "Resemblyzer, clip as it is",
        "resemblyzer" if trimmed else "resemblyzer-as-is",
        python=python,
    )


def located(model: str) -> str:
    """The model as another process finds it.

    Raises:
        Missing: it is not here.
    """
    opened(model)
    return str(Path(model).resolve()) if store.is_path(model) else model


def opened(model: str) -> tuple[Any, bytes]:
    """Card and graph.

    Raises:
        Missing: it is not here.
    """
    try:
        return store.load_file(Path(model)) if store.is_path(model) else store.load(model)
    except ModelError as error:
        raise Missing(f"{label(model)}: {error}") from error


def label(model: str) -> str:
    """What the page calls a model."""
    return Path(model).stem if store.is_path(model) else model
