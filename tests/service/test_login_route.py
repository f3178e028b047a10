"""Logging in over a real socket: who is welcome, who is not, and what nobody finds out."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import time_machine
from spokenmakers import (
    ADA,
    ADA_AGAIN,
    PHILIPPE,
    PHILIPPE_AGAIN,
    STRANGER,
    Spoken,
    Upload,
    at,
    audio,
    code,
    cut,
    silence,
    spoken,
    wav,
)

from samevoice.gallery.voiceprints import NewVoiceprint

BODY = {
    *("welcome", "outcome", "person", "verdict", "score", "llr", "probability", "threshold", "far", "prior", "speech"),
    *("reason", "model", "warnings", "calibration", "impostor_pairs", "more_speech"),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoken]:
    """Ada and Philippe are enrolled."""
    with spoken(tmp_path_factory.mktemp("login"), per_minute=100_000, logins_per_minute=1_000) as made:
        for name, sound in (("Ada", ADA), ("Philippe", PHILIPPE)):
            assert made.enroller.post("/people", data={"name": name}, files=audio(sound)).status_code == 201
        yield made


@pytest.fixture(autouse=True)
def new_door(served: Spoken) -> None:
    """Nobody has tried to log in before."""
    forget_logins(served)


def forget_logins(served: Spoken) -> None:
    if hasattr(served.running.app.state, "door"):
        del served.running.app.state.door


def login(client: httpx.Client, name: str, sound: Any, **form: str) -> dict[str, Any]:
    answer = client.post(at("login", name), files=audio(sound), data=form)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert set(told) == BODY
    return told


@pytest.mark.parametrize("role", ["user", "enroller", "admin"])
def test_another_recording_of_the_person_is_welcome(served: Spoken, role: str) -> None:
    told = login(served.clients[role], "philippe", PHILIPPE_AGAIN)
    assert (told["welcome"], told["outcome"], told["verdict"], told["person"]) == (True, "welcome", "same", "philippe")
    assert told["score"] >= told["threshold"]
    assert told["far"] == 0.01
    assert login(served.clients[role], "Ada", ADA_AGAIN)["welcome"]


def test_another_person_is_refused(served: Spoken) -> None:
    told = login(served.enroller, "Ada", STRANGER)
    assert (told["welcome"], told["outcome"], told["verdict"]) == (False, "refused", "different")
    assert told["score"] < told["threshold"]
    assert not login(served.user, "Ada", STRANGER)["welcome"]
    assert not login(served.user, "Ada", PHILIPPE_AGAIN)["welcome"]


def test_who_is_silent_is_asked_to_speak(served: Spoken) -> None:
    for client in (served.user, served.admin):
        told = login(client, "Ada", silence())
        assert (told["welcome"], told["outcome"], told["verdict"], told["score"]) == (False, "speak", "unsure", None)
        assert "speak" in told["reason"]
    short = login(served.user, "Ada", cut(PHILIPPE_AGAIN, 0, 0.5))
    assert short["outcome"] in ("speak", "refused")
    assert not short["welcome"]


def test_noise_lets_nobody_in(served: Spoken) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 4 * 16_000).astype(np.float32)
    assert not login(served.user, "Ada", wav(noise))["welcome"]


def test_what_is_no_audio_is_a_problem_and_nobody_is_welcome(served: Spoken) -> None:
    answer = served.user.post(at("login", "Ada"), files=audio(("ada.wav", b"RIFF")))
    assert code(answer, 422) == "audio"
    assert str(served.running.service.uploads) not in answer.text


# Recordings heard before


@pytest.mark.parametrize("gain", [1.0, 0.3])
def test_what_was_enrolled_does_not_let_in(served: Spoken, gain: float) -> None:
    told = login(served.user, "Philippe", cut(PHILIPPE, 0.5, 6.0, gain=gain))
    assert (told["welcome"], told["outcome"], told["verdict"]) == (False, "replayed", "same")
    assert "heard before" in told["reason"]


def test_a_login_lets_in_once(served: Spoken) -> None:
    assert login(served.user, "Philippe", PHILIPPE_AGAIN)["welcome"]
    assert login(served.admin, "Philippe", PHILIPPE_AGAIN)["outcome"] == "replayed"
    louder = cut(PHILIPPE_AGAIN, 0.3, gain=1.5)
    assert login(served.user, "Philippe", louder)["outcome"] == "replayed"
    assert login(served.user, "Ada", ADA_AGAIN)["welcome"]  # which is another recording


def test_what_follows_a_long_pause_was_heard_before_too(served: Spoken) -> None:
    assert login(served.user, "Philippe", PHILIPPE_AGAIN)["welcome"]
    samples, rate = soundfile.read(PHILIPPE_AGAIN, dtype="float32")
    late = np.concatenate([np.zeros(70 * rate, np.float32), samples])
    assert login(served.user, "Philippe", wav(late, rate))["outcome"] == "replayed"


def test_of_two_that_come_at_once_one_is_let_in(served: Spoken) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def attempt() -> None:
        start.wait()
        outcomes.append(login(served.user, "Philippe", PHILIPPE_AGAIN)["outcome"])

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["replayed", "replayed", "replayed", "welcome"]


def test_a_refused_recording_is_not_kept(served: Spoken) -> None:
    assert login(served.user, "Ada", PHILIPPE_AGAIN)["outcome"] == "refused"
    assert login(served.user, "Philippe", PHILIPPE_AGAIN)["welcome"]


# Challenges


def issue(client: httpx.Client, name: str) -> dict[str, Any]:
    answer = client.post(at("login", name, "challenge"))
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def test_a_challenge_is_for_one_login(served: Spoken) -> None:
    told = issue(served.user, "Philippe")
    assert set(told) == {"challenge", "digits", "expires"}
    assert len(told["digits"].split()) == 6
    assert all(digit.isdecimal() and len(digit) == 1 for digit in told["digits"].split())
    left = datetime.fromisoformat(told["expires"]) - datetime.now(UTC)
    assert timedelta(seconds=110) < left <= timedelta(seconds=120)
    assert login(served.user, "philippe", PHILIPPE_AGAIN, challenge=told["challenge"])["welcome"]
    used = served.user.post(at("login", "Philippe"), files=audio(STRANGER), data={"challenge": told["challenge"]})
    assert code(used, 409) == "challenge"


def test_a_challenge_of_somebody_else_opens_nothing_and_is_gone(served: Spoken) -> None:
    mine = issue(served.user, "Ada")["challenge"]
    for client, name, sent in (
        (served.user, "Philippe", mine),
        (served.user, "Ada", mine),  # used up by the attempt before
        (served.admin, "Ada", issue(served.user, "Ada")["challenge"]),
        (served.user, "Ada", "made up"),
    ):
        answer = client.post(at("login", name), files=audio(ADA_AGAIN), data={"challenge": sent})
        assert code(answer, 409) == "challenge"
        assert mine not in answer.text


def test_an_attempt_that_fails_uses_its_challenge_up(served: Spoken) -> None:
    mine = issue(served.user, "Ada")["challenge"]
    assert login(served.user, "Ada", silence(), challenge=mine)["outcome"] == "speak"
    answer = served.user.post(at("login", "Ada"), files=audio(ADA_AGAIN), data={"challenge": mine})
    assert code(answer, 409) == "challenge"


# Nobody finds out who is enrolled


@pytest.mark.parametrize("sound", [STRANGER, silence(), cut(STRANGER, 0.0, 1.2)], ids=["voice", "silence", "short"])
def test_a_user_is_told_the_same_of_somebody_unknown(served: Spoken, sound: Upload) -> None:
    known, unknown = login(served.user, "Ada", sound), login(served.user, "Eve", sound)
    assert (known.pop("person"), unknown.pop("person")) == ("Ada", "Eve")
    assert known == unknown
    assert known["score"] is known["threshold"] is None
    if known["verdict"] == "different":
        assert known["llr"] is known["probability"] is None
    assert known["speech"][0] is None
    assert set(issue(served.user, "Eve")) == set(issue(served.user, "Ada"))


def test_a_voice_that_is_near_is_told_the_same_too(served: Spoken) -> None:
    """Verdicts between "same" and "different" would tell that somebody is there."""
    mixed = [cut(PHILIPPE_AGAIN, 0.0, seconds) for seconds in (0.8, 1.0, 1.2)] + [cut(ADA_AGAIN, 0.0, 1.2)]
    verdicts: list[str] = []
    for sound in mixed:
        trusted = login(served.enroller, "Philippe", sound)
        known, unknown = login(served.user, "Philippe", sound), login(served.user, "Eve", sound)
        verdicts.append(trusted["verdict"])
        if trusted["verdict"] != "same":
            assert known | {"person": "Eve"} == unknown
        forget_logins(served)
    assert "unsure" in verdicts


def test_those_who_enrol_are_told_that_nobody_is_there(served: Spoken) -> None:
    for client in (served.enroller, served.admin):
        answer = client.post(at("login", "Eve"), files=audio(STRANGER))
        assert code(answer, 404) == "unknown-person"


def test_somebody_unknown_takes_as_long(served: Spoken) -> None:
    """Three answers to each name in turn; without the work for nobody, these are several times faster."""
    sound = cut(STRANGER)
    took: dict[str, list[float]] = {"Ada": [], "Eve": []}
    for name in ["Ada", "Eve"] * 5:
        began = time.perf_counter()
        login(served.user, name, sound)
        took[name].append(time.perf_counter() - began)
    assert statistics.median(took["Eve"]) > 0.8 * statistics.median(took["Ada"])


# At once


def test_whoever_is_deleted_or_expired_cannot_log_in(served: Spoken) -> None:
    reader = cut(ADA_AGAIN)
    gallery = served.running.gallery
    served.add("Soon gone", 1, expires=datetime.now(UTC) + timedelta(hours=1))
    assert served.enroller.post(at("login", "Soon gone"), files=audio(reader)).status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1, seconds=1)):
        told = login(served.user, "Soon gone", reader)
        assert (told["welcome"], told["verdict"]) == (False, "different")
        assert code(served.enroller.post(at("login", "Soon gone"), files=audio(reader)), 404) == "unknown-person"
    assert "Soon gone" not in [one.name for one in gallery.people()]
    served.add("Deleted", 2)
    assert served.admin.delete(at("people", "Deleted")).status_code == 204
    assert code(served.enroller.post(at("login", "Deleted"), files=audio(reader)), 404) == "unknown-person"


def test_a_welcome_is_forgotten_with_the_person(tmp_path_factory: pytest.TempPathFactory) -> None:
    with spoken(tmp_path_factory.mktemp("forget")) as served:
        served.enroller.post("/people", data={"name": "Philippe"}, files=audio(PHILIPPE))
        assert login(served.user, "Philippe", PHILIPPE_AGAIN)["welcome"]
        earlier = served.running.app.state.door.earlier
        assert len(earlier) == 1
        served.admin.delete(at("people", "Philippe"))
        assert len(earlier) == 0


@pytest.mark.slow
def test_no_welcome_is_left_of_those_who_end_otherwise(tmp_path_factory: pytest.TempPathFactory) -> None:
    with spoken(tmp_path_factory.mktemp("gone")) as served:

        def welcomed(**form: str) -> Any:
            served.enroller.post("/people", data={"name": "Ada", **form}, files=audio(ADA))
            assert login(served.user, "Ada", ADA_AGAIN)["welcome"]
            earlier = served.running.app.state.door.earlier
            assert len(earlier) == 1
            return earlier

        later = datetime.now(UTC) + timedelta(days=1, seconds=5)
        earlier = welcomed()
        assert served.admin.post(at("people", "Ada", "undo")).json() == {"person": None}
        assert len(earlier) == 0
        welcomed(expires_days="1")
        with time_machine.travel(later):
            assert served.admin.post("/people/purge").json() == {"removed": 1}
        assert len(earlier) == 0
        welcomed(expires_days="1")
        with time_machine.travel(later):
            assert served.user.post("/identify", files=audio(ADA_AGAIN)).json()["people"] == 0  # she has expired
            login(served.user, "Ada", ADA)
        assert len(earlier) == 0
        welcomed()
        served.running.gallery.delete("Ada")  # as another program does
        login(served.user, "Ada", ADA)
        assert len(earlier) == 0


# Limits


@pytest.mark.slow
def test_attempts_of_a_caller_at_a_person_are_limited(tmp_path_factory: pytest.TempPathFactory) -> None:
    with spoken(tmp_path_factory.mktemp("limits"), logins_per_minute=3) as served:
        served.enroller.post("/people", data={"name": "Ada"}, files=audio(ADA))
        assert login(served.user, "Ada", ADA_AGAIN)["welcome"]  # does not count
        for _ in range(12):  # nor does that in which there is nothing to compare
            assert code(served.user.post(at("login", "Ada"), files=audio(("ada.wav", b"RIFF"))), 422) == "audio"
            assert login(served.user, "Ada", silence(0.5))["outcome"] == "speak"
        wrong = audio(cut(STRANGER, 0, 4))
        for name in ("Ada", "ADA", "ada "):
            assert not served.user.post(at("login", name), files=wrong).json()["welcome"]
        answer = served.user.post(at("login", "Ada"), files=audio(ADA_AGAIN))
        assert code(answer, 429) == "attempts"
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert int(answer.headers["retry-after"]) == answer.json()["retry_after"]
        # Others are not kept from that person, nor that caller from others.
        assert served.user.post(at("login", "Eve"), files=wrong).status_code == 200
        assert login(served.admin, "Ada", ADA_AGAIN)["outcome"] == "replayed"
        assert served.user.post(at("login", "Ada", "challenge")).status_code == 200


def test_a_login_counts_as_heard_by_every_name_of_the_voice(tmp_path_factory: pytest.TempPathFactory) -> None:
    with spoken(tmp_path_factory.mktemp("names")) as served:
        gallery = served.running.gallery
        vector = gallery.model.embed(PHILIPPE)
        gallery.store.require_model(gallery.model.card.fingerprint)
        for name in ("Bea", "Cleo", "Dora"):
            gallery.store.add(name, NewVoiceprint(vector))
        assert login(served.user, "Bea", PHILIPPE_AGAIN)["welcome"]
        assert login(served.user, "Cleo", PHILIPPE_AGAIN)["outcome"] == "replayed"
        assert served.admin.post(at("people", "Bea", "merge"), json={"into": "Cleo"}).status_code == 200
        for name in ("Cleo", "Dora"):
            assert login(served.user, name, PHILIPPE_AGAIN)["outcome"] == "replayed"
        served.admin.delete(at("people", "Cleo"))
        assert len(served.running.app.state.door.earlier) == 0
