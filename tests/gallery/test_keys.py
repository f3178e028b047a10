"""Where the master key comes from, and that it is never lost, doubled, shown or left open."""

from __future__ import annotations

import base64
import errno
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier as ProcessBarrier
from pathlib import Path
from threading import Barrier
from types import ModuleType

import pytest

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery import keys
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.homes import FILE_VARIABLE, KEY_VARIABLE
from samevoice.gallery.keys import default_path, find_keys

RAW = bytes(range(200, 232))  # base64url has both of its own signs
SAFE = base64.urlsafe_b64encode(RAW).decode()
posix_only = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


ID, OTHER = "0" * 32, "1" * 32  # of galleries


def find_key(place: str | Path, *, create: bool, identity: str = ID) -> MasterKey:
    [key] = find_keys(place, identity, create=create)
    return key


def key_path() -> Path:
    return default_path(ID)


def same(first: MasterKey, second: MasterKey) -> bool:
    return first.derive("compare") == second.derive("compare")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in (KEY_VARIABLE, FILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(keys, "user_config_path", lambda name, **_: tmp_path / "config" / name)
    monkeypatch.setattr(keys, "user_data_path", lambda name, **_: tmp_path / "data" / name)
    return tmp_path


@pytest.mark.parametrize(
    "text", [SAFE, SAFE.rstrip("="), base64.b64encode(RAW).decode(), RAW.hex(), RAW.hex().upper(), f" {SAFE}\n"]
)
@pytest.mark.parametrize("where", ["variable", "file"])
def test_reads_a_key_as_people_write_them(text: str, where: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == "variable":
        monkeypatch.setenv(KEY_VARIABLE, text)
    else:
        file = home / "key"
        file.touch(mode=0o600)
        file.write_text(text)
        monkeypatch.setenv(FILE_VARIABLE, str(file))
    assert same(find_key("gallery.db", create=False), MasterKey.from_bytes(RAW))
    assert not key_path().parent.exists()


@pytest.mark.parametrize(
    "text", ["correct horse battery staple", RAW.hex()[:-2], RAW.hex()[:-1] + "g", SAFE[:-4], SAFE + SAFE, "ü" * 64]
)
@pytest.mark.parametrize("where", ["variable", "file"])
def test_refuses_what_is_no_key_without_quoting_it(
    text: str, where: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: type[Exception] = ConfigError
    if where == "variable":
        monkeypatch.setenv(KEY_VARIABLE, text)
    else:
        kind, file = GalleryError, home / "key"
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        monkeypatch.setenv(FILE_VARIABLE, str(file))
    with pytest.raises(kind, match="32 random bytes") as caught:
        find_key("gallery.db", create=True)
    assert text[:8] not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"\xff\xfe"])
def test_a_damaged_key_file_is_told_and_left_as_it_is(content: bytes) -> None:
    key_path().parent.mkdir(parents=True)
    key_path().touch(mode=0o600)
    key_path().write_bytes(content)
    with pytest.raises(GalleryError, match="back from a backup"):
        find_key("gallery.db", create=True)
    assert key_path().read_bytes() == content


def test_two_sources_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, SAFE)
    monkeypatch.setenv(FILE_VARIABLE, "/somewhere")
    with pytest.raises(ConfigError, match="unset one"):
        find_key("gallery.db", create=True)


def test_makes_a_file_once_for_its_owner_alone(home: Path) -> None:
    with pytest.raises(GalleryError, match="not there"):
        find_key("gallery.db", create=False)
    made = find_key("gallery.db", create=True)
    file = home / "config" / "samevoice" / f"gallery-{ID}.key"
    assert list(home.rglob("*key*")) == [file]
    assert len(base64.urlsafe_b64decode(file.read_text())) == 32
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
    before = file.parent.stat().st_mtime_ns
    assert same(find_key("gallery.db", create=True), made)
    assert file.parent.stat().st_mtime_ns == before  # a folder that cannot be written any more does no harm
    assert same(find_key("postgresql://host/gallery", create=False), made)


@posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_file_open_to_others_is_refused_until_it_is_closed(
    mode: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "a key; with spaces"
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    made = find_key("gallery.db", create=True)
    file.chmod(mode)
    with pytest.raises(GalleryError, match="open to other users") as caught:
        find_key("gallery.db", create=False)
    subprocess.run(["sh", "-c", str(caught.value).partition("with: ")[2]], check=True)
    assert same(find_key("gallery.db", create=False), made)


@pytest.mark.parametrize("create", [True, False])
def test_a_place_that_can_hold_no_file_is_told(create: bool, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").touch()
    (home / "folder").mkdir(mode=0o700)
    for path in (home / "folder", home / "file" / "key"):
        monkeypatch.setenv(FILE_VARIABLE, str(path))
        with pytest.raises(GalleryError, match=FILE_VARIABLE):
            find_key("gallery.db", create=create)


def test_a_full_disk_leaves_neither_key_nor_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GalleryError, match="No space left"):
        find_key("gallery.db", create=True)
    assert list(key_path().parent.iterdir()) == []


def make_keys(folder: Path, barrier: ProcessBarrier) -> list[bytes]:
    found = []
    for number in range(40):
        os.environ[FILE_VARIABLE] = str(folder / f"{number}" / "key")
        barrier.wait(60)
        found.append(find_key("gallery.db", create=True).derive("compare"))
    return found


def test_processes_that_start_at_once_agree_on_one_key(home: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(4) as pool:
        barrier = manager.Barrier(4)
        found = pool.starmap(make_keys, [(home, barrier)] * 4, chunksize=1)
    assert len(set(found[0])) == 40
    assert all(one == found[0] for one in found)
    assert sorted(path.name for path in home.rglob("*") if path.is_file()) == ["key"] * 40


@pytest.mark.parametrize("place", ["gallery.db", "deeper/gallery.db", "../samevoice/gallery.db"])
def test_key_and_database_do_not_share_a_folder(place: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_path().parent.mkdir(parents=True)
    monkeypatch.chdir(key_path().parent)
    monkeypatch.setenv("HOME", str(key_path().parent))
    for path in (key_path().parent / place, Path(place), place, f"~/{place}"):
        with pytest.raises(ConfigError, match="one theft takes both"):
            find_key(path, create=True)
    assert not key_path().exists()
    monkeypatch.setenv(FILE_VARIABLE, str(home / "gallery.key"))  # asked for, so it may
    find_key(home / "gallery.db", create=True)


def test_where_settings_and_data_share_a_folder_the_key_has_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "user_data_path", lambda name, **_: home / "config" / name)
    place = home / "config" / "samevoice" / "gallery.db"
    find_key(place, create=True)
    assert key_path().parent != place.parent
    assert key_path().exists()


@pytest.mark.parametrize("where", ["file", "keyring"])
@pytest.mark.usefixtures("ring")
def test_every_gallery_has_a_key_of_its_own(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == "file":
        monkeypatch.delenv(KEY_VARIABLE)
    first = find_key("gallery.db", create=True)
    assert not same(find_key("gallery.db", create=True, identity=OTHER), first)
    assert same(find_key("moved.db", create=True), first)


def test_a_file_that_a_user_names_may_serve_several(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILE_VARIABLE, str(home / "key"))
    first = find_key("gallery.db", create=True)
    assert same(find_key("other.db", create=True, identity=OTHER), first)


class Ring(ModuleType):
    """Stands in for the package keyring, with its two functions; slow, as a keyring is that asks its user."""

    def __init__(self, *, keeps: bool = True) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}
        self.keeps = keeps

    def get_password(self, service: str, username: str) -> str | None:
        found = self.kept.get((service, username))
        time.sleep(0.01)
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.keeps:
            self.kept[service, username] = password


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    one = Ring()
    monkeypatch.setitem(sys.modules, "keyring", one)
    monkeypatch.setenv(KEY_VARIABLE, "keyring")
    return one


def test_a_keyring_keeps_one_key_for_all(ring: Ring) -> None:
    with pytest.raises(GalleryError, match="no key"):
        find_key("gallery.db", create=False)
    barrier = Barrier(6)

    def find(_: int) -> bytes:
        barrier.wait(10)
        return find_key("gallery.db", create=True).derive("compare")

    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(find, range(6)))
    assert found == {find_key("gallery.db", create=False).derive("compare")}
    assert list(ring.kept) == [("samevoice", f"gallery {ID}")]
    assert not key_path().exists()


def test_a_keyring_that_keeps_nothing_makes_no_key(ring: Ring) -> None:
    ring.keeps = False
    with pytest.raises(GalleryError, match="no key"):
        find_key("gallery.db", create=True)


def test_a_keyring_that_holds_something_else_is_left_alone(ring: Ring) -> None:
    ring.kept["samevoice", f"gallery {ID}"] = "swordfish"
    with pytest.raises(GalleryError, match="put it back") as caught:
        find_key("gallery.db", create=True)
    assert "swordfish" not in str(caught.value)
    assert ring.kept["samevoice", f"gallery {ID}"] == "swordfish"


def test_a_keyring_that_fails_or_is_not_there_is_told(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: str) -> None:
        raise RuntimeError("swordfish")

    monkeypatch.setattr(ring, "get_password", locked)
    with pytest.raises(ConfigError, match="RuntimeError") as caught:
        find_key("gallery.db", create=True)
    assert "swordfish" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="pip install keyring"):
        find_key("gallery.db", create=True)


def test_no_message_tells_the_password_in_a_url() -> None:
    with pytest.raises(GalleryError) as caught:
        find_key("postgresql://me:swordfish@host/gallery", create=False)
    assert "swordfish" not in str(caught.value)
