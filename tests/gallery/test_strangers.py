"""Strangers: a stable name from the first recording on, templates that grow under guard, and an end to all of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from gallerymakers import KEY, raw_bytes, unit_vector
from hearingmakers import enrolled, said, source, voices
from sqlalchemy import text

import samevoice as sv
from samevoice.embedder import Model
from samevoice.errors import GalleryError, UnknownPerson
from samevoice.gallery import hearing
from samevoice.gallery.crypto import packed
from samevoice.gallery.hearing import Voice
from samevoice.gallery.history import Spoken
from samevoice.gallery.names import stranger_name, stranger_number
from samevoice.gallery.remembering import MOST_VOICEPRINTS
from samevoice.gallery.updating import update_bar
from samevoice.models.embedding import Embedding
from samevoice.verification import calibration_of

ENROLLED = 3


@pytest.fixture(scope="module")
def model() -> Model:
    return sv.load_model("campplus", threads=1)


@pytest.fixture(scope="module")
def name(model: Model) -> str:
    return model.card.fingerprint


@pytest.fixture(params=["path", "postgres_url"])
def place(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def gallery(place: str, model: Model) -> Iterator[sv.Gallery]:
    """Persons 0 to 2 are enrolled; in a file, and on a server."""
    with sv.Gallery(place, model=model, key=KEY) as opened:
        opened.store.require_model(model.card.fingerprint)
        for person in range(ENROLLED):
            opened.store.add(f"person {person}", enrolled(model.card.fingerprint, person))
        yield opened


@pytest.fixture
def filed(path: Path, model: Model) -> Iterator[sv.Gallery]:
    """An empty gallery in a file."""
    with sv.Gallery(path, model=model, key=KEY) as opened:
        yield opened


def names(found: hearing.Remembered) -> list[str | None]:
    return [one.name for one in found.voices]


def actions(gallery: sv.Gallery, person: str | None = None) -> list[str]:
    return [event.action for event in gallery.events(person)]


# Names that stay


def test_strangers_keep_their_names_from_recording_to_recording(gallery: sv.Gallery, name: str) -> None:
    first = gallery.remember(source("one"), voices(name, [100, 1, 101], take=1))
    assert [(one.name, one.known) for one in first.voices] == [
        ("unknown-1", "new"), ("person 1", "enrolled"), ("unknown-2", "new"),
    ]  # fmt: skip
    second = gallery.remember(source("two"), voices(name, [102, 101, 100, 2], take=2))
    assert [(one.name, one.known) for one in second.voices] == [
        ("unknown-3", "new"), ("unknown-2", "stranger"), ("unknown-1", "stranger"), ("person 2", "enrolled"),
    ]  # fmt: skip
    assert [one.person for one in second.voices][1:3] == [first.voices[2].person, first.voices[0].person]
    assert [(one.name, one.stranger) for one in gallery.people()][ENROLLED:] == [
        ("unknown-1", 1), ("unknown-2", 2), ("unknown-3", 3),
    ]  # fmt: skip
    assert gallery.audit().broken is None


def test_the_names_do_not_depend_on_who_has_the_gallery_open(gallery: sv.Gallery, place: str, model: Model) -> None:
    name = model.card.fingerprint
    with sv.Gallery(place, model=model, key=KEY) as other:
        other.recognise([said(name, 100)])  # which opens its indexes
        gallery.remember(source("one"), voices(name, [100], take=1))
        assert names(other.remember(source("two"), voices(name, [100, 101], take=2))) == ["unknown-1", "unknown-2"]
        assert names(gallery.remember(source("three"), voices(name, [101], take=3))) == ["unknown-2"]


def test_the_order_of_recordings_does_not_change_who_is_who(model: Model, tmp_path: Path) -> None:
    name = model.card.fingerprint
    takes = [(1, (100, 101, 0)), (2, (101, 102)), (3, (102, 103, 100)), (4, (104, 0, 101))]
    parts = []
    for folder, order in (("a", takes), ("b", takes[::-1])):
        (tmp_path / folder).mkdir()
        with sv.Gallery(tmp_path / folder / "voices.db", model=model, key=KEY) as gallery:
            groups: dict[str | None, set[tuple[int, int]]] = {}
            for take, people in order:
                found = gallery.remember(source(str(take)), voices(name, people, take))
                for person, one in zip(people, names(found), strict=True):
                    groups.setdefault(one, set()).add((take, person))
            parts.append({frozenset(group) for group in groups.values()})
    assert parts[0] == parts[1]
    assert len(parts[0]) == 6


def test_a_number_is_never_given_again(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source(), voices(name, [100, 101], take=1))
    gallery.delete("unknown-2")
    gallery.rename("unknown-1", "Grace")
    assert names(gallery.remember(source(), voices(name, [102], take=1))) == ["unknown-3"]


def test_a_number_that_somebody_bears_already_is_left_out(filed: sv.Gallery, name: str) -> None:
    """As galleries from before there were strangers may have it."""
    filed.store.add("placeholder", enrolled(name, 1))
    owner = filed.store.person("placeholder")
    filed.store.database.write(
        lambda connection: filed.store.vault.rename(connection, filed.store.vault.owner(connection, 1), "Unknown-1")
    )
    found = filed.remember(source(), voices(name, [100, 1], take=1))
    assert names(found) == ["unknown-2", "Unknown-1"]
    assert found.voices[1].person == owner.id


@pytest.mark.parametrize("taken", ["unknown-7", "UNKNOWN-7", "unknown-1"])
def test_names_of_strangers_are_nobody_elses(filed: sv.Gallery, name: str, taken: str) -> None:
    filed.store.add("Ada", enrolled(name, 1))
    attempts: list[Callable[[], object]] = [
        lambda: filed.store.add(taken, enrolled(name, 2)),
        lambda: filed.rename("Ada", taken),
    ]
    for attempt in attempts:
        with pytest.raises(GalleryError, match="a name that the gallery itself gives to strangers"):
            attempt()


def test_a_stranger_may_have_the_own_number_back(filed: sv.Gallery, name: str) -> None:
    filed.remember(source(), voices(name, [100], take=1))
    filed.rename("unknown-1", "Grace")
    assert filed.rename("Grace", "unknown-1").name == "unknown-1"


@pytest.mark.parametrize(("written", "number"), [
    ("unknown-17", 17), ("Unknown-17", 17), ("unknown-0", None), ("unknown-017", None), ("unknown-", None),
    ("unknown 17", None), ("an unknown-17", None),
])  # fmt: skip
def test_what_is_a_strangers_name(written: str, number: int | None) -> None:
    assert stranger_number(written) == number
    assert number is None or stranger_name(number) == written.lower()


# Who is not remembered


def test_voices_of_one_recording_never_become_one_new_stranger(gallery: sv.Gallery, name: str) -> None:
    assert names(gallery.remember(source(), voices(name, [100, 100], take=1))) == ["unknown-1", "unknown-2"]


def test_a_person_who_became_two_strangers_is_still_known_as_one_of_them(gallery: sv.Gallery, name: str) -> None:
    first = Voice(said(name, 100, 1), [Spoken(0, 5)])
    gallery.remember(source(), [first, Voice(said(name, 100, 2), [Spoken(5, 9)])])
    [again] = gallery.remember(source(), voices(name, [100], take=3)).voices
    assert again.known == "stranger"
    assert again.name in {"unknown-1", "unknown-2"}
    assert again.identification.verdict == "unsure"  # between the two


def test_voices_of_one_recording_may_be_one_person_known(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source("one"), voices(name, [100], take=1))
    twice = [*voices(name, [100, 0], take=2), *voices(name, [0, 100], take=3)]
    found = gallery.remember(source("two"), twice)
    assert names(found) == ["unknown-1", "person 0", "person 0", "unknown-1"]
    assert set(gallery.recording(found.recording).people) == {"unknown-1", "person 0"}


def test_a_voice_with_too_little_speech_gets_no_name_and_leaves_nothing(gallery: sv.Gallery, name: str) -> None:
    found = gallery.remember(source(), voices(name, [100], take=1, seconds=1.4))
    assert [(one.name, one.known, one.person) for one in found.voices] == [(None, "too short", None)]
    assert len(gallery.people()) == ENROLLED
    assert gallery.recording(found.recording).turns == ()


def test_an_unsure_voice_leaves_nothing(gallery: sv.Gallery, name: str) -> None:
    voice = Voice(said(name, 1, alike=0.52), [Spoken(0, 9)])
    [found] = gallery.remember(source(), [voice]).voices
    assert (found.name, found.known) == (None, "unsure")
    assert len(gallery.people()) == ENROLLED


# Templates


def test_people_enrolled_get_no_voiceprint_from_recordings(gallery: sv.Gallery, name: str) -> None:
    before = gallery.store.template("person 1", name)
    gallery.remember(source(), voices(name, [1], take=1))
    after = gallery.store.template("person 1", name)
    assert before is not None
    assert after is not None
    assert (after.voiceprints, after.vector.tobytes()) == (1, before.vector.tobytes())
    assert actions(gallery, "person 1") == ["enrol", "hear"]


def test_a_strangers_template_is_the_mean_of_what_was_heard(gallery: sv.Gallery, name: str) -> None:
    for take in (1, 2, 3):
        gallery.remember(source(str(take)), voices(name, [100], take))
    template = gallery.store.template("unknown-1", name)
    assert template is not None
    mean = np.sum([said(name, 100, take).vector.astype(np.float64) for take in (1, 2, 3)], axis=0)
    np.testing.assert_allclose(template.vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert (template.voiceprints, template.seconds, template.stranger) == (3, 60.0, 1)


def test_a_voice_that_is_known_but_not_surely_enough_changes_no_template(
    gallery: sv.Gallery, model: Model, name: str
) -> None:
    calibration = calibration_of(model)
    assert calibration is not None
    gallery.remember(source("one"), voices(name, [100], take=1))
    bar = update_bar(calibration, 20.0)
    accepted = gallery.recognise([said(name, 100, 1)])[0].identification.threshold
    assert accepted is not None
    assert accepted < bar - 0.02
    for cosine, voiceprints in ((bar - 0.01, 1), (bar + 0.01, 2)):
        found = gallery.remember(source("other"), [Voice(turned(name, cosine), [Spoken(0, 9)])])
        assert names(found) == ["unknown-1"]
        assert len(gallery.person("unknown-1").voiceprints) == voiceprints


def turned(name: str, cosine: float) -> Embedding:
    """A voice with a given cosine to the first utterance of person 100."""
    base = said(name, 100, 1).vector.astype(np.float64)
    aside = unit_vector(5_000).astype(np.float64)
    aside -= (aside @ base) * base
    vector = cosine * base + np.sqrt(1 - cosine**2) * aside / np.linalg.norm(aside)
    return Embedding((vector / np.linalg.norm(vector)).astype(np.float32), name, 20.0)


def test_short_speech_changes_no_template(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source(), voices(name, [100], take=1))
    assert names(gallery.remember(source(), voices(name, [100], take=2, seconds=3.0))) == ["unknown-1"]
    assert len(gallery.person("unknown-1").voiceprints) == 1


def test_a_template_stops_growing(filed: sv.Gallery, name: str) -> None:
    for take in range(MOST_VOICEPRINTS + 2):
        filed.remember(source(str(take)), voices(name, [100], take))
    assert len(filed.person("unknown-1").voiceprints) == MOST_VOICEPRINTS
    assert len(filed.recordings("unknown-1")) == MOST_VOICEPRINTS + 2


# From stranger to person


def test_to_enrol_a_stranger_keeps_the_history_and_drops_what_was_heard(gallery: sv.Gallery, name: str) -> None:
    found = gallery.remember(source(), voices(name, [100], take=1))
    gallery.rename("unknown-1", "Grace")
    assert gallery.person("Grace").stranger == 1
    person = gallery.store.add("Grace", enrolled(name, 100))
    assert (person.id, person.stranger, len(person.voiceprints)) == (found.voices[0].person, None, 1)
    template = gallery.store.template("Grace", name)
    assert template is not None
    assert (template.stranger, template.seconds) == (None, 20.0)
    assert gallery.recording(found.recording).people == ("Grace",)
    assert [one.known for one in gallery.recognise([said(name, 100, 5)])] == ["enrolled"]
    assert gallery.events("Grace")[-1].detail["stranger"] == 1
    assert len(gallery.store.template_ids(name)) == ENROLLED + 1
    assert len(gallery.store.template_ids(name, strangers=True)) == 0


def test_whoever_changes_the_database_makes_no_stranger_an_enrolled_person(filed: sv.Gallery, name: str) -> None:
    filed.remember(source(), voices(name, [100], take=1))
    filed.store.database.write(lambda connection: connection.execute(text("UPDATE people SET stranger = NULL")))
    with pytest.raises(GalleryError, match="does not open"):
        filed.store.template("unknown-1", name)
    with pytest.raises(GalleryError, match="does not open"):
        filed.recognise([said(name, 100, 2)])


def test_merging_strangers_joins_their_templates(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source(), voices(name, [100, 100], take=1))
    person = gallery.merge("unknown-2", "unknown-1")
    assert (person.name, person.stranger, len(person.voiceprints)) == ("unknown-1", 1, 2)


def test_merging_a_stranger_into_somebody_enrolled_changes_no_login(gallery: sv.Gallery, name: str) -> None:
    heard = gallery.remember(source(), voices(name, [100, 1], take=1)).recording
    before = gallery.store.template("person 1", name)
    with pytest.raises(GalleryError, match="not merged"):
        gallery.merge("unknown-1", "person 1")
    gallery.merge("unknown-1", "person 1", force=True)
    after = gallery.store.template("person 1", name)
    assert before is not None
    assert after is not None
    assert after.vector.tobytes() == before.vector.tobytes()
    assert gallery.recording(heard).people == ("person 1",)
    assert [(one.start, one.name) for one in gallery.recording(heard).turns] == [(0, "person 1"), (10, "person 1")]
    with pytest.raises(UnknownPerson):
        gallery.person("unknown-1")


def test_nobody_enrolled_becomes_part_of_a_stranger(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source(), voices(name, [100], take=1))
    with pytest.raises(GalleryError, match="merge the other way round, into person 1"):
        gallery.merge("person 1", "unknown-1", force=True)


def test_undo_takes_back_what_was_heard_last(gallery: sv.Gallery, name: str) -> None:
    for take in (1, 2):
        gallery.remember(source(str(take)), voices(name, [100], take))
    person = gallery.undo("unknown-1")
    assert person is not None
    assert len(person.voiceprints) == 1
    assert gallery.undo("unknown-1") is None
    assert gallery.recording(1).turns == ()


# An end to all of it


def test_deleting_a_stranger_leaves_nothing_in_the_file(filed: sv.Gallery, path: Path, name: str) -> None:
    filed.remember(source(), voices(name, [100, 101], take=1))
    filed.rename("unknown-1", "Grace Hopper")
    with sqlite3.connect(path) as connection:
        sealed = [row[0] for row in connection.execute(
            "SELECT sealed FROM turns WHERE person_id = 1 UNION SELECT sealed FROM voiceprints WHERE person_id = 1"
        )]  # fmt: skip
    connection.close()
    assert len(sealed) == 2
    filed.delete("Grace Hopper")
    left = raw_bytes(path)
    for gone in (*sealed, b"Grace", packed(said(name, 100, 1).vector)):
        assert gone not in left
    assert filed.recording(1).people == ("unknown-2",)
    assert [one.known for one in filed.recognise([said(name, 100, 2)])] == ["new"]
    assert filed.audit().broken is None


def test_strangers_expire_with_their_history(gallery: sv.Gallery, name: str) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    gallery.remember(source("one"), voices(name, [100, 1], take=1), expires=soon)
    gallery.remember(source("two"), voices(name, [101], take=1))
    assert gallery.purge(soon + timedelta(seconds=1)) == 1
    assert [one.name for one in gallery.people()][ENROLLED:] == ["unknown-2"]
    assert gallery.recording(1).people == ("person 1",)
    assert [one.known for one in gallery.recognise([said(name, 100, 2), said(name, 101, 2)])] == ["new", "stranger"]


def test_a_past_expiry_is_refused_and_changes_nothing(gallery: sv.Gallery, name: str) -> None:
    before = gallery.store.moment()
    with pytest.raises(GalleryError, match="which is past"):
        gallery.remember(source(), voices(name, [100], take=1), expires=datetime.now(UTC) - timedelta(days=1))
    assert gallery.store.moment() == before


def test_export_tells_a_stranger_everything(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source("the meeting", digest="ab"), voices(name, [100, 1], take=1))
    told = gallery.export("unknown-1")
    assert told["stranger"] == 1
    assert told["voiceprints"][0]["vector"] == said(name, 100, 1).vector.tolist()
    [recording] = told["recordings"]
    assert recording["turns"] == [{"start": 0.0, "end": 9.5, "confidence": 0.9}]
    assert (recording["label"], recording["digest"]) == ("the meeting", "ab" * 32)
    assert "person 1" not in str(told)  # who else was there is not theirs to take
    assert [event["action"] for event in told["events"]] == ["hear", "export"]


def test_a_new_model_knows_no_stranger_but_keeps_the_history(filed: sv.Gallery, name: str) -> None:
    filed.remember(source(), voices(name, [100], take=1))
    filed.migrate(sv.load_model("ge2e", threads=1))
    assert filed.store.size().again == 0
    assert filed.recording(1).people == ("unknown-1",)
    assert len(filed.store.template_ids(filed.model.card.fingerprint, strangers=True)) == 0


def test_an_index_of_strangers_at_rest_forgets_too(
    filed: sv.Gallery, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samevoice.gallery import search

    monkeypatch.setattr(search, "LIMIT", 3)
    filed.remember(source(), voices(name, range(100, 106), take=1))
    assert [one.name for one in filed.recognise([said(name, 103, 2)])] == ["unknown-4"]
    files = [one for one in filed.store.near.parent.iterdir() if one.name.endswith(".index")]
    assert len(files) == 1
    before = files[0].read_bytes()
    filed.delete("unknown-4")
    assert files[0].read_bytes() != before
    assert [one.known for one in filed.recognise([said(name, 103, 2)])] == ["new"]
