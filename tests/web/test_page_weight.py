"""What each view weighs, that nothing comes from elsewhere, and that what others wrote is as they wrote it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Response
from webmakers import opened

import samevoice.service

if TYPE_CHECKING:
    from servicemakers import Running

pytest_plugins = ["webfixtures"]

MOST = {
    "same": 90_000,
    "enrol": 110_000,
    "who": 90_000,
    "timeline": 190_000,
    "operators": 90_000,
}  # bytes, uncompressed


@pytest.mark.parametrize("view", MOST)
def test_a_view_is_light(browser: Browser, site: Running, view: str) -> None:
    answers: list[Response] = []
    with opened(browser, site.url, "same") as page:
        page.goto("about:blank")
        page.on("response", lambda answer: answers.append(answer))
        page.goto(f"{site.url}/#/{view}")
        page.locator(f"#view-{view}").wait_for()
        page.wait_for_load_state("networkidle")
        files = {answer.url: len(answer.body()) for answer in answers if "/v1/" not in answer.url}
    assert {urlsplit(url).netloc for url in files} == {urlsplit(site.url).netloc}
    assert len(files) > 5
    assert sum(files.values()) < MOST[view], files


def test_vendored_files_are_those_of_the_list() -> None:
    vendor = Path(samevoice.service.__file__).parent / "web" / "vendor"
    lines = [line.split() for line in (vendor / "README.md").read_text().splitlines() if line.startswith("    ")]
    listed = {name: digest for digest, name in lines if not name.endswith(".tgz")}
    found = {
        path.relative_to(vendor).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert found == listed
