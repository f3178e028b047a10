"""People, voiceprints and templates: what goes in comes out, and what is removed is gone."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import time_machine
from gallerymakers import KEY, MODEL, assert_whole, embedding, raw_bytes, unit_vector, voiceprint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text

from samevoice.errors import ConfigError, FingerprintMismatch, GalleryError, UnknownPerson
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.names import name_key
from samevoice.gallery.records import PersonRecord, TemplateRecord, VoiceprintRecord
from samevoice.gallery.store import Store
from samevoice.gallery.voiceprints import NewVoiceprint, Template
from samevoice.models.embedding import Embedding

OTHER = "toy/2"
LATER = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, path: Path) -> Iterator[Store]:
    """An empty gallery, once in a file and once on a server: both must do the same."""
    place = path if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with Store.open(place, key=KEY) as opened:
        yield opened


def actions(store: Store) -> list[str]:
    return [event.action for event in store.events()]


# Enrolling


def test_what_is_enrolled_comes_back(store: Store) -> None:
    before = datetime.now(UTC)
    new = voiceprint(
        1, snr_db=31.5, bandwidth_hz=7900.0, clipped=0.001, channel="headset", consent="login", expires=LATER,
        trace=b"trace", audio=b"fLaC",
    )  # fmt: skip
    person = store.add(" Ada Lovelace ", new)
    assert person == store.person("ada  LOVELACE")
    assert person.name == "Ada Lovelace"
    [one] = person.voiceprints
    assert (one.person, one.model, one.seconds, one.snr_db, one.bandwidth_hz) == (person.id, MODEL, 3.5, 31.5, 7900.0)
    assert (one.clipped, one.channel, one.consent, one.expires) == (0.001, "headset", "login", LATER)
    assert one.kept_audio
    assert not one.needs_audio
    assert before <= one.created <= datetime.now(UTC)
    [kept] = store.embeddings("ada lovelace", MODEL)
    np.testing.assert_array_equal(kept.vector, unit_vector(1))
    assert store.traces(person.id) == [b"trace"]
    assert store.recording(one.id) == b"fLaC"
    assert store.recording(999) is None
    assert store.traces("nobody") == []
    assert store.events("ada lovelace")[-1].detail == {"model": MODEL, "voiceprints": [one.id]}


def test_a_template_is_the_unit_mean_of_one_model(store: Store) -> None:
    for seed in (1, 2, 3):
        store.add("Ada", voiceprint(seed, seconds=float(seed)))
    store.add("Ada", voiceprint(4, model=OTHER))
    template = store.template("Ada", MODEL)
    assert template is not None
    mean = np.mean([unit_vector(seed).astype(np.float64) for seed in (1, 2, 3)], axis=0)
    np.testing.assert_allclose(template.vector, mean / np.linalg.norm(mean), atol=1e-7)
    assert (template.seconds, template.voiceprints, template.name) == (6.0, 3, "Ada")
    assert store.template("Ada", "toy/3") is None
    assert [one.model for one in store.embeddings("Ada", OTHER)] == [OTHER]


def written(store: Store, since: int, model: str = MODEL) -> dict[int, list[float]]:
    return {
        int(number): vector.tolist()
        for batch in store.templates(model, since=since)
        for number, vector in zip(batch.ids, batch.vectors, strict=True)
    }


def test_an_index_can_tell_what_changed(store: Store) -> None:
    store.add("Ada", voiceprint(1, seconds=2.0))
    store.add("Bob", voiceprint(2))
    assert store.counters() == (2, 0)  # only new numbers after the old ones
    first, second = store.template_ids(MODEL).tolist()
    assert written(store, 0) == {first: unit_vector(1).tolist(), second: unit_vector(2).tolist()}
    assert written(store, 1) == {second: unit_vector(2).tolist()}
    assert written(store, 2) == {}
    assert store.owners(MODEL, [first, second, 999]) == {
        first: (store.person("Ada").id, "Ada", 2.0), second: (store.person("Bob").id, "Bob", 3.5)
    }  # fmt: skip
    assert list(store.owners(MODEL, [second])) == [second]
    store.add("Ada", voiceprint(3))  # an old number has another template
    assert store.counters() == (3, 1)
    assert list(written(store, 2)) == [first]
    store.add("Ada", voiceprint(3, model=OTHER))  # an old number is new for this model
    assert store.counters() == (4, 2)
    assert written(store, 3) == {}
    assert written(store, 3, OTHER) == {first: unit_vector(3).tolist()}
    store.rename("Ada", "Eve")  # no template changed
    assert store.counters() == (4, 2)
    store.remove_last("Eve")
    assert store.counters() == (5, 3)
    assert store.template_ids(OTHER).tolist() == []
    store.merge("Eve", "Bob")
    assert store.counters() == (6, 4)
    assert list(written(store, 5)) == [second]
    store.delete("Bob")
    assert store.counters() == (7, 5)
    store.add("Ada", voiceprint(1))
    assert store.template_owners().tolist() == store.template_ids(MODEL).tolist() > [first, second]  # none comes back


def test_batches_miss_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samevoice.gallery.archive.BATCH", 4)
    for seed in range(10):
        store.add(f"person {seed}", voiceprint(seed))
        store.add(f"person {seed}", voiceprint(seed, model=OTHER)) if seed % 2 else None
    batches = list(store.templates(MODEL))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert np.concatenate([batch.ids for batch in batches]).tolist() == store.template_ids(MODEL).tolist()
    np.testing.assert_array_equal(
        np.concatenate([batch.vectors for batch in batches]), [unit_vector(seed) for seed in range(10)]
    )
    assert [len(batch) for batch in store.templates(OTHER)] == [4, 1]
    assert list(store.templates("toy/3")) == []
    store.database.write(lambda connection: connection.execute(text("UPDATE templates SET written = 7")))  # at once
    assert [len(batch) for batch in store.templates(MODEL, since=6)] == [4, 4, 2]
    assert len(written(store, 6)) == 10


def test_a_gallery_is_bound_to_one_model_when_asked(store: Store) -> None:
    assert store.model() is None
    store.require_model(MODEL)
    store.require_model(MODEL)
    assert store.model() == MODEL
    with pytest.raises(FingerprintMismatch):
        store.require_model(OTHER)
    with pytest.raises(FingerprintMismatch):
        store.add("Ada", voiceprint(1, model=OTHER))
    assert len(store.add("Ada", voiceprint(1)).voiceprints) == 1


def test_what_a_migration_prepares_does_not_count_and_goes_with_what_it_follows(store: Store) -> None:
    store.add("Ada", voiceprint(1))
    store.add("Ada", voiceprint(2, trace=b"trace", audio=b"fLaC"))

    def succeed(connection: Connection) -> None:
        owner = store.vault.find(connection, "Ada")
        assert owner is not None
        row = (
            connection.execute(select(VoiceprintRecord).order_by(VoiceprintRecord.id.desc()).limit(1)).mappings().one()
        )
        store.vault.succeed(connection, owner, row, embedding(7, model=OTHER))
        store.vault.renew(connection, owner, OTHER, datetime.now(UTC))

    store.database.write(succeed)
    person = store.person("Ada")
    assert [one.model for one in person.voiceprints] == [MODEL, MODEL]
    assert store.traces(person.id) == [b"trace"]
    assert len(store.export("Ada")["voiceprints"]) == 2
    np.testing.assert_array_equal(store.embeddings("Ada", OTHER)[0].vector, unit_vector(7))
    assert len(store.template_ids(OTHER)) == 1
    store.remove_last("Ada")
    assert [one.id for one in store.person("Ada").voiceprints] == [1]
    assert store.embeddings("Ada", OTHER) == []
    assert len(store.template_ids(OTHER)) == 0


def test_who_must_be_new_or_known_is(store: Store) -> None:
    with pytest.raises(UnknownPerson, match="nobody is enrolled as Ada"):
        store.add("Ada", voiceprint(1), expect="known")
    store.add("Ada", voiceprint(1), expect="new")
    with pytest.raises(GalleryError, match="ADA is enrolled already"):
        store.add("ADA", voiceprint(2), expect="new")
    assert len(store.add("ada", voiceprint(2), expect="known").voiceprints) == 2
    assert actions(store) == ["create", "enrol", "enrol"]


def test_a_check_sees_the_template_and_may_refuse(store: Store) -> None:
    seen: list[Template | None] = []

    def refuse(template: Template | None) -> None:
        seen.append(template)
        if template is not None:
            raise GalleryError("another voice")

    store.add("Ada", voiceprint(1), check=refuse)
    with pytest.raises(GalleryError, match="another voice"):
        store.add("Ada", voiceprint(2), check=refuse)
    first, second = seen
    assert first is None
    assert second is not None
    np.testing.assert_array_equal(second.vector, unit_vector(1))
    assert len(store.person("Ada").voiceprints) == 1
    assert store.counters() == (1, 0)
    assert_whole(store)


def test_what_contradicts_itself_is_refused(store: Store) -> None:
    store.add("Ada", voiceprint(1))
    opposite = Embedding(-unit_vector(1), MODEL, 3.5)
    with pytest.raises(GalleryError, match="contradict each other"):
        store.add("Ada", NewVoiceprint(opposite))
    with pytest.raises(GalleryError, match="would expire"):
        store.add("Ada", voiceprint(2, expires=datetime.now(UTC)))
    assert_whole(store)


@pytest.mark.parametrize("about", [{"channel": "a\0b"}, {"consent": "\ud800"}, {"channel": "x" * 1001}])
def test_notes_that_a_database_would_refuse_are_refused(about: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be a text of at most 1000 characters"):
        voiceprint(1, **about)


@pytest.mark.parametrize(
    "about", [{"snr_db": float("nan")}, {"clipped": float("inf")}, {"expires": datetime(2030, 1, 1)}]
)
def test_numbers_and_times_that_mean_nothing_are_refused(about: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"finite|time zone"):
        voiceprint(1, **about)


# Names

NAMES = [
    "Robert'); DROP TABLE people;--", "../../etc/passwd", "%", "_", "\\", "🧑‍🚀", "عائشة", "שלום abc", "\uff37ide",
    "a" * 200, "' OR 1=1", ":name", "NULL", "ﬁ", "İstanbul",
]  # fmt: skip


def test_names_are_only_text(store: Store) -> None:
    for seed, name in enumerate(NAMES):
        store.add(name, voiceprint(seed), expect="new")
    assert [person.name for person in store.people()] == NAMES
    for seed, name in enumerate(NAMES):
        np.testing.assert_array_equal(store.embeddings(name, MODEL)[0].vector, unit_vector(seed))
        assert [person.name for person in store.people(name)] == [name]  # nothing in it is a wildcard but * and ?
    store.rename(NAMES[0], "x'; DELETE FROM people;--")
    store.delete("x'; DELETE FROM people;--")
    assert [person.name for person in store.people()] == NAMES[1:]
    assert_whole(store)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 10_000, "a\u202eb", "\ud800", "\0"])
def test_names_that_are_none_are_refused_everywhere(name: str, path: Path) -> None:
    with Store.open(path, key=KEY) as store:
        store.add("Ada", voiceprint(1))
        with pytest.raises(GalleryError, match="name"):
            store.add(name, voiceprint(1))
        with pytest.raises(GalleryError, match="name"):
            store.rename("Ada", name)
        for question in (store.person, store.delete, store.export, store.remove_last):
            with pytest.raises(GalleryError):
                question(name)
        assert [person.name for person in store.people()] == ["Ada"]


def test_patterns_find_people(store: Store) -> None:
    for seed, name in enumerate(["Ada", "Adam", "Bob", "100%"]):
        store.add(name, voiceprint(seed))

    def found(pattern: str | None) -> list[str]:
        return [person.name for person in store.people(pattern)]

    assert found(None) == ["Ada", "Adam", "Bob", "100%"]
    assert found("AD") == ["Ada", "Adam"]
    assert found("ad?") == ["Ada"]
    assert found("*o*") == ["Bob"]
    assert found("%") == ["100%"]
    assert found("zed") == []


def test_who_is_not_there_is_told_with_who_is_near(store: Store) -> None:
    for seed, name in enumerate(["Ada Lovelace", "Grace Hopper", "Alan Turing"]):
        store.add(name, voiceprint(seed))
    with pytest.raises(UnknownPerson, match=r"nobody is enrolled as Ada Lovelac; did you mean Ada Lovelace\?$"):
        store.person("Ada Lovelac")
    with pytest.raises(UnknownPerson, match="nobody is enrolled as Zebedee; see: samevoice people list"):
        store.template("Zebedee", MODEL)


# Changing and removing


def test_rename_and_merge(store: Store) -> None:
    store.add("Ada", voiceprint(1, audio=b"one"))
    store.add("Bob", voiceprint(2, audio=b"two", trace=b"trace"))
    store.add("Bob", voiceprint(3, model=OTHER))
    assert store.rename("Ada", "ADA").name == "ADA"  # only written differently
    with pytest.raises(GalleryError, match="bob is enrolled already"):
        store.rename("ADA", "bob")
    with pytest.raises(GalleryError, match="one person already"):
        store.merge("ada", "ADA")
    gone = store.person("Bob").id
    merged = store.merge("Bob", "Ada")
    assert [one.id for one in merged.voiceprints] == [1, 2, 3]
    assert {one.person for one in merged.voiceprints} == {store.person("Ada").id}
    assert [person.name for person in store.people()] == ["ADA"]
    assert store.events("Ada")[-1].detail["source"] == gone
    told = store.export("Ada")["voiceprints"]
    assert [base64.b64decode(one["audio_flac"] or "") for one in told] == [b"one", b"two", b""]
    assert store.traces(merged.id) == [b"trace"]
    assert [one["vector"] for one in told] == [unit_vector(seed).tolist() for seed in (1, 2, 3)]
    assert store.template("Ada", OTHER) is not None
    template = store.template("Ada", MODEL)
    assert template is not None
    assert template.voiceprints == 2


def test_the_last_enrolment_is_rolled_back(store: Store) -> None:
    store.add("Ada", voiceprint(1))
    before = store.template("Ada", MODEL)
    store.add("Ada", voiceprint(2))
    person = store.remove_last("Ada")
    assert person is not None
    assert len(person.voiceprints) == 1
    after = store.template("Ada", MODEL)
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(after.vector, before.vector)
    assert store.remove_last("Ada") is None
    assert store.people() == []
    assert len(store.template_ids(MODEL)) == 0
    assert store.audit().events == 5


def test_what_has_expired_counts_no_more_and_is_purged(store: Store) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    store.add("Ada", voiceprint(1, expires=soon))
    store.add("Ada", voiceprint(2, expires=LATER))
    store.add("Bob", voiceprint(3, expires=soon))
    store.add("Eve", voiceprint(4))
    assert not store.has_expired()
    assert store.purge() == 0
    with time_machine.travel(soon + timedelta(seconds=1)):
        assert [one.vector.tolist() for one in store.embeddings("Ada", MODEL)] == [unit_vector(2).tolist()]
        assert store.has_expired()
        assert store.purge() == 2
        assert not store.has_expired()
        assert [person.name for person in store.people()] == ["Ada", "Eve"]
        template = store.template("Ada", MODEL)
        assert template is not None
        np.testing.assert_allclose(template.vector, unit_vector(2), atol=1e-7)
        assert_whole(store)
        assert store.purge(before=LATER + timedelta(days=1)) == 1
        assert [person.name for person in store.people()] == ["Eve"]
        assert actions(store)[-3:] == ["purge"] * 3


def test_an_export_is_everything_as_plain_json(store: Store) -> None:
    store.add("Ada", voiceprint(1, consent="research", audio=b"fLaC", expires=LATER, trace=b"trace"))
    told = json.loads(json.dumps(store.export("ada"), allow_nan=False))
    assert told["name"] == "Ada"
    assert [base64.b64decode(trace) for trace in told["traces"]] == [b"trace"]
    [one] = told["voiceprints"]
    assert one["vector"] == unit_vector(1).tolist()
    assert base64.b64decode(one["audio_flac"]) == b"fLaC"
    assert (one["consent"], datetime.fromisoformat(one["expires"])) == ("research", LATER)
    assert [event["action"] for event in told["events"]] == ["enrol", "export"]


def change(store: Store, step: str, name: str, other: str) -> None:
    match step:
        case "rename":
            store.rename(name, other)
        case "merge":
            store.merge(name, other)
        case "roll back":
            store.remove_last(name)
        case "delete":
            store.delete(name)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "rename", "merge", "roll back", "delete"]),
        st.sampled_from("ABC"),
        st.sampled_from("ABC"),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_order_of_changes_does_what_a_dictionary_does(steps: list[tuple[str, str, str]], path: Path) -> None:
    path = path.with_name(f"{time.monotonic_ns()}.db")
    known: dict[str, list[int]] = {}
    with Store.open(path, key=KEY) as store:
        for seed, (step, name, other) in enumerate(steps):
            if step == "add":
                store.add(name, voiceprint(seed))
                known.setdefault(name, []).append(seed)
            elif name not in known or (step == "merge" and other not in known):
                with pytest.raises(UnknownPerson):
                    change(store, step, name, other)
            elif step == "rename" and (other == name or other not in known):
                change(store, step, name, other)
                known[other] = known.pop(name)
            elif step == "merge" and other != name:
                change(store, step, name, other)
                known[other] = sorted(known[other] + known.pop(name))
            elif step == "roll back":
                change(store, step, name, other)
                known[name].pop()
                known = {one: seeds for one, seeds in known.items() if seeds}
            elif step == "delete":
                change(store, step, name, other)
                del known[name]
        assert {person.name for person in store.people()} == set(known)
        for name, seeds in known.items():
            enrolled = [one.vector.tolist() for one in store.embeddings(name, MODEL)]
            assert enrolled == [unit_vector(seed).tolist() for seed in seeds]
        assert_whole(store)


# Nothing stays behind


def secrets_of(store: Store, name: str) -> dict[str, bytes]:
    """All bytes that would betray a person, as they lie in the tables."""
    person = store.database.read(
        lambda connection: connection.execute(
            select(PersonRecord.id, PersonRecord.name, PersonRecord.data_key).where(
                PersonRecord.name_key == name_key(name)
            )
        ).one()
    )
    found = {"name": person.name.encode(), "name key": name_key(name).encode(), "data key": person.data_key}
    for table, number in (
        (VoiceprintRecord, VoiceprintRecord.person_id), (TemplateRecord, TemplateRecord.person_id)
    ):  # fmt: skip
        rows = store.database.read(
            lambda connection, table=table, number=number: connection.execute(  # type: ignore[misc]
                select(table.sealed).where(number == person.id)
            ).scalars().all()
        )  # fmt: skip
        found.update({f"{table.__tablename__} {index}": sealed for index, sealed in enumerate(rows)})
    sounds = store.database.read(
        lambda connection: connection.execute(
            text(
                "SELECT recordings.sealed FROM recordings JOIN voiceprints ON id = voiceprint_id WHERE person_id = :id"
            ),
            {"id": person.id},
        ).scalars().all()
    )  # fmt: skip
    for sealed in sounds:  # which does not lie in one piece
        found.update({"sound's beginning": sealed[100:300], "sound's end": sealed[-200:]})
    return found


def named(seed: int) -> str:
    """A name that nothing else in a file looks like."""
    return f"Ž{np.random.default_rng(seed).bytes(3 + seed % 20).hex()}"


def test_after_delete_neither_bytes_nor_key_nor_name_are_in_the_files(path: Path) -> None:
    with Store.open(path, key=KEY) as store:
        for seed in range(60):
            store.add(named(seed), voiceprint(seed, audio=bytes(5000) if seed % 3 else None))
            store.add(named(seed // 2), voiceprint(1000 + seed))
        gone = {seed: secrets_of(store, named(seed)) for seed in range(0, 60, 2)}
        kept = {seed: secrets_of(store, named(seed)) for seed in range(1, 60, 2)}
        before = raw_bytes(path)
        for found in (*gone.values(), *kept.values()):
            assert len(found) >= 5
            assert [what for what, content in found.items() if content not in before] == []
        for seed in gone:
            store.delete(named(seed))
        after = raw_bytes(path)  # while the gallery is still open
        assert [(seed, what) for seed, found in gone.items() for what, one in found.items() if one in after] == []
        assert [(seed, what) for seed, found in kept.items() for what, one in found.items() if one not in after] == []
        assert_whole(store)
    after = raw_bytes(path)
    assert [(seed, what) for seed, found in gone.items() for what, one in found.items() if one in after] == []


def test_what_is_renamed_rolled_back_merged_or_purged_is_not_in_the_files(path: Path) -> None:
    with Store.open(path, key=KEY) as store:
        for seed in range(4):
            store.add(named(seed), voiceprint(seed))
        store.add(named(1), voiceprint(11))
        store.add(named(3), voiceprint(13, expires=datetime.now(UTC) + timedelta(seconds=60)))
        old = [secrets_of(store, named(seed)) for seed in range(4)]
        last = {"voiceprints 1", "templates 0"}
        gone = [
            *(old[0][what] for what in ("name", "name key")),
            *(old[1][what] for what in last),
            *old[2].values(),
            *(old[3][what] for what in last),
        ]
        assert all(one in raw_bytes(path) for one in gone)
        store.rename(named(0), "somebody")
        store.remove_last(named(1))
        store.merge(named(2), "somebody")
        assert store.purge(before=datetime.now(UTC) + timedelta(seconds=90)) == 1
        assert not any(one in raw_bytes(path) for one in gone)
        assert_whole(store)


def test_a_reader_who_stays_too_long_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samevoice.gallery.database.PATIENCE", 0.6)
    with Store.open(path, key=KEY) as store, Store.open(path, key=KEY) as other:
        store.add("Ada", voiceprint(1))

        def read(connection: Connection) -> None:
            connection.execute(select(PersonRecord.name)).all()
            with pytest.raises(GalleryError, match="the log still holds the old bytes because another process"):
                store.delete("Ada")
            assert store.people() == []

        other.database.read(read)
        assert store.purge() == 0  # as the message says
        assert b"Ada" not in raw_bytes(path)


# Keys


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


# Events


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
