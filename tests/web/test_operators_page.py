"""What operators see and do, in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from servicemakers import new_key, serving
from webmakers import opened  # which finds the next

if TYPE_CHECKING:
    from servicemakers import Running

pytest_plugins = ["webfixtures"]


@pytest.fixture(scope="module")
def ada(site: Running, samples: Path) -> str:
    """Somebody whose voiceprint will expire."""
    soon = datetime.now(UTC) + timedelta(days=40)
    with (samples / "philippe_1.flac").open("rb") as sound:
        site.gallery.enrol("Ada <i>", sound, consent="asked in May", expires=soon, keep_audio=True)
    return site.gallery.person("Ada <i>").id


@pytest.fixture
def page(browser: Browser, site: Running, ada: str) -> Iterator[Page]:
    with opened(browser, site.url, "operators") as found:
        found.locator(f"[data-person='{ada}']").wait_for()
        yield found


@pytest.fixture
def row(page: Page, ada: str) -> Locator:
    return page.locator(f"[data-person='{ada}']")


def test_a_person_is_shown_with_consent_and_expiry(row: Locator, site: Running) -> None:
    expires = site.gallery.person("Ada <i>").voiceprints[0].expires
    assert expires is not None
    words = row.inner_text()
    assert "1 voiceprint," in words
    assert f"sound kept; consent: asked in May; expires on {expires:%-d %b %Y}" in words


def test_people_are_searched(page: Page, row: Locator) -> None:
    page.get_by_label("Search by name").fill("nobody")
    expect(page.get_by_text("Nobody is called so.")).to_be_visible()
    expect(row).to_have_count(0)
    page.get_by_label("Search by name").fill("da")
    expect(row).to_be_visible()
    assert page.get_by_text("1 to 1 of 1 person").is_visible()


def test_a_person_is_renamed(page: Page, row: Locator, site: Running, ada: str) -> None:
    name = row.get_by_role("textbox")
    name.fill("Grace")
    name.press("Enter")
    expect(page.locator("#announcer")).to_have_text("Ada <i> is Grace now.")
    assert site.gallery.person("Grace").id == ada
    row.get_by_role("textbox").fill("Ada <i>")
    row.get_by_role("button", name="Rename").click()
    expect(page.locator("#announcer")).to_have_text("Grace is Ada <i> now.")


def test_all_that_is_known_is_exported(page: Page, row: Locator, ada: str, tmp_path: Path) -> None:
    with page.expect_download() as download:
        row.get_by_role("button", name="Export").click()
    download.value.save_as(tmp_path / "ada.json")
    assert json.loads((tmp_path / "ada.json").read_text())["id"] == ada


def test_a_person_is_deleted_after_a_question_that_says_what_is_lost(
    browser: Browser, site: Running, samples: Path
) -> None:
    with (samples / "sample_1b.mp3").open("rb") as sound:
        person = site.gallery.enrol("Bob", sound, keep_audio=True).person.id
    with opened(browser, site.url, "operators") as page:
        row = page.locator(f"[data-person='{person}']")
        row.get_by_role("button", name="Delete").click()
        words = page.get_by_role("dialog").inner_text()
        assert "Forget Bob?" in words
        assert "1 voiceprint," in words
        assert "the kept sound of 1 recording" in words
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert site.gallery.person("Bob").id == person
        row.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Delete for good").click()
        expect(row).to_have_count(0)
        assert "Bob" not in [one.name for one in site.gallery.people()]
        expect(page.locator("#announcer")).to_have_text("Bob is forgotten.")


def test_the_last_enrolment_is_taken_back(browser: Browser, site: Running, samples: Path) -> None:
    with (samples / "sample_1b.mp3").open("rb") as sound:
        person = site.gallery.enrol("Carl", sound).person.id
    with opened(browser, site.url, "operators") as page:
        row = page.locator(f"[data-person='{person}']")
        row.get_by_role("button", name="Undo the last enrolment").click()
        expect(row).to_have_count(0)
    assert "Carl" not in [one.name for one in site.gallery.people()]


def test_what_has_expired_is_removed(page: Page) -> None:
    page.get_by_role("button", name="Remove what has expired").click()
    expect(page.locator("#announcer")).to_have_text("0 voiceprints had expired and are removed.")


def test_the_slider_says_what_a_threshold_costs(page: Page, site: Running) -> None:
    told = httpx.get(f"{site.url}/v1/thresholds", params={"seconds": 1}).raise_for_status().json()
    page.get_by_label("Seconds of speech").fill("1")
    expect(page.locator(".curve")).to_have_attribute("aria-label", re.compile("for 1 s of speech"))
    slider = page.get_by_role("slider", name="Tolerated share of strangers")
    assert f"--far {told['far']:g}" in page.locator("#option").inner_text()  # where logins stand now
    slider.focus()
    page.keyboard.press("End")
    last = told["points"][-1]
    words = page.locator("#costs").inner_text()
    assert f"at most {100 * last['far']:g} % would pass" in words
    assert f"{round(100 * last['frr'])} % of the right people would be turned away" in words
    assert slider.get_attribute("aria-valuetext") == words
    assert page.locator("#option").inner_text() == f"samevoice serve --far {last['far']:g}"
    lowest = float(page.locator(".curve .here").get_attribute("cy") or 0)
    page.keyboard.press("Home")
    assert float(page.locator(".curve .here").get_attribute("cy") or 0) > lowest  # fewer are turned away
    page.get_by_text("What this rests on").click()
    assert f"{told['trials']['non_target']:,} of two" in page.locator("details").inner_text()


def test_the_record_of_events_is_checked(page: Page, site: Running) -> None:
    page.get_by_role("button", name="Check the record").click()
    expect(page.locator("#record")).to_have_text(f"{site.gallery.audit().events} events, all as they were written.")
    newest = site.gallery.events(last=1)[0]
    expect(page.locator("#events tbody tr").first).to_contain_text(newest.action)


def test_the_system_is_asked_again_only_while_it_is_seen(page: Page) -> None:
    expect(page.locator("#system")).to_contain_text("campplus@")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    page.reload()
    expect(page.locator("#system")).to_contain_text("campplus@")
    before = _asked(asked)
    page.clock.run_for(6_000)
    page.wait_for_timeout(300)
    assert _asked(asked) == before + 1
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})")
    page.clock.run_for(6_000)  # the question that was due finds the page hidden
    page.wait_for_timeout(300)
    after = _asked(asked)
    page.clock.run_for(60_000)
    page.wait_for_timeout(300)
    assert _asked(asked) == after


def test_users_get_a_sentence_and_no_data(browser: Browser, tmp_path: Path) -> None:
    key = new_key(tmp_path, "user")
    with serving(tmp_path) as running, opened(browser, running.url, "operators", expect=("401",)) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("#closed")).to_contain_text("Your key has the role user")
        assert page.locator("#view-operators .card").count() == 0
        assert [url for url in asked if "/v1/" in url] == [f"{running.url}/v1/me"]


def _asked(urls: list[str]) -> int:
    return sum(url.endswith("/v1/system") for url in urls)
