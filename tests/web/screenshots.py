"""Pictures of the page for the documentation: `python tests/web/screenshots.py docs/screenshots`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import localmakers
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from servicemakers import serving
from webmakers import headline, launch, opened, record, spoken, turn, upload

SAMPLES = Path(__file__).parents[2] / "samples"
DESKTOP: dict[str, Any] = {
    "viewport": {"width": 1180, "height": 900},
    "color_scheme": "light",
    "reduced_motion": "reduce",
}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "reduced_motion": "reduce"}


def same(page: Page, path: Path) -> None:
    """Two voices, and the verdict."""
    upload(page.locator("main"), SAMPLES / "sample_1a.mp3", SAMPLES / "sample_1b.mp3")
    page.get_by_role("button", name="Compare").click()
    headline(page)
    page.screenshot(path=path, full_page=True)


def enrol(page: Page, path: Path) -> None:
    """On a phone, while the text is read."""
    turn(page, "enrol")
    form = page.locator("#enrolling")
    form.get_by_label("Name").fill("Ada")
    form.get_by_label("I agree").check()
    form.get_by_role("button", name="Record").click()
    form.get_by_text("about 2 s more").wait_for()
    form.locator(".reading").evaluate("text => text.scrollIntoView()")
    page.screenshot(path=path)


def login(page: Page, path: Path) -> None:
    """Enrolled, and welcome."""
    turn(page, "enrol")
    form = page.locator("#enrolling")
    form.get_by_label("Name").fill("Ada")
    form.get_by_label("I agree").check()
    upload(form, SAMPLES / "philippe_1.flac")
    form.get_by_role("button", name="Enrol").click()
    headline(page, "#enrolling")
    page.get_by_role("button", name="Now log in").click()
    record(page.locator("#login"), seconds=5)
    page.locator("#login").get_by_role("button", name="Log in").click()
    headline(page, "#login")
    page.locator("#login").screenshot(path=path)


def who(page: Page, path: Path) -> None:
    """One of three people."""
    turn(page, "who")
    upload(page.locator("main"), SAMPLES / "sample_1a.mp3")
    page.get_by_role("button", name="Find out").click()
    headline(page)
    page.screenshot(path=path, full_page=True)


def local(page: Page, path: Path) -> None:
    """On this device: somebody is enrolled, and found."""
    localmakers.ready(page)
    localmakers.enrol(page, "Ada", SAMPLES / "philippe_1.flac")
    localmakers.check(page, SAMPLES / "philippe_2.flac")
    page.locator("#checking").screenshot(path=path)


def pictures(playwright: Playwright, folder: Path, work: Path) -> None:
    """All of them."""
    with (
        serving(work) as site,
        launch(playwright, spoken(work / "first.wav", SAMPLES / "philippe_1.flac")) as first,
        launch(playwright, spoken(work / "second.wav", SAMPLES / "philippe_2.flac")) as second,
    ):
        sittings: list[tuple[Browser, Callable[[Page, Path], None], dict[str, Any]]] = [
            (first, same, DESKTOP),
            (first, enrol, PHONE),
            (second, login, DESKTOP),
        ]
        for browser, take, context in sittings:
            with opened(browser, site.url, **context) as page:
                take(page, folder / f"{take.__name__}.png")
        site.gallery.enrol("Grace", SAMPLES / "sample_1b.mp3")
        site.gallery.enrol("Mary", SAMPLES / "librispeech_1255_a.flac")
        with opened(first, site.url, **DESKTOP) as page:
            who(page, folder / "who.png")
        with opened(first, site.url, "local", **DESKTOP) as page:
            local(page, folder / "local.png")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, sync_playwright() as driver:
        pictures(driver, target, Path(scratch))
