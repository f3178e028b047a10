"""Results are never written over the gallery that they come from, nor over its key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commandline import samevoice
from gallerymakers import voiceprint

from samevoice.gallery.homes import new_text
from samevoice.gallery.store import Store

SAMPLE = Path(__file__).parents[2] / "samples" / "sample_1a.mp3"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery of Ada with a key file, called so that every command would write it; all commands use it."""
    key = tmp_path / "keys" / "key.jsonl"
    key.parent.mkdir()
    key.write_text(new_text())
    key.chmod(0o600)
    path = tmp_path / "voices.jsonl"
    monkeypatch.delenv("SAMEVOICE_GALLERY_KEY", raising=False)
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY_FILE", str(key))
    monkeypatch.setenv("SAMEVOICE_GALLERY", str(path))
    with Store.open(path) as store:
        store.add("Ada", voiceprint(1))
    return path


def assert_refused(output: Path, *command: object) -> None:
    """That a command writes nothing there, and says why in one sentence."""
    before = output.read_bytes() if output.exists() else None
    result = samevoice(*command, "-o", output)
    assert result.returncode == 2
    assert result.stderr.startswith(f"samevoice: {output}: the gallery itself would be lost")
    assert len(result.stderr.splitlines()) == 1
    assert (output.read_bytes() if output.exists() else None) == before


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
def test_an_export_leaves_the_database_alone(place: Path, end: str) -> None:
    assert_refused(place.with_name(place.name + end), "people", "export", "Ada")
    assert samevoice("people", "list").returncode == 0


@pytest.mark.usefixtures("place")
def test_an_export_leaves_the_key_alone() -> None:
    assert_refused(Path(os.environ["SAMEVOICE_GALLERY_KEY_FILE"]), "people", "export", "Ada")
    assert samevoice("people", "list").returncode == 0


def test_another_name_of_the_database_is_known_too(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "all.json"
    link.symlink_to(place)
    assert_refused(link, "people", "export", "Ada")
    monkeypatch.chdir(tmp_path)
    assert_refused(Path(place.name), "people", "export", "Ada")
    assert samevoice("people", "export", "Ada", "-o", tmp_path / "other.json").returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ("recordings", "export", 1, "--format", "rttm"),
        ("diarize", SAMPLE, "--people", "--format", "rttm"),
        ("listen", SAMPLE, "--people", "--format", "rttm"),
        ("timeline", SAMPLE, "--people"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_leaves_the_gallery_alone(place: Path, command: tuple[object, ...]) -> None:
    assert_refused(place, *command)


@pytest.mark.parametrize("end", ["", "-wal"])
def test_the_log_of_a_service_is_not_added_to_its_gallery(place: Path, tmp_path: Path, end: str) -> None:
    log = place.with_name(place.name + end)
    result = samevoice("serve", "--data", tmp_path / "data", "--port", 0, "--audit-log", log)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert f"{log}: the gallery itself would be lost" in result.stderr
    assert samevoice("people", "list").returncode == 0
