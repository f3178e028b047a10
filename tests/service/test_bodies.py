"""What is sent: how much, how slowly, in how many parts; and who does not send it at all."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.exceptions import RequestValidationError
from servicemakers import Running, bearer, new_key, serving

from samevoice.service.problems import problem_of

MIB = 1 << 20


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with low limits."""
    folder = tmp_path_factory.mktemp("small")
    limits: dict[str, Any] = {"clip_bytes": 200_000, "meeting_bytes": 3 * MIB, "body_seconds": 0.5}
    with serving(folder, per_minute=100_000, waiting=4, **limits) as running:
        yield running


def connected(running: Running) -> socket.socket:
    parts = urlsplit(running.url)
    return socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20)


def head(running: Running, path: str, *lines: str) -> bytes:
    host = urlsplit(running.url).netloc
    return "\r\n".join((f"POST {path} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode()


def answer(stream: socket.socket) -> bytes:
    """All that comes until the service hangs up."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := stream.recv(65_536):
            found += part
    return found


FORM = "Content-Type: multipart/form-data; boundary=line"


def test_a_promise_of_too_much_is_refused_at_once(small: Running) -> None:
    with connected(small) as stream:
        stream.sendall(head(small, "/v1/verify", FORM, "Content-Length: 99999999999", "Expect: 100-continue"))
        began = time.monotonic()
        stream.settimeout(5)
        told = stream.recv(65_536)
        while b"\r\n\r\n" not in told or b"}" not in told.partition(b"\r\n\r\n")[2]:
            told += stream.recv(65_536)
    assert b" 413 " in told.split(b"\r\n")[0]
    assert b"too-large" in told
    assert time.monotonic() - began < 5


PART = b'--line\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
END = b"\r\n--line--\r\n"


@pytest.mark.parametrize(
    ("method", "path", "kind", "most"),
    [
        ("POST", "/v1/verify", "multipart/form-data; boundary=line", 2 * 200_000 + MIB),
        ("POST", "/v1/diarize", "multipart/form-data; boundary=line", 3 * MIB + MIB),
        ("POST", "/v1/timeline", "multipart/form-data; boundary=line", 2 * 200_000 + MIB),
        ("PATCH", "/v1/people/x", "application/json", 32_768),
        ("PATCH", "/v1/people/x", "application/octet-stream", 32_768),
    ],
)
def test_too_much_is_refused_though_no_length_was_promised(
    small: Running, method: str, path: str, kind: str, most: int
) -> None:
    def body(size: int) -> Iterator[bytes]:
        yield PART
        size -= len(PART) + len(END)
        while size > 0:
            yield b"x" * min(size, 65_536)
            size -= 65_536
        yield END

    def send(size: int) -> httpx.Response:
        return httpx.request(method, small.url + path, content=body(size), headers={"Content-Type": kind}, timeout=30)

    over = send(most + 1)
    assert (over.status_code, over.json()["code"]) == (413, "too-large")
    assert over.json()["limit"] == most
    within = send(most)
    assert within.status_code == 422 or within.json()["limit"] in (3 * MIB, 200_000)  # of the file, not of the request


def test_a_body_that_stops_is_given_up(small: Running) -> None:
    with connected(small) as stream:
        stream.sendall(head(small, "/v1/verify", FORM, "Content-Length: 1000"))
        stream.sendall(PART)
        began = time.monotonic()
        told = answer(stream)
    assert b" 408 " in told.split(b"\r\n")[0]
    assert b'"code": "slow"' in told
    assert 0.4 < time.monotonic() - began < 15


@pytest.mark.parametrize("start", [PART, b"nonsense"])
def test_a_body_that_trickles_is_given_up_too(small: Running, start: bytes) -> None:
    """Never silent for long, and never done; also after it was refused."""
    with connected(small) as stream:
        stream.sendall(head(small, "/v1/verify", FORM, "Content-Length: 100000"))
        stream.sendall(start)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for _ in range(600):
                stream.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - began < 15  # a second until it is too slow, two until the service hangs up


def test_a_slow_body_that_goes_on_is_taken(small: Running, samples: Path) -> None:
    clip = (samples / "philippe_2.flac").read_bytes()

    def parts() -> Iterator[bytes]:
        for name in ("first", "second"):
            yield f'--line\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode()
            for start in range(0, len(clip), 10_000):
                yield clip[start : start + 10_000]
                time.sleep(0.06)
            yield b"\r\n"
        yield b"--line--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=line"}
    began = time.monotonic()
    told = httpx.post(f"{small.url}/v1/verify", content=parts(), headers=headers, timeout=30)
    assert told.status_code == 200, told.text
    assert time.monotonic() - began > 0.6  # longer than any silence that is allowed


@pytest.mark.parametrize("step", [1, 7, 50_000])
def test_a_form_of_many_parts_is_refused_however_it_is_cut(small: Running, step: int) -> None:
    whole = b"".join(
        f'--line\r\nContent-Disposition: form-data; name="n{number}"\r\n\r\n{number}\r\n'.encode()
        for number in range(40)
    )
    pieces = (whole[start : start + step] for start in range(0, len(whole), step))
    headers = {"Content-Type": "multipart/form-data; boundary=line"}
    told = httpx.post(f"{small.url}/v1/verify", content=pieces, headers=headers, timeout=30)
    assert (told.status_code, told.json()["code"]) == (400, "request")
    assert "too many parts" in told.json()["detail"]


def test_so_many_bodies_at_once_and_no_more_and_health_all_the_while(small: Running) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stream = stack.enter_context(connected(small))
            stream.sendall(head(small, "/v1/verify", FORM, "Content-Length: 100000") + PART)
        time.sleep(0.1)
        told = httpx.post(f"{small.url}/v1/verify", files={"first": b"x"}, timeout=10)
        assert (told.status_code, told.json()["code"]) == (503, "busy")
        assert httpx.get(f"{small.url}/healthz", timeout=2).status_code == 200
        assert httpx.get(f"{small.url}/v1/me", timeout=2).status_code == 200
    end = time.monotonic() + 10
    while httpx.post(f"{small.url}/v1/verify", files={"first": b"x"}, timeout=10).status_code == 503:
        assert time.monotonic() < end, "those who hung up are still counted"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"--line",
        b"--line\r\n\r\n",
        b"--line\r\nContent-Disposition: form-data\r\n\r\nx\r\n--line--\r\n",
        b"\x00" * 999,
    ],
)
def test_a_form_that_is_none_is_told(small: Running, content: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=line"}
    told = httpx.post(f"{small.url}/v1/verify", content=content, headers=headers)
    assert told.status_code in (400, 422)
    assert told.headers["content-type"] == "application/problem+json"


def test_deep_json_is_told(small: Running) -> None:
    headers = {"Content-Type": "application/json"}
    told = httpx.patch(f"{small.url}/v1/people/x", content=b"[" * 32_000, headers=headers)
    assert told.status_code in (400, 422)


def test_a_header_without_end_is_given_up(small: Running) -> None:
    with connected(small) as stream:
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        with contextlib.suppress(OSError):
            for _ in range(200):
                stream.sendall(b"X-Long: " + b"a" * 1000 + b"\r\n")
            assert b" 400 " in answer(stream).split(b"\r\n")[0]
    assert httpx.get(f"{small.url}/healthz", timeout=2).status_code == 200


def test_a_clip_is_worked_on_only_once_it_is_whole(small: Running, samples: Path) -> None:
    clip = (samples / "philippe_2.flac").read_bytes()
    with connected(small) as stream:
        stream.sendall(head(small, "/v1/verify", FORM, f"Content-Length: {2 * len(clip)}"))
        stream.sendall(b'--line\r\nContent-Disposition: form-data; name="first"; filename="a"\r\n\r\n' + clip)
    threading.Event().wait(0.1)
    assert httpx.get(f"{small.url}/v1/system").json()["running"] == 0
    assert list(small.service.uploads.iterdir()) == []


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[tuple[Running, list[dict[str, str]]]]:
    """A service with two keys and eight places, so that each may have two."""
    headers = [bearer(new_key(tmp_path, "user", name)) for name in ("one", "two")]
    with serving(tmp_path, waiting=8, per_minute=100_000, body_seconds=5) as running:
        yield running, headers


def test_who_has_no_key_keeps_nobody_away(keyed: tuple[Running, list[dict[str, str]]]) -> None:
    """Bodies that are refused take no place, however long they take to end."""
    running, (one, _) = keyed
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stream = stack.enter_context(connected(running))
            stream.sendall(head(running, "/v1/verify", FORM, "Content-Length: 100000") + PART)
        time.sleep(0.1)
        assert httpx.post(f"{running.url}/v1/verify", files={"first": b"x"}, headers=one).status_code == 422


def test_one_caller_keeps_no_other_away(keyed: tuple[Running, list[dict[str, str]]]) -> None:
    running, (one, two) = keyed
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stream = stack.enter_context(connected(running))
            key = f"Authorization: {one['Authorization']}"
            stream.sendall(head(running, "/v1/verify", FORM, key, "Content-Length: 100000") + PART)
        time.sleep(0.1)
        asked = [httpx.post(f"{running.url}/v1/verify", files={"first": b"x"}, headers=key) for key in (one, two)]
    assert [told.status_code for told in asked] == [503, 422]
    assert asked[0].json()["code"] == "busy"


def test_a_request_with_a_thousand_mistakes_is_told_of_some() -> None:
    """A generator plays the list, to see how much of it is looked at."""
    looked_at = iter([{"loc": ("body", number), "msg": "is wrong"} for number in range(3000)])

    class Mistakes(RequestValidationError):
        def errors(self) -> Any:
            return looked_at

    problem = problem_of(Mistakes([]))
    assert problem is not None
    assert [part["where"] for part in problem.extras["fields"]] == [f"body.{number}" for number in range(50)]
    assert len(list(looked_at)) == 2950


@pytest.mark.parametrize("size", [2_000, 3_000_000])
def test_a_full_disk_is_the_fault_of_the_service(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that takes nothing plays the disk: for what is spooled (large) and for the file of the clip."""
    with serving(tmp_path) as running:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        running.service.uploads.rmdir()
        told = httpx.post(f"{running.url}/v1/verify", files={"first": b"x" * size, "second": b"y" * size}, timeout=30)
        assert (told.status_code, told.json()["code"]) == (507, "disk")
        assert any("disk" in record.getMessage() for record in caplog.records)
