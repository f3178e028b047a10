"""Names of files that are no text, or hold commands for a terminal, are told and drawn harmlessly."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from commandline import samevoice
from gallerymakers import KEY, voiceprint

from samevoice.gallery.store import Store

SAMPLES = Path(__file__).parents[2] / "samples"
COMMANDS = "a\x1b[31m\x1b]0;title\x07\nb.flac"
ESCAPED = "a\\x1b[31m\\x1b]0;title\\x07\\nb.flac"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="such names of files")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A recording whose name would move the cursor, and one whose name is no UTF-8."""
    first, second = tmp_path / COMMANDS, Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.flac"))
    try:
        shutil.copy(SAMPLES / "philippe_1.flac", first)
        shutil.copy(SAMPLES / "philippe_2.flac", second)
    except OSError:
        pytest.skip("this file system has no such names")
    return first, second


@pytest.mark.parametrize(
    "command",
    [("compare",), ("compare", "--format", "pairs"), ("check",), ("verify", "--explain")],
    ids=" ".join,
)
def test_they_do_not_disturb_the_terminal(command: tuple[str, ...], pair: tuple[Path, Path], tmp_path: Path) -> None:
    options = (*command[1:], tmp_path / "why.svg") if "--explain" in command else command[1:]
    result = samevoice(command[0], *pair, *options)
    assert result.returncode == 0, result.stderr
    assert ESCAPED in result.stdout
    assert "\\udcff.flac" in result.stdout
    assert all(line.isprintable() for line in (result.stdout + result.stderr).split("\n"))


@pytest.mark.parametrize("option", ["--heat-map", "--explain"])
def test_they_are_drawn(option: str, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")
    picture = tmp_path / "picture.svg"
    result = samevoice("compare" if option == "--heat-map" else "verify", *pair, option, picture)
    assert result.returncode == 0, result.stderr
    assert "\\udcff.flac" in picture.read_text(encoding="utf-8")


def test_an_error_is_one_printable_sentence(tmp_path: Path) -> None:
    result = samevoice("verify", tmp_path / COMMANDS, tmp_path / "b.flac")
    assert result.returncode == 2
    assert ESCAPED in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.rstrip("\n").isprintable()


def test_names_in_other_scripts_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", bytes(range(32)).hex())
    monkeypatch.delenv("SAMEVOICE_GALLERY_KEY_FILE", raising=False)

    with Store.open(tmp_path / "voices.db", key=KEY) as store:
        store.add("Ada", voiceprint(1))
    result = samevoice("people", "show", "שלמה", "-g", tmp_path / "voices.db")
    assert "\u2068שלמה\u2069" in result.stderr
