"""Members of archives are reached without reading the rest, and damage is told in a sentence."""

from __future__ import annotations

import io
import tarfile
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from samevoice.corpora import members
from samevoice.corpora.members import Members, is_compressed, member_order, read_member
from samevoice.errors import DataError

CONTENT = {f"clips/{number}.mp3": bytes([number]) * (number * 700) for number in range(20)}
LONG = "a" * 150 + "/ü.mp3"  # needs a header of its own kind in every format


def archive(path: Path, content: dict[str, bytes], mode: str = "w", format: int = tarfile.PAX_FORMAT) -> Path:  # noqa: A002
    with tarfile.open(path, mode, format=format) as tar:  # type: ignore[call-overload]
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_any_member_in_any_order_is_what_was_put_in(tmp_path: Path, format: int) -> None:  # noqa: A002
    content = {**CONTENT, LONG: b"long name"}
    path = archive(tmp_path / "a.tar", content, format=format)
    for name in reversed(content):
        assert read_member(path, name) == content[name]


def test_only_headers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tar"
    info = tarfile.TarInfo("huge.flac")
    info.size = 1 << 30
    last = tarfile.TarInfo("last.flac")
    last.size = 3
    with path.open("wb") as file:  # a hole: reading through it would take its time
        file.write(info.tobuf())
        file.seek((1 << 30) + 512)
        file.write(last.tobuf() + b"abc".ljust(512, b"\0") + bytes(1024))
    tracemalloc.start()
    assert read_member(path, "last.flac") == b"abc"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_links_folders_and_devices_are_no_members(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (
            ("d", tarfile.DIRTYPE),
            ("l", tarfile.SYMTYPE),
            ("h", tarfile.LNKTYPE),
            ("f", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = "/etc/passwd"
            tar.addfile(info)
    for name in "dlhf":
        with pytest.raises(DataError, match="has no file"):
            read_member(path, name)


def test_an_archive_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", {"x": b"one"})
    assert read_member(path, "x") == b"one"
    archive(path, {"y": b"-" * 20_000, "x": b"two"})
    assert read_member(path, "x") == b"two"


def test_threads_share_one_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.tar", CONTENT)
    genuine, calls = members._read_headers, []
    barrier = threading.Barrier(8)

    def counted(archive: Path, size: int) -> members.Index:
        calls.append(archive)
        return genuine(archive, size)

    monkeypatch.setattr(members, "_read_headers", counted)
    shared = Members()

    def read(number: int) -> bool:
        barrier.wait()
        return all(shared.read(path, name) == data for name, data in list(CONTENT.items())[number:])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))
    assert calls == [path]


def test_few_indexes_are_kept(tmp_path: Path) -> None:
    shared = Members(archives=2)
    paths = [archive(tmp_path / f"{number}.tar", {"x": bytes([number])}) for number in range(4)]
    for _ in range(2):
        assert [shared.read(path, "x") for path in paths] == [bytes([number]) for number in range(4)]
    assert len(shared._indexes) == 2


def test_a_compressed_archive_must_be_packed_first_but_its_order_is_known(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", CONTENT, "w:gz")  # whatever its name
    assert is_compressed(path)
    with pytest.raises(DataError, match="pack it first: samevoice data pack"):
        read_member(path, "clips/1.mp3")
    assert sorted(order := member_order(path), key=lambda name: order[name]) == list(CONTENT)


def test_the_order_of_a_plain_archive_is_that_of_its_members(tmp_path: Path) -> None:
    backwards = dict(reversed(CONTENT.items()))
    order = member_order(archive(tmp_path / "a.tar", backwards))
    assert sorted(order, key=lambda name: order[name]) == list(backwards)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_broken_off_archive_is_named(tmp_path: Path, keep: float) -> None:
    path = archive(tmp_path / "a.tar", CONTENT)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError, match=r"a\.tar.*download it again"):
        read_member(path, "clips/1.mp3")


def test_a_broken_off_compressed_archive_is_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", CONTENT, "w:gz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"a\.tar\.gz.*fetch it again"):
        member_order(path)


@pytest.mark.parametrize("data", [b"", b"RIFF" + bytes(2000), bytes(100)])
def test_what_is_no_archive_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.tar"):
        read_member(path, "x")


def test_missing_archives_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.tar: cannot be read.*check the path"):
        read_member(tmp_path / "none.tar", "x")
    with pytest.raises(DataError, match="cannot be read"):
        is_compressed(tmp_path)
