"""The options of a service: ranges, files, what contradicts."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from samevoice.errors import ConfigError
from samevoice.service.options import Options, is_loopback
from samevoice.service.tls import certificate

NETWORK = "0.0.0.0"  # noqa: S104 - what is tested


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 65_536},
        {"port": "80"},
        {"port": True},
        {"workers": 0},
        {"threads": 0},
        {"waiting": 0},
        {"clip_bytes": 0.5},
        {"clip_seconds": 0},
        {"clip_seconds": float("nan")},
        {"decode_seconds": -1},
        {"body_seconds": "60"},
        {"far": 0},
        {"far": 2},
        {"fpir": 1.5},
        {"fpir": float("nan")},
        {"per_minute": 0},
        {"open": "yes"},
        {"host": None},
        {"host": 7},
        {"gallery": 7},
        {"origins": "https://a.example"},
        {"hosts": [7]},
        {"tls_cert": "a.pem"},
        {"tls_key": "a.pem"},
        {"self_signed": True, "tls_cert": "a", "tls_key": "b"},
        {"keep_hours": 0},
        *({name: "a\0b"} for name in ("host", "gallery", "model", "keys", "data", "audit_log")),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        Options(**wrong)
    assert any(name in str(refused.value) for name in wrong)


@pytest.mark.parametrize("name", ["data", "keys", "audit_log"])
def test_home_folders_are_found_and_those_of_nobody_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"data": "folder", "keys": "key_file", "audit_log": "log_file"}
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USERPROFILE", "/home/ada")
    assert getattr(Options(**{name: "~/x"}), places[name]) == Path("/home/ada/x")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="~nobody9/x: there is no home folder"):
        getattr(Options(**{name: "~nobody9/x"}), places[name])  # type: ignore[arg-type]


def test_a_file_may_set_everything_and_a_flag_goes_before(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text('port = 1\nopen = true\nhosts = ["a", "b"]\nclip_seconds = 5\n')
    found = Options.read(file, {"port": 2, "open": None})
    assert (found.port, found.open, found.hosts, found.clip_seconds) == (2, True, ("a", "b"), 5)
    assert Options.read(None, {}) == Options()
    for field in fields(Options):
        value = getattr(Options(), field.name)
        if isinstance(value, bool | int | float | str):
            file.write_text(f"{field.name} = {str(value).lower() if isinstance(value, bool) else repr(value)}")
            assert Options.read(file, {}) == Options()


@pytest.mark.parametrize("content", [b"prot = 1", b"port", b"\xff", b"[port]\na = 1"])
def test_a_file_that_is_wrong_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "service.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError):
        Options.read(file, {})
    with pytest.raises(ConfigError, match="nowhere"):
        Options.read(tmp_path / "nowhere.toml", {})


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_names_of_the_machine_itself(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [NETWORK, "::", "192.168.1.1", "localhost.evil.example", "", "127.1", "example.com"])
def test_names_of_others(host: str) -> None:
    assert not is_loopback(host)


def test_plain_http_needs_no_certificate() -> None:
    assert certificate(Options()) is None
