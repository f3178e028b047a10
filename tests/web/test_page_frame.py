"""What surrounds the views: keys, addresses, keyboard, light and dark, narrow and wide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page
from servicemakers import new_key, serving
from webmakers import PHONE, headline, opened, turn, upload

if TYPE_CHECKING:
    from servicemakers import Running

pytest_plugins = ["webfixtures"]

VIEWS = {"same": "Same voice?", "enrol": "Enrol and log in", "who": "Who is this?"}


@pytest.mark.slow
def test_a_key_is_asked_for(browser: Browser, samples: Path, tmp_path: Path) -> None:
    token = new_key(tmp_path, "user", "Charles")
    with serving(tmp_path) as running, opened(browser, running.url, "enrol", expect=("401",)) as page:
        form = page.locator("#keyform")
        form.get_by_label("Key").fill("sv_wrong_key")
        form.get_by_role("button", name="Continue").click()
        page.get_by_text("not known, or has expired").wait_for()
        page.get_by_label("Key").fill(token)
        page.keyboard.press("Enter")
        page.get_by_text("Your key (Charles) may log in but not enrol").wait_for()
        assert "you are Charles (user)" in page.locator(".foot").inner_text()
        page.reload()
        page.locator("#login").wait_for()  # the tab keeps the key
        login = page.locator("#login")
        login.get_by_label("Your name").fill("Nobody of that name")
        upload(login, samples / "philippe_2.flac")
        login.get_by_role("button", name="Log in").click()
        assert headline(page, "#login") == "Not recognised"  # without a word of why
        assert "Odds" not in login.inner_text()
        assert page.evaluate("() => Object.keys(localStorage).length") == 0
        assert page.context.cookies() == []


def test_a_key_that_is_revoked_is_asked_for_again(browser: Browser, samples: Path, tmp_path: Path) -> None:
    token = new_key(tmp_path, "admin", "Grace")
    with serving(tmp_path) as running, opened(browser, running.url, expect=("401",)) as page:
        page.get_by_label("Key").fill(token)
        page.keyboard.press("Enter")
        upload(page.locator("main"), samples / "sample_1a.mp3", samples / "sample_1b.mp3")
        new_key(tmp_path, "admin", "Other")
        running.service.keys.revoke("Grace")
        page.get_by_role("button", name="Compare").click()
        page.locator("#keyform").wait_for()


def test_a_service_that_does_not_answer(browser: Browser, own_site: Running) -> None:
    with opened(browser, own_site.url, expect=("ERR_", "503")) as page:
        page.route("**/v1/me", lambda route: route.abort())
        page.reload()
        page.get_by_role("alert").filter(has_text="The service does not answer").wait_for()
        page.unroute("**/v1/me")
        page.get_by_role("button", name="Try again").click()
        page.get_by_role("heading", name="Same voice?").wait_for()


def test_nobody_is_enrolled_yet(page: Page, samples: Path) -> None:
    turn(page, "who")
    upload(page.locator("main"), samples / "sample_2.mp3")
    page.get_by_role("button", name="Find out").click()
    assert headline(page) == "Nobody is enrolled yet"
    page.get_by_role("link", name="Enrol somebody first").click()
    page.get_by_role("heading", name="Enrol and log in").wait_for()


def test_the_way_by_keyboard(page: Page) -> None:
    focus = "() => document.activeElement.textContent"
    page.keyboard.press("Tab")
    assert page.evaluate(focus) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.type") == "file"  # no button is passed over
    page.get_by_role("link", name="Who is this?").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.tagName === 'H1'")  # a reader hears what is shown now
    assert page.evaluate(focus) == "Who is this?"
    assert page.title() == "Who is this? · samevoice"
    assert page.get_by_role("link", name="Who is this?").get_attribute("aria-current") == "page"
    page.go_back()
    page.get_by_role("heading", name="Same voice?").wait_for()


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_a_phone(browser: Browser, site: Running, samples: Path, view: str) -> None:
    with opened(browser, site.url, view, viewport=PHONE) as page:
        page.get_by_role("heading", name=VIEWS[view], level=1).wait_for()
        if view == "same":
            upload(page.locator("main"), samples / "sample_1a.mp3", samples / "sample_1b.mp3")
            page.get_by_role("button", name="Compare").click()
            headline(page)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
        script = "all => all.map(one => one.getBoundingClientRect()).filter(box => box.width && box.height < 44).length"
        assert page.locator("button, nav a, .button, select").evaluate_all(script) == 0  # large enough to touch


def test_dark_where_the_reader_wants_it(browser: Browser, site: Running) -> None:
    lightness = "() => getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"
    with opened(browser, site.url, color_scheme="dark") as page:
        dark = page.evaluate(lightness)
        page.emulate_media(color_scheme="light")
        light = page.evaluate(lightness)
    assert max(dark) < 60
    assert min(light) > 200


def test_all_comes_from_the_service(browser: Browser, site: Running) -> None:
    asked: list[str] = []
    with opened(browser, site.url) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.reload()
        for words in VIEWS.values():
            page.get_by_role("link", name=words).click()
            page.get_by_role("heading", name=words, level=1).wait_for()
    assert len(asked) > 10
    assert {urlsplit(url).netloc for url in asked if not url.startswith("blob:")} == {urlsplit(site.url).netloc}
