"""CONTRIBUTING.md does what it says: a network, a corpus and a store are added by its steps, in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from releasing.project import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEP = re.compile(r"<!-- (?P<kind>write|after|run)(?:: (?P<what>.+?))? -->\n```\w+\n(?P<body>.*?)```", re.DOTALL)
SAMPLES = ("philippe_1.flac", "philippe_2.flac", "librispeech_1255_a.flac")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The sources with their documents, and recordings whose names begin with the speaker."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "voices").mkdir()
    for name in SAMPLES:
        shutil.copyfile(ROOT / "samples" / name, tmp_path / "voices" / name)
    return tmp_path


def follow(tree: Path, section: str) -> str:
    """Do the steps of a section of the page; what its commands print."""
    [part] = [one for one in PAGE.split("\n## ") if one.startswith(section)]
    steps = list(STEP.finditer(part))
    assert {"write", "run"} <= {one["kind"] for one in steps}
    assert len(steps) == part.count("<!-- ")
    printed = ""
    for step in steps:
        if step["kind"] == "write":
            assert not (tree / step["what"]).exists()
            (tree / step["what"]).write_text(step["body"], encoding="utf-8")
        elif step["kind"] == "after":
            file, _, line = step["what"].partition(": ")
            text = (tree / file).read_text(encoding="utf-8")
            [place] = re.findall(rf"^ *{re.escape(line)}\n", text, re.MULTILINE)
            (tree / file).write_text(text.replace(place, place + step["body"]), encoding="utf-8")
        else:
            printed += "".join(run(tree, line) for line in step["body"].splitlines())
    return printed


def run(tree: Path, line: str) -> str:
    """A command with the copy's sources; what it prints."""
    program, *arguments = line.split()
    command = [sys.executable, *(("-m", program) if program == "samevoice" else ()), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


def checked(tree: Path, *paths: str) -> None:
    """What the page has one write is as the house wants it."""
    options = ["check", "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    for command in (options, ["format", "--check", *options[1:]]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *paths], cwd=tree, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_a_network_is_added_as_described(tree: Path) -> None:
    pytest.importorskip("torch")
    printed = follow(tree, "A network in ten minutes")
    [row] = [line.split() for line in printed.splitlines() if line.startswith("tiny")]
    parameters = 80 * 64 * 5 + 64
    assert row[:2] + row[-3:-1] == ["tiny", "(batch,", "64", f"{parameters:,}"]
    assert f"| tiny | (batch, frames, 80) | kaldi-fbank | 64 | {parameters:,} |" in (
        tree / "docs" / "networks.md"
    ).read_text(encoding="utf-8")
    checked(tree, "src/samevoice/networks/tiny.py", "src/samevoice/networks/__init__.py")


@pytest.mark.slow
def test_a_corpus_is_added_as_described(tree: Path) -> None:
    printed = follow(tree, "A corpus in ten minutes")
    assert re.search(r"\bflat\b", printed)
    assert re.search(r"^philippe\b.*\b2\b", printed, re.MULTILINE)
    assert re.search(r"^librispeech\b.*\b1\b", printed, re.MULTILINE)
    checked(tree, "src/samevoice/corpora/flat.py")


@pytest.mark.slow
def test_a_store_is_searched_as_described(tree: Path) -> None:
    printed = follow(tree, "A store in ten minutes")
    first, second = [line.split() for line in printed.splitlines()[-2:]]
    assert first[0] == "1.000"
    assert first[1].endswith("philippe_1.flac")
    assert second[1].endswith("philippe_2.flac")
    checked(tree, "src/npzshelf.py")
