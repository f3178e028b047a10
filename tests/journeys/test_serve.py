"""`samevoice serve` and `samevoice keys` as people use them, in processes of their own where that shows something."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from commandline import samevoice

SCRIPT = "import sys; from samevoice.cli.main import main; sys.argv[0] = 'samevoice'; main()"

NETWORK = "0.0.0.0"  # noqa: S104 - what is tested


@contextlib.contextmanager
def started(folder: Path, *options: object) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A service in a process of its own, its address, and what it says."""
    places = ("--port", 0, "--data", folder / "data", "--gallery", folder / "voices.db", "--model", "campplus")
    command = [sys.executable, "-c", SCRIPT, "serve", *map(str, (*places, *options))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        first = process.stdout.readline()
        reader = threading.Thread(target=said.extend, args=(process.stdout,))
        errors = threading.Thread(target=said.extend, args=(process.stderr,))
        for thread in (reader, errors):
            thread.start()
        said.insert(0, first)
        try:
            found = re.search(r"https?://\S+:\d+", first)
            assert found is not None, said
            yield process, found[0], said
        finally:
            process.kill()
            process.wait()
            for thread in (reader, errors):
                thread.join()


def ready(url: str, **options: object) -> dict[str, object]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(f"{url}/readyz", **options)  # type: ignore[arg-type]
            if answer.status_code == 200:
                return dict(answer.json())
        time.sleep(0.02)
    raise AssertionError("the service is not ready")


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_who_can_use_it_and_ends_quietly(tmp_path: Path, end: signal.Signals) -> None:
    with started(tmp_path) as (process, url, said):
        assert re.fullmatch(r"samevoice is at http://127\.0\.0\.1:\d+/ .*Ctrl-C.*\n", said[0])
        assert ready(url)["status"] == "ready"
        process.send_signal(end)
        assert process.wait(15) == 0
    text = "".join(said)
    assert "at this machine, without a key" in text
    assert "Traceback" not in text
    assert list((tmp_path / "data").glob("uploads*")) == []


@pytest.mark.slow
def test_it_ends_soon_though_somebody_still_sends_and_all_it_logs_is_json(tmp_path: Path) -> None:
    with started(tmp_path) as (process, url, said):
        ready(url)
        host, _, port = url.rpartition("/")[2].partition(":")
        with (
            socket.create_connection((host, int(port)), 20) as stream,
            socket.create_connection((host, int(port)), 20) as bad,
        ):
            bad.sendall(b"nonsense\r\n\r\n")  # the server below warns of it
            assert b"problem+json" in bad.recv(65_536)
            lines = ("POST /v1/verify HTTP/1.1", f"Host: {host}", "Content-Length: 100000")
            form = "Content-Type: multipart/form-data; boundary=line"
            stream.sendall("\r\n".join((*lines, form, "", "--line\r\n")).encode())
            time.sleep(0.3)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert b" 503 " in stream.recv(65_536).split(b"\r\n")[0]
            assert process.wait(15) == 0
            assert time.monotonic() - began < 9
    logged = [json.loads(line) for line in said if line.startswith("{")]
    assert {"request"} < {line["event"] for line in logged}
    assert [line for line in said if not line.startswith("{")] == said[:2]


@pytest.mark.slow
def test_it_is_back_soon_after_a_kill(tmp_path: Path) -> None:
    with started(tmp_path) as (process, url, _):
        ready(url)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with started(tmp_path) as (_, url, _):
        assert ready(url)["people"] == 0


@pytest.mark.slow
def test_the_network_needs_a_key_or_a_plain_word(tmp_path: Path) -> None:
    refused = samevoice("serve", "--host", NETWORK, "--data", tmp_path / "data", "--gallery", tmp_path / "v.db")
    assert refused.returncode == 2
    assert "samevoice keys add" in refused.stderr
    assert "--open" in refused.stderr
    with started(tmp_path, "--host", NETWORK, "--open") as (_, url, said):
        port = url.rpartition(":")[2]
        assert ready(f"http://127.0.0.1:{port}")["status"] == "ready"
    assert "EVERYBODY" in "".join(said)
    assert "unencrypted" in "".join(said)


@pytest.mark.slow
def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    made = samevoice("keys", "add", "kiosk", "--role", "user", "--days", 30, *data)
    assert made.returncode == 0
    token = made.stdout.strip()
    assert re.fullmatch(r"sv_[0-9a-f]{8}_[\w-]{43}", token)
    told = json.loads(samevoice("keys", "add", "boss", "--role", "admin", "--json", *data).stdout)
    assert told["role"] == "admin"
    assert told["token"].startswith("sv_")
    listed = samevoice("keys", "list", *data)
    assert "kiosk  user, made" in listed.stdout
    assert "boss  admin" in listed.stdout
    assert token not in listed.stdout
    found = json.loads(samevoice("keys", "list", "--json", *data).stdout)
    assert [one["name"] for one in found] == ["kiosk", "boss"]
    assert all("digest" not in one for one in found)
    with started(tmp_path) as (_, url, said):
        ready(url)
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{url}/v1/me", headers=headers).json()["name"] == "kiosk"
        assert samevoice("keys", "revoke", "kiosk", *data).returncode == 0
        assert httpx.get(f"{url}/v1/me", headers=headers).status_code == 401
    assert "with a key" in "".join(said)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("keys", "add", "x", "--role", "root"), "no role"),
        (("keys", "add", "", "--role", "user"), "name of 1 to"),
        (("keys", "add", "x", "--role", "user", "--days", "-1"), "days"),
        (("keys", "revoke", "nobody"), "samevoice keys list"),
        (("serve", "--tls-cert", "x.pem"), "tls_key"),
        (("serve", "--tls-cert", "x.pem", "--tls-key", "y.pem"), "check both files"),
        (("serve", "--self-signed", "--tls-cert", "x", "--tls-key", "y"), "not both"),
        (("serve", "--far", "2"), "far"),
        (("serve", "--host", "no.such.host.invalid", "--open"), "cannot listen"),
        (("serve", "--host", "203.0.113.9", "--open"), "this is no address of this machine"),
        (("serve", "--host", "256.1.1.1", "--open"), "this is no address of this machine"),
        (("serve", "--host", "."), "this is no address of this machine"),
        (("serve", "--host", "a" * 300), "this is no address of this machine"),
        (("serve", "--tls-cert", "~nobody9/x", "--tls-key", "y"), "~nobody9/x: there is no home folder"),
        (("serve", "--audit-log", "~nobody9/x"), "~nobody9/x: there is no home folder"),
        (("serve", "--keys", "~nobody9/x"), "~nobody9/x: there is no home folder"),
        (("keys", "list", "--keys", "~nobody9/x"), "~nobody9/x: there is no home folder"),
        (("serve", "--audit-log", "/nowhere/at/all.jsonl"), "audit log"),
        (("serve", "--model", "nonsense"), "unknown"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    places = ("--data", tmp_path / "data")
    if arguments[0] == "serve":
        places = (*places, "--gallery", tmp_path / "voices.db", "--port", "0")  # type: ignore[assignment]
        if "--model" not in arguments:
            places = (*places, "--model", "campplus")  # type: ignore[assignment]
    told = samevoice(*arguments, *places)
    assert told.returncode == 2
    assert message in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.slow
def test_options_come_from_a_file_and_flags_go_before_them(tmp_path: Path) -> None:
    config = tmp_path / "samevoice.toml"
    config.write_text('clip_seconds = 7.5\nfpir = 0.05\nhosts = ["voices.lan"]\n')
    with started(tmp_path, "--config", config, "--fpir", "0.02") as (_, url, _):
        ready(url)
        told = httpx.get(f"{url}/v1/me", headers={"Host": "voices.lan"}).json()
        assert told["limits"]["clip_seconds"] == 7.5
        assert told["fpir"] == 0.02
    for content, message in (("clip_second = 7", "is no option"), ("port = ", "is no TOML"), ("port = 'x'", "port")):
        config.write_text(content)
        refused = samevoice("serve", "--config", config)
        assert refused.returncode == 2
        assert message in refused.stderr


@pytest.mark.slow
def test_a_phone_gets_a_certificate(tmp_path: Path) -> None:
    with started(tmp_path, "--self-signed") as (_, url, said):
        assert url.startswith("https://")
        told = ready(url, verify=False)
        assert told["status"] == "ready"
    assert re.search(r"SHA-256: ([0-9A-F]{2}:){31}[0-9A-F]{2}", "".join(said))


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        place = ("--data", tmp_path / "data", "--gallery", tmp_path / "v.db", "--model", "campplus")
        told = samevoice("serve", "--port", port, *place)
    assert told.returncode == 2
    assert f"port {port}" in told.stderr
    assert not (tmp_path / "data").exists()  # it may be the folder of the service that has the port


def test_help_teaches() -> None:
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, "serve", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
    ).stdout
    for word in ("samevoice keys add", "--self-signed", "--config", "HTTPS", "127.0.0.1", "8750"):
        assert word in told, word
