"""The service from outside: pages, headers, foreign sites, defects, logs, metrics, certificates, the end."""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from servicemakers import Running, bearer, new_key, serving
from starlette.requests import Request
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from samevoice.errors import ConfigError, ModelError
from samevoice.service.app import create_app, open_service
from samevoice.service.options import Options
from samevoice.service.state import service_of

SAFE = ("content-security-policy", "x-content-type-options", "referrer-policy", "permissions-policy")


# Page and addresses


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/me", "/v1/nowhere", "/nowhere", "/openapi.json", "/metrics"])
def test_every_answer_has_the_headers(service: Running, path: str) -> None:
    headers = httpx.get(service.url + path).headers
    assert all(name in headers for name in SAFE)
    assert "default-src 'self'" in headers["content-security-policy"]
    assert f"connect-src 'self' {service.websocket};" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert re.fullmatch("[0-9a-f]{16}", headers["x-request-id"])
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers
    assert "strict-transport-security" not in headers


def test_a_host_header_writes_no_policy(tmp_path: Path) -> None:
    new_key(tmp_path)  # with keys any name may be used
    with serving(tmp_path) as running:
        headers = httpx.get(running.url, headers={"Host": "x; script-src *"}).headers
        assert "script-src" not in headers["content-security-policy"]


def test_the_page_is_there_and_nothing_beside_it(service: Running) -> None:
    page = httpx.get(service.url)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for path in (
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "/js/..%2f..%2fapp.py",
        "/%00",
        "/" + "a" * 5000,
        "/\\",
    ):
        with socket.create_connection((str(urlsplit(service.url).hostname), urlsplit(service.url).port or 0)) as stream:
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            told = b""
            while part := stream.recv(65_536):
                told += part
        assert told.split(b"\r\n")[0].split()[1] in (b"404", b"400"), path
        assert b"create_app" not in told


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/verify", 405, "method"),
        ("DELETE", "/healthz", 405, "method"),
        ("GET", "/v1/nowhere", 404, "not-found"),
        ("POST", "/v1/nowhere", 404, "not-found"),
        ("POST", "/", 404, "not-found"),
        ("GET", "/v1/verify/", 404, "not-found"),
        ("GET", "/docs", 404, "not-found"),
        ("GET", "/redoc", 404, "not-found"),
    ],
)
def test_what_is_not_there_is_a_problem(service: Running, method: str, path: str, status: int, code: str) -> None:
    told = httpx.request(method, service.url + path)
    assert (told.status_code, told.json()["code"], told.json()["status"]) == (status, code, status)
    assert told.headers["content-type"] == "application/problem+json"


def test_it_is_ready_once_the_model_has_answered(service: Running) -> None:
    told = httpx.get(f"{service.url}/readyz")
    assert told.status_code == 200
    assert told.json()["model"] == service.gallery.model.card.fingerprint
    service.service.ready.clear()
    try:
        assert httpx.get(f"{service.url}/readyz").status_code == 503
        assert httpx.get(f"{service.url}/healthz").json() == {"status": "ok"}
    finally:
        service.service.ready.set()


def test_whoever_has_no_key_is_not_told_how_many_people_there_are(tmp_path: Path) -> None:
    user, enroller = (bearer(new_key(tmp_path, role)) for role in ("user", "enroller"))
    with serving(tmp_path) as running:
        model = running.gallery.model.card.fingerprint
        for headers, found in (({}, (None, None)), (user, (model, None)), (enroller, (model, 0))):
            told = httpx.get(f"{running.url}/readyz", headers=headers).json()
            assert (told["model"], told["people"]) == found
            assert (told["status"], told["reason"]) == ("ready", None)
        assert httpx.get(f"{running.url}/readyz", headers=bearer("sv_x")).status_code == 401


def test_a_model_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ModelError("the network gives no numbers")

    monkeypatch.setattr("samevoice.service.app._warm", broken)
    with serving(tmp_path, ready=False) as running:
        running.service.failed.wait(10)
        told = httpx.get(f"{running.url}/readyz")
        assert (told.status_code, told.json()["status"], told.json()["reason"]) == (503, "starting", "model")
        assert any("does not answer" in record.getMessage() for record in caplog.records)


def test_a_range_that_is_none_is_a_problem(service: Running) -> None:
    for given, status in (("bytes=99999999-", 416), ("bytes=nonsense", 400)):
        told = httpx.get(f"{service.url}/index.html", headers={"Range": given})
        assert told.status_code == status
        assert told.headers["content-type"] == "application/problem+json"
        assert told.json()["status"] == status
        assert ("content-range" in told.headers) is (status == 416)


# Other sites


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8750", 200),
        ("127.0.0.1", 200),
        ("127.8.7.6:99", 200),
        ("[::1]:8750", 200),
        ("voices.lan", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example@localhost:1", 421),
        ("localhost@evil.example", 421),
        ("192.168.1.7", 421),
        ("[", 421),
    ],
)
def test_names_that_others_can_point_here_are_refused(named: Running, host: str, status: int) -> None:
    for path in ("/v1/me", "/", "/healthz"):
        told = httpx.get(named.url + path, headers={"Host": host})
        assert told.status_code == status, path


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("named")
    with serving(folder, hosts=["Voices.lan"], origins=["https://page.example"], per_minute=100_000) as running:
        yield running


def test_pages_of_other_sites_are_refused(named: Running) -> None:
    def status(path: str = "/v1/me", method: str = "GET", **headers: str | bytes) -> int:
        sent = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
        raw = [(name, value if isinstance(value, bytes) else value.encode()) for name, value in sent]
        return httpx.request(method, named.url + path, headers=raw).status_code

    port = urlsplit(named.url).port
    assert status(Origin=named.url) == 200
    assert status(Origin="https://page.example") == 200
    for origin in ("https://evil.example", "null", "", f"http://127.0.0.1:{port}1", "http://127.0.0.1", "file://"):
        assert status(Origin=origin) == 403, origin
        assert status("/v1/people/x", "DELETE", Origin=origin) == 403, origin
    for origin in ("http://[", "http://[::1", "http://[x]", "https://a]:1", "//", "http://\u2100"):  # are no addresses
        assert status(Origin=origin.encode()) == 403, origin
    for host in ("[", "[::1", "a]", "[x]"):
        assert status(Host=host) == 421, host
    assert status(Sec_Fetch_Site="cross-site") == 403
    assert status(Sec_Fetch_Site="same-site") == 403  # another port of this machine
    assert status(Sec_Fetch_Site="same-origin") == status(Sec_Fetch_Site="none") == 200
    assert status("/", Sec_Fetch_Site="cross-site") == 200  # a link to the page


def test_sharing_is_for_the_origins_that_were_named(named: Running, service: Running) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    good = httpx.options(f"{named.url}/v1/verify", headers={"Origin": "https://page.example", **ask})
    assert good.status_code == 200
    assert good.headers["access-control-allow-origin"] == "https://page.example"
    bad = httpx.options(f"{named.url}/v1/verify", headers={"Origin": "https://evil.example", **ask})
    assert "access-control-allow-origin" not in bad.headers
    closed = httpx.options(f"{service.url}/v1/verify", headers={"Origin": "https://page.example", **ask})
    assert closed.status_code == 403
    assert "access-control-allow-origin" not in closed.headers
    # A problem is shared too, else the page could not say what is wrong.
    told = httpx.get(f"{named.url}/v1/nowhere", headers={"Origin": "https://page.example"})
    assert told.headers["access-control-allow-origin"] == "https://page.example"


def test_a_stream_for_a_page_of_another_site_is_refused(named: Running) -> None:
    """Browsers ask nobody before they open a WebSocket, so the service has to look."""
    for origin in ("https://evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"{named.websocket}/v1/stream", origin=Origin(origin))
        assert refused.value.response.status_code == 403
    with connect(f"{named.websocket}/v1/stream", origin=Origin(named.url)) as stream:
        stream.send("nonsense")
        assert '"code"' in str(stream.recv(10))


# Defects and logs


def test_a_defect_tells_its_id_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serving(tmp_path) as running:

        @running.app.get("/v1/defect")
        async def defect(request: Request) -> None:
            raise RuntimeError(f"secret of {request.url}")

        with caplog.at_level(logging.INFO, "samevoice.service"):
            told = httpx.get(f"{running.url}/v1/defect")
        assert told.status_code == 500
        assert told.json()["code"] == "internal"
        assert told.json()["id"] == told.headers["x-request-id"]
        assert "secret" not in told.text
        assert "Traceback" not in told.text
        line = next(record for record in caplog.records if record.getMessage() == "defect")
        assert vars(line)["fields"]["id"] == told.json()["id"]
        assert httpx.get(f"{running.url}/v1/me").status_code == 200


@pytest.mark.slow
def test_requests_leave_a_line_each_without_names_tokens_or_paths(tmp_path: Path, samples: Path) -> None:
    token = new_key(tmp_path, "admin", "kiosk")
    log = tmp_path / "audit.jsonl"
    clip = (samples / "philippe_2.flac").read_bytes()
    script = "import sys; from samevoice.cli.main import main; sys.argv[0] = 'samevoice'; main()"
    options = ["--port", "0", "--data", tmp_path / "data", "--gallery", tmp_path / "v.db", "--audit-log", log]
    command = [sys.executable, "-c", script, "serve", *map(str, options), "--model", "campplus"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = re.search(r"http://[^/]+", process.stdout.readline())
        assert url is not None
        files = {"first": ("Ada.flac", clip), "second": ("b", clip)}
        answer = httpx.post(f"{url[0]}/v1/verify", files=files, headers=bearer(token), timeout=60)
        httpx.get(f"{url[0]}/v1/people/Ada", headers=bearer(token))
        httpx.get(f"{url[0]}/v1/people/Ada")
        httpx.get(f"{url[0]}/Ada?token={token}")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert said.splitlines() == log.read_text().splitlines()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    told = [(line["method"], line["route"], line["status"], line["caller"], line["verdict"]) for line in lines]
    assert told == [
        ("POST", "/v1/verify", 200, "kiosk", "same"),
        ("GET", "/v1/people/{name}", 404, "kiosk", None),
        ("GET", "none", 401, None, None),
        ("GET", "none", 404, None, None),
    ]
    assert lines[0]["id"] == answer.headers["x-request-id"]
    assert lines[0]["ms"] > 1
    assert "Ada" not in log.read_text()
    assert token not in log.read_text()


def test_metrics_are_counted_by_templates_of_routes(service: Running) -> None:
    with httpx.Client(base_url=service.url) as client:
        for path in ("/v1/people/Ada", "/v1/people/Bob", "/secret/Ada", "/v1/Ada"):
            client.get(path)
        client.request("ADA", "/v1/me")
        told = client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'samevoice_requests_total{method="GET",route="/v1/people/{name}",status="404"} 2.0' in told.text
    assert 'samevoice_request_seconds_count{route="/v1/people/{name}"} 2.0' in told.text
    assert 'method="OTHER"' in told.text
    assert "Ada" not in told.text
    assert "ADA" not in told.text
    assert "process_resident_memory_bytes" in told.text


def test_metrics_may_be_shown_to_everybody(tmp_path: Path) -> None:
    new_key(tmp_path)
    with serving(tmp_path, metrics_open=True) as running:
        assert httpx.get(f"{running.url}/metrics").status_code == 200


# Certificates


def test_a_certificate_of_its_own_encrypts_and_stays_the_same(tmp_path: Path) -> None:
    with serving(tmp_path, self_signed=True) as running:
        path = tmp_path / "data" / "tls" / "certificate.pem"
        first = path.read_bytes()
        context = ssl.create_default_context(cafile=str(path))
        told = httpx.get(f"{running.url}/v1/me", verify=context)  # also checks the name
        assert told.status_code == 200
        assert "wss://" in told.headers["content-security-policy"]
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{running.url}/v1/me")
        with pytest.raises(httpx.HTTPError):
            httpx.get(running.url.replace("https", "http"))
    assert stat.S_IMODE((tmp_path / "data" / "tls" / "key.pem").stat().st_mode) == 0o600
    with serving(tmp_path, self_signed=True, hosts=["voices.lan"]):
        second = path.read_bytes()  # it has another name now
    assert second != first
    with serving(tmp_path, self_signed=True, hosts=["voices.lan"]):
        assert path.read_bytes() == second


def test_a_given_certificate_is_used_and_checked_before(tmp_path: Path) -> None:
    with serving(tmp_path / "own", self_signed=True):
        pass
    folder = tmp_path / "own" / "data" / "tls"
    given: dict[str, Any] = {"tls_cert": str(folder / "certificate.pem"), "tls_key": str(folder / "key.pem")}
    with serving(tmp_path / "given", **given) as running:
        told = httpx.get(running.url, verify=ssl.create_default_context(cafile=given["tls_cert"]))
        assert "max-age" in told.headers["strict-transport-security"]
    with pytest.raises(ConfigError, match="check both files"), serving(tmp_path, **given | {"tls_key": __file__}):
        pass


# Beginning and end


@pytest.mark.slow
def test_what_runs_is_finished_before_the_end(tmp_path: Path, samples: Path) -> None:
    clip = (samples / "philippe_1.flac").read_bytes()
    statuses: list[int] = []
    with serving(tmp_path, workers=1) as running:

        def ask() -> None:
            files = {"first": ("a", clip), "second": ("b", clip)}
            statuses.append(httpx.post(f"{running.url}/v1/verify", files=files, timeout=60).status_code)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 20
        pool = running.service.pool
        while pool.running + pool.waiting < 3 and time.monotonic() < end:
            time.sleep(0.002)
        running.server.should_exit = True
        for thread in threads:
            thread.join()
        assert statuses == [200] * 3
        assert not running.service.ready.is_set()
    assert not running.service.uploads.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.url)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that stops in two seconds."""
    for name in ("ending.GRACE", "server.GRACE"):
        monkeypatch.setattr(f"samevoice.service.{name}", 2.0)
    monkeypatch.setattr("samevoice.service.ending.LAST", 1.2)


@pytest.mark.usefixtures("short")
def test_what_is_not_finished_in_time_is_told_and_the_end_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[float, httpx.Response]] = []
    free = threading.Event()
    with serving(tmp_path) as running:

        @running.app.get("/v1/long")
        async def long(request: Request) -> None:
            await service_of(request).pool.run(lambda: free.wait(20))

        def ask() -> None:
            answer = httpx.get(f"{running.url}/v1/long", timeout=30)
            told.append((time.monotonic(), answer))

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.3)
        began = time.monotonic()
        running.server.should_exit = True
        asking.join(10)
    ended = time.monotonic()
    free.set()
    assert ended - began < 15
    ((when, answer),) = told
    assert (answer.status_code, answer.json()["code"]) == (503, "stopping")
    assert answer.headers["content-type"] == "application/problem+json"
    assert 0.5 < when - began < 12
    assert not [record for record in caplog.records if record.exc_info]


def test_a_body_that_is_awaited_is_cut_at_once_when_the_service_stops(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        parts = urlsplit(running.url)
        with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=10) as stream:
            lines = ("POST /v1/verify HTTP/1.1", "Host: localhost", "Content-Length: 100000")
            kind = "Content-Type: multipart/form-data; boundary=line"
            stream.sendall("\r\n".join((*lines, kind, "", "--line\r\n")).encode())
            time.sleep(0.2)
            began = time.monotonic()
            running.server.should_exit = True
            told = b""
            while b"}" not in told and (more := stream.recv(65_536)):  # head and body may come apart
                told += more
            assert b" 503 " in told.split(b"\r\n")[0]
            assert b'"code": "stopping"' in told
    assert time.monotonic() - began < 9


def test_what_a_killed_service_left_behind_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / "data" / "samevoice-uploads-x7ab" / "voice-of-somebody"
    own = tmp_path / "data" / "uploads" / "thesis.txt"
    for path in (left, own):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"sound")
    with serving(tmp_path) as running:
        assert not left.parent.exists()
        assert own.exists()
        assert stat.S_IMODE(running.service.uploads.stat().st_mode) == 0o700


def test_a_second_service_on_the_same_folder_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        upload = running.service.uploads / "upload"
        upload.write_bytes(b"sound")
        with pytest.raises(ConfigError, match=r"another service uses this folder.*--data"), serving(tmp_path):
            pass
        assert upload.exists()
        assert httpx.get(f"{running.url}/healthz").status_code == 200
    with serving(tmp_path):  # the folder is free again
        pass


def test_jobs_that_cannot_be_are_told_before_the_address_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "jobs").write_text("")
    options = Options(model="campplus", gallery=str(tmp_path / "v.db"), data=str(tmp_path / "data"))
    with pytest.raises(ConfigError, match="cannot hold jobs"):
        open_service(options)
    (tmp_path / "data" / "jobs").unlink()
    open_service(options).close()  # nothing is held by the one that was refused


def test_a_service_that_cannot_be_is_refused_before_it_listens(tmp_path: Path) -> None:
    place: dict[str, Any] = {"gallery": str(tmp_path / "v.db"), "data": str(tmp_path / "data")}
    with pytest.raises(ModelError, match="unknown"):
        open_service(Options(model="no-such-model", **place))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--data"):
        open_service(Options(model="campplus", gallery=place["gallery"], data=str(tmp_path / "file" / "x"), keys="k"))
    with serving(tmp_path) as running:
        other = serving(tmp_path / "other", port=urlsplit(running.url).port)
        with pytest.raises(ConfigError, match="--port"):
            other.__enter__()


def test_the_application_opens_and_closes_its_own_parts(tmp_path: Path) -> None:
    """As another server would run it."""
    import asyncio

    options = Options(model="campplus", gallery=str(tmp_path / "v.db"), data=str(tmp_path / "data"), port=0)
    app: FastAPI = create_app(options)

    async def main() -> None:
        async with app.router.lifespan_context(app):
            service = service_of(SimpleNamespace(app=app))  # type: ignore[arg-type]
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                assert (await client.get("/v1/me")).status_code == 200
            assert service.uploads.exists()
        assert not service.uploads.exists()

    asyncio.run(main())
