"""On this device: nothing leaves the page, only its worker may compile, and it works when the service is gone."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from localmakers import ALONE, check, compare, cosine_shown, enrol, ready, shipped_model
from playwright.sync_api import Browser, Request
from servicemakers import serving
from webmakers import opened

from samevoice.models import shipped
from samevoice.service.page import WEB
from samevoice.verification import judge

if TYPE_CHECKING:
    from servicemakers import Running

pytest_plugins = ["webfixtures"]


# Nothing leaves the page


@pytest.mark.slow
def test_nothing_is_sent(browser: Browser, site: Running, samples: Path) -> None:
    asked: list[Request] = []
    sockets: list[str] = []
    with opened(browser, site.url, "local") as page:
        page.goto("about:blank")
        page.context.on("request", lambda request: asked.append(request))
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto(f"{site.url}/#/local")
        ready(page, ALONE)
        enrol(page, "Philippe", samples / "philippe_1.flac")
        check(page, samples / "philippe_2.flac")
        compare(page, samples / "sample_1a.mp3", samples / "sample_2.mp3")
    assert sockets == []
    assert {request.method for request in asked} == {"GET"}
    assert not any(request.post_data_buffer for request in asked)
    paths = {urlsplit(request.url).path for request in asked if not request.url.startswith("blob:")}
    assert {urlsplit(request.url).netloc for request in asked if request.url.startswith("http")} == {
        urlsplit(site.url).netloc
    }
    assert not any(path.startswith("/v1") for path in paths)
    # What is kept for use without the service is what was needed, and the recorder.
    source = (WEB / "js" / "local" / "offline.js").read_text()
    listed = {"/" + name.removeprefix("./") for name in re.findall(r'^  "(.+)",$', source, re.MULTILINE)}
    assert paths == listed | {"/sw.js"}


def test_only_the_worker_may_compile(browser: Browser, site: Running) -> None:
    def policy(path: str) -> str:
        return httpx.get(site.url + path).headers["content-security-policy"]

    assert policy("/js/local/worker.js").endswith("; script-src 'self' 'wasm-unsafe-eval'")
    for path in (
        "/",
        "/index.html",
        "/sw.js",
        "/js/local/engine.js",
        "/js/views/local.js",
        "/v1/me",
        "/js/local/worker.js/",
    ):
        assert "unsafe" not in policy(path)
    with opened(browser, site.url, "local", expect=("Content Security Policy",)) as page:
        empty = (
            "WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).then(() => 'compiled', () => 'refused')"
        )
        assert page.evaluate(empty) == "refused"


def test_the_models_are_files(site: Running) -> None:
    answer = httpx.get(f"{site.url}/models/small.onnx")
    assert answer.content == shipped.read("small")
    again = httpx.get(f"{site.url}/models/small.onnx", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert httpx.head(f"{site.url}/models/vad.onnx").headers["content-length"] == str(len(shipped.read("vad")))
    assert httpx.post(f"{site.url}/models/small.onnx").status_code == 404
    for path in ("/models/", "/models/__init__.py", "/models/../__init__.py", "/models/small.onnx/"):
        assert httpx.get(site.url + path).status_code == 404


# Without the service


@pytest.mark.slow
def test_it_works_when_the_service_is_gone(browser: Browser, samples: Path, tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        url = running.url
        profile = browser.new_context()
        page = profile.new_page()
        page.goto(f"{url}/#/local")
        ready(page, ALONE)
        enrol(page, "Philippe", samples / "philippe_1.flac")
    try:
        page.reload()
        ready(page, ALONE)
        assert "Philippe" in page.locator("#kept").inner_text()
        compare(page, samples / "sample_1a.mp3", samples / "sample_2.mp3")
        wanted = judge(
            *(shipped_model().embed(samples / name) for name in ("sample_1a.mp3", "sample_2.mp3")),
            model=shipped_model(),
        )
        assert cosine_shown(page) == pytest.approx(wanted.score, abs=0.003)
        page.locator("nav a[href='#/same']").click()  # what needs the service says so
        page.get_by_role("alert").filter(has_text="The service does not answer").wait_for()
        assert page.evaluate("async () => (await caches.keys()).length") == 1
        assert page.evaluate("async () => (await fetch('texts.json')).ok")
        renewing = "() => fetch('texts.json', {headers: {'x-renew': '1'}}).then(() => 'answered', () => 'refused')"
        assert page.evaluate(renewing) == "refused"  # so that a copy is never made of another copy
    finally:
        profile.close()


@pytest.mark.slow
def test_a_new_page_is_shown_at_once_and_kept(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "files"
    shutil.copytree(WEB, files)
    monkeypatch.setattr("samevoice.service.page.WEB", files)
    with serving(tmp_path) as running, opened(browser, running.url, "local") as page:
        ready(page, ALONE)
        (first,) = page.evaluate("() => caches.keys()")
        page.reload()
        ready(page, ALONE)
        assert page.evaluate("() => caches.keys()") == [first]  # nothing changed
        new = json.dumps({"en": {"name": "English", "texts": ["Something new to read."]}})
        (files / "texts.json").write_text(new)
        page_copies = files / "js" / "local" / "offline.js"
        page_copies.write_text(page_copies.read_text().replace('"texts.json",', '"texts.json",\n  "css/tables.css",'))
        with (files / "sw.js").open("a") as worker:  # must take nothing away from the page that is being loaded
            worker.write("// a new worker\n")
        page.reload()
        page.get_by_text("Something new to read.").wait_for()
        ready(page, ALONE)
        (second,) = page.evaluate("() => caches.keys()")
        assert second != first
        assert page.evaluate("async () => (await caches.match('/texts.json')).text()") == new
        copied = "async (name) => (await (await caches.open(name)).keys()).map((one) => new URL(one.url).pathname)"
        paths = page.evaluate(copied, second)
        assert "/css/tables.css" in paths  # which the new page wants, at once
        assert not [path for path in paths if path.startswith("/v1")]
