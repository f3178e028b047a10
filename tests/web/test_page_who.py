"""Who is this? as people use it, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page
from webmakers import headline, opened, record, turn, upload

if TYPE_CHECKING:
    from servicemakers import Running
    from webfixtures import Microphone

pytest_plugins = ["webfixtures"]


@pytest.fixture(scope="module")
def crowd(site: Running, samples: Path) -> None:
    """Two people who are enrolled."""
    site.gallery.enrol("Philippe", samples / "philippe_1.flac")
    site.gallery.enrol("<b>Ada</b>", samples / "sample_1b.mp3")


@pytest.mark.usefixtures("crowd")
def test_somebody_known(page: Page, samples: Path) -> None:
    turn(page, "who")
    upload(page.locator("main"), samples / "philippe_2.flac")
    page.get_by_role("button", name="Find out").click()
    assert headline(page) == "This is Philippe"
    bars = page.get_by_role("meter")
    assert bars.evaluate_all("all => all.map(bar => bar.getAttribute('aria-label'))") == [
        "Philippe",
        "<b>Ada</b>",
        "Nobody enrolled",
    ]
    assert int(bars.first.get_attribute("aria-valuenow") or 0) >= 95
    assert page.locator("main b").count() == 0  # a name is text


@pytest.mark.slow
@pytest.mark.usefixtures("crowd")
def test_somebody_unknown(mic: Microphone, site: Running) -> None:
    with opened(mic("librispeech_1255_a.flac"), site.url, "who") as page:
        record(page.locator("main"))
        page.get_by_role("button", name="Find out").click()
        assert headline(page) == "Unknown: nobody who is enrolled"
        nobody = page.get_by_role("meter", name="Nobody enrolled")
        assert int(nobody.get_attribute("aria-valuenow") or 0) >= 80


def test_a_voice_is_asked_for(page: Page) -> None:
    turn(page, "who")
    page.get_by_role("button", name="Find out").click()
    page.get_by_role("alert").filter(has_text="Record or choose a voice first").wait_for()
