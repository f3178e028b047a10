"""The pages of the documentation, read as a stranger reads them: every command and snippet is run, in order.

A walk goes through one page in a folder of its own. Commands are the lines of `sh` blocks and those behind `$ ` in
`console` blocks, where the lines below a command are what it says. `samevoice` runs within the process of the tests,
anything else in a shell; `samevoice serve` runs in the background until the page ends or serves anew. A page that has
been walked to its end has no step that was neither run nor named in `NOT_RUN` with the reason.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

import httpx
from commandline import samevoice
from shown import differences

ROOT = Path(__file__).parent.parent
RUN = ("console", "sh", "python")
READ = ("toml", "json", "text")  # shown to be read
PATIENCE = 300.0
SHELL = re.compile(r"[|<>;&$*]|^\w+=")  # what only a shell understands
ANSWERS = {"verify": {0, 1, 3}, "identify": {0, 1, 3}, "batch": {0, 3}}  # exit codes that are answers

NOT_RUN: dict[str, str] = {
    "pip install": "needs a package index; tests/journeys/test_container.py installs the package and its extras",
    "make ": ".ci/run gives exactly these commands, in a bare checkout",
    "docker ": "needs a container engine; tests/journeys/test_container.py runs every step of the image without one",
    "arecord ": "needs a microphone",
    "samevoice listen    ": "needs a microphone",
    "samevoice listen --people": "needs a microphone",
    "samevoice batch embed corpus.jsonl -o voices/ --ray": "needs a cluster; tests/batch does the same on Ray here",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Args:
        language: behind the fence.
        text: between the fences.
        line: of the opening fence, from 1.
    """

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """A command, or a snippet of Python.

    Args:
        text: as it stands on the page.
        shown: lines that the page shows below a command.
        line: where its block begins.
        is_python: it is a snippet.
    """

    text: str
    shown: tuple[str, ...]
    line: int
    is_python: bool = False

    @property
    def reason(self) -> str | None:
        """Why it is not run; None where it is."""
        return next((why for start, why in NOT_RUN.items() if self.text.startswith(start)), None)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a step.

    Args:
        step: it.
        code: exit code.
        told: standard output.
        said: standard error.
    """

    step: Step
    code: int
    told: str
    said: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, by its path in the project.

    Raises:
        AssertionError: a block has no language, or one of which it is not known whether it is to be run.
    """
    found = []
    opened: tuple[str, int] | None = None
    inside: list[str] = []
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), start=1):
        if not line.lstrip().startswith("```"):
            inside.append(line)
        elif opened is None:
            opened, inside = (line.strip().strip("`"), number), []
            assert opened[0] in (*RUN, *READ), f"{page}:{number}: a block in {opened[0] or 'no language'}"
        else:
            found.append(Block(opened[0], "\n".join(inside) + "\n", opened[1]))
            opened = None
    assert opened is None, f"{page}: the block at line {opened and opened[1]} has no end"
    return found


def steps(page: str) -> list[Step]:
    """What a page has to be run, in order."""
    found: list[Step] = []
    for block in blocks(page):
        if block.language == "python":
            found.append(Step(block.text, (), block.line, is_python=True))
        elif block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, *shown = re.sub(r"\\\n", "", part).rstrip("\n").split("\n")
                found.append(Step(command, tuple(shown), block.line))
        elif block.language == "sh":
            lines = re.sub(r"\\\n\s*", "", block.text).splitlines()
            found += [Step(line, (), block.line) for line in lines if line.strip() and not line.startswith("#")]
    return found


def all_pages() -> list[str]:
    """README and everything below docs."""
    found = [*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


@dataclass
class Walk:
    """A page walked in a folder; use it in a `with`, which checks that nothing of the page was left out.

    Args:
        page: path in the project.
        folder: where the commands run; what they name must lie there.
        changes: words of the page, and what stands for them here: addresses, ports.
        more: what is added to commands that begin so, to be quick.
        names: what snippets of Python find.
        figures: whether numbers shown have to be those said.
    """

    page: str
    folder: Path
    changes: dict[str, str] = field(default_factory=dict)
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    figures: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    _served: tuple[subprocess.Popen[bytes], Path] | None = None

    def __post_init__(self) -> None:
        self._steps = steps(self.page)
        bin_folder = self.folder / ".bin"
        bin_folder.mkdir()
        for name, arguments in {"samevoice": "-m samevoice ", "python": ""}.items():
            shim = bin_folder / name  # no link: behind one an interpreter does not find its environment
            shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
            shim.chmod(0o755)
        path = self.environment.get("PATH", os.environ["PATH"])
        self.environment |= {
            "XDG_DATA_HOME": str(self.folder / ".data"),
            "PATH": f"{bin_folder}{os.pathsep}{path}",
            "COLUMNS": "100",
        }

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()
        if kind is None:
            assert not self._steps, f"{self.page}: nobody ran {self._steps[0].text!r}"

    def run(self, until: str | None = None) -> list[Done]:
        """Run the next steps of the page.

        Args:
            until: stops before a step that holds this; default: to the end.

        Raises:
            AssertionError: a step failed, or said what the page does not show.
        """
        before = len(self.done)
        while self._steps and not (until and len(self.done) > before and until in self._steps[0].text):
            step = self._steps.pop(0)
            if step.reason is None:
                with self.here():
                    done = self._snippet(step) if step.is_python else self._command(step)
                self._check(done)
                self.done.append(done)
        assert until is None or self._steps, f"{self.page} has no {until!r}"
        return self.done[before:]

    def said(self, start: str) -> str:
        """What the last step that begins so said, on both streams."""
        done = next(one for one in reversed(self.done) if one.step.text.startswith(start))
        return done.told + done.said

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """In the folder, with the environment of the page."""
        before = dict(os.environ)
        with contextlib.chdir(self.folder):
            os.environ.update(self.environment)
            try:
                yield
            finally:
                os.environ.clear()
                os.environ.update(before)

    def _here_called(self, text: str) -> str:
        """The text with the words of this place."""
        for word, instead in self.changes.items():
            text = text.replace(word, instead)
        return text

    def _snippet(self, step: Step) -> Done:
        code = compile(self._here_called(step.text), f"{self.page}:{step.line}", "exec")
        with redirect_stdout(io.StringIO()) as told:
            exec(code, self.names)  # noqa: S102 - the page is ours
        return Done(step, 0, told.getvalue(), "")

    def _command(self, step: Step) -> Done:
        text = self._here_called(step.text)
        for start, extra in self.more.items():
            if step.text.startswith(start):
                text = f"{text.partition(' #')[0]} {shlex.join(extra)}"
        if text.startswith("export "):
            (setting,) = shlex.split(text, comments=True)[1:]
            name, _, value = setting.partition("=")
            self.environment[name] = value
            return Done(step, 0, "", "")
        if text.startswith("samevoice serve"):
            return self._serve(step, text)
        if text.startswith("samevoice ") and not SHELL.search(text.partition(" #")[0]):
            with patch.object(sys, "stdin", io.StringIO("y\n")):  # to whoever asks whether it is meant
                done = samevoice(*shlex.split(text, comments=True)[1:])
        else:
            done = self._shell(text)
        return Done(step, done.returncode, done.stdout, done.stderr)

    def _shell(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", text], capture_output=True, text=True, check=False, timeout=PATIENCE, env=dict(os.environ),
            cwd=self.folder, input="",
        )  # fmt: skip

    def _serve(self, step: Step, text: str) -> Done:
        self._stop()
        port = self.changes["8750"]  # a page that serves has to be given a free port
        log = self.folder / ".bin" / "serve.log"
        command = shlex.split(text, comments=True)
        if "--port" not in command:
            command += ["--port", port]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ))
        self._served = process, log
        scheme = "https" if "--self-signed" in command else "http"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{scheme}://127.0.0.1:{port}/readyz", verify=False).status_code == 200:  # noqa: S501 - made here
                    break
            time.sleep(0.05)
        said = [line for line in log.read_text().splitlines(keepends=True) if not line.startswith("{")]
        return Done(step, 0, "".join(said), "")

    def _stop(self) -> None:
        """End the service that runs."""
        if self._served is not None:
            process, _ = self._served
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            self._served = None

    def _check(self, done: Done) -> None:
        """A step has to succeed, or to fail as the page shows, and to say what the page shows."""
        words = done.step.text.split()
        where = f"{self.page}:{done.step.line}: {done.step.text}\n{done.told}{done.said}"
        fails = any(line.startswith("samevoice: ") for line in done.step.shown)
        allowed = {2} if fails else ANSWERS.get(words[1], {0}) if words[0] == "samevoice" else {0}
        assert done.code in allowed, f"exit code {done.code}: {where}"
        if done.step.shown:
            said = done.told + done.said
            for word, instead in self.changes.items():
                said = said.replace(instead, word)
            wrong = differences(done.step.shown, said.splitlines(), figures=self.figures)
            assert not wrong, f"{wrong}\n{where}"
