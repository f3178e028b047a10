"""Enrol and log in as people do it, in a browser."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute
from webmakers import headline, opened, record, turn, upload

from samevoice.gallery.people import People

if TYPE_CHECKING:
    from servicemakers import Running
    from webfixtures import Microphone

pytest_plugins = ["webfixtures"]

NAME = "Philippe"
FIRST, SECOND, STRANGER = "philippe_1.flac", "philippe_2.flac", "librispeech_1255_a.flac"


@pytest.fixture(scope="module")
def enrolled(site: Running, samples: Path) -> str:
    """The name of somebody who is enrolled."""
    site.gallery.enrol(NAME, samples / FIRST)
    return NAME


def enrolling(page: Page, name: str) -> Locator:
    """The form, filled in but for the voice."""
    form = page.locator("#enrolling")
    form.get_by_label("Name").fill(name)
    form.get_by_label("I agree").check()
    return form


def logging_in(page: Page, name: str) -> Locator:
    """The form, filled in but for the voice."""
    form = page.locator("#login")
    form.get_by_label("Your name").fill(name)
    return form


@pytest.mark.slow  # people speak as long as they do
def test_enrol_and_log_in_with_the_microphone(mic: Microphone, own_site: Running) -> None:
    with opened(mic(FIRST), own_site.url, "enrol") as page:
        form = enrolling(page, "Ada Lovelace")
        record(form)
        form.get_by_text("This recording will do.").wait_for()
        form.get_by_role("button", name="Enrol").click()
        assert headline(page, "#enrolling") == "Ada Lovelace is enrolled"
        page.get_by_role("button", name="Now log in").click()
        name = page.locator("#login").get_by_label("Your name")
        assert name.input_value() == "Ada Lovelace"
        assert name.evaluate("field => field === document.activeElement")
        agreed = form.locator(".tick").first.inner_text()
    [print_] = own_site.gallery.person("Ada Lovelace").voiceprints
    assert print_.consent is not None
    assert agreed.startswith(print_.consent.partition(" (ticked on ")[0])  # what is kept is what was to be read
    assert print_.expires is not None
    with opened(mic(SECOND), own_site.url, "enrol") as page:
        form = logging_in(page, "Ada Lovelace")
        record(form, seconds=5)
        form.get_by_role("button", name="Log in").click()
        assert headline(page, "#login") == "Welcome, Ada Lovelace"
    with opened(mic(STRANGER), own_site.url, "enrol") as page:
        form = logging_in(page, "Ada Lovelace")
        record(form, seconds=5)
        form.get_by_role("button", name="Log in").click()
        assert headline(page, "#login") == "Not recognised"
        assert "Welcome" not in page.locator("main").inner_text()


@pytest.mark.slow
def test_silence_is_asked_to_speak(mic: Microphone, site: Running, enrolled: str) -> None:
    with opened(mic(None), site.url, "enrol", expect=("422",)) as page:
        form = logging_in(page, enrolled)
        record(form, until="Nothing is heard: is the microphone muted?")
        form.get_by_role("button", name="Log in").click()
        assert headline(page, "#login") == "Please speak: nobody was heard"
        form = enrolling(page, "Silent Bob")
        record(form, until="Nothing is heard: is the microphone muted?")
        form.get_by_text("This recording will not do.").wait_for()
        form.get_by_role("button", name="Enrol").click()
        assert headline(page, "#enrolling") == "Not enrolled"
        assert "check the microphone" in form.locator(".result").inner_text()


def until_refused(url: str) -> None:
    """Wait until nobody listens; a single request may also fail because an idle connection was closed."""
    host, _, port = url.rpartition("/")[2].partition(":")
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("the service still listens")


def test_a_service_that_stopped_enrols_nobody(
    browser: Browser, samples: Path, tmp_path: Path, own_site: Running
) -> None:
    with opened(browser, own_site.url, "enrol", expect=("ERR_CONNECTION_REFUSED",)) as page:
        form = enrolling(page, "Ada")
        upload(form, samples / FIRST)
        form.get_by_text("This recording will do.").wait_for()
        own_site.server.should_exit = True
        until_refused(own_site.url)
        page.wait_for_function("() => fetch('/healthz').then(() => false, () => true)", polling=100)
        form.get_by_role("button", name="Enrol").click()
        assert headline(page, "#enrolling") == "Not enrolled"
        words = page.locator("main").inner_text()
        assert "The service does not answer" in words
        assert "is enrolled" not in words
        assert "registered" not in words
        assert form.get_by_role("button", name="Play").is_visible()  # the recording is not lost
        login = logging_in(page, "Ada")
        upload(login, samples / SECOND)
        login.get_by_role("button", name="Log in").click()
        assert headline(page, "#login") == "Not logged in"
    with People(tmp_path / "voices.db", create=False) as people:
        assert people.people() == []


def test_files_in_place_of_the_microphone(page: Page, samples: Path, enrolled: str) -> None:
    turn(page, "enrol")
    form = logging_in(page, enrolled)
    upload(form, samples / SECOND)
    form.get_by_role("button", name="Log in").click()
    assert headline(page, "#login") == f"Welcome, {enrolled}"


def test_the_recording_of_the_enrolment_does_not_log_in(page: Page, samples: Path, enrolled: str) -> None:
    turn(page, "enrol")
    form = logging_in(page, enrolled)
    upload(form, samples / FIRST)
    form.get_by_role("button", name="Log in").click()
    assert headline(page, "#login") == "Not let in: this recording was heard before"
    assert "Welcome" not in form.inner_text()


def test_digits_are_new_for_every_attempt(page: Page, samples: Path, enrolled: str) -> None:
    turn(page, "enrol")
    form = page.locator("#login")
    assert "No machine checks here whether you said them" in form.inner_text()
    form.get_by_label("Give me digits").check()
    form.get_by_text("Give your name").wait_for()
    form.get_by_label("Your name").fill(enrolled)
    form.get_by_label("Your name").blur()
    digits = form.locator(".digits .number")
    first = digits.inner_text()
    assert len([sign for sign in first if sign.isdigit()]) >= 4
    upload(form, samples / STRANGER)
    form.get_by_role("button", name="Log in").click()
    assert headline(page, "#login") == "Not recognised"
    page.wait_for_function("was => document.querySelector('.digits .number')?.textContent !== was", arg=first)


def test_what_is_missing_is_asked_for(page: Page) -> None:
    turn(page, "enrol")
    form = page.locator("#enrolling")
    alert = form.get_by_role("alert")
    enrol = form.get_by_role("button", name="Enrol")
    enrol.click()
    alert.filter(has_text="Give a name first").wait_for()
    form.get_by_label("Name").fill("Ada")
    enrol.click()
    alert.filter(has_text="Without your consent nothing is kept").wait_for()
    assert form.get_by_label("I agree").evaluate("box => box === document.activeElement")
    form.get_by_label("I agree").check()
    enrol.click()
    alert.filter(has_text="Record or choose your voice first").wait_for()


def test_too_little_speech_is_refused_with_advice(browser: Browser, site: Running, samples: Path) -> None:
    with opened(browser, site.url, "enrol", expect=("422",)) as page:
        form = enrolling(page, "Short")
        upload(form, samples / "librispeech_19_a.flac")
        form.get_by_text("This recording will not do.").wait_for()
        form.get_by_role("button", name="Enrol").click()
        assert headline(page, "#enrolling") == "Not enrolled"
        assert "speak for 5 s or more" in form.locator(".result").inner_text()
        assert "is enrolled" not in form.inner_text()


def test_the_text_is_in_the_language_of_the_reader(browser: Browser, site: Running) -> None:
    with opened(browser, site.url, "enrol", locale="de-CH") as page:
        text = page.locator("blockquote")
        first = text.inner_text()
        assert text.get_attribute("lang") == "de"
        page.get_by_role("button", name="Another text").click()
        assert text.inner_text() != first
        page.get_by_label("Language").select_option(label="Português")
        assert text.get_attribute("lang") == "pt"
        assert "morcegos" in text.inner_text()
    with opened(browser, site.url, "enrol", locale="ja-JP") as page:
        assert page.locator("blockquote").get_attribute("lang") == "en"


@pytest.mark.slow
def test_the_service_listens_along(mic: Microphone, site: Running) -> None:
    with opened(mic(FIRST), site.url, "enrol") as page:
        form = page.locator("#enrolling")
        form.get_by_role("button", name="Record").click()
        form.get_by_text("the service listens along").wait_for()
        form.locator(".noise").filter(has_text=re.compile("Noise: (low|some noise|noisy)")).wait_for()
        form.get_by_role("meter", name="Speech").and_(page.locator("[aria-valuetext^='2.']")).wait_for()


@pytest.mark.slow
def test_the_page_coaches_by_itself_where_the_service_does_not(mic: Microphone, site: Running) -> None:
    def deny(socket: WebSocketRoute) -> None:
        socket.close(code=1013)

    with opened(mic(FIRST), site.url) as page:
        page.route_web_socket("**/v1/stream", deny)
        turn(page, "enrol")
        form = page.locator("#enrolling")
        record(form, until="about 3 s more")
        assert "listens along" not in form.locator(".noise").inner_text()
