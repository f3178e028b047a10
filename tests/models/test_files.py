from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from samevoice.files import write_atomically, write_privately


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)  # a name so long that nothing can be added to it
    write_atomically(path, lambda stream: stream.write(b"old and longer"))
    write_atomically(path, lambda stream: stream.write(b"new"))
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ValueError("no"), OSError(28, "No space left on device")])
@pytest.mark.parametrize("place", ["write", "fsync", "replace"])
def test_whatever_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, place: str
) -> None:
    def fail(*_: object) -> None:
        raise failure

    def write(stream: BinaryIO) -> None:
        stream.write(b"half")
        if place == "write":
            fail()

    path = tmp_path / "file"
    path.write_bytes(b"old")
    if place == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    if place == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(type(failure)) as caught:
        write_atomically(path, write)
    assert caught.value is failure
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_oserror_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "gone" / "file", lambda stream: stream.write(b""))


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_umask_is_honoured(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "private", lambda stream: stream.write(b""))
    finally:
        os.umask(before)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    write_atomically(tmp_path / "link", lambda stream: stream.write(b"new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="permissions of files")
def test_what_is_private_is_for_its_owner_alone_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for before in (None, 0o644):
        if before is not None:
            path.chmod(before)
        write_privately(path, b"secret")
        assert path.read_bytes() == b"secret"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for before, after in ((0o600, 0o600), (0o640, 0o640), (0o666, 0o644)):
        path.chmod(before)
        write_privately(path, b"secret", keep_readers=True)
        assert stat.S_IMODE(path.stat().st_mode) == after
