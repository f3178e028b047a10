"""People, voiceprints and templates: what goes in comes out, and what is removed is gone."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import time_machine
from gallerymakers import KEY, MODEL, assert_whole, embedding, unit_vector, voiceprint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text

from samevoice.errors import ConfigError, FingerprintMismatch, GalleryError, UnknownPerson
from samevoice.gallery.records import VoiceprintRecord
from samevoice.gallery.store import Store
from samevoice.gallery.voiceprints import NewVoiceprint, Template
from samevoice.models.embedding import Embedding

OTHER = "toy/2"
LATER = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture
def store(either_store: Store) -> Store:
    return either_store


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
