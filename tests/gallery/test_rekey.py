"""A new master key: everything else stays, the old key opens nothing any more, and no kill comes between."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from gallerymakers import KEY, MODEL, Server, assert_whole, embedding, start, unit_vector, voiceprint
from sqlalchemy import Connection, insert, inspect, select, text

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery import cache
from samevoice.gallery.crypto import MasterKey, context_of, unseal
from samevoice.gallery.homes import FILE_VARIABLE, KEY_VARIABLE, new_text, parsed
from samevoice.gallery.indexes import index_of, measured_recall, neighbours_of, turn_off, turn_on
from samevoice.gallery.keys import NEW_FILE_VARIABLE, NEW_VARIABLE
from samevoice.gallery.layout import Head, Moment
from samevoice.gallery.marks import MARKS
from samevoice.gallery.names import name_key
from samevoice.gallery.owners import KEYED, bound_to
from samevoice.gallery.records import PersonRecord, TemplateRecord, VoiceprintRecord
from samevoice.gallery.rekey import rekey
from samevoice.gallery.search import Index
from samevoice.gallery.store import Store

CROWD = 3_000
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where keys lie by default."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for variable in (KEY_VARIABLE, FILE_VARIABLE, NEW_VARIABLE, NEW_FILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "config"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, path: Path) -> str:
    return str(path) if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def key_file(config: Path) -> Path:
    [found] = config.rglob("*.key")
    return found


def lines(file: Path) -> list[str]:
    return file.read_text().split()


def is_anywhere(content: bytes, folder: Path) -> bool:
    return any(content in file.read_bytes() for file in folder.rglob("*") if file.is_file())


def data_keys(store: Store) -> dict[str, bytes]:
    """The keys of all people, opened."""

    def work(connection: Connection) -> dict[str, bytes]:
        return {row.public_id: store.vault.unwrap(row) for row in connection.execute(select(*KEYED))}

    return store.database.read(work)


def test_all_but_the_key_stays(place: str, config: Path) -> None:
    with Store.open(place) as store:
        store.add("Ada", voiceprint(1, trace=b"trace", audio=b"fLaC", consent="login"))
        store.add("Ada", voiceprint(2))
        store.add("Bob", voiceprint(3))
        people, events, keys = store.people(), store.events(), data_keys(store)
    [old] = lines(key_file(config))
    told: list[float] = []
    found = rekey(place, actor="the operator", progress=told.append)
    [new] = lines(key_file(config))
    assert old != new
    assert (found.people, found.home, found.is_given, found.kept) == (2, str(key_file(config)), False, 0)
    assert told == [1.0]
    with Store.open(place) as store:
        assert store.people() == people
        assert data_keys(store) == keys
        assert store.recording(people[0].voiceprints[0].id) == b"fLaC"
        assert store.traces(people[0].id) == [b"trace"]
        assert_whole(store)
        assert store.events()[:-1] == events
        last = store.events()[-1]
        assert (last.actor, last.action, last.person, last.detail) == ("the operator", "rekey", None, {"people": 2})
        store.add("Eve", voiceprint(4))
        assert_whole(store)
    with pytest.raises(GalleryError, match="another key"):
        Store.open(place, key=parsed(old))
    assert not is_anywhere(old.encode(), config)
    if os.name == "posix":
        assert key_file(config).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="Windows replaces no open file")
def test_the_old_bytes_are_overwritten(path: Path, config: Path) -> None:
    Store.open(path).close()
    [old] = lines(key_file(config))
    with key_file(config).open("rb") as as_it_was:  # still leads to the old bytes
        rekey(path)
        content = as_it_was.read()
    assert len(content) > len(old)
    assert not content.strip(b"\0")


@pytest.mark.parametrize("seq", [2, 3, 4])
def test_tampering_is_found_across_a_change_of_keys(seq: int, place: str) -> None:
    with Store.open(place) as store:
        store.add("Ada", voiceprint(1))
        store.add("Bob", voiceprint(2))
    rekey(place)
    with Store.open(place) as store:
        store.add("Eve", voiceprint(3))
        assert (store.audit().events, store.audit().broken) == (5, None)
        guard = "DROP TRIGGER events_keep" + ("_UPDATE" if store.database.path else " ON events")
        for one in (guard, f"UPDATE events SET actor = 'x' WHERE seq = {seq}"):  # noqa: S608 a number of ours
            store.database.write(lambda connection, one=one: connection.execute(text(one)))  # type: ignore[misc]
        assert store.audit().broken == seq


def test_who_has_it_open_notices(place: str) -> None:
    with Store.open(place) as store:
        store.add("Ada", voiceprint(1))
        index = Index.of(store, MODEL, cache=None)
        rekey(place)
        for attempt in (
            store.people,
            index.refresh,
            lambda: store.add("Bob", voiceprint(2)),
            lambda: store.delete("Ada"),
            lambda: store.template("Ada", MODEL),
        ):
            with pytest.raises(GalleryError, match="was given a new master key meanwhile; open it again"):
                attempt()
    with Store.open(place) as store:
        assert [person.name for person in store.people()] == ["Ada"]
        assert_whole(store)


def test_an_altered_key_of_a_person_changes_nothing(place: str, config: Path) -> None:
    with Store.open(place) as store:
        for number, name in enumerate(["Ada", "Bob"]):
            store.add(name, voiceprint(number))
        store.database.write(
            lambda connection: connection.execute(
                text("UPDATE people SET data_key = :other WHERE name = 'Bob'"), {"other": bytes(60)}
            )
        )
    [old] = lines(key_file(config))
    with pytest.raises(GalleryError, match="does not open"):
        rekey(place)
    assert lines(key_file(config))[1:] == [old]
    with Store.open(place) as store:
        assert_whole(store, ["Ada"])
        store.database.write(lambda connection: connection.execute(text("DELETE FROM people WHERE name = 'Bob'")))
    rekey(place)
    assert len(lines(key_file(config))) == 1
    with Store.open(place) as store:
        assert_whole(store)


def test_cache_files_of_the_old_key_go(place: str) -> None:
    with Store.open(place) as store:
        store.add("Ada", voiceprint(1))
        near = store.near
    near.parent.mkdir(parents=True, exist_ok=True)
    files = [cache.cache_file(near, model) for model in (MODEL, "toy/2")]
    for file in files:
        head = Head(192, Moment(1, 0, 1, bytes(32)), bytes(32), np.array([1]))
        cache.write(file, bytes(32), head, [unit_vector(1)[np.newaxis]])
        file.with_name(f"{file.name}.new").touch()  # of one who was killed while writing
    rekey(place)
    assert [path for path in near.parent.iterdir() if ".index" in path.name and path.suffix != ".lock"] == []


# Where the key is


def test_a_named_file_keeps_the_key_that_others_may_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    file, link = tmp_path / "keys", tmp_path / "link"
    link.symlink_to(file)
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    for place in (first, second):
        with Store.open(place) as store:
            store.add("Ada", voiceprint(1))
    [old] = lines(file)
    monkeypatch.setenv(FILE_VARIABLE, str(link))
    assert rekey(first).kept == 1
    [new, kept] = lines(file)
    assert link.is_symlink()
    assert kept == old
    for place in (first, second):
        with Store.open(place) as store:
            assert_whole(store)
    with pytest.raises(GalleryError, match="another key"):
        Store.open(first, key=parsed(old))
    assert rekey(second, forget_old=True).kept == 1  # the first gallery's new one, which never was the second's
    assert lines(file)[1:] == [new]
    for place in (first, second):
        with Store.open(place) as store:
            assert_whole(store)
    assert rekey(second).kept == 2
    assert rekey(second, forget_old=True).kept == 1  # two at once
    assert lines(file)[1:] == [new]
    assert not config.exists()


def test_a_folder_that_cannot_be_written_changes_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "read only"
    folder.mkdir()
    monkeypatch.setenv(FILE_VARIABLE, str(folder / "key"))
    Store.open(path).close()
    before = lines(folder / "key")
    (folder / "key.lock").mkdir()  # as root may write everywhere, something else is in the way
    with pytest.raises(GalleryError, match="make its folder yours to write"):
        rekey(path)
    assert lines(folder / "key") == before
    (folder / "key.lock").rmdir()
    (folder / "key.new").mkdir()
    with pytest.raises(GalleryError, match="make its folder yours to write"):
        rekey(path)
    assert lines(folder / "key") == before
    Store.open(path).close()


@pytest.mark.parametrize("variable", [NEW_VARIABLE, NEW_FILE_VARIABLE])
def test_a_key_in_the_environment_is_changed_by_who_set_it(
    variable: str, place: str, tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = new_text(), new_text()
    monkeypatch.setenv(KEY_VARIABLE, old)
    with Store.open(place) as store:
        store.add("Ada", voiceprint(1))
    with pytest.raises(ConfigError, match=f"set {NEW_VARIABLE} to 32 random bytes"):
        rekey(place)
    for given in (new, old):
        file = tmp_path / given
        file.touch(mode=0o600)
        file.write_text(given)
    monkeypatch.setenv(variable, old if variable == NEW_VARIABLE else str(tmp_path / old))
    with pytest.raises(ConfigError, match="has or had before; give another"):
        rekey(place)
    monkeypatch.setenv(variable, new if variable == NEW_VARIABLE else str(tmp_path / new))
    found = rekey(place)
    assert (found.home, found.is_given, found.kept) == (KEY_VARIABLE, True, 0)
    with pytest.raises(GalleryError, match="another key"):
        Store.open(place)
    monkeypatch.setenv(KEY_VARIABLE, new)
    with Store.open(place) as store:
        assert_whole(store)
    assert not config.exists()
    monkeypatch.delenv(variable)
    monkeypatch.setenv(NEW_VARIABLE, old)
    with pytest.raises(ConfigError, match="has or had before; give another"):
        rekey(place)


def test_new_keys_that_are_none_are_refused_without_quoting(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(path).close()
    monkeypatch.setenv(NEW_VARIABLE, "swordfish")
    with pytest.raises(ConfigError, match=f"{NEW_VARIABLE} holds no key") as caught:
        rekey(path)
    assert "swordfish" not in str(caught.value)
    file = tmp_path / "two"
    file.touch(mode=0o600)
    file.write_text(f"{new_text()}\n{new_text()}\n")
    monkeypatch.setenv(NEW_FILE_VARIABLE, str(file))
    with pytest.raises(ConfigError, match="are both set; unset one"):
        rekey(path)
    monkeypatch.delenv(NEW_VARIABLE)
    with pytest.raises(GalleryError, match="more than one key"):
        rekey(path)
    Store.open(path).close()


def test_a_keyring_entry_is_replaced(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[tuple[str, str], str] = {}
    seen: list[int] = []

    def put(service: str, name: str, password: str) -> None:
        kept[service, name] = password
        seen.append(len(password.split()))

    ring = ModuleType("keyring")
    ring.get_password = lambda service, name: kept.get((service, name))  # type: ignore[attr-defined]
    ring.set_password = put  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", ring)
    monkeypatch.setenv(KEY_VARIABLE, "keyring")
    with Store.open(place) as store:
        store.add("Ada", voiceprint(1))
    [old] = kept.values()
    rekey(place)
    assert seen == [1, 2, 1]  # both while the gallery changes
    [new] = kept.values()
    assert new != old
    with Store.open(place) as store:
        assert_whole(store)
    ring.set_password = lambda *_: None  # type: ignore[attr-defined]
    with pytest.raises(GalleryError, match="did not keep the new key"):
        rekey(place)
    with Store.open(place) as store:
        assert_whole(store)


# What a server keeps


@pytest.mark.slow
def test_what_a_server_keeps_opens_no_more(postgres: Server, postgres_url: str, config: Path) -> None:
    with Store.open(postgres_url) as store:
        for seed, name in enumerate(["Ada", "Bob"]):
            store.add(name, voiceprint(seed))
        ada = store.person("Ada").id

        def sealed(connection: Connection) -> tuple[bytes, bytes]:
            first = connection.execute(select(PersonRecord.data_key).where(PersonRecord.name == "Ada"))
            return first.scalar_one(), connection.execute(select(TemplateRecord.sealed)).scalars().first()  # type: ignore[return-value]

        wrapped, template = store.database.read(sealed)
        store.delete("Ada")
    [old] = lines(key_file(config))
    [(folder,)] = postgres.run("SHOW data_directory")

    def remains() -> list[bool]:
        postgres.run("CHECKPOINT")
        content = [file.read_bytes() for file in Path(folder).rglob("*") if file.is_file() and file.suffix != ".pid"]
        return [any(bytes(one) in file for file in content) for one in (wrapped, template)]

    context, contents = bound_to(1, ada, "Ada", name_key("Ada")), context_of("template", ada, MODEL)
    assert remains() == [True, True]
    opened = unseal(parsed(old).unwrap(wrapped, context), template, contents)
    np.testing.assert_array_equal(np.frombuffer(opened, "<f4"), unit_vector(0))
    rekey(postgres_url)
    assert remains() == [True, True]
    [new] = lines(key_file(config))
    with pytest.raises(GalleryError, match="does not open"):
        parsed(new).unwrap(wrapped, context)
    assert not is_anywhere(old.encode(), config)
    with Store.open(postgres_url) as store:
        assert_whole(store)


def test_the_table_of_neighbours_is_made_anew(postgres_url: str) -> None:
    with Store.open(postgres_url) as store:
        with pytest.raises(ConfigError, match="no model yet; enrol somebody first"):
            turn_on(store)
        store.require_model(MODEL)
        for seed in range(30):
            store.add(f"person {seed}", voiceprint(seed))
        turn_on(store)
        before = rotated(store)
        assert len(before) == 30
        former = {
            "name": "neighbours_former",
            "origin": b"",
            "size": 1,
            **asdict(Moment(1, 0, 1, b"")),
        }  # another model's
        store.database.write(lambda connection: connection.execute(insert(MARKS).values(former)))
        store.database.write(lambda connection: connection.execute(text("CREATE TABLE neighbours_former (id bigint)")))
    rekey(postgres_url)
    with Store.open(postgres_url) as store:
        after = rotated(store)  # the only one, by `rekey` itself, for nobody else has looked
        assert after.keys() == before.keys()
        assert all(after[number] != before[number] for number in after)
        index = index_of(store, MODEL, store.near)
        assert len(index) == 30
        assert [one.name for one in index.match(unit_vector(7), 1)] == ["person 7"]


def rotated(store: Store) -> dict[int, str]:
    """The rows of the only table of neighbours."""

    def work(connection: Connection) -> dict[int, str]:
        [name] = [name for name in inspect(connection).get_table_names() if name.startswith("neighbours_")]
        return {row[0]: row[1] for row in connection.execute(text(f"SELECT id, vector::text FROM {name}"))}  # noqa: S608

    return store.database.read(work)


def test_the_choice_of_an_index(postgres_url: str) -> None:
    with Store.open(postgres_url) as store:
        store.require_model(MODEL)
        store.add("Ada", voiceprint(1))
        near = store.near
        assert isinstance(index_of(store, MODEL, near), Index)
        turn_on(store)
        turn_on(store)
        table = index_of(store, MODEL, near)
        assert not isinstance(table, Index)
        store.add("Bob", voiceprint(2))
        assert len(table) == 1
        table.refresh()
        assert len(table) == 2
        with Store.open(postgres_url) as other:
            other.delete("Ada")
        assert [one.name for one in table.match(unit_vector(1), 2)] == ["Bob"]
        assert len(table) == 1
        assert isinstance(index_of(store, "toy/2", near), Index)
        neighbours = neighbours_of(store, MODEL)
        assert neighbours is not None
        assert measured_recall(store, neighbours, MODEL) == 1.0
        turn_off(store)
        assert neighbours_of(store, MODEL) is None
        with pytest.raises(GalleryError, match="turn that on first"):
            table.refresh()
        assert isinstance(index_of(store, MODEL, near), Index)


def test_a_gallery_in_a_file_has_no_table(store: Store, path: Path) -> None:
    store.require_model(MODEL)
    with pytest.raises(ConfigError, match="needs a gallery on PostgreSQL"):
        turn_on(store)
    assert isinstance(index_of(store, MODEL, path), Index)


# Kills and crowds

# The parent imports once; for each line it forks a child that calls `rekey`, and kills itself at the given fsync.
REKEYER = """
    import os, signal, sys
    from samevoice.gallery.rekey import rekey
    sync = os.fsync
    def counted(descriptor):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(descriptor)
        if left == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    for line in sys.stdin:
        left = int(line)
        child = os.fork()
        if not child:
            if left:
                os.fsync = counted
            print("pid", os.getpid(), flush=True)
            rekey(sys.argv[1])
            os._exit(0)
        print("gone", os.waitpid(child, 0)[1], flush=True)
"""


def crowded(place: str) -> dict[str, bytes]:
    """A gallery with some who have voiceprints and many who have a key alone; the keys of all."""
    with Store.open(place) as store:
        for seed in range(5):
            store.add(f"person {seed}", voiceprint(seed))

        def crowd(connection: Connection) -> None:
            created = store.people()[0].created
            rows = []
            for number in range(CROWD):
                public_id = f"{number:032x}"
                key = f"crowd {number}"
                wrapped = store.key.wrap(os.urandom(32), bound_to(1000 + number, public_id, key, key))
                about = {"id": 1000 + number, "public_id": public_id, "name": key, "name_key": key}
                rows.append({**about, "created": created})
                rows[-1]["data_key"] = wrapped
            connection.execute(insert(PersonRecord), rows)

        store.database.write(crowd)
        return data_keys(store)


def assert_opens(place: str, keys: dict[str, bytes]) -> int:
    """The gallery opens and is whole; how often it was given a new key."""
    with Store.open(place, create=False) as store:
        assert data_keys(store) == keys
        assert_whole(store, [f"person {seed}" for seed in range(5)])
        return [event.action for event in store.events()].count("rekey")


@contextlib.contextmanager
def rekeyer(place: str) -> Iterator[object]:
    with start(REKEYER, place) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
    assert process.returncode == 0


def begin(process: object, left: int = 0) -> int:
    """Have a child call `rekey`; its process id."""
    print(left, file=process.stdin, flush=True)  # type: ignore[attr-defined]
    return int(process.stdout.readline().removeprefix("pid "))  # type: ignore[attr-defined]


def gone(process: object) -> int:
    """Wait for the child to end; how it did."""
    return int(process.stdout.readline().removeprefix("gone "))  # type: ignore[attr-defined]


@needs_fork
@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_a_gallery_that_opens(place: str, config: Path) -> None:
    keys = crowded(place)
    [old] = lines(key_file(config))
    draw = random.Random(0)  # noqa: S311 nothing secret
    killed = 0
    with rekeyer(place) as process:
        begin(process)
        began = time.monotonic()
        assert gone(process) == 0
        whole = time.monotonic() - began
        for _ in range(20):
            pid = begin(process)
            time.sleep(draw.uniform(0.0, whole))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if gone(process) == signal.SIGKILL:
                killed += 1
            else:  # it was done before: the first time took longer than the others do
                whole *= 0.7
            assert_opens(place, keys)
        assert killed >= 5
        begin(process)
        assert gone(process) == 0
    done = assert_opens(place, keys)
    assert 2 <= done <= 12
    assert len(lines(key_file(config))) == 1
    assert not is_anywhere(old.encode(), config)
    assert not list(config.rglob("*.new"))


@pytest.mark.slow
@needs_fork
def test_a_kill_at_every_step_of_the_key_file(path: Path, config: Path) -> None:
    place = str(path)
    keys = crowded(place)
    first = lines(key_file(config))
    counts = []
    with rekeyer(place) as process:
        for left in range(1, 20):
            begin(process, left)
            ended = gone(process)
            counts.append(assert_opens(place, keys))
            texts = lines(key_file(config))
            if ended == 0:
                break
        else:
            pytest.fail("it was killed each time")
    assert len(counts) > 6  # three for each of the two ways in which the file is written
    assert 0 in counts  # killed before the change of keys,
    assert len(set(counts)) > 2  # and after
    assert len(texts) == 1
    assert texts != first
    assert not is_anywhere(first[0].encode(), config)
    assert not list(config.rglob("*.new"))


@pytest.mark.slow
@needs_fork
def test_two_at_once_take_turns(place: str, config: Path) -> None:
    keys = crowded(place)
    with rekeyer(place) as one, rekeyer(place) as other:
        begin(one)
        begin(other)
        assert (gone(one), gone(other)) == (0, 0)
    assert assert_opens(place, keys) == 2
    assert len(lines(key_file(config))) == 1


def test_two_voiceprints_of_one_person_cannot_change_places(store: Store) -> None:
    store.add("Ada", voiceprint(1))
    store.add("Ada", voiceprint(2))
    first, second = store.embeddings("Ada", MODEL)
    assert not np.array_equal(first.vector, second.vector)

    def swap(connection: Connection) -> None:
        sealed = connection.execute(select(VoiceprintRecord.sealed).order_by(VoiceprintRecord.id)).scalars().all()
        for number, one in zip((1, 2), reversed(sealed), strict=True):
            connection.execute(
                text("UPDATE voiceprints SET sealed = :one WHERE id = :number"), {"one": one, "number": number}
            )

    store.database.write(swap)
    with pytest.raises(GalleryError, match="does not open"):
        store.embeddings("Ada", MODEL)
    with pytest.raises(GalleryError, match="does not open"):
        store.export("Ada")


def test_the_size_is_counted_as_people_are(place: str) -> None:
    with Store.open(place, key=KEY) as store:
        for seed, name in enumerate(["Ada", "Ada", "Bob", "Eve"]):
            store.add(name, voiceprint(seed))
        store.database.write(
            lambda connection: connection.execute(
                text("UPDATE voiceprints SET needs_audio = :yes WHERE id IN (1, 3)"), {"yes": True}
            )
        )

        def succeed(connection: Connection) -> None:
            owner = store.vault.find(connection, "Bob")
            row = connection.execute(select(VoiceprintRecord).where(VoiceprintRecord.id == 3)).mappings().one()
            assert owner is not None
            store.vault.succeed(connection, owner, row, embedding(9, model="toy/2"))

        store.database.write(succeed)
        people, size = store.people(), store.size()
        assert (size.people, size.voiceprints, size.again, size.events) == (3, 4, 1, 5)
        assert size.voiceprints == sum(len(person.voiceprints) for person in people)
        assert size.again == sum(person.needs_enrolment for person in people)


def test_repr_and_messages_show_no_key(path: Path, config: Path) -> None:
    Store.open(path).close()
    found = rekey(path)
    [new] = lines(key_file(config))
    assert new not in repr(found)
    with pytest.raises(GalleryError) as caught:
        Store.open(path, key=MasterKey.generate())
    assert new not in str(caught.value)
