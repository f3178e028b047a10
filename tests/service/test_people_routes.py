"""The routes on people and the record of events, over a real socket."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from spokenmakers import (
    ADA,
    ADA_AGAIN,
    PHILIPPE,
    PHILIPPE_AGAIN,
    READER,
    STRANGER,
    Spoken,
    at,
    audio,
    code,
    cut,
    silence,
    spoken,
)

from samevoice.errors import GalleryError
from samevoice.gallery import history
from samevoice.gallery.hearing import Voice
from samevoice.gallery.names import checked_name

FIELDS = {
    *("id", "model", "seconds", "snr_db", "bandwidth_hz", "clipped", "channel", "consent", "created", "expires"),
    "kept_audio",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoken]:
    with spoken(tmp_path_factory.mktemp("people"), per_minute=100_000) as made:
        yield made


@pytest.fixture(autouse=True)
def emptied(served: Spoken) -> Iterator[None]:
    """Each test leaves nobody behind."""
    yield
    for person in served.running.gallery.people():
        served.running.gallery.delete(person.name)


def names(served: Spoken, **query: object) -> list[str]:
    answer = served.enroller.get("/people", params={key: str(value) for key, value in query.items()})
    return [one["name"] for one in answer.json()["people"]]


# Enrolling


def test_an_enrolment_is_told_listed_and_known(served: Spoken) -> None:
    form = {"name": " Ada Lovelace ", "consent": "asked on 3 May", "expires_days": "30", "channel": "headset"}
    answer = served.enroller.post("/people", data=form, files=audio(ADA))
    assert answer.status_code == 201
    person = answer.json()["person"]
    assert (person["name"], person["enrolled"]) == ("Ada Lovelace", True)
    (voiceprint,) = person["voiceprints"]
    assert set(voiceprint) == FIELDS
    assert (voiceprint["consent"], voiceprint["channel"]) == ("asked on 3 May", "headset")
    assert not voiceprint["kept_audio"]
    left = datetime.fromisoformat(voiceprint["expires"]) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
    assert all(set(one) == {"code", "refuses", "sentence"} and not one["refuses"] for one in answer.json()["advice"])
    assert served.enroller.get(at("people", "ADA lovelace")).json() == person
    assert served.enroller.get("/people").json() == {"people": [person], "total": 1, "next": None}
    known = served.user.post("/identify", files=audio(ADA_AGAIN)).json()
    assert (known["verdict"], known["name"], known["people"]) == ("known", "Ada Lovelace", 1)
    unknown = served.user.post("/identify", files=audio(STRANGER), data={"top": "1", "fpir": "0.02"}).json()
    assert (unknown["verdict"], unknown["name"], unknown["fpir"]) == ("unknown", None, 0.02)
    likely = [one["probability"] for one in known["candidates"]]
    assert known["nobody"] + known["others"] + sum(likely) == pytest.approx(1)


def test_the_record_names_the_key_that_acted(served: Spoken) -> None:
    served.enroller.post("/people", data={"name": "Ada"}, files=audio(ADA))
    served.admin.patch(at("people", "Ada"), json={"name": "Countess"})
    events = served.admin.get("/audit", params={"name": "Countess"}).json()["events"]
    assert [(one["actor"], one["action"]) for one in events] == [("enroller", "enrol"), ("admin", "rename")]
    assert "Ada" not in json.dumps(events)
    assert served.admin.get("/audit", params={"last": 1}).json()["events"] == events[-1:]
    check = served.admin.get("/audit/check").json()
    assert check == {"events": events[-1]["seq"], "broken": None}
    assert code(served.admin.get("/audit", params={"name": "nobody"}), 404) == "unknown-person"


def test_what_would_be_a_bad_voiceprint_is_refused_with_what_to_do(served: Spoken) -> None:
    answer = served.enroller.post("/people", data={"name": "Ada"}, files=audio(silence()))
    assert code(answer, 422) == "refused"
    assert answer.json()["codes"] == ["silence"]
    assert "microphone" in answer.json()["reasons"][0]
    assert str(served.running.service.uploads) not in answer.text
    assert names(served) == []
    assert code(served.enroller.post("/people", data={"name": "Ada"}, files=audio(("x.wav", b"no audio"))), 422)


def test_one_recording_is_enrolled_once(served: Spoken) -> None:
    assert served.enroller.post("/people", data={"name": "Philippe"}, files=audio(PHILIPPE)).status_code == 201
    again = served.enroller.post("/people", data={"name": "Somebody"}, files=audio(cut(PHILIPPE, 0.2, gain=0.5)))
    assert code(again, 422) == "refused"
    assert again.json()["codes"] == ["replayed"]


def test_checking_stores_nothing(served: Spoken) -> None:
    good = served.enroller.post("/people/check", data={"name": "Philippe"}, files=audio(PHILIPPE)).json()
    assert good["usable"]
    assert 6 < good["speech"] < 8
    assert good["seconds"] >= good["speech"]
    bad = served.enroller.post("/people/check", data={"name": "Philippe"}, files=audio(silence(2))).json()
    assert not bad["usable"]
    assert (bad["speech"], bad["seconds"], bad["snr_db"]) == (0, 2, None)
    assert [one["code"] for one in bad["advice"] if one["refuses"]] == ["silence"]
    assert names(served) == []
    assert served.running.gallery.store.has_expired() is False


def test_consent_and_expiry_are_optional_and_kept_within_reason(served: Spoken) -> None:
    form = {"name": "Ada", "consent": "", "keep_audio": "true"}
    (made,) = served.enroller.post("/people", data=form, files=audio(ADA)).json()["person"]["voiceprints"]
    assert (made["consent"], made["expires"], made["kept_audio"]) == (None, None, True)
    for days in ("0", "-1", "36501", "soon"):
        answer = served.enroller.post("/people", data={"name": "Bob", "expires_days": days}, files=audio(STRANGER))
        assert code(answer, 422) == "request"
    long = served.enroller.post("/people", data={"name": "Bob", "consent": "x" * 1001}, files=audio(STRANGER))
    assert code(long, 422) == "request"
    odd = served.enroller.post("/people", data={"name": "Bob", "consent": "a\x07"}, files=audio(STRANGER))
    assert code(odd, 400) == "config"
    assert names(served) == ["Ada"]


def test_what_has_expired_is_nobody_at_once(served: Spoken) -> None:
    served.enroller.post("/people", data={"name": "Ada", "expires_days": "1"}, files=audio(ADA))
    assert served.user.post("/identify", files=audio(ADA_AGAIN)).json()["name"] == "Ada"
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1, seconds=5)):
        gone = served.user.post("/identify", files=audio(ADA_AGAIN)).json()
        assert (gone["name"], gone["people"]) == (None, 0)
        assert names(served) == []


def test_purging_tells_how_many_were_forgotten(served: Spoken) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    for number in range(3):
        served.add(f"person {number}", number, expires=soon)
    served.add("stays", 4)
    with time_machine.travel(soon + timedelta(seconds=1)):
        assert served.admin.post("/people/purge").json() == {"removed": 3}
        assert served.admin.post("/people/purge").json() == {"removed": 0}
    assert names(served) == ["stays"]


# Correcting, taking along, forgetting


def test_a_person_is_renamed_merged_and_taken_back(served: Spoken) -> None:
    served.enroller.post("/people", data={"name": "Philippe"}, files=audio(PHILIPPE))
    served.enroller.post("/people", data={"name": "Phil"}, files=audio(PHILIPPE_AGAIN))
    renamed = served.admin.patch(at("people", "Phil"), json={"name": "Filip"}).json()
    assert renamed["name"] == "Filip"
    assert code(served.admin.patch(at("people", "Filip"), json={"name": "philippe"}), 409) == "gallery"
    merged = served.admin.post(at("people", "Filip", "merge"), json={"into": "Philippe"})
    assert len(merged.json()["person"]["voiceprints"]) == 2
    assert names(served) == ["Philippe"]
    left = served.admin.post(at("people", "Philippe", "undo")).json()["person"]
    assert len(left["voiceprints"]) == 1
    assert served.admin.post(at("people", "Philippe", "undo")).json() == {"person": None}
    assert names(served) == []


def test_two_voices_are_merged_by_force_only(served: Spoken) -> None:
    served.add("Ada", 1)
    served.add("Bob", 2)
    refused = served.admin.post(at("people", "Ada", "merge"), json={"into": "Bob"})
    assert code(refused, 409) == "gallery"
    assert 'send "force": true' in refused.json()["detail"]
    assert "--" not in refused.json()["detail"]
    unknown = served.enroller.get(at("people", "Zoe")).json()["detail"]
    assert unknown.endswith("see GET /v1/people")
    assert names(served) == ["Ada", "Bob"]
    forced = served.admin.post(at("people", "Ada", "merge"), json={"into": "Bob", "force": True})
    assert forced.json()["person"]["name"] == "Bob"
    assert names(served) == ["Bob"]


def test_an_export_is_a_file_with_everything_and_no_name_in_its_own(served: Spoken) -> None:
    form = {"name": "Ada", "keep_audio": "true", "consent": "asked"}
    person = served.enroller.post("/people", data=form, files=audio(ADA)).json()["person"]
    answer = served.admin.get(at("people", "Ada", "export"))
    assert answer.headers["content-disposition"] == f'attachment; filename="person-{person["id"]}.json"'
    told = answer.json()
    assert (told["name"], told["id"]) == ("Ada", person["id"])
    (voiceprint,) = told["voiceprints"]
    assert voiceprint["consent"] == "asked"
    assert len(voiceprint["vector"]) == served.running.gallery.model.card.dimension
    assert base64.b64decode(voiceprint["audio_flac"]).startswith(b"fLaC")
    assert [one["action"] for one in told["events"]] == ["enrol", "export"]


def test_whoever_is_deleted_is_nobody_at_once(served: Spoken) -> None:
    served.enroller.post("/people", data={"name": "Ada"}, files=audio(ADA))
    assert served.user.post("/identify", files=audio(ADA_AGAIN)).json()["name"] == "Ada"
    answer = served.admin.delete(at("people", "Ada"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert code(served.enroller.get(at("people", "Ada")), 404) == "unknown-person"
    assert code(served.admin.delete(at("people", "Ada")), 404) == "unknown-person"
    assert served.user.post("/identify", files=audio(ADA_AGAIN)).json()["people"] == 0


# Lists


def test_pages_show_everybody_once_though_people_come_and_go(served: Spoken) -> None:
    for number in range(7):
        served.add(f"person {number}", number)
    seen, after = [], None
    for page in count():
        query = {"limit": "3"} | ({} if after is None else {"after": after})
        answer = served.enroller.get("/people", params=query).json()
        seen += [one["name"] for one in answer["people"]]
        if page == 0:
            served.running.gallery.delete("person 2")  # with whom the first page ended
            assert answer["total"] == 7
        after = answer["next"]
        if after is None:
            break
    assert seen == [f"person {number}" for number in range(7)]
    assert names(served, pattern="*3") == ["person 3"]
    assert names(served, pattern="100%") == []
    for wrong in ({"limit": 0}, {"limit": 1001}):
        assert code(served.enroller.get("/people", params=wrong), 422) == "request"


def test_somebody_who_was_only_heard_is_not_enrolled(served: Spoken) -> None:
    gallery = served.running.gallery
    heard = Voice(gallery.model.embed(READER), [history.Spoken(0.0, 5.0)])
    name = gallery.remember(history.Source("meeting", 6.0), [heard]).voices[0].name
    assert name is not None
    person = served.enroller.get(at("people", name)).json()
    assert (person["name"], person["enrolled"], len(person["voiceprints"])) == (name, False, 1)
    assert code(served.enroller.post(at("login", name), files=audio(READER)), 409) == "gallery"
    told = served.user.post(at("login", name), files=audio(READER)).json()
    assert (told["welcome"], told["verdict"], told["score"]) == (False, "different", None)


# Roles


def test_each_role_may_do_its_part_only(served: Spoken) -> None:
    served.add("Ada", 1)
    needed = {
        "enroller": [
            ("GET", "/people"),
            ("POST", "/people"),
            ("POST", "/people/check"),
            ("GET", "/people/Ada"),
        ],
        "admin": [
            ("PATCH", "/people/Ada"),
            ("DELETE", "/people/Ada"),
            ("GET", "/people/Ada/export"),
            ("POST", "/people/Ada/undo"),
            ("POST", "/people/Ada/merge"),
            ("POST", "/people/purge"),
            ("GET", "/audit"),
            ("GET", "/audit/check"),
        ],
        "user": [
            ("POST", "/identify"),
            ("POST", "/login/Ada"),
            ("POST", "/login/Ada/challenge"),
            ("GET", "/thresholds"),
        ],
    }
    roles = ["user", "enroller", "admin"]
    bodies = {"/people/Ada/merge": {"json": {"into": "Bob"}}, "/people/Ada": {"json": {"name": "Ada"}}}
    for role, requests in needed.items():
        for method, path in requests:
            kind = {"data": {"name": "Ada"}, "files": audio(silence(0.1))} if method == "POST" else {}
            body = bodies.get(path, kind) if method in ("POST", "PATCH") else {}
            assert code(served.clients["nobody"].request(method, path, **body), 401) == "key"
            for less in roles[: roles.index(role)]:
                answer = served.clients[less].request(method, path, **body)
                assert code(answer, 403) == "role", (less, method, path)
            enough = served.clients[role].request(method, path, **body)
            assert enough.status_code not in (401, 403), (role, method, path)
            if names(served) != ["Ada"]:
                for person in served.running.gallery.people():
                    served.running.gallery.delete(person.name)
                served.add("Ada", 1)


# Names


def test_a_slash_in_a_name_is_none_of_the_paths_own(served: Spoken) -> None:
    odd = ["Ada", "Ada/export", "Ada/undo", "purge", "a%2Fb"]
    ids = {name: served.add(name, seed).id for seed, name in enumerate(odd)}
    for name, identity in ids.items():
        assert served.enroller.get(at("people", name)).json()["id"] == identity
        assert served.admin.get(at("people", name, "export")).json()["id"] == identity
    assert served.admin.post(at("people", "Ada/undo", "undo")).json() == {"person": None}
    assert served.admin.post("/people/purge").json() == {"removed": 0}
    assert served.admin.delete(at("people", "Ada/export")).status_code == 204
    assert names(served) == ["Ada", "purge", "a%2Fb"]
    for path in ("/people/Ada/other", "/people/Ada/", "/people//export"):
        assert code(served.admin.get(path), 404)


@pytest.mark.parametrize(("name", "sent"), [(".", ".%20"), ("..", "..%20"), ("..", "%20..")])
def test_names_that_browsers_take_for_steps_have_another_spelling(served: Spoken, name: str, sent: str) -> None:
    identity = served.add(name).id
    assert served.enroller.get(f"/people/{sent}").json()["id"] == identity


def test_what_cannot_be_a_name_is_refused(served: Spoken) -> None:
    for name in ("\u202e", "a\nb", "x" * 201, " ", "\u200b"):
        assert code(served.enroller.get(at("people", name)), 422) == "name"
        answer = served.enroller.post("/people", data={"name": name}, files=audio(READER))
        assert code(answer, 422) == "name"
        assert "\u202e" not in answer.text
    assert code(served.enroller.get("/people/%FF%FE"), 422) == "request"
    assert code(served.enroller.get("/people/" + "x" * 801), 422) == "request"
    assert code(served.admin.patch(at("people", "Ada"), json={"name": "\u0000"}), 422) == "name"


def _is_name(text: str) -> bool:
    try:
        return checked_name(text) == text and text not in (".", "..") and not text.lower().startswith("unknown-")
    except GalleryError:
        return False


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(_is_name))
def test_every_name_there_may_be_is_found_by_its_path(served: Spoken, name: str) -> None:
    person = served.add(name)
    try:
        found = served.enroller.get(at("people", name))
        assert (found.status_code, found.json().get("name")) == (200, person.name)
        assert found.json()["id"] == person.id
        login = served.user.post(at("login", name, "challenge"))
        assert login.status_code == 200
    finally:
        assert served.admin.delete(at("people", name)).status_code == 204
