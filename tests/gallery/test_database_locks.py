"""Galleries opened several times in one process, while other processes come and go: no lock is lost, so no data is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from gallerymakers import KEY, start, voiceprint

from samevoice.errors import GalleryError
from samevoice.gallery.database import Database
from samevoice.gallery.store import Store

VISIT = """
    import sys
    from gallerymakers import KEY, voiceprint
    from samevoice.gallery.store import Store
    with Store.open(sys.argv[1], key=KEY, create=False) as store:
        for seed, name in enumerate(sys.argv[2:]):
            store.add(name, voiceprint(100 + seed))
        print(*[person.name for person in store.people()], store.audit().broken)
"""


def visit(path: Path, *names: str) -> list[str]:
    """Open the gallery in another process, enrol people and close it; whom it saw, and where its events break."""
    out, err = start(VISIT, path, *names).communicate(timeout=60)
    assert err == ""
    return out.split()


@pytest.mark.slow
def test_a_second_gallery_in_one_process_takes_no_lock_from_the_first(path: Path) -> None:
    log = path.with_name(f"{path.name}-wal")
    with Store.open(path, key=KEY) as store:
        store.add("Ada", voiceprint(1))
        Store.open(path, key=KEY).close()
        before = log.stat().st_ino
        assert visit(path) == ["Ada", "None"]
        assert log.stat().st_ino == before  # who closed did not take itself for the last
        for seed in range(5):
            store.add(f"mine{seed}", voiceprint(10 + seed))
        mine = [f"mine{seed}" for seed in range(5)]
        assert visit(path, "theirs") == ["Ada", *mine, "theirs", "None"]
        assert [person.name for person in store.people()] == ["Ada", *mine, "theirs"]
        store.delete("Ada")
    assert visit(path) == [*mine, "theirs", "None"]


@pytest.mark.slow
def test_a_place_that_is_refused_takes_no_lock_either(path: Path) -> None:
    with Store.open(path, key=KEY) as store:
        store.add("Ada", voiceprint(1))
        with pytest.raises(GalleryError, match="another key"):
            Store.open(path, key=KEY.generate())
        assert visit(path) == ["Ada", "None"]
        assert path.with_name(f"{path.name}-wal").exists()
        store.add("Bob", voiceprint(2))
        assert visit(path) == ["Ada", "Bob", "None"]


@pytest.mark.slow
def test_threads_that_make_one_gallery_at_once_share_it(path: Path) -> None:
    opened: list[Store] = []
    threads = [threading.Thread(target=lambda: opened.append(Store.open(path, key=KEY))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == len(threads)
    for number, store in enumerate(opened):
        store.add(f"person{number}", voiceprint(number))
    assert len(visit(path)) == len(threads) + 1
    assert path.with_name(f"{path.name}-wal").exists()
    for store in opened:
        assert len(store.people()) == len(threads)
        store.close()


def test_a_disk_that_is_read_only_is_told_in_a_sentence(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        Store.open(disk / "voices.db", key=KEY).close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for name in ("voices.db", "new.db"):
            with pytest.raises(GalleryError, match=r"cannot be opened for writing \(Read-only file system\)"):
                Database.open(disk / name)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
@pytest.mark.parametrize("create", [True, False])
def test_a_pipe_is_refused_in_a_sentence(create: bool, path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(GalleryError, match=r"voices\.db: "):
        Database.open(path, create=create)
