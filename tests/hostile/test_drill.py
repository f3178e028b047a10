"""The failure drill itself: it sees what breaks the promise, keeps it, and every entry has something to be drilled."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import drill
import pytest
from drillers import ENTRIES, Entry

from samevoice.errors import ConfigError

SCRIPT = Path(drill.__file__)


def entry_that(use: Callable[[Path], object]) -> Entry:
    @contextmanager
    def made(_: Path) -> Iterator[tuple[Mapping[str, bytes], Callable[[Path], object]]]:
        yield {"a.txt": b"some words\nand more\n"}, use

    return Entry("toy", made)


def refuse(_: Path) -> object:
    raise ConfigError("a sentence")


def quote(path: Path) -> object:
    raise ConfigError("x" * drill.LONGEST_MESSAGE + path.name)


def fall(path: Path) -> object:
    raise KeyError(path.name)


@pytest.mark.parametrize(("use", "outcome"), [(Path.stat, "answered"), (refuse, "refused")])
def test_answers_and_sentences_keep_the_promise(
    use: Callable[[Path], object], outcome: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drill.drill(entry_that(use), 0.2, 0, tmp_path)
    counts = json.loads(capsys.readouterr().out)
    assert counts.keys() == {outcome}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("use", "reason"), [(fall, "KeyError: 'a.txt'"), (quote, "no sentence: 'xxx")])
def test_what_breaks_it_is_kept_with_the_reason(
    use: Callable[[Path], object], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drill.drill(entry_that(use), 0.2, 0, tmp_path)
    assert json.loads(capsys.readouterr().out)["kept"] >= 1
    assert (tmp_path / "toy-1.reason").read_text().startswith(reason)
    assert (tmp_path / "toy-1.txt").stat().st_size > 0


@pytest.mark.slow
def test_every_entry_stands_a_moment(tmp_path: Path) -> None:
    line = [sys.executable, str(SCRIPT), str(2 * len(ENTRIES)), "--keep", str(tmp_path / "kept")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert told.keys() == ENTRIES.keys()
    for name, counts in told.items():
        assert sum(json.loads(counts).values()) >= 1, name
