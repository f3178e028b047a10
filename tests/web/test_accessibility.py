"""Every view by the rules of axe-core, in light and dark, and on a narrow phone without scrolling sideways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from meetingmakers import open_job, submitted, write_meeting
from playwright.sync_api import Browser, Page
from webmakers import PHONE, opened

if TYPE_CHECKING:
    from servicemakers import Running

pytest_plugins = ["webfixtures"]

VIEWS = ("same", "enrol", "who", "timeline", "operators")
RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


@pytest.fixture(scope="module")
def full(site: Running, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A meeting that was heard, in a service with somebody in it."""
    with (samples / "philippe_2.flac").open("rb") as sound:
        site.gallery.enrol("Philippe", sound)
    return submitted(site.url, write_meeting(tmp_path_factory.mktemp("meeting") / "meeting.flac", samples))


def _shown(page: Page, view: str, job: str) -> None:
    """Wait until a view has all that it shows."""
    page.locator(f"#view-{view}").wait_for()
    if view == "timeline":
        open_job(page, job)
        page.locator(".turns").get_by_role("checkbox").first.check()
    if view == "operators":
        for place in (".curve", "#events tbody tr", "#people li", "#system dd"):
            page.locator(place).first.wait_for()


def _serious(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{one['impact']}: {one['id']}: {[node['target'] for node in one['nodes']]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(browser: Browser, site: Running, full: str, view: str) -> None:
    with opened(browser, site.url, view, color_scheme="light") as page:
        _shown(page, view, full)
        assert _serious(page) == []
        page.emulate_media(color_scheme="dark")
        assert _serious(page) == []


def test_axe_finds_nothing_serious_in_a_question(browser: Browser, site: Running, full: str) -> None:
    with opened(browser, site.url, "operators") as page:
        _shown(page, "operators", full)
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").wait_for()
        assert _serious(page) == []


def test_axe_would_find_something(browser: Browser, site: Running) -> None:
    with opened(browser, site.url) as page:
        page.locator("#view-same").wait_for()
        page.evaluate("document.querySelector('main').append(document.createElement('button'))")
        assert [one.split(":")[1].strip() for one in _serious(page)] == ["button-name"]


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_a_phone(browser: Browser, site: Running, full: str, view: str) -> None:
    with opened(browser, site.url, view, viewport=PHONE) as page:
        _shown(page, view, full)
        width: int = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]
