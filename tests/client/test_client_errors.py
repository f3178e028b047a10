"""What the client does when not all is well: problems, silence, broken connections, busy services."""

from __future__ import annotations

import pickle
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from clientmakers import DECISION, Answer, problem, scripted
from hypothesis import given
from hypothesis import strategies as st

from samevoice.client import Client, ServiceError, ServiceUnreachable
from samevoice.client.answers import Decision
from samevoice.client.errors import from_problem
from samevoice.client.reading import read
from samevoice.errors import (
    AudioError,
    ConfigError,
    EnrolmentRefused,
    GalleryError,
    ModelError,
    NotEnoughSpeech,
    SamevoiceError,
    UnknownPerson,
)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (problem(422, "audio"), AudioError, "audio"),
        (problem(404, "unknown-person"), UnknownPerson, "unknown-person"),
        (problem(409, "gallery"), GalleryError, "gallery"),
        (problem(409, "fingerprint"), ModelError, "model"),
        (problem(400, "config"), ConfigError, "config"),
        (problem(503, "model"), ModelError, "model"),
        (problem(401, "key"), ServiceError, "key"),
        (problem(403, "role"), ServiceError, "role"),
        (problem(413, "too-large"), ServiceError, "too-large"),
        (problem(500, "internal"), ServiceError, "internal"),
        (Answer(502, b"<html>bad gateway</html>"), ServiceError, "service"),
        (Answer(500, [1, 2]), ServiceError, "service"),
        (Answer(302, b"", {"Location": "http://127.0.0.1/elsewhere"}), ServiceError, "service"),
        (Answer(200, b"<html>a router</html>"), ServiceError, "service"),
        (Answer(200, {"verdict": "same"}), ServiceError, "version"),
        (Answer(200, {**DECISION, "verdict": "maybe"}), ServiceError, "version"),
        (Answer(200, {**DECISION, "speech": [1]}), ServiceError, "version"),
        (Answer(200, {**DECISION, "score": "0.5"}), ServiceError, "version"),
        (Answer(200, {**DECISION, "score": True}), ServiceError, "version"),
    ],
)
def test_problems_are_the_errors_of_the_library(answer: Answer, kind: type[SamevoiceError], code: str) -> None:
    with scripted(answer) as server, Client(server.url) as voices, pytest.raises(SamevoiceError) as caught:
        voices.verify(b"one", b"two")
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert len(server.asked) == 1
    if isinstance(caught.value, ServiceError):
        assert caught.value.status in {answer.status, None}


def test_errors_keep_their_parts() -> None:
    short = NotEnoughSpeech("a: b.wav", 0.4, 1.5, ("quiet",))
    again = from_problem({"code": short.code, "detail": str(short), "have": 0.4, "need": 1.5, "warnings": ["quiet"]})
    assert isinstance(again, NotEnoughSpeech)
    assert (str(again), again.name, again.have, again.need, again.warnings) == (
        str(short),
        "a: b.wav",
        0.4,
        1.5,
        ("quiet",),
    )
    refused = EnrolmentRefused("a.wav", ("too noisy", "clipped"), ("noise", "clipping"))
    body = {
        "code": refused.code,
        "detail": str(refused),
        "reasons": list(refused.reasons),
        "codes": ["noise", "clipping"],
    }
    told = from_problem(body)
    assert isinstance(told, EnrolmentRefused)
    assert (str(told), told.reasons, told.codes) == (str(refused), refused.reasons, refused.codes)
    for error in (ServiceError("x", "rate", 429, 3.0), ServiceUnreachable("y")):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
        assert (type(copy), str(copy), copy.code, copy.status) == (type(error), str(error), error.code, error.status)


@given(
    st.dictionaries(
        st.sampled_from(["code", "detail", "title", "have", "need", "warnings", "reasons", "codes", "retry_after"]),
        st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers() | st.none()),
    )
)
def test_any_problem_is_an_error_with_words(body: dict[str, Any]) -> None:
    error = from_problem(body, 418)
    assert isinstance(error, SamevoiceError)
    assert str(error)


def test_a_get_is_tried_again_and_a_post_is_not() -> None:
    dropped = Answer(None)
    with scripted(dropped, dropped, Answer(body={"status": "ok"})) as server, Client(server.url) as voices:
        assert voices.health().status == "ok"
        assert len(server.asked) == 3
    with scripted(dropped) as server, Client(server.url) as voices:
        with pytest.raises(ServiceUnreachable, match="connection broke"):
            voices.health()
        assert len(server.asked) == 3
        with pytest.raises(ServiceUnreachable):
            voices.enrol("Ada", b"sound")
        assert len(server.asked) == 4


def test_what_the_service_put_off_is_asked_again_with_the_whole_upload(tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"sound" * 1_000)
    busy = problem(503, "busy", retry_after=0)
    with scripted(busy, problem(429, "rate", retry_after=0), Answer(body=DECISION)) as server:
        with Client(server.url) as voices:
            assert voices.verify(sound, b"two").verdict == "same"
        assert [len(one.form["first"]) for one in server.asked] == [5_000] * 3
    with scripted(busy) as server, Client(server.url, tries=2) as voices:
        with pytest.raises(ServiceError, match="a sentence") as caught:
            voices.verify(sound, b"two")
        assert (caught.value.code, caught.value.retry_after, len(server.asked)) == ("busy", 0, 2)
    for far in (
        problem(429, "rate", retry_after=86_400),
        problem(503, "busy"),
        Answer(503, {}, {"Retry-After": "nan"}),
    ):
        with scripted(far) as server, Client(server.url) as voices:
            began = time.monotonic()
            with pytest.raises(ServiceError):
                voices.health()
            assert time.monotonic() - began < 20
            assert len(server.asked) == 1


def test_nobody_there_silence_and_half_an_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", tries=1) as voices:
        with pytest.raises(ServiceUnreachable, match="cannot be reached"):
            voices.health()
        with pytest.raises(ServiceUnreachable, match="cannot be reached"):
            list(voices.stream([]))
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with Client(url, timeout=0.2, tries=1) as voices, pytest.raises(ServiceUnreachable, match="no answer in time"):
            voices.health()
    half = Answer(200, b'{"status"', promised=100)
    with scripted(half) as server, Client(server.url, tries=1) as voices:  # noqa: SIM117
        with pytest.raises(ServiceUnreachable, match="connection broke"):
            voices.health()


def test_reading_says_where_and_never_what() -> None:
    with pytest.raises(ServiceError, match=r"\(speech\.1\)") as caught:
        read(Decision, {**DECISION, "speech": [1.0, "secret"]})
    assert "secret" not in str(caught.value)
