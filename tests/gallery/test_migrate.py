"""Another model for a gallery, with real models: with sound and without, killed, and while others work with it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallerymakers import KEY, raw_bytes, start

import samevoice as sv
from samevoice.embedder import Model
from samevoice.errors import AudioError, FingerprintMismatch, GalleryError, ModelError
from samevoice.gallery import migrate as migrating
from samevoice.gallery.migrate import Migration
from samevoice.gallery.store import Store
from samevoice.scoring.cosine import cosine

SAMPLES = Path(__file__).parents[2] / "samples"
ADA, ADA_AGAIN = SAMPLES / "sample_1a.mp3", SAMPLES / "sample_1b.mp3"
PHILIPPE, PHILIPPE_LONGER = SAMPLES / "philippe_2.flac", SAMPLES / "philippe_1.flac"
READER, STRANGER = SAMPLES / "librispeech_1255_a.flac", SAMPLES / "sample_2.mp3"


@pytest.fixture(scope="module")
def old() -> Model:
    return sv.load_model("campplus", threads=1)


@pytest.fixture(scope="module")
def new() -> Model:
    return sv.load_model("ge2e", threads=1)


def enrol_all(gallery: sv.Gallery) -> None:
    """Ada without her sound, the reader with it, Philippe with the sound of the second of two recordings only."""
    gallery.enrol("Ada", ADA)
    gallery.enrol("Reader", READER, keep_audio=True, consent="asked", channel="studio")
    gallery.enrol("Philippe", PHILIPPE)
    gallery.enrol("Philippe", PHILIPPE_LONGER, keep_audio=True)


@pytest.fixture(scope="module")
def enrolled(old: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed gallery of three people."""
    path = tmp_path_factory.mktemp("enrolled") / "voices.db"
    with sv.Gallery(path, model=old, key=KEY) as gallery:
        enrol_all(gallery)
    return path


@pytest.fixture
def place(enrolled: Path, path: Path) -> Path:
    """A copy of it."""
    shutil.copy(enrolled, path)
    return path


@pytest.fixture
def gallery(place: Path, old: Model) -> Iterator[sv.Gallery]:
    with sv.Gallery(place, model=old, key=KEY) as opened:
        yield opened


def state(store: Store) -> dict[str, Any]:
    """Who is enrolled with what: people, and for both models vectors and templates to five digits."""
    found: dict[str, Any] = {}
    for person in store.people():
        models = {one.model for one in person.voiceprints}
        vectors = {
            model: [np.round(one.vector, 5).tolist() for one in store.embeddings(person.name, model)]
            for model in models
        }
        template = store.template(person.name, store.model() or "")
        mean = None if template is None else np.round(template.vector, 5).tolist()
        found[person.name] = (person.to_json(), vectors, mean)
    return found


@pytest.fixture(scope="module")
def migrated(enrolled: Path, old: Model, new: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the gallery is after a migration in one go."""
    path = tmp_path_factory.mktemp("migrated") / "voices.db"
    shutil.copy(enrolled, path)
    with sv.Gallery(path, model=old, key=KEY) as gallery:
        gallery.migrate(new)
        return state(gallery.store)


def successors(path: Path) -> int:
    """How many voiceprints of an unfinished migration there are."""
    connection = sqlite3.connect(path)
    try:
        found: int = connection.execute("SELECT count(*) FROM voiceprints WHERE predecessor IS NOT NULL").fetchone()[0]
    finally:
        connection.close()
    return found


class Stop(Exception):
    """Raised in the middle."""


def stop_after(steps: int) -> Callable[[float], None]:
    """Progress that ends in an exception after so many steps."""
    told: list[float] = []

    def tell(done: float) -> None:
        told.append(done)
        if len(told) == steps:
            raise Stop

    return tell


def check_migrated(gallery: sv.Gallery, new: Model, before: dict[str, Any]) -> None:
    """What must be true of the gallery of `enrol_all` with its new model."""
    fingerprint = new.card.fingerprint
    assert gallery.store.model() == gallery.model.card.fingerprint == fingerprint
    people = {person.name: person for person in gallery.people()}
    assert {name: person.needs_enrolment for name, person in people.items()} == {
        "Ada": True,
        "Reader": False,
        "Philippe": False,
    }
    for name, person in people.items():
        told, (was, _, _) = person.to_json(), before[name]
        for one, other in zip(told["voiceprints"], was["voiceprints"], strict=True):
            changed = {key for key in one if one[key] != other[key]}
            assert changed <= {"model", "seconds", "needs_audio"}, "number, consent, times and order stay"
            assert one["needs_audio"] == (not one["kept_audio"]) == (one["model"] != fingerprint)
    for name, recording in (("Reader", READER), ("Philippe", PHILIPPE_LONGER)):
        template = gallery.store.template(name, fingerprint)
        assert template is not None
        assert float(template.vector @ new.embed(recording).vector) > 0.999
        assert gallery.verify(name, recording).verdict == "same"
    assert [one.name for one in gallery.identify(READER).candidates] == ["Reader", "Philippe"]
    with pytest.raises(GalleryError, match="enrol"):
        gallery.verify("Ada", ADA)
    assert gallery.audit().broken is None
    assert [event.detail for event in gallery.events() if event.action == "migrate"] == [
        {"old": before["Ada"][0]["voiceprints"][0]["model"], "new": fingerprint, "embedded": 2, "again": 1}
    ]


def test_sound_is_embedded_anew_and_who_left_none_is_to_be_enrolled_again(gallery: sv.Gallery, new: Model) -> None:
    before, told = state(gallery.store), list[float]()
    found = gallery.migrate(new, progress=told.append)
    assert (found.model, found.embedded, found.again) == (new.card.fingerprint, 2, 1)
    assert told == [0.5, 1.0]
    check_migrated(gallery, new, before)


@pytest.mark.slow
def test_on_a_server_it_is_the_same(postgres_url: str, old: Model, new: Model) -> None:
    with sv.Gallery(postgres_url, model=old, key=KEY) as gallery:
        enrol_all(gallery)
        before = state(gallery.store)
        with pytest.raises(Stop):
            gallery.migrate(new, progress=stop_after(1))
        assert gallery.verify("Ada", ADA).verdict == "same"
        gallery.migrate(new)
        check_migrated(gallery, new, before)
        gallery.migrate(old)
        assert {name: vectors for name, (_, vectors, _) in state(gallery.store).items()}.keys() == before.keys()
        assert gallery.verify("Ada", ADA).verdict == "same"


def test_nothing_of_the_old_model_is_left_behind(gallery: sv.Gallery, place: Path, old: Model, new: Model) -> None:
    connection = sqlite3.connect(place)
    sealed = dict(connection.execute("SELECT id, sealed FROM voiceprints").fetchall())
    templates = [row[0] for row in connection.execute("SELECT sealed FROM templates").fetchall()]
    connection.close()
    gallery.migrate(new)
    left = raw_bytes(place)
    gone = [one.id for person in gallery.people() for one in person.voiceprints if one.kept_audio]
    assert len(gone) == 2
    assert not any(sealed[number] in left for number in gone)
    assert not any(template in left for template in templates)
    assert len(gallery.store.template_ids(old.card.fingerprint)) == 0
    assert successors(place) == 0


def test_a_second_time_and_an_empty_gallery_are_nothing_to_do(
    gallery: sv.Gallery, new: Model, tmp_path: Path, old: Model
) -> None:
    gallery.migrate(new)
    before = state(gallery.store)
    again = gallery.migrate(new)
    assert (again.embedded, again.again) == (0, 1)
    assert state(gallery.store) == before
    assert [event.action for event in gallery.events()].count("migrate") == 1
    with sv.Gallery(tmp_path / "empty.db", model=old, key=KEY) as empty:
        assert empty.migrate(new).embedded == 0
        assert empty.enrol("Ada", ADA).person.voiceprints[0].model == new.card.fingerprint


def test_other_processes_can_tell_that_templates_are_gone(tmp_path: Path, old: Model, new: Model) -> None:
    with sv.Gallery(tmp_path / "one.db", model=old, key=KEY) as gallery:
        gallery.enrol("Ada", ADA)
        before = gallery.store.counters()
        gallery.migrate(new)
        assert all(after > count for after, count in zip(gallery.store.counters(), before, strict=True))


# Interrupted.


@pytest.mark.parametrize("steps", [1, 2])
def test_stopped_by_an_error_it_goes_on(
    gallery: sv.Gallery, place: Path, new: Model, migrated: dict[str, Any], steps: int
) -> None:
    with pytest.raises(Stop):
        gallery.migrate(new, progress=stop_after(steps))
    assert successors(place) == steps
    assert gallery.identify(ADA_AGAIN).name == "Ada", "the old model until it is done"
    assert gallery.migrate(new).embedded == 2
    assert_same(state(gallery.store), migrated)


# Says what is done, and waits in the middle to be killed there.
KILLED = """
    import sys, time
    import samevoice as sv
    from gallerymakers import KEY
    def tell(done):
        print(done, flush=True)
        if done >= float(sys.argv[2]):
            time.sleep(60)
    with sv.Gallery(sys.argv[1], key=KEY, threads=1) as gallery:
        gallery.migrate(sv.load_model("ge2e", threads=1), progress=tell)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal here")
def test_killed_it_goes_on(place: Path, old: Model, new: Model, migrated: dict[str, Any]) -> None:
    for step in (0.5, 1.0):
        process = start(KILLED, place, step)
        assert process.stdout is not None
        assert float(process.stdout.readline()) == step, process.communicate()[1]
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert successors(place) == 2
    with sv.Gallery(place, key=KEY, threads=1) as gallery:
        assert gallery.model.card.fingerprint == old.card.fingerprint
        assert gallery.identify(ADA_AGAIN).name == "Ada"
        gallery.migrate(new)
        assert_same(state(gallery.store), migrated)
        assert gallery.audit().broken is None


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two galleries are the same but for the last digits."""
    assert one.keys() == other.keys()
    for name, (person, vectors, mean) in one.items():
        assert person == other[name][0]
        assert vectors.keys() == other[name][1].keys()
        for model in vectors:
            np.testing.assert_allclose(vectors[model], other[name][1][model], atol=2e-5)
        assert (mean is None) == (other[name][2] is None)
        if mean is not None:
            np.testing.assert_allclose(mean, other[name][2], atol=2e-5)


def test_a_model_that_fails_stops_it_and_nobody_is_marked(
    gallery: sv.Gallery, new: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(gallery.store)

    def fail(*_: Any, **__: Any) -> None:
        raise ModelError("the network fails")

    monkeypatch.setattr(type(new), "embed", fail)
    with pytest.raises(ModelError):
        gallery.migrate(new)
    monkeypatch.undo()
    assert state(gallery.store) == before
    assert gallery.identify(ADA_AGAIN).name == "Ada"


def test_sound_that_will_not_do_is_left_and_its_owner_is_marked(
    gallery: sv.Gallery, new: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed, reader = type(new).embed, gallery.person("Reader").voiceprints[0].id

    def picky(model: Model, audio: Any, *, name: str | None = None) -> sv.Embedding:
        if name and name.endswith(f" {reader}"):
            raise AudioError(f"{name}: cannot be decoded")
        return embed(model, audio, name=name)

    monkeypatch.setattr(type(new), "embed", picky)
    found = gallery.migrate(new)
    monkeypatch.undo()
    assert (found.embedded, found.again) == (1, 2)
    assert gallery.person("Reader").needs_enrolment
    assert gallery.person("Reader").voiceprints[0].kept_audio, "another model may take it"


# Others work with it meanwhile.


def during(gallery: sv.Gallery, new: Model, act: Callable[[], object], step: float = 0.5) -> Migration:
    """Do something in the middle of a migration."""
    to_do = [act]

    def tell(done: float) -> None:
        if done == step and to_do:
            to_do.pop()()

    return gallery.migrate(new, progress=tell)


@pytest.fixture
def user(place: Path, old: Model) -> Iterator[sv.Gallery]:
    """The gallery as another process has it open."""
    with sv.Gallery(place, model=old, key=KEY) as opened:
        yield opened


def test_until_it_is_done_all_goes_on_with_the_old_model(gallery: sv.Gallery, user: sv.Gallery, new: Model) -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append(user.identify(ADA_AGAIN).name)
        seen.append(user.verify("Philippe", PHILIPPE_LONGER).verdict)
        seen.append([len(person.voiceprints) for person in user.people()])
        seen.append(len(user.export("Philippe")["voiceprints"]))
        with (
            sv.Gallery(user.store.database.path, model=new, key=KEY) as early,
            pytest.raises(FingerprintMismatch),
        ):
            early.identify(READER)

    during(gallery, new, look)
    assert seen == ["Ada", "same", [1, 1, 2], 2]
    with pytest.raises(FingerprintMismatch):
        user.identify(ADA_AGAIN)


@pytest.mark.parametrize("step", [0.5, 1.0])
@pytest.mark.parametrize("keep", [True, False])
def test_who_is_enrolled_meanwhile_is_not_lost(
    gallery: sv.Gallery, user: sv.Gallery, new: Model, step: float, keep: bool
) -> None:
    found = during(gallery, new, lambda: user.enrol("Late", STRANGER, keep_audio=keep), step)
    assert (found.embedded, found.again) == ((3, 1) if keep else (2, 2))
    assert gallery.person("Late").needs_enrolment == (not keep)
    if keep:
        assert gallery.verify("Late", STRANGER).verdict == "same"


def test_who_is_enrolled_at_the_last_moment_is_not_lost(
    gallery: sv.Gallery, user: sv.Gallery, new: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When all sound seems to be embedded anew, before the change."""
    waiting, late = migrating._waiting_in, [STRANGER]

    def slow(*arguments: Any) -> Iterator[int]:
        yield from waiting(*arguments)
        if late:
            user.enrol("Late", late.pop(), keep_audio=True)

    monkeypatch.setattr(migrating, "_waiting_in", slow)
    assert gallery.migrate(new).embedded == 3
    assert gallery.verify("Late", STRANGER).verdict == "same"


def test_what_is_deleted_or_undone_meanwhile_does_not_come_back(
    gallery: sv.Gallery, user: sv.Gallery, place: Path, new: Model
) -> None:
    def act() -> None:
        assert successors(place) == 1
        user.delete("Reader")  # embedded anew already
        user.undo("Philippe")  # not yet
        assert successors(place) == 0

    found = during(gallery, new, act)
    assert (found.embedded, found.again) == (0, 2)
    assert {person.name: len(person.voiceprints) for person in gallery.people()} == {"Ada": 1, "Philippe": 1}
    assert gallery.identify(READER).people == 0
    assert len(gallery.store.template_ids(new.card.fingerprint)) == 0


def test_an_enrolment_that_was_embedded_anew_is_undone_with_its_successor(
    gallery: sv.Gallery, user: sv.Gallery, place: Path, new: Model
) -> None:
    during(gallery, new, lambda: user.undo("Philippe"), 1.0)
    assert [len(person.voiceprints) for person in gallery.people()] == [1, 1, 1]
    assert gallery.person("Philippe").needs_enrolment
    assert successors(place) == 0


def test_who_is_renamed_or_merged_meanwhile_is_who_it_is(gallery: sv.Gallery, user: sv.Gallery, new: Model) -> None:
    def act() -> None:
        user.rename("Reader", "Somebody")
        user.merge("Philippe", "Somebody", force=True)

    during(gallery, new, act)
    template = gallery.store.template("Somebody", new.card.fingerprint)
    assert template is not None
    total = new.embed(READER).vector.astype(float) + new.embed(PHILIPPE_LONGER).vector
    assert float(template.vector @ total) / np.linalg.norm(total) > 0.999
    assert (template.voiceprints, len(gallery.person("Somebody").voiceprints)) == (2, 3)


def test_what_expires_meanwhile_is_gone(gallery: sv.Gallery, user: sv.Gallery, new: Model) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    user.enrol("Late", STRANGER, keep_audio=True, expires=later)
    with pytest.raises(Stop):
        gallery.migrate(new, progress=stop_after(3))
    assert user.purge(later) >= 1
    gallery.migrate(new)
    assert [person.name for person in gallery.people()] == ["Ada", "Reader", "Philippe"]
    assert gallery.identify(STRANGER).people == 2


def test_two_who_migrate_at_once_do_it_once(gallery: sv.Gallery, user: sv.Gallery, new: Model, place: Path) -> None:
    before = state(gallery.store)
    found = during(gallery, new, lambda: user.migrate(new))
    assert (found.model, found.embedded) == (new.card.fingerprint, 0), "the other did it"
    assert successors(place) == 0
    check_migrated(gallery, new, before)


# And afterwards.


def test_who_is_marked_may_be_enrolled_again(gallery: sv.Gallery, new: Model) -> None:
    gallery.migrate(new)
    with pytest.raises(GalleryError, match=r"nothing shows that it is the same voice.*--again"):
        gallery.enrol("ada", ADA)
    person = gallery.enrol("ada", ADA, again=True).person  # the same recording: nothing new of her is known
    assert (person.name, person.needs_enrolment, len(person.voiceprints)) == ("Ada", False, 1)
    assert gallery.events("Ada")[-1].action == "enrol again"
    assert gallery.identify(ADA_AGAIN).candidates[0].name == "Ada"
    assert gallery.verify("Ada", ADA_AGAIN).score == pytest.approx(
        cosine(new.embed(ADA), new.embed(ADA_AGAIN)), abs=1e-3
    )
    assert gallery.store.template("Ada", new.card.fingerprint) is not None
    assert gallery.undo("Ada") is None


def test_undo_takes_back_the_last_enrolment_after_a_migration_too(gallery: sv.Gallery, new: Model) -> None:
    first, second = gallery.person("Philippe").voiceprints
    gallery.migrate(new)
    left = gallery.undo("Philippe")
    assert left is not None
    assert [one.id for one in left.voiceprints] == [first.id]
    assert second.id > first.id


def test_there_and_back_again_nothing_is_lost(gallery: sv.Gallery, old: Model, new: Model) -> None:
    before = state(gallery.store)
    gallery.migrate(new)
    found = gallery.migrate(old)
    assert (found.embedded, found.again) == (2, 0)
    after = state(gallery.store)
    for name, (person, vectors, mean) in after.items():
        for one in person["voiceprints"]:
            assert not one["needs_audio"]
        fingerprint = old.card.fingerprint
        np.testing.assert_allclose(vectors[fingerprint], before[name][1][fingerprint], atol=0.01)
        np.testing.assert_allclose(mean, before[name][2], atol=0.01)
    assert gallery.identify(ADA_AGAIN).name == "Ada"


def test_who_was_enrolled_again_is_mixed_with_nothing_older(gallery: sv.Gallery, old: Model, new: Model) -> None:
    """Else another voice could get in: enrolled while nothing could be compared, joined by a migration back."""
    gallery.migrate(new)
    gallery.enrol("Ada", STRANGER, again=True)
    assert gallery.migrate(old).again == 1
    assert gallery.person("Ada").needs_enrolment
    assert gallery.store.template("Ada", old.card.fingerprint) is None


def test_a_change_of_mind_in_the_middle_loses_nothing(gallery: sv.Gallery, old: Model, new: Model, place: Path) -> None:
    """A migration to one model is left, and one to another begun: sound is embedded anew with that one alone."""
    with pytest.raises(Stop):
        gallery.migrate(new, progress=stop_after(1))
    assert gallery.migrate(old).model == old.card.fingerprint
    assert gallery.identify(ADA_AGAIN).name == "Ada"
    connection = sqlite3.connect(place)  # as if the first model had been a third one
    third = "third@0"
    connection.execute("UPDATE voiceprints SET model = ? WHERE predecessor IS NOT NULL", (third,))
    connection.execute("UPDATE templates SET model = ? WHERE model = ?", (third, new.card.fingerprint))
    connection.commit()
    connection.close()
    before = state(gallery.store)
    assert gallery.migrate(new).embedded == 2
    check_migrated(gallery, new, before)
    assert third.encode() not in raw_bytes(place)


def test_two_models_at_once_are_told_so(gallery: sv.Gallery, new: Model, place: Path) -> None:
    def other() -> None:
        """What a migration to a third model, begun meanwhile, would leave."""
        connection = sqlite3.connect(place)
        connection.execute("UPDATE voiceprints SET model = 'third@0' WHERE predecessor IS NOT NULL")
        connection.commit()
        connection.close()

    with pytest.raises(GalleryError, match="third@0"):
        during(gallery, new, other, 1.0)
    assert gallery.identify(ADA_AGAIN).name == "Ada"
