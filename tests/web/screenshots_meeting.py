"""Pictures of the timeline and of what operators see: `python tests/web/screenshots_meeting.py docs/screenshots`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from meetingmakers import edit, open_job, submitted, write_meeting
from playwright.sync_api import Browser, Playwright, expect, sync_playwright
from servicemakers import Running, serving
from webmakers import launch, opened

SAMPLES = Path(__file__).parents[2] / "samples"
LOOK: dict[str, Any] = {"viewport": {"width": 1180, "height": 1000}, "reduced_motion": "reduce"}


def timeline(browser: Browser, site: Running, job: str, scheme: Literal["light", "dark"], path: Path) -> None:
    """Two chosen turns of two people."""
    with opened(browser, site.url, "timeline", color_scheme=scheme, **LOOK) as page:
        open_job(page, job).focus()
        for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight"):
            page.keyboard.press(key)
        expect(page.locator(".waveform canvas").first).to_be_attached()
        page.get_by_role("heading", name="monday.flac").focus()
        page.locator("#recording").evaluate("place => place.scrollIntoView()")
        page.screenshot(path=path)


def operators(browser: Browser, site: Running, path: Path) -> None:
    """Two people, and what a threshold costs with a second of speech."""
    expires = datetime.now(UTC) + timedelta(days=365)
    for name, sample in (("Ann Example", "philippe_1.flac"), ("Ben Example", "librispeech_1255_a.flac")):
        site.gallery.enrol(name, SAMPLES / sample, consent="asked on 3 May", expires=expires)
    with opened(browser, site.url, "operators", **LOOK | {"viewport": {"width": 1180, "height": 1700}}) as page:
        page.get_by_label("Seconds of speech").fill("1")
        page.get_by_role("img", name="for 1 s of speech").wait_for()
        page.locator("#people li").first.wait_for()
        page.screenshot(path=path)


def pictures(playwright: Playwright, folder: Path, work: Path) -> None:
    """All of them."""
    with serving(work) as site, launch(playwright) as browser:
        job = submitted(site.url, write_meeting(work / "monday.flac", SAMPLES))
        for speaker, name in (("speaker-1", "Ann"), ("speaker-2", "Ben")):
            edit(site.url, job, edit="rename", speaker=speaker, name=name)
        timeline(browser, site, job, "light", folder / "timeline.png")
        timeline(browser, site, job, "dark", folder / "timeline-dark.png")
        operators(browser, site, folder / "operators.png")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, sync_playwright() as driver:
        pictures(driver, target, Path(scratch))
