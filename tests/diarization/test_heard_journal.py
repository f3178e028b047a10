"""The journal of a diarization: read back after a kill, believed no further than it is whole, gone at the end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from evidencemakers import evidence_of, rounds

from samevoice.diarization.evidence import ARRAYS, Evidence
from samevoice.diarization.journal import HEAD, Journal
from samevoice.models.store import default_folder

MAKERS = ("model@1", "segmentation@1")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("SAMEVOICE_CACHE", str(tmp_path / "cache"))
    assert default_folder().parent == tmp_path / "cache"
    return tmp_path / "cache"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A file; nobody decodes it here."""
    path = tmp_path / "talk.wav"
    path.write_bytes(b"sound" * 1000)
    return path


@pytest.fixture(scope="module")
def heard() -> list[Evidence]:
    """Three stretches."""
    return [evidence_of(rounds([3.0, 4.0], [0, 1]), 15.0, seed=seed) for seed in range(3)]


def same(one: list[Evidence], other: list[Evidence]) -> bool:
    """Whether both hold the same stretches."""
    return len(one) == len(other) and all(
        np.array_equal(getattr(mine, name), getattr(its, name))
        for mine, its in zip(one, other, strict=True)
        for name in ARRAYS
    )


def kept(journal: Journal, parts: list[Evidence]) -> None:
    """Keep them all."""
    for number, part in enumerate(parts):
        journal.keep(number, part)


def test_what_was_heard_is_read_back(recording: Path, heard: list[Evidence]) -> None:
    assert Journal.of(recording, MAKERS).read() == []
    kept(Journal.of(recording, MAKERS), heard)
    found = Journal.of(recording, MAKERS).read()
    assert same(found, heard)
    assert [(part.recording, part.extent, part.model) for part in found] == [("made.wav", 15.0, "made")] * 3


def test_it_lies_in_the_cache_for_its_owner_alone(recording: Path, heard: list[Evidence], cache: Path) -> None:
    journal = Journal.of(recording, MAKERS)
    assert not cache.exists(), "nothing is made before something is kept"
    mask = os.umask(0)
    try:
        kept(journal, heard)
    finally:
        os.umask(mask)
    assert journal.folder.parent.parent == cache
    if os.name == "posix":
        assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    assert "talk" not in str(journal.folder), "a file's name may tell who speaks"


def test_all_is_gone_in_the_end(recording: Path, heard: list[Evidence], cache: Path) -> None:
    journal = Journal.of(recording, MAKERS)
    kept(journal, heard)
    assert [path for path in cache.rglob("*") if path.is_file()]
    journal.remove()
    assert not [path for path in cache.rglob("*") if path.is_file()]
    assert not journal.folder.exists()
    journal.remove()
    assert journal.read() == []


@pytest.mark.parametrize("damaged", [0, 1, 2])
@pytest.mark.parametrize("how", ["missing", "empty", "half", "other", "folder"])
def test_a_damaged_stretch_is_heard_again_and_so_is_all_after_it(
    recording: Path, heard: list[Evidence], damaged: int, how: str
) -> None:
    journal = Journal.of(recording, MAKERS)
    kept(journal, heard)
    path = sorted(journal.folder.iterdir())[damaged]
    content = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "missing":
        path.write_bytes({"empty": b"", "half": content[: len(content) // 2], "other": b"x" * 500}[how])
    assert same(journal.read(), heard[:damaged])


def test_what_is_heard_again_takes_the_place_of_what_was_damaged(recording: Path, heard: list[Evidence]) -> None:
    journal = Journal.of(recording, MAKERS)
    kept(journal, heard)
    sorted(journal.folder.iterdir())[1].write_bytes(b"")
    journal.keep(1, heard[1])
    assert same(journal.read(), heard)


def test_a_flipped_bit_is_seen(recording: Path, heard: list[Evidence]) -> None:
    journal = Journal.of(recording, MAKERS)
    journal.keep(0, heard[0])
    (path,) = journal.folder.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert journal.read() == []


def test_another_file_or_model_has_another_journal(recording: Path, tmp_path: Path) -> None:
    folders = {Journal.of(recording, MAKERS).folder}
    assert Journal.of(recording.parent / "." / recording.name, MAKERS).folder in folders
    folders.add(Journal.of(recording, ("model@2", MAKERS[1])).folder)
    folders.add(Journal.of(recording, (MAKERS[0], "segmentation@2")).folder)
    other = tmp_path / "copy.wav"
    other.write_bytes(recording.read_bytes())
    os.utime(other, ns=(recording.stat().st_atime_ns, recording.stat().st_mtime_ns))
    folders.add(Journal.of(other, MAKERS).folder)
    before = recording.stat()
    recording.write_bytes(b"other" * 1000)
    os.utime(recording, ns=(before.st_atime_ns, before.st_mtime_ns))
    folders.add(Journal.of(recording, MAKERS).folder)
    recording.write_bytes(b"other" * 1000)
    os.utime(recording, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    folders.add(Journal.of(recording, MAKERS).folder)
    long = b"other" * (HEAD // 4)
    for tail in (b"a", b"bb"):
        recording.write_bytes(long + tail)
        os.utime(recording, ns=(before.st_atime_ns, before.st_mtime_ns))
        folders.add(Journal.of(recording, MAKERS).folder)
    assert len(folders) == 8


def test_makers_do_not_run_together(recording: Path) -> None:
    assert Journal.of(recording, ("ab", "c")).folder != Journal.of(recording, ("a", "bc")).folder


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Journal.of(tmp_path / "none.wav", MAKERS)


def test_no_room_stops_nothing(recording: Path, heard: list[Evidence], cache: Path) -> None:
    cache.write_bytes(b"a file where a folder should be")
    journal = Journal.of(recording, MAKERS)
    kept(journal, heard)
    assert journal.read() == []
    journal.remove()
