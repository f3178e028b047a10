"""Who spoke when in which recording: by the names of today, replaced whole, forgotten on request, safe from kill -9."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from commandline import samevoice
from gallerymakers import KEY, start
from hearingmakers import enrolled, said, source, voices
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from typer.testing import CliRunner, Result

import samevoice as sv
from samevoice.cli.recordings import app
from samevoice.diarization.formats import read_file
from samevoice.embedder import Model
from samevoice.errors import ConfigError, GalleryError, UnknownPerson
from samevoice.gallery import database as module
from samevoice.gallery.crypto import context_of, new_data_key, packed, seal
from samevoice.gallery.hearing import Voice
from samevoice.gallery.history import Source, Spoken
from samevoice.gallery.names import name_key
from samevoice.gallery.owners import bound_to
from samevoice.gallery.store import Store

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


def turns(gallery: sv.Gallery, number: int) -> list[tuple[float, float, str]]:
    return [(one.start, one.end, one.name) for one in gallery.recording(number).turns]


# What was heard where


def test_turns_come_back_in_order_with_names_and_confidence(gallery: sv.Gallery, name: str) -> None:
    found = gallery.remember(
        Source("Monday", 60.0),
        [
            Voice(said(name, 1), [Spoken(5.25, 9.5, 0.75), Spoken(20.0, 21.0)]),
            Voice(said(name, 100), [Spoken(0.5, 6.0, 1.0)]),
        ],
    )
    told = gallery.recording(found.recording)
    assert [(one.start, one.end, one.name, one.confidence) for one in told.turns] == [
        (0.5, 6.0, "unknown-1", 1.0), (5.25, 9.5, "person 1", 0.75), (20.0, 21.0, "person 1", None),
    ]  # fmt: skip
    assert [one.person for one in told.turns][:2] == [found.voices[1].person, found.voices[0].person]
    assert (told.label, told.extent, told.people) == ("Monday", 60.0, ("person 1", "unknown-1"))
    assert abs((datetime.now(UTC) - told.at).total_seconds()) < 60
    assert json.loads(json.dumps(told.to_json(), allow_nan=False))["turns"][0]["name"] == "unknown-1"


def test_the_list_has_no_turns_and_may_be_of_one_person(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source("one"), voices(name, [100, 1], take=1))
    gallery.remember(source("two"), voices(name, [1], take=2))
    assert [(one.id, one.label, one.people, one.turns) for one in gallery.recordings()] == [
        (1, "one", ("person 1", "unknown-1"), ()), (2, "two", ("person 1",), ()),
    ]  # fmt: skip
    assert [one.label for one in gallery.recordings("UNKNOWN-1")] == ["one"]
    assert gallery.recordings("person 0") == []
    with pytest.raises(UnknownPerson):
        gallery.recordings("person 9")


def test_naming_a_stranger_renames_all_history(gallery: sv.Gallery, name: str) -> None:
    for take in (1, 2):
        gallery.remember(source(str(take)), voices(name, [100, 1], take))
    gallery.rename("unknown-1", "Grace")
    for number in (1, 2):
        assert turns(gallery, number) == [(0, 9.5, "Grace"), (10, 19.5, "person 1")]
    found = gallery.remember(source("3"), voices(name, [100], take=3))
    assert [(one.name, one.known) for one in found.voices] == [("Grace", "stranger")]


def test_merging_people_joins_their_turns(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source("one"), voices(name, [100, 101, 100], take=1))  # the diarizer took one person for two
    gallery.remember(source("two"), voices(name, [101], take=2))
    gallery.merge("unknown-2", "unknown-1", force=True)
    assert {one[2] for one in turns(gallery, 1)} == {"unknown-1", "unknown-3"}
    assert [one[:2] for one in turns(gallery, 1) if one[2] == "unknown-1"] == [(0, 9.5), (10, 19.5)]
    assert turns(gallery, 2) == [(0, 9.5, "unknown-1")]


def test_deleting_a_person_takes_the_turns_and_leaves_the_others(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source(), voices(name, [100, 1], take=1))
    gallery.delete("person 1")
    assert turns(gallery, 1) == [(0, 9.5, "unknown-1")]


def test_export_tells_where_somebody_enrolled_was_heard(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source("Monday"), voices(name, [1], take=1))
    [told] = gallery.export("person 1")["recordings"]
    assert (told["label"], told["turns"]) == ("Monday", [{"start": 0.0, "end": 9.5, "confidence": 0.9}])


def test_times_and_names_of_turns_lie_sealed(path: Path, model: Model) -> None:
    name = model.card.fingerprint
    with sv.Gallery(path, model=model, key=KEY) as gallery:
        gallery.remember(source(), [Voice(said(name, 100), [Spoken(123.25, 124.5)])])
    with sqlite3.connect(path) as connection:
        [(sealed,)] = connection.execute("SELECT sealed FROM turns")
        connection.execute("UPDATE turns SET heard_id = 2")
        connection.execute("INSERT INTO heard VALUES (2, 'another', NULL, 600, '2026-01-01')")
    connection.close()
    assert b"123" not in sealed
    with sv.Gallery(path, model=model, key=KEY) as gallery, pytest.raises(GalleryError, match="does not open"):
        gallery.recording(2)  # where the turns were moved to


# Again, and away


def test_to_remember_a_recording_again_changes_nothing(gallery: sv.Gallery, name: str) -> None:
    def state() -> object:
        people = [(one.id, one.name, len(one.voiceprints)) for one in gallery.people()]
        vectors = [np.round(gallery.store.template(one[1], name).vector, 5).tolist() for one in people]  # type: ignore[union-attr]
        return people, vectors, [replace(gallery.recording(one.id), at=datetime.min) for one in gallery.recordings()]

    again = [*voices(name, [100, 101, 1], take=2), *voices(name, [101], take=3)]  # one person is taken for two
    gallery.remember(source("before", "aa"), voices(name, [100, 1], take=1))
    found = gallery.remember(source("again", "bb"), again)
    before = state()
    for _ in range(2):
        assert [(one.name, one.person) for one in found.voices] == [
            (one.name, one.person) for one in gallery.remember(source("again", "bb"), again).voices
        ]
        assert state() == before
    assert [event.detail["replaced"] for event in gallery.events() if event.action == "remember"] == [
        False, False, True, True,
    ]  # fmt: skip
    assert gallery.audit().broken is None


def test_a_replaced_recording_takes_with_it_strangers_of_whom_nothing_is_left(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source("first", "aa"), voices(name, [100, 101], take=1))
    gallery.remember(source("other", "cc"), voices(name, [101], take=2))
    found = gallery.remember(source("better", "aa"), voices(name, [102, 1], take=3))
    assert found.recording == 1
    assert [one.name for one in gallery.people()][ENROLLED:] == ["unknown-2", "unknown-3"]
    assert turns(gallery, 1) == [(0, 9.5, "unknown-3"), (10, 19.5, "person 1")]
    assert gallery.recording(1).label == "better"
    assert len(gallery.person("unknown-2").voiceprints) == 1  # what the other recording gave
    assert gallery.events()[-1].action == "delete"


def test_a_recording_without_digest_is_never_replaced(gallery: sv.Gallery, name: str) -> None:
    assert [gallery.remember(source(), voices(name, [1], take=1)).recording for _ in range(2)] == [1, 2]


def test_forgetting_a_recording_takes_what_was_made_of_it(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source("one"), voices(name, [100, 101, 1], take=1))
    gallery.remember(source("two"), voices(name, [101], take=2))
    gallery.remember(source("three"), voices(name, [101], take=3, seconds=3.0))  # too short to make a voiceprint of
    gallery.forget_recording(1)
    assert [one.id for one in gallery.recordings()] == [2, 3]
    assert [one.name for one in gallery.people()][ENROLLED:] == ["unknown-2"]
    assert len(gallery.person("unknown-2").voiceprints) == 1
    gallery.forget_recording(2)
    assert gallery.person("unknown-2").voiceprints == ()
    assert turns(gallery, 3) == [(0, 9.5, "unknown-2")]  # whose name stays as long as the history
    with pytest.raises(GalleryError, match="no voiceprint that could be taken back"):
        gallery.undo("unknown-2")
    assert [one.known for one in gallery.recognise([said(name, 101, 4)])] == ["new"]
    gallery.forget_recording(3)
    assert len(gallery.people()) == ENROLLED
    assert gallery.audit().broken is None


def test_a_number_of_a_recording_is_never_given_again(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source(), voices(name, [1], take=1))
    gallery.forget_recording(1)
    assert gallery.remember(source(), voices(name, [1], take=1)).recording == 2
    for ask in (gallery.recording, gallery.forget_recording):
        with pytest.raises(GalleryError, match="there is no recording 1; see: samevoice recordings list"):
            ask(1)


# What cannot be


@given(st.floats(), st.floats(), st.none() | st.floats())
def test_only_turns_that_can_be_are_taken(start: float, end: float, confidence: float | None) -> None:
    good = 0 <= start < end < float("inf") and (confidence is None or 0 <= confidence <= 1)
    if good:
        assert Spoken(start, end, confidence).end == end
    else:
        with pytest.raises(ValueError, match=r"a turn|a confidence"):
            Spoken(start, end, confidence)


@pytest.mark.parametrize("label", ["", " ", "a\nb", "a\u2028b", "x" * 1001])
def test_labels_are_one_line_of_text(label: str) -> None:
    with pytest.raises(ConfigError, match="label of a recording"):
        Source(label, 1.0)


@pytest.mark.parametrize("about", [(0.0, None), (float("nan"), None), (1.0, "ab"), (1.0, "AB" * 32)])
def test_an_extent_and_a_digest_are_what_they_say(about: tuple[float, str | None]) -> None:
    with pytest.raises(ValueError, match=r"a recording lasts|a digest has"):
        Source("meeting", *about)


def test_no_turn_goes_on_beyond_the_end(gallery: sv.Gallery, name: str) -> None:
    with pytest.raises(ValueError, match=r"a turn ends after 5\.0 s"):
        gallery.remember(Source("short", 5.0), voices(name, [1], take=1))
    assert gallery.recordings() == []


# Others at the same time, and none after


def test_threads_that_hear_the_same_people_agree_who_they_are(place: str, model: Model) -> None:
    name, together = model.card.fingerprint, threading.Barrier(4)
    with sv.Gallery(place, model=model, key=KEY) as gallery:
        gallery.store.require_model(name)

        def hear(take: int) -> list[str | None]:
            with sv.Gallery(place, model=model, key=KEY) as own:
                together.wait()
                return [one.name for one in own.remember(source(str(take)), voices(name, [100, 101], take)).voices]

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(hear, range(4)))
        assert [found[0]] * 4 == found
        assert sorted(one.name for one in gallery.people()) == ["unknown-1", "unknown-2"]
        assert len(gallery.recordings()) == 4


HEARER = """
    import os, sys
    from gallerymakers import KEY
    from hearingmakers import source, voices
    import samevoice as sv
    model = sv.load_model("campplus", threads=1)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            print("pid", os.getpid(), flush=True)
            with sv.Gallery(sys.argv[1], model=model, key=KEY) as gallery:
                for number in range(int(line), 1000):
                    about = source("again", format(number % 5, "02x"))
                    gallery.remember(about, voices(model.card.fingerprint, [100, 101 + number % 5], number % 5))
                    print(number, flush=True)
            os._exit(0)
        print("gone", os.waitpid(child, 0)[1], flush=True)
"""
KILLS = 10


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_kill_9_leaves_recordings_whole(place: str, model: Model) -> None:
    name, draw, done = model.card.fingerprint, random.Random(0), 0  # noqa: S311 nothing secret
    with sv.Gallery(place, model=model, key=KEY) as gallery:
        gallery.store.require_model(name)
    with start(HEARER, place) as hearer:
        assert hearer.stdin is not None
        assert hearer.stdout is not None
        for _ in range(KILLS):
            print(done, file=hearer.stdin, flush=True)
            pid = int(hearer.stdout.readline().removeprefix("pid "))
            done = int(hearer.stdout.readline()) + 1
            time.sleep(draw.uniform(0.0, 0.15))
            os.kill(pid, signal.SIGKILL)
            while not (line := hearer.stdout.readline()).startswith("gone"):
                done = int(line) + 1
            with sv.Gallery(place, model=model, key=KEY) as gallery:
                known = [gallery.recording(one.id) for one in gallery.recordings()]
                unsaid = 1  # committed, but killed before it could say so
                assert min(done, 5) <= len(known) <= min(done + unsaid, 5)
                assert all("unknown-1" in one.people and len(one.people) == 2 for one in known)
                assert len(gallery.people()) == len(known) + 1
                assert len(gallery.store.template_ids(name, strangers=True)) == len(known) + 1
                assert gallery.audit().broken is None
    assert done >= KILLS  # so that recordings were replaced too


# Galleries from before


def fill_as_before(connection: Connection, name: str) -> None:
    """Enrol Ada with statements of the version that knew no strangers."""
    key, now = new_data_key(), "2026-01-02 03:04:05.000000"
    public_id, vector = "a" * 32, packed(said(name, 1, 1_000).vector)
    wrapped = KEY.wrap(key, bound_to(1, public_id, "Ada", name_key("Ada")))
    voiceprint = context_of("voiceprint", public_id, name, "2026-01-02T03:04:05+00:00")
    values = {
        "public_id": public_id,
        "now": now,
        "key": wrapped,
        "model": name,
        "voiceprint": seal(key, vector, voiceprint),
        "template": seal(key, vector, context_of("template", public_id, name)),
        "sound": seal(key, b"fLaC", context_of("recording", public_id)),
        "no": False,
    }
    for table, columns in (
        ("people (public_id, name, name_key, created, data_key)", ":public_id, 'Ada', 'ada', :now, :key"),
        (
            "voiceprints (person_id, model, sealed, seconds, clipped, channel, created, needs_audio)",
            "1, :model, :voiceprint, 20, 0, '', :now, :no",
        ),
        ("recordings (voiceprint_id, sealed)", "1, :sound"),
        (
            "templates (person_id, model, sealed, seconds, voiceprints, written)",
            "1, :model, :template, 20, 1, 1",
        ),
    ):
        statement = text(f"INSERT INTO {table} VALUES ({columns})")  # noqa: S608 constants
        connection.execute(statement, {name: values[name] for name in statement.compile().params})
    connection.execute(text("UPDATE counters SET value = 1 WHERE name = 'changes'"))


def test_a_gallery_from_before_has_all_it_had_and_learns_strangers(
    place: str, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = model.card.fingerprint
    with monkeypatch.context() as before:
        before.setattr(module, "REVISION", "0001")
        with Store.open(place, key=KEY) as old:
            old.require_model(name)
            old.database.write(lambda connection: fill_as_before(connection, name))
    with sv.Gallery(place, model=model, key=KEY, create=False) as gallery:
        assert [(one.name, one.stranger, len(one.voiceprints)) for one in gallery.people()] == [("Ada", None, 1)]
        assert gallery.store.recording(1) == b"fLaC"
        found = gallery.remember(source(), voices(name, [1, 100], take=1))
        assert [one.name for one in found.voices] == ["Ada", "unknown-1"]
        assert gallery.audit().broken is None


# The commands


@pytest.fixture
def remembered(path: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery of Ada and a stranger, who spoke in one recording."""
    name = model.card.fingerprint
    monkeypatch.setenv("SAMEVOICE_GALLERY", str(path))
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", bytes(range(32)).hex())
    monkeypatch.delenv("SAMEVOICE_GALLERY_KEY_FILE", raising=False)
    with sv.Gallery(path, model=model, key=KEY) as gallery:
        gallery.store.require_model(name)
        gallery.store.add("Ada", enrolled(name, 1))
        gallery.remember(source("Monday"), voices(name, [1, 100], take=1))
    return path


def recordings(*arguments: object) -> Result:
    """What a command of the group answers."""
    found = CliRunner().invoke(app, list(map(str, arguments)))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


@pytest.mark.usefixtures("remembered")
def test_commands_show_the_history_by_the_names_of_today(tmp_path: Path) -> None:
    assert "in recording 1, Monday" in samevoice("people", "show", "unknown-1").stdout
    renamed = samevoice("people", "rename", "unknown-1", "Grace Hopper")
    assert renamed.stdout == "Now Grace Hopper.\n"
    assert "Heard, not enrolled" in renamed.stderr
    assert "Monday: Ada, Grace Hopper\n" in recordings("list").stdout
    assert recordings("list", "--person", "ada", "--json").stdout.count('"label": "Monday"') == 1
    assert "10.00      19.50   90 %  Grace Hopper\n" in recordings("show", 1).stdout
    assert json.loads(recordings("show", 1, "--json").stdout)["turns"][1]["name"] == "Grace Hopper"
    output = tmp_path / "meeting.rttm"
    recordings("export", 1, "-o", output)
    [first, second] = read_file(output)[0].turns
    assert (first.speaker, second.speaker, second.start) == ("Ada", "Grace Hopper", 10.0)
    recordings("forget", 1)
    with pytest.raises(GalleryError, match="there is no recording 1"):
        recordings("show", 1)
    assert "Grace" not in samevoice("people", "list").stdout


@pytest.mark.usefixtures("remembered")
def test_people_are_listed_with_how_they_are_known() -> None:
    assert samevoice("people", "list").stdout == (
        "Ada  (1 voiceprint, 20.0 s of speech)\nunknown-1  (1 voiceprint, 20.0 s of speech, heard, not enrolled)\n"
    )
    assert samevoice("people", "list", "--enrolled").stdout.startswith("Ada")
    assert samevoice("people", "list", "--strangers").stdout.startswith("unknown-1")
    [ada, stranger] = json.loads(samevoice("people", "list", "--json").stdout)
    assert (ada["stranger"], stranger["stranger"]) == (None, 1)
    assert json.loads(samevoice("people", "show", "Ada", "--json").stdout)["recordings"][0]["label"] == "Monday"


@pytest.mark.usefixtures("remembered")
def test_a_suffix_without_a_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="suffix"):
        recordings("export", 1, "-o", tmp_path / "meeting.doc")
    assert not (tmp_path / "meeting.doc").exists()
