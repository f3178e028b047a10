"""Opening, upgrading and sharing the database of a gallery."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from gallerymakers import KEY, MODEL, start, voiceprint
from sqlalchemy import Connection, text

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery import database as module
from samevoice.gallery import migrations
from samevoice.gallery.database import Database
from samevoice.gallery.records import Record
from samevoice.gallery.store import Store


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database.open(path)
    yield opened
    opened.close()


@pytest.fixture
def filled(path: Path) -> Path:
    """A closed gallery of 40 people."""
    with Store.open(path, key=KEY) as store:
        for number in range(40):
            store.add(f"person {number}", voiceprint(number))
    return path


def bump(connection: Connection) -> int:
    after = count(connection) + 1
    connection.execute(text("UPDATE counters SET value = :after WHERE name = 'changes'"), {"after": after})
    return after


def count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT value FROM counters WHERE name = 'changes'")).scalar_one())


def pragma(connection: Connection, name: str) -> object:
    return connection.execute(text("PRAGMA " + name)).scalar()


# A new database


def test_a_file_is_its_owners_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        database = Database.open(path)
        database.write(bump)
        files = sorted(path.parent.glob("voices.db*"))
        assert [file.name for file in files] == ["voices.db", "voices.db-shm", "voices.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        database.close()
    finally:
        os.umask(before)


def test_every_connection_keeps_what_was_promised(database: Database) -> None:
    wanted = {"journal_mode": "wal", "secure_delete": 1, "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}

    def pragmas(connection: Connection) -> dict[str, object]:
        inner = database.read(lambda other: {name: pragma(other, name) for name in wanted})  # on a second connection
        assert inner == wanted
        return {name: pragma(connection, name) for name in wanted}

    assert database.read(pragmas) == wanted


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"version_table": module.VERSION_TABLE})
    return list(compare_metadata(context, Record.metadata))


def test_migrations_make_the_tables_of_the_records(database: Database, postgres_url: str) -> None:
    assert database.read(differences) == []
    server = Database.open(postgres_url)
    assert server.read(differences) == []
    server.close()


@pytest.mark.parametrize("statement", ["UPDATE events SET actor = 'x'", "DELETE FROM events"])
def test_events_are_only_added(statement: str, path: Path, postgres_url: str) -> None:
    for place in (path, postgres_url):
        with Store.open(place, key=KEY) as store:
            with pytest.raises(GalleryError):
                store.database.write(lambda connection: connection.execute(text(statement)))
            assert [event.action for event in store.events()] == ["create"]


# Upgrades


def next_migration(folder: Path, body: str) -> None:
    """Migrations as a later version of samevoice may have them."""
    shutil.copytree(Path(migrations.__file__).parent, folder)
    (folder / "versions" / "0003_next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '0003'\ndown_revision = '0002'\n\ndef upgrade():\n    {body}\n"
    )


def columns(connection: Connection) -> set[str]:
    return set(connection.execute(text("SELECT * FROM people LIMIT 1")).keys())


@pytest.mark.parametrize("server", [False, True], ids=["sqlite", "postgresql"])
def test_an_older_gallery_is_brought_up_to_date_whole_or_not_at_all(
    server: bool, path: Path, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = postgres_url if server else path
    with Store.open(place, key=KEY) as store:
        store.add("Ada", voiceprint(1))
    add_column = "op.add_column('people', sa.Column('nick', sa.Text))"
    next_migration(tmp_path / "bad", f"{add_column}; op.execute('SELECT nothing FROM nowhere')")  # noqa: S608
    next_migration(tmp_path / "good", add_column)
    monkeypatch.setattr(module, "REVISION", "0003")
    monkeypatch.setattr(module, "MIGRATIONS", str(tmp_path / "bad"))
    with pytest.raises(GalleryError):
        Database.open(place)
    with monkeypatch.context() as old:
        old.setattr(module, "REVISION", "0002")
        with Store.open(place, key=KEY) as store:
            assert "nick" not in store.database.read(columns)
            assert [person.name for person in store.people()] == ["Ada"]
    monkeypatch.setattr(module, "MIGRATIONS", str(tmp_path / "good"))
    with Store.open(place, key=KEY) as store:
        assert "nick" in store.database.read(columns)
        assert [person.name for person in store.people()] == ["Ada"]


def test_a_gallery_of_a_newer_samevoice_is_refused_and_left_alone(filled: Path) -> None:
    connection = sqlite3.connect(filled)
    connection.execute("UPDATE samevoice_version SET version_num = '0999'")
    connection.commit()
    connection.close()
    before = filled.read_bytes()
    with pytest.raises(GalleryError, match=r"newer samevoice \(tables 0999\); update samevoice"):
        Database.open(filled)
    assert filled.read_bytes() == before


# What is no gallery


def test_nothing_is_made_where_a_gallery_was_expected(path: Path, postgres_url: str) -> None:
    with pytest.raises(GalleryError, match="no gallery here yet; enrol somebody first"):
        Database.open(path, create=False)
    assert not path.exists()
    path.touch()
    for place in (path, postgres_url):
        with pytest.raises(GalleryError, match="no gallery here yet; enrol somebody first"):
            Database.open(place, create=False)


@pytest.mark.parametrize("place", [".", "missing/voices.db", "voices.txt/voices.db", "x" * 300])
def test_a_place_where_no_file_can_be_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "voices.txt").touch()
    with pytest.raises(GalleryError, match="cannot be opened for writing"):
        Database.open(tmp_path / place)


@pytest.mark.parametrize("content", [b"hello", b"hello\n" * 1000, bytes(8192), b"SQLite format 3\0"])
def test_another_kind_of_file_is_refused_and_left_alone(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(GalleryError, match=r"voices\.db: is (not a gallery|damaged)"):
        Database.open(path)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path, postgres_url: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks(url TEXT)")
    before = path.read_bytes()
    with pytest.raises(GalleryError, match="of another program"):
        Database.open(path)
    assert path.read_bytes() == before
    server = Database.open(postgres_url)
    server.write(lambda connection: connection.execute(text("DROP TABLE samevoice_version")))
    server.close()
    with pytest.raises(GalleryError, match="of another program"):
        Database.open(postgres_url)


# Damage


def everything(path: Path) -> int:
    """Read all that a gallery holds; how many people."""
    with Store.open(path, key=KEY, create=False) as store:
        people = store.people()
        for person in people:
            store.embeddings(person.name, MODEL)
            store.template(person.name, MODEL)
        read = sum(len(batch) for batch in store.templates(MODEL))
        assert store.audit().broken is None
        assert read == len(people)
        return read


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_gallery_is_refused_in_a_sentence(share: float, filled: Path) -> None:
    content = filled.read_bytes()
    filled.write_bytes(content[: int(share * len(content))])
    with pytest.raises(GalleryError, match=r"voices\.db: (is damaged; restore|is not a gallery, or its beginning)"):
        Database.open(filled)
    filled.write_bytes(content)
    assert everything(filled) == 40


def test_damage_anywhere_is_found_or_does_no_harm(filled: Path) -> None:
    content, page = filled.read_bytes(), 4096
    found = 0
    for start_ in range(0, len(content), page):
        filled.write_bytes(content[:start_] + b"\xa5" * page + content[start_ + page :])
        try:
            Database.open(filled).close()
        except GalleryError:
            found += 1
        else:
            with contextlib.suppress(GalleryError):
                assert everything(filled) == 40
    assert found > 0.8 * len(content) / page


# Sharing


def test_what_is_raised_undoes_what_was_written(database: Database) -> None:
    def work(connection: Connection) -> None:
        bump(connection)
        raise KeyError("something")

    with pytest.raises(KeyError):
        database.write(work)
    assert database.read(count) == 0


def test_a_reader_sees_one_state_while_others_write(path: Path, postgres_url: str) -> None:
    for place in (path, postgres_url):
        with contextlib.closing(Database.open(place)) as database:

            def work(connection: Connection, database: Database = database) -> tuple[int, int]:
                first = count(connection)
                database.write(bump)
                return first, count(connection)

            assert database.read(work) == (0, 0)
            assert database.read(count) == 1


def test_threads_lose_no_update(path: Path, postgres_url: str) -> None:
    for place in (path, postgres_url):
        with contextlib.closing(Database.open(place)) as database:

            def work(database: Database = database) -> None:
                for _ in range(5):
                    database.write(bump)

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert database.read(count) == 40


@pytest.mark.parametrize("server", [False, True], ids=["sqlite", "postgresql"])
def test_who_waits_too_long_is_told(
    server: bool, path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    place = postgres_url if server else path
    with contextlib.closing(Database.open(place)) as first, contextlib.closing(Database.open(place)) as second:

        def work(connection: Connection) -> None:
            bump(connection)
            with pytest.raises(GalleryError, match="locked for longer than 30 s; try again"):
                second.write(bump)
            assert second.read(count) == 0  # readers do not wait

        first.write(work)
        assert second.write(bump) == 2


FORKED = """
    import os, sys
    from gallerymakers import KEY, voiceprint
    from samevoice.gallery.store import Store
    store = Store.open(sys.argv[1], key=KEY)
    store.add("before", voiceprint(0))
    child = os.fork()
    store.add(f"after {child > 0}", voiceprint(1))
    store.add(f"again {child > 0}", voiceprint(1))
    if child:
        assert os.waitpid(child, 0)[1] == 0
        print(len(store.people()), store.audit().broken)
    store.close()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_can_use_the_store_of_its_parent(path: Path, postgres_url: str) -> None:
    for place in (path, postgres_url):
        out, err = start(FORKED, place).communicate(timeout=60)
        assert (out, err) == ("5 None\n", "")


# Disks


READ_ONLY = """
    import os, sys
    from gallerymakers import KEY, voiceprint
    from samevoice.errors import GalleryError
    from samevoice.gallery.store import Store
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    for place in sys.argv[1:]:
        try:
            Store.open(place, key=KEY).add("Eve", voiceprint(1))
        except GalleryError as error:
            print(error)
"""


def test_a_read_only_folder_or_file_is_told_in_a_sentence() -> None:
    with tempfile.TemporaryDirectory() as name:  # not in tmp_path: no other user may enter that
        folder = Path(name)
        gallery = folder / "voices.db"
        with Store.open(gallery, key=KEY) as store:
            store.add("Ada", voiceprint(1))
        gallery.chmod(0o444)
        folder.chmod(0o555)
        out, err = start(READ_ONLY, gallery, folder / "new.db").communicate(timeout=60)
        folder.chmod(0o755)
        gallery.chmod(0o600)
        assert err == ""
        lines = out.splitlines()
        assert len(lines) == 2
        assert all("cannot be opened for writing (Permission denied)" in line for line in lines)
        with Store.open(gallery, key=KEY) as store:
            assert [person.name for person in store.people()] == ["Ada"]


def test_a_file_that_turns_read_only_while_open_is_told_in_a_sentence(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("PRAGMA query_only=ON"))
        try:
            bump(connection)
        finally:
            connection.execute(text("PRAGMA query_only=OFF"))

    with pytest.raises(GalleryError, match="cannot be written; check the permissions"):
        database.write(work)


FULL = """
    import resource, sys
    from gallerymakers import KEY, voiceprint
    from samevoice.errors import GalleryError
    from samevoice.gallery.store import Store
    store = Store.open(sys.argv[1], key=KEY)
    if limit := int(sys.argv[2]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        for number in range(400):
            store.add(f"person {number}", voiceprint(number))
            print(number, flush=True)
    except GalleryError as error:
        print(error)
    try:
        print(len(store.people()))
    finally:
        store.close()
"""


def check_full(path: Path, limit: int) -> None:
    out, err = start(FULL, path, limit).communicate(timeout=120)
    assert err == ""
    *numbers, sentence, seen = out.splitlines()
    assert 5 < len(numbers) < 400
    assert numbers == [str(number) for number in range(len(numbers))]
    assert "disk" in sentence
    assert "nothing that was confirmed is lost" in sentence
    assert int(seen) == len(numbers)


def test_a_file_that_may_not_grow_loses_nothing(path: Path) -> None:
    check_full(path, 2_000_000)
    kept = everything(path)
    assert kept > 5
    with Store.open(path, key=KEY) as store:
        store.add("one more", voiceprint(1000))


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be made here")
    try:
        check_full(disk / "voices.db", 0)
        shutil.copytree(disk, tmp_path / "room")  # with the log: on a full disk it cannot be emptied
        assert everything(tmp_path / "room" / "voices.db") > 5
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# Addresses


@pytest.mark.parametrize(
    "place",
    [
        "mysql://ada:hunter2@localhost/voices",
        "postgresql://ada:hunter2@localhost:port/voices",
        "postgresql://ada:hunter2@[::1/voices",
        "sqlite://ada:hunter2@localhost/voices",
        "postgresql+psycopg2://ada:hunter2@localhost/voices",
        "://hunter2",
    ],
)
def test_another_url_is_refused_without_its_password(place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Database.open(place)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "place", ["postgresql://ada:hunter2@127.0.0.1:9/voices", "postgresql://127.0.0.1:9/v?password=hunter2"]
)
def test_a_server_that_is_away_is_told_without_the_password(place: str) -> None:
    with pytest.raises(GalleryError, match=r"the server cannot be reached \(Connection refused\)") as caught:
        Database.open(place)
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1:9" in str(caught.value)


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'samevoice\[scale\]'"):
        Database.open("postgresql://localhost/voices")


def test_importing_samevoice_does_not_import_sqlalchemy() -> None:
    out, err = start("import sys, samevoice; print('sqlalchemy' in sys.modules)").communicate(timeout=60)
    assert (out, err) == ("False\n", "")


# Where it may lie


@pytest.mark.parametrize("place", ["n" * 300, "~nosuchuser/voices.db", "n\0ul", "deeper/" + "n" * 300])
def test_a_path_that_cannot_be_is_one_sentence(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for create in (True, False):
        with pytest.raises(GalleryError) as caught:
            Database.open(place, create=create)
        assert place in str(caught.value)


def test_a_circle_of_links_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(GalleryError, match="/a"):
        Database.open(tmp_path / "a")


def test_a_folder_that_may_not_be_entered_is_one_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)  # who runs tests may be allowed everything
    with pytest.raises(GalleryError, match="Permission denied"):
        Database.open(path, create=False)


def test_one_gallery_has_one_path(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(path)
    with Store.open(path, key=KEY) as store, Store.open(link, key=KEY) as other:
        assert store.near == other.near == path.resolve()


def test_who_is_not_patient_leaves_the_log_to_the_next(database: Database) -> None:
    with contextlib.closing(sqlite3.connect(str(database.path), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM counters").fetchall()
        database.write(bump)
        start = time.monotonic()
        database.scrub(patient=False)
        assert time.monotonic() - start < 1.0
        log = Path(f"{database.path}-wal")
        assert log.stat().st_size
    database.scrub(patient=False)
    assert not log.stat().st_size
    assert database.read(lambda connection: pragma(connection, "busy_timeout")) == 5000


@pytest.mark.parametrize("content", [b"x", b"my shopping list: milk\n", b"x" * 2000])
def test_a_file_of_something_else_is_not_written_over(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(GalleryError, match="is not a gallery"):
        Store.open(path, key=KEY)
    assert path.read_bytes() == content
