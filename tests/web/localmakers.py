"""The view "On this device" as people use it, and its models in Python."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page
from webmakers import headline, upload

from samevoice.embedder import Model
from samevoice.models import shipped
from samevoice.models.encoder import parse_model
from samevoice.speech.tinyvad import TinyVad

SAMPLES = ("sample_1a.mp3", "sample_1b.mp3", "sample_2.mp3", "librispeech_1255_a.flac", "philippe_1.flac")
READY = "nothing you record here is sent"
ALONE = "also without a connection"


@cache
def shipped_detector() -> TinyVad:
    """The voice activity detector that the page loads."""
    return TinyVad(shipped.read("vad"))


@cache
def shipped_model() -> Model:
    """The model that the page loads."""
    return Model(*parse_model(shipped.read("small"), "small"), detector=shipped_detector())


def ready(page: Page, words: str = READY) -> None:
    """Wait for the model."""
    state = page.locator("#state")
    try:
        state.filter(has_text=words).wait_for(timeout=60_000)
    except PlaywrightError as error:
        raise AssertionError(f"the page says {state.inner_text()!r}, not {words!r}") from error


def enrol(page: Page, name: str, sound: Path) -> str:
    """Enrol somebody from a file; the headline."""
    part = page.locator("#enrolling")
    part.get_by_label("Name").fill(name)
    part.get_by_role("checkbox").check()
    upload(part, sound)
    part.get_by_role("button", name="Enrol").click()
    return headline(page, "#enrolling")


def check(page: Page, sound: Path) -> str:
    """Compare a file with who is enrolled; the headline."""
    part = page.locator("#checking")
    upload(part, sound)
    part.get_by_role("button", name="Check").click()
    return headline(page, "#checking")


def compare(page: Page, first: Path, second: Path) -> str:
    """Compare two files; the headline."""
    part = page.locator("#comparing")
    upload(part, first, second)
    part.get_by_role("button", name="Compare").click()
    return headline(page, "#comparing")


def cosine_shown(page: Page) -> float:
    """The cosine of the comparison, as it stands for the record."""
    page.locator("#comparing summary").click()
    shown = re.search(r"Cosine\s+(-?[0-9.]+)", page.locator("#comparing .result").inner_text())
    assert shown is not None
    return float(shown[1])
