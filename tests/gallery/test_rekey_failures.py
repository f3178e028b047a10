"""A new master key that fails half way: what is on disk opens the gallery, and the next attempt finishes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gallerymakers import assert_whole, voiceprint

from samevoice.errors import GalleryError
from samevoice.gallery.homes import FILE_VARIABLE, KEY_VARIABLE, new_text
from samevoice.gallery.keyfile import InFile
from samevoice.gallery.keys import NEW_FILE_VARIABLE, NEW_VARIABLE
from samevoice.gallery.rekey import rekey
from samevoice.gallery.store import Store

MOST_STEPS = 20


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where keys lie by default."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for variable in (KEY_VARIABLE, FILE_VARIABLE, NEW_VARIABLE, NEW_FILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "config"


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Sets how many bytes a file of this process may have, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def filled(place: Path) -> None:
    with Store.open(place) as store:
        store.add("Ada", voiceprint(1, audio=b"fLaC"))


def assert_opens(place: Path) -> None:
    """By the key that lies where keys lie."""
    with Store.open(place, create=False) as store:
        assert [person.name for person in store.people()] == ["Ada"]
        assert_whole(store)


def failing_at(step: int, name: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Have the nth call of a function of the system fail; gives the number of calls so far."""
    real, calls = getattr(os, name), 0

    def call(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == step:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*args, **named)

    monkeypatch.setattr(os, name, call)
    return lambda: calls


@pytest.mark.slow
@pytest.mark.parametrize("named", [False, True], ids=["own file", "shared file"])
@pytest.mark.parametrize("function", ["open", "fsync", "replace", "unlink"])
def test_whichever_step_fails_a_key_is_left_that_opens(
    function: str, named: bool, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named:
        monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "config" / "shared.key"))
    filled(path)
    [file] = (tmp_path / "config").rglob("*.key")
    for step in range(1, MOST_STEPS):
        with monkeypatch.context() as patched:
            calls = failing_at(step, function, patched)
            try:
                rekey(path, forget_old=True)
            except GalleryError as error:
                assert "Input/output error" in str(error)  # noqa: PT017 the last attempt raises nothing
            reached = calls() >= step
        assert_opens(path)
        if not reached:
            break
    else:
        pytest.fail("it never came to its end")
    assert step > 2
    before = file.read_text().split()
    rekey(path, forget_old=True)
    assert_opens(path)
    assert file.read_text().split()[0] not in before
    assert not list(file.parent.glob("*.new"))


def test_a_full_disk_leaves_the_keys_that_were_there(tmp_path: Path, small_files: Callable[[int], None]) -> None:
    home = InFile(tmp_path / "key", is_shared=True)
    before = home.texts(create=True)
    small_files(60)
    with pytest.raises(GalleryError, match="cannot be read or made"):
        home.put([new_text(), *before])
    assert home.texts(create=False) == before
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_key_file_that_cannot_be_replaced_stays_as_it_is(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = tmp_path / "etc" / "key"  # as a container sees a file that is mounted into it alone
    mounted.parent.mkdir()
    mounted.touch(mode=0o600)
    host = InFile(tmp_path / "host key", is_shared=True)
    [before] = host.texts(create=True)
    mount = ["mount", "--bind", str(host.path), str(mounted)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        monkeypatch.setenv(FILE_VARIABLE, str(mounted))
        filled(path)
        with pytest.raises(GalleryError, match="busy"):
            rekey(path)
        assert host.texts(create=False) == [before]
        assert_opens(path)
        assert not list(mounted.parent.glob("*.new"))
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_a_power_cut_before_the_folder_is_on_disk_finds_the_old_bytes_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = InFile(tmp_path / "key", is_shared=True)
    [before] = home.texts(create=True)
    with home.path.open("rb") as as_it_was:  # what the name leads to again if its change was not on disk
        with monkeypatch.context() as patched:
            failing_at(2, "fsync", patched)  # the first is that of the new file
            with pytest.raises(GalleryError, match="Input/output error"):
                home.put([new_text()])
        assert as_it_was.read().decode().split() == [before]
