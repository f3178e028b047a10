"""What only a server does: refuse, go away, keep what was deleted in its own log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from gallerymakers import KEY, MODEL, Server, assert_whole, voiceprint
from sqlalchemy import Connection, make_url, select, text

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery import failures
from samevoice.gallery.crypto import context_of, unseal
from samevoice.gallery.database import Database
from samevoice.gallery.names import name_key
from samevoice.gallery.owners import bound_to
from samevoice.gallery.records import PersonRecord, TemplateRecord, VoiceprintRecord
from samevoice.gallery.store import Store

PASSWORD = "hunter2"  # noqa: S105 of nobody
TABLES = ("settings", "counters", "people", "voiceprints", "recordings", "templates", "events")


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with Store.open(postgres_url, key=KEY) as opened:
        yield opened


def rows(store: Store, *columns: object) -> list[tuple[bytes, ...]]:
    return store.database.read(lambda connection: [tuple(row) for row in connection.execute(select(*columns))])  # type: ignore[call-overload]


def test_what_remains_of_the_deleted_cannot_be_opened(store: Store, postgres: Server, postgres_url: str) -> None:
    """The server keeps old rows in its log and backups: here somebody has copied the sealed ones."""
    for seed, name in enumerate(["Ada", "Bob"]):
        store.add(name, voiceprint(seed))
    ada = store.person("Ada").id
    [wrapped] = rows(store, PersonRecord.data_key)[0]
    copied = {
        "voiceprint": rows(store, VoiceprintRecord.sealed)[0][0],
        "template": rows(store, TemplateRecord.sealed)[0][0],
    }
    since = store.person("Ada").voiceprints[0].created.isoformat()
    contexts = {
        "voiceprint": context_of("voiceprint", ada, MODEL, since),
        "template": context_of("template", ada, MODEL),
    }
    opening = KEY.unwrap(wrapped, bound_to(1, ada, "Ada", name_key("Ada")))
    for what, sealed in copied.items():
        assert len(unseal(opening, sealed, contexts[what])) == 4 * 192  # as long as the key is there
    store.delete("Ada")
    left = {
        bytes(value) if isinstance(value, bytes) else str(value).encode()
        for table in TABLES
        for row in postgres.run(f"SELECT * FROM {table}", postgres_url)  # noqa: S608 names of ours
        for value in row
    }
    for gone in (wrapped, opening, b"Ada", *copied.values()):
        assert not any(gone in value for value in left)
    [(other,)] = rows(store, PersonRecord.data_key)
    keys = [KEY.unwrap(other, bound_to(2, store.person("Bob").id, "Bob", name_key("Bob")))]
    keys += [KEY.derive(purpose) for purpose in ("wrap data keys", f"events of gallery {store.id}")]
    for what, sealed in copied.items():
        for key in keys:
            with pytest.raises(GalleryError, match="does not open"):
                unseal(key, sealed, contexts[what])
    assert_whole(store)


def test_a_connection_that_was_cut_is_made_again(store: Store, postgres: Server) -> None:
    store.add("Ada", voiceprint(1))
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname LIKE 'gal%'"
    assert postgres.run(cut)
    store.add("Bob", voiceprint(2))

    def work(connection: Connection) -> None:
        connection.execute(text("DELETE FROM people"))
        postgres.run(cut)
        connection.execute(text("SELECT 1"))

    with pytest.raises(GalleryError, match="the server was stopped or cut the connection; nothing that was confirmed"):
        store.database.write(work)
    assert [person.name for person in store.people()] == ["Ada", "Bob"]
    assert_whole(store)


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_what_may_succeed_is_tried_again(code: str, store: Store) -> None:
    tries = []

    def work(connection: Connection) -> str:
        connection.execute(text("UPDATE counters SET value = value + 1 WHERE name = 'changes'"))
        tries.append(1)
        if len(tries) < 3:
            connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$"))
        return "done"

    assert store.database.write(work) == "done"
    assert store.counters() == (1, 0)


@pytest.mark.parametrize("code", ["53100", "53300", "28P01", "XX001", "42501", "25006", "22012"])
def test_every_refusal_is_one_sentence_without_statements(code: str, store: Store) -> None:
    with pytest.raises(GalleryError) as caught:
        store.database.write(
            lambda connection: connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$"))
        )
    told = failures.POSTGRESQL.get(code) or failures.POSTGRESQL.get(code[:2]) or "failed unexpectedly"
    assert told in str(caught.value)
    assert "RAISE" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_or_a_user_that_is_not_there_is_named(postgres_url: str) -> None:
    url = make_url(postgres_url)
    for other, reason in (
        (url.set(database="nowhere"), 'database "nowhere" does not exist'),
        (url.set(username="mallory"), 'role "mallory" does not exist'),
    ):
        with pytest.raises(GalleryError, match=f"cannot be reached \\({reason}\\)"):
            Database.open(other.set(password=PASSWORD).render_as_string(hide_password=False))


def test_a_user_without_rights_or_a_read_only_server_is_told(store: Store, postgres: Server, postgres_url: str) -> None:
    name = make_url(postgres_url).database
    postgres.run(f"CREATE ROLE {name} LOGIN")
    guest = make_url(postgres_url).set(username=name, password=PASSWORD).render_as_string(hide_password=False)
    store.add("Ada", voiceprint(1))
    with pytest.raises(GalleryError, match="may not do this in the database; grant") as caught:
        Store.open(guest, key=KEY)
    assert "hunter2" not in f"{caught.value}{caught.value.__cause__}"
    postgres.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with contextlib.closing(Store.open(postgres_url, key=KEY)) as reader:
        assert_whole(reader)
        with pytest.raises(GalleryError, match="the database is read-only; use the primary"):
            reader.add("Bob", voiceprint(2))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_the_url_is_the_same_gallery(scheme: str, store: Store, postgres_url: str) -> None:
    with Store.open(postgres_url.replace("postgresql", scheme, 1), key=KEY) as other:
        assert other.id == store.id


def test_the_url_is_shown_without_password_and_options(postgres_url: str) -> None:
    url = make_url(postgres_url).set(password=PASSWORD).update_query_dict({"application_name": "hunter3"})
    with Store.open(url.render_as_string(hide_password=False), key=KEY) as store:
        assert "hunter" not in f"{store} {store.database} {store.database.where}"
        assert str(url.database) in repr(store)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_has_not_all_names_is_refused(encoding: str, postgres: Server) -> None:
    name = f"gallery_{encoding.lower()}"
    postgres.run(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(GalleryError, match=f"keeps text as {encoding}"):
        Database.open(make_url(postgres.url).set(database=name).render_as_string(hide_password=False))


def test_a_parameter_that_no_server_knows_is_refused(postgres_url: str) -> None:
    url = make_url(postgres_url).update_query_dict({"foo": "hunter2"})
    with pytest.raises(ConfigError, match="a parameter that PostgreSQL does not know, 'foo'") as caught:
        Database.open(url.render_as_string(hide_password=False))
    assert PASSWORD not in str(caught.value)
