from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path

import pytest
from corpusmakers import archive, put

from samevoice.corpora import archives
from samevoice.corpora.archives import open_members, stream_members
from samevoice.errors import DataError

FILES = [("a/1.wav", bytes(range(256)) * 20), ("./a/2.wav", b""), ("b.txt", b"text" * 3000)]


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz"])
def test_members_come_in_order_with_names_as_they_are(tmp_path: Path, name: str) -> None:
    assert list(stream_members(archive(tmp_path / name, FILES))) == FILES


def test_a_member_can_be_read_by_lines(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.tar.gz", [("a.tsv", b"one\ntwo\nthree"), ("b", b"rest")])
    read = [member.file.readline() for member in open_members(path)]
    assert read == [b"one\n", b"rest"]


@pytest.mark.parametrize("name", ["../a.wav", "/etc/a.wav", "a/../../b.wav", "..\\a.wav", "C:\\a.wav"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "x.tar", [("good.wav", b"1"), (name, b"2")])
    with pytest.raises(DataError, match=re.escape(repr(name)) + r" leads out .* do not trust it"):
        list(stream_members(path))


def test_links_devices_sparse_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as file:
        for kind in (
            tarfile.GNUTYPE_SPARSE,
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.FIFOTYPE,
            tarfile.DIRTYPE,
        ):
            info = tarfile.TarInfo("../../outside")
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
        info = tarfile.TarInfo("real.wav")
        info.size = 3
        file.addfile(info, io.BytesIO(b"abc"))
    assert list(stream_members(path)) == [("real.wav", b"abc")]


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_an_archive_that_breaks_off_anywhere_is_an_error(tmp_path: Path, name: str) -> None:
    whole = archive(tmp_path / name, FILES).read_bytes()
    # A tar ends with blocks of zeros; the first of them is the end, so that only what lies before it must be whole.
    needed = len(whole) if name.endswith("gz") else len(whole.rstrip(b"\0"))
    for length in [*range(0, needed, 97), *range(512, needed, 512)]:
        part = put(tmp_path / "part", whole[:length])
        with pytest.raises(DataError, match=r"part: damaged or cut off .*; fetch it again"):
            list(stream_members(part))


def test_the_error_says_how_far_it_got(tmp_path: Path) -> None:
    whole = archive(tmp_path / "x.tar", FILES).read_bytes()
    path = put(tmp_path / "y.tar", whole[: whole.index(b"b.txt") + 600])
    with pytest.raises(DataError, match=r"y\.tar: damaged or cut off after 2 members, the last './a/2\.wav'"):
        list(stream_members(path))


def test_a_damaged_header_is_not_the_end(tmp_path: Path) -> None:
    whole = bytearray(archive(tmp_path / "x.tar", FILES).read_bytes())
    whole[whole.index(b"b.txt")] ^= 1
    with pytest.raises(DataError, match="after 2 members"):
        list(stream_members(put(tmp_path / "y.tar", bytes(whole))))


def test_a_wrong_checksum_of_gzip_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BUFFER", 512)  # so that tarfile stops before the sum
    whole = bytearray(archive(tmp_path / "x.tar.gz", FILES).read_bytes())
    whole[-6] ^= 1  # in the sum, not in the data
    with pytest.raises(DataError, match="CRC"):
        list(stream_members(put(tmp_path / "y.tar.gz", bytes(whole))))


def test_a_large_member_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 5000)
    with pytest.raises(DataError, match=r"'a/1\.wav' has 5120 bytes, more than 5000"):
        list(stream_members(archive(tmp_path / "x.tar", FILES)))


def test_a_giant_header_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 34
    bomb = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with pytest.raises(DataError, match="a header of 17179869184 bytes"):
        list(stream_members(put(tmp_path / "x.tar.gz", bomb)))


def test_what_is_no_archive_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at its beginning"):
        list(stream_members(put(tmp_path / "x.tar", b"not an archive" * 100)))
    with pytest.raises(DataError, match="No such file"):
        list(stream_members(tmp_path / "missing.tar"))
