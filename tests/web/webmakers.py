"""Browsers for tests of the page: Debian's Chromium with a microphone that plays a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright

from samevoice.audio.resample import resample
from samevoice.audio.waveform import Waveform

RATE = 48_000  # of the fake microphone; the browser resamples it
PAUSE = 30.0  # seconds of silence after the speech: the browser plays the file again and again
ARGUMENTS = ("--no-sandbox", "--use-fake-device-for-media-stream")
ALLOWED = "--use-fake-ui-for-media-stream"
PHONE = {"width": 320, "height": 700}


def chromium() -> str:
    """The path of Chromium; without one the test is skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine")
    return found


def launch(playwright: Playwright, microphone: Path | None = None, *, allowed: bool = True) -> Browser:
    """A browser.

    Args:
        playwright: what drives it.
        microphone: file that its microphone plays; a beep if None.
        allowed: whether it lets every page use the microphone; else it lets none.
    """
    arguments = [*ARGUMENTS, *([ALLOWED] if allowed else ["--deny-permission-prompts"])]
    if microphone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}")
    return playwright.chromium.launch(executable_path=chromium(), args=arguments)


def spoken(path: Path, sound: Path | None) -> Path:
    """A file for the microphone: a recording and a long pause; silence alone for None."""
    pause = np.zeros(int(PAUSE * RATE), dtype=np.float32)
    samples = pause if sound is None else np.concatenate([_at_rate(sound), pause])
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


def _at_rate(sound: Path) -> NDArray[np.float32]:
    samples, rate = soundfile.read(sound, dtype="float32")
    return resample(Waveform(samples, rate), RATE).samples


@contextmanager
def opened(
    browser: Browser, url: str, view: str = "same", *, expect: tuple[str, ...] = (), **context: Any
) -> Iterator[Page]:
    """A page in a fresh profile; whatever goes wrong in its scripts fails the test.

    Args:
        browser: where.
        url: of the service.
        view: name of the view.
        expect: what console errors may say, such as those of a request that is meant to fail.
        context: of the profile, such as `color_scheme` or `viewport`.
    """
    wrong: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in expect):
            wrong.append(message.text)

    profile = browser.new_context(**context)
    try:
        page = profile.new_page()
        page.set_default_timeout(10_000)
        page.on("console", note)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{url}/#/{view}")
        page.get_by_role("heading", level=1).wait_for()
        yield page
        assert not wrong, wrong
    finally:
        profile.close()


def turn(page: Page, view: str) -> None:
    """Go to another view, as a reader does."""
    page.locator(f"nav a[href='#/{view}']").click()
    page.locator(f"#view-{view} h1").wait_for()


def headline(page: Page, place: str = "main") -> str:
    """The headline of the result, once there is one; it must have the focus."""
    result = page.locator(place).locator(".result:visible")
    result.wait_for()
    assert result.evaluate("element => element === document.activeElement"), "the result has no focus"
    return result.get_by_role("heading").first.inner_text()


def record(box: Locator, *, until: str = "That is enough", seconds: float | None = None) -> None:
    """Record until the coach says something, or for some seconds."""
    box.get_by_role("button", name="Record").click()
    if seconds is None:
        box.locator(".advice").filter(has_text=until).wait_for(timeout=20_000)
    else:
        box.get_by_role("button", name="Stop").wait_for()
        box.page.wait_for_timeout(1000 * seconds)
    box.get_by_role("button", name="Stop").click()
    box.get_by_role("button", name="Play").wait_for()


def upload(box: Locator, *sounds: Path) -> None:
    """Choose a file for each record box."""
    for i, sound in enumerate(sounds):
        box.locator("input[type=file]").nth(i).set_input_files(sound)
    box.get_by_role("button", name="Remove").nth(len(sounds) - 1).wait_for()
