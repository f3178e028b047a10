"""Connections: silent ones end, busy ones do not, and there is always room to ask whether the service is well."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from servicemakers import Running, serving

from samevoice.service import connections

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A service with little patience and few places."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(connections, "MOST", 3)
    monkeypatch.setattr(connections, "SPARE", 2)
    with serving(tmp_path) as running:
        yield running


def connected(running: Running) -> socket.socket:
    parts = urlsplit(running.url)
    return socket.create_connection((str(parts.hostname), parts.port or 80), timeout=10)


def ended(stream: socket.socket) -> bool:
    """Whether the service hangs up before anything comes."""
    try:
        return stream.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("start", [b"", b"GET", HEAD])
def test_a_head_that_does_not_come_ends_the_connection(hasty: Running, start: bytes) -> None:
    with connected(hasty) as stream:
        stream.sendall(start)
        began = time.monotonic()
        assert ended(stream)
        assert 0.2 < time.monotonic() - began < 15


def test_a_head_that_trickles_ends_too_also_after_a_request(hasty: Running) -> None:
    with connected(hasty) as stream:
        stream.sendall(HEAD + b"\r\n")
        assert b" 200 " in stream.recv(65_536)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 20:
                stream.sendall(b"G" if time.monotonic() - began < 0.1 else b"E")
                time.sleep(0.05)
        assert time.monotonic() - began < 15


@pytest.mark.slow
def test_a_client_that_asks_now_and_then_and_one_that_waits_long_are_served(hasty: Running) -> None:
    @hasty.app.get("/v1/long")
    async def long() -> str:
        import asyncio

        await asyncio.sleep(1.0)
        return "done"

    with httpx.Client(base_url=hasty.url) as client:
        for _ in range(3):
            assert client.get("/v1/long").json() == "done"  # longer than a head may take
            time.sleep(0.6)  # and so is the pause
    with connected(hasty) as stream:
        time.sleep(0.2)
        stream.sendall(HEAD)
        time.sleep(0.1)
        stream.sendall(b"\r\n")
        assert b" 200 " in stream.recv(65_536)


def test_the_next_one_is_sent_away_and_there_is_room_again(hasty: Running) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connected(hasty))
        with connected(hasty) as stream:
            stream.settimeout(0.2)
            assert ended(stream)
    end = time.monotonic() + 5
    while True:
        with contextlib.suppress(httpx.TransportError):
            assert httpx.get(f"{hasty.url}/healthz").status_code == 200
            break
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_address_has_so_many_and_no_more(hasty: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine plays another, since there is only one here."""
    monkeypatch.setattr(connections, "MOST_OF_ONE", 2)
    monkeypatch.setattr(connections, "is_loopback", lambda _: False)
    with connected(hasty), connected(hasty), connected(hasty) as third:
        third.settimeout(0.2)
        assert ended(third)


def test_what_is_no_http_is_a_problem(hasty: Running) -> None:
    with connected(hasty) as stream:
        stream.sendall(b"nonsense\r\n\r\n")
        told = b""
        while part := stream.recv(65_536):
            told += part
    head, _, body = told.partition(b"\r\n\r\n")
    assert b" 400 " in head.split(b"\r\n")[0]
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "request"
