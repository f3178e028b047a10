"""Other keys, altered records and damaged rows: nobody is named wrongly, and it is told in a sentence."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from gallerymakers import KEY, MODEL, assert_whole, embedding, unit_vector, voiceprint
from sqlalchemy import text

from samevoice.errors import ConfigError, GalleryError, UnknownPerson
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.store import Store


@pytest.fixture
def store(either_store: Store) -> Store:
    return either_store


def test_another_key_opens_nothing_and_harms_nothing(store: Store, path: Path) -> None:
    store.add("Ada", voiceprint(1))
    place = path if store.database.path else str(store.database.engine.url)
    with pytest.raises(GalleryError, match="was made with another key"):
        Store.open(place, key=MasterKey.generate())
    assert_whole(store)
    assert "hidden" not in repr(store)


def test_the_place_and_the_key_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", "11" * 32)
    monkeypatch.delenv("SAMEVOICE_GALLERY", raising=False)
    with pytest.raises(GalleryError, match="no gallery here yet"):
        Store.open(create=False)
    assert not (tmp_path / "data").exists()
    with Store.open() as store:
        store.add("Ada", voiceprint(1))
        assert store.database.path == tmp_path / "data" / "samevoice" / "gallery.db"
    monkeypatch.setenv("SAMEVOICE_GALLERY", str(tmp_path / "other.db"))
    with Store.open() as store:
        assert store.people() == []
    assert (tmp_path / "other.db").exists()
    monkeypatch.delenv("SAMEVOICE_GALLERY_KEY")
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY_FILE", str(tmp_path / "missing.key"))
    with pytest.raises(GalleryError, match=r"missing\.key"):  # no new key for an old gallery
        Store.open()
    assert not (tmp_path / "missing.key").exists()


def test_nothing_shows_vectors_or_keys(store: Store) -> None:
    store.add("Ada", voiceprint(1))
    template = store.template("Ada", MODEL)
    [batch] = store.templates(MODEL)
    number = f"{unit_vector(1)[0]:.4f}"
    for shown in (template, batch, voiceprint(1), embedding(1), store, store.database):
        assert number not in repr(shown)


def test_events_tell_what_happened_and_never_a_name(store: Store) -> None:
    store.add("Adelaide", voiceprint(1), actor="tablet 7")
    store.rename("Adelaide", "Brunhilde")
    store.export("Brunhilde", actor="clerk")
    store.delete("Brunhilde")
    events = store.events()
    assert [event.action for event in events] == ["create", "enrol", "rename", "export", "delete"]
    assert [event.actor for event in events] == ["samevoice", "tablet 7", "local", "clerk", "local"]
    assert len({event.person for event in events[1:]}) == 1
    assert not any(name in repr(events) for name in ("Adelaide", "Brunhilde"))
    assert store.events(last=2) == events[-2:]
    with pytest.raises(ConfigError, match="actor"):
        store.add("Ada", voiceprint(1), actor="a\0b")
    assert store.people() == []
    report = store.audit()
    assert (report.events, report.broken) == (5, None)


TAMPERINGS = {
    "altered": ("UPDATE events SET actor = 'x' WHERE seq = 3", 3),
    "dropped": ("DELETE FROM events WHERE seq = 2", 2),
    "cut short": ("DELETE FROM events WHERE seq = 4", 4),
    "unreadable": ("UPDATE events SET detail = '{' WHERE seq = 2", 2),
    "no object": ("UPDATE events SET detail = '[]' WHERE seq = 2", 2),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_whoever_alters_events_is_found_out(what: str, store: Store) -> None:
    for seed in range(3):
        store.add(f"person {seed}", voiceprint(seed))
    statement, broken = TAMPERINGS[what]
    if store.database.path:
        guards = [f"DROP TRIGGER events_keep_{change}" for change in ("UPDATE", "DELETE")]
    else:
        guards = ["DROP TRIGGER events_keep ON events"]
    for one in (*guards, statement):
        store.database.write(lambda connection, one=one: connection.execute(text(one)))  # type: ignore[misc]
    assert store.audit().broken == broken
    assert store.audit().events == 4 - (what in {"dropped", "cut short"})
    if what != "cut short":  # then the next event would take the number of one that is there
        store.add("one more", voiceprint(9))
        assert store.audit().broken == broken  # what comes later hides nothing


def test_an_altered_head_stops_all_changes(store: Store) -> None:
    store.add("Ada", voiceprint(1))
    store.database.write(
        lambda connection: connection.execute(
            text("UPDATE settings SET value = :value WHERE key = 'events'"), {"value": bytes(72)}
        )
    )
    with pytest.raises(GalleryError, match="the record of events was altered"):
        store.add("Bob", voiceprint(2))
    assert [person.name for person in store.people()] == ["Ada"]
    assert store.audit().broken is not None


SWAPS = {
    "names": "UPDATE people SET name = CASE id WHEN 1 THEN 'Bob' ELSE 'Ada' END, name_key = {keys}",
    "keys of names": "UPDATE people SET name_key = {keys}",
    "shown names": "UPDATE people SET name = CASE id WHEN 1 THEN 'Bob' ELSE 'Ada' END",
    "public ids": "UPDATE people SET public_id = {ids}",
    "numbers": "UPDATE people SET id = 3 - id",
}


@pytest.mark.parametrize("what", SWAPS)
def test_names_that_were_swapped_in_the_database_name_nobody(what: str, path: Path) -> None:
    """By somebody who may write into the file but has no key: better no name than another's."""
    with Store.open(path, key=KEY) as store:
        ids = [store.add(name, voiceprint(seed)).id for seed, name in enumerate(["Ada", "Bob"])]
    swap = SWAPS[what].format(
        keys="'+' || CASE id WHEN 1 THEN 'bob' ELSE 'ada' END",
        ids=f"'+' || CASE id WHEN 1 THEN '{ids[1]}' ELSE '{ids[0]}' END",
    )
    if what == "numbers":
        swap = "UPDATE people SET id = -id; UPDATE people SET id = 3 + id"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(swap)  # uniqueness is checked row by row
        for column in ("name_key", "public_id"):
            connection.execute(f"UPDATE people SET {column} = ltrim({column}, '+')")  # noqa: S608
        connection.commit()
    with Store.open(path, key=KEY) as store:
        for question in (
            lambda: store.template("Ada", MODEL),
            lambda: store.owners(MODEL, [1, 2]),
            lambda: list(store.templates(MODEL)),
        ):
            with pytest.raises(GalleryError, match="was altered"):
                question()


def test_a_person_with_another_name_keeps_all(store: Store) -> None:
    before = store.add("Ada", voiceprint(1, audio=b"fLaC"))
    store.rename("Ada", "Eve")
    store.add("Ada", voiceprint(2))
    assert store.owners(MODEL, [1, 2]) == {1: (before.id, "Eve", 3.5), 2: (store.person("Ada").id, "Ada", 3.5)}
    assert store.recording(before.voiceprints[0].id) == b"fLaC"
    assert_whole(store)


TABLES = ("settings", "counters", "people", "voiceprints", "recordings", "templates", "events")
BAD = ("text", b"\xff\xfe", 10**15, -1, 1.5e300, "", b"", "2026-99-99 00:00:00", "[" * 100_000, "[" * 900 + "]" * 900)


def columns(path: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [(table, row[1]) for table in TABLES for row in connection.execute(f"PRAGMA table_info({table})")]


@pytest.mark.slow
def test_whatever_lies_in_a_row_is_one_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every column of every table with every kind of rubbish: an answer or a GalleryError, and no other error."""
    questions: list[Callable[[Store], object]] = [
        Store.people,
        Store.counters,
        Store.moment,
        Store.audit,
        Store.events,
        Store.has_expired,
        Store.size,
        lambda store: store.person("Ada"),
        lambda store: store.template("Ada", MODEL),
        lambda store: list(store.templates(MODEL)),
        lambda store: store.owners(MODEL, [1, 2]),
        lambda store: store.traces(store.people()[0].id),
        lambda store: store.recording(1),
        lambda store: store.export("Ada"),
        lambda store: store.add("Ada", voiceprint(5)),
        lambda store: store.remove_last("Ada"),
        Store.purge,
        lambda store: store.delete("Ada"),
    ]
    monkeypatch.setattr("samevoice.gallery.database.PRAGMAS", ("foreign_keys=ON", "synchronous=OFF"))  # nobody pulls it
    monkeypatch.setattr("samevoice.gallery.database.PATIENCE", 0.0)
    with Store.open(path, key=KEY) as store:
        for seed, name in enumerate(["Ada", "Bob"]):
            store.add(name, voiceprint(seed, trace=b"12" * 40, audio=b"x" * 50))
    whole = path.read_bytes()
    for table, column in columns(path):
        for bad in BAD:
            path.write_bytes(whole)
            with contextlib.closing(sqlite3.connect(path)) as connection, contextlib.suppress(sqlite3.Error):
                connection.execute("DROP TRIGGER events_keep_UPDATE")
                connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE rowid = 1', (bad,))  # noqa: S608
                connection.commit()
            with contextlib.suppress(GalleryError, UnknownPerson), Store.open(path, key=KEY) as store:
                for question in questions:
                    with contextlib.suppress(GalleryError, UnknownPerson):
                        question(store)
            for rest in ("-wal", "-shm"):
                path.with_name(path.name + rest).unlink(missing_ok=True)


@pytest.mark.parametrize("column", ["at", "actor", "action", "person", "detail", "previous", "digest"])
@pytest.mark.parametrize("bad", BAD)
def test_a_damaged_event_is_named_by_the_audit(column: str, bad: object, path: Path) -> None:
    with Store.open(path, key=KEY) as store:
        store.add("Ada", voiceprint(1))
        store.add("Bob", voiceprint(2))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER events_keep_UPDATE")
        connection.execute(f"UPDATE events SET {column} = ? WHERE seq = 2", (bad,))  # noqa: S608
        connection.commit()
    with Store.open(path, key=KEY) as store:
        assert store.audit().broken == 2
        assert store.events()[-1].seq == 3


def test_who_is_damaged_can_be_deleted_and_a_lost_counter_is_told(path: Path) -> None:
    with Store.open(path, key=KEY) as store:
        store.add("Ada", voiceprint(1))
        store.add("Bob", voiceprint(2))
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE people SET created = 'text' WHERE id = 1")
            connection.commit()
        with pytest.raises(GalleryError, match="is damaged; restore"):
            store.people()
        store.delete("Ada")
        assert [person.name for person in store.people()] == ["Bob"]
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("DELETE FROM counters WHERE name = 'removals'")
            connection.commit()
        with pytest.raises(GalleryError, match="is damaged; restore"):
            store.counters()
