"""What the client does when all is well and when it is not, against a server that answers as the test tells it to."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent
from typing import Any, cast
from urllib.parse import unquote

import httpx
import pytest
from clientmakers import Answer, scripted
from hypothesis import given
from hypothesis import strategies as st

from samevoice.client import Client, ServiceError, ServiceUnreachable
from samevoice.client.answers import Decision
from samevoice.client.errors import from_problem
from samevoice.client.reading import read
from samevoice.client.transport import _part
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

DECISION = {
    "verdict": "same",
    "score": 0.8,
    "llr": 4,
    "probability": 0.98,
    "threshold": 0.4,
    "far": 0.01,
    "prior": 0.5,
    "speech": [3.0, 2.5],
    "reason": "far likelier",
    "model": "campplus/1",
    "warnings": ["noise"],
    "calibration": None,
    "impostor_pairs": 1225,
    "more_speech": None,
    "later": "a member of a newer service",
}
JOB = {
    "id": "j1",
    "name": "m",
    "state": "waiting",
    "progress": 0,
    "eta": None,
    "created": "2026-11-21T09:00:00Z",
    "expires": "2026-11-22T09:00:00Z",
    "problem": None,
    "seconds": None,
}
KEY = "sv_abc_" + "x" * 43


def problem(status: int, code: str, detail: str = "a sentence", **extras: object) -> Answer:
    headers = {"Retry-After": str(extras["retry_after"])} if "retry_after" in extras else {}
    return Answer(status, {"status": status, "code": code, "detail": detail, "title": "x", **extras}, headers)


def test_what_is_sent_and_what_is_read(tmp_path: Path) -> None:
    first = tmp_path / 'odd "name"\n.wav'
    first.write_bytes(b"RIFF one")
    with scripted(Answer(body=DECISION)) as server, Client(server.url, key=KEY) as voices:
        decision = voices.verify(first, b"two", far=0.05)
    assert decision.verdict == "same"
    assert decision.llr == 4.0
    assert decision.speech == (3.0, 2.5)
    assert decision.warnings == ("noise",)
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v1/verify")
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert b'filename="odd %22name%22%0A.wav"' in asked.body
    assert asked.form == {"far": b"0.05", "first": b"RIFF one", "second": b"two"}


@given(st.text(max_size=40))
def test_any_name_is_one_part_of_the_address(name: str) -> None:
    """Nothing that a person is called leads elsewhere."""
    part = _part(name)
    assert not set(part) & set("/?#\\")
    assert part not in {".", ".."}
    assert unquote(part) == name.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("name", ["..", ".", "a/b", "Ada Lovelace", "é?#%2F", "\n"])
def test_names_in_addresses(name: str) -> None:
    with scripted(Answer(204, b"")) as server, Client(server.url) as voices:
        voices.delete(name)
    path = server.asked[0].path
    assert path.startswith("/v1/people/")
    assert path.count("/") == 3
    assert unquote(path.rpartition("/")[2]) == name


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
            assert time.monotonic() - began < 2
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


def test_a_download_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "meeting.rttm"
    target.write_text("old")
    with (
        scripted(Answer(body=JOB), Answer(200, b"half", promised=10)) as server,
        Client(server.url, tries=1) as voices,
    ):
        job = voices.job("j1")
        with pytest.raises(ServiceUnreachable):
            job.export("rttm", target)
        assert target.read_text() == "old"
        server.answers = [problem(404, "not-found")]
        with pytest.raises(ServiceError):
            job.export("no such format", target)
        assert target.read_text() == "old"
        server.answers = [Answer(200, b"SPEAKER x\n")]
        job.export("rttm", target)
        assert target.read_text() == "SPEAKER x\n"
        with pytest.raises(ConfigError, match="cannot be written"):
            job.audio(tmp_path / "no" / "sound.flac")
    assert [path.name for path in tmp_path.iterdir()] == ["meeting.rttm"]


def test_waiting_for_a_job() -> None:
    result = {
        "recording": "m", "extent": 2.0, "counts": [{"speakers": 1, "probability": 0.9}], "undo": False, "redo": False,
        "warnings": [],
        "turns": [{"start": 0, "end": 1.5, "speaker": "speaker-1", "confidence": None}],
        "speakers": [{"name": "speaker-1", "seconds": 1.5, "known": False}],
    }  # fmt: skip
    steps = [
        JOB,
        {**JOB, "state": "running", "progress": 0.5},
        {**JOB, "state": "done", "progress": 1},
        result,
    ]
    seen: list[float] = []
    with scripted(*(Answer(body=one) for one in steps)) as server, Client(server.url) as voices:
        job = voices.diarize(b"meeting")
        found = job.wait(lambda at: seen.append(at.progress), every=0.01)
    assert seen == [0.5, 1.0]
    assert found.turns[0].end == 1.5
    assert found.turns[0].confidence is None
    failed = {**JOB, "state": "failed", "problem": {"code": "audio", "detail": "m: is not audio; convert it"}}
    with scripted(Answer(body=failed)) as server, Client(server.url) as voices:
        with pytest.raises(AudioError, match="is not audio"):
            voices.job("j1").wait()
        server.answers = [Answer(body=JOB)]
        with pytest.raises(ServiceError, match="goes on") as caught:
            voices.job("j1").wait(timeout=0.05, every=0.01)
        assert caught.value.code == "timeout"


def test_uploads_come_from_disk(tmp_path: Path) -> None:
    big = tmp_path / "meeting.wav"
    with big.open("wb") as file:
        file.truncate(256 << 20)
    sizes: list[int] = []

    class Swallow(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            sizes.append(sum(map(len, cast("Iterable[bytes]", request.stream))))
            return httpx.Response(413, json=problem(413, "too-large").body)

    with Client(wire=Swallow()) as voices:
        tracemalloc.start()
        with pytest.raises(ServiceError, match="a sentence"):
            voices.diarize(big)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sizes[0] > 256 << 20
    assert peak < 4 << 20


@pytest.mark.parametrize("url", ["", "localhost:8750", "ftp://a", "http://", "http://[::1", "file:///etc/passwd"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigError, match="no address of a service"):
        Client(url)


@pytest.mark.parametrize("key", ["", "a\nb", " a", "ké"])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(ConfigError, match="the key has signs") as caught:
        Client(key=key)
    assert not key or repr(key) not in str(caught.value)


def test_the_key_is_told_nowhere() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with Client(url, key=KEY, tries=1) as voices:
        with pytest.raises(ServiceUnreachable) as caught:
            voices.verify(b"1", b"2")
        assert KEY not in f"{voices!r}{voices._at!r}{caught.value!r}{caught.value.__cause__!r}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with scripted(Answer(body=DECISION)) as server, Client(server.url) as voices:
        for path in (tmp_path / "gone.wav", tmp_path, "nul\0.wav"):
            with pytest.raises(AudioError, match="cannot be read"):
                voices.verify(path, b"2")
    assert not server.asked


def test_reading_says_where_and_never_what() -> None:
    with pytest.raises(ServiceError, match=r"\(speech\.1\)") as caught:
        read(Decision, {**DECISION, "speech": [1.0, "secret"]})
    assert "secret" not in str(caught.value)


def test_importing_needs_no_numpy() -> None:
    heavy = {"numpy", "torch", "fastapi", "onnxruntime", "sqlalchemy"}
    code = f"import sys, samevoice.client; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_its_packages_it_says_what_to_install() -> None:
    code = """
        import sys
        sys.modules["httpx"] = None
        try:
            import samevoice.client
        except Exception as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ConfigError the client needs httpx")
