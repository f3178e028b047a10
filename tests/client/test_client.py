"""What the client sends, reads and writes, against a server that answers as the test tells it to."""

from __future__ import annotations

import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent
from typing import cast
from urllib.parse import unquote

import httpx
import pytest
from clientmakers import DECISION, Answer, problem, scripted
from hypothesis import given
from hypothesis import strategies as st

from samevoice.client import Client, ServiceError, ServiceUnreachable
from samevoice.client.transport import _part
from samevoice.errors import (
    AudioError,
    ConfigError,
)

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


@pytest.mark.slow
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
