"""Meetings for tests of the page: made of samples, uploaded, opened."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from playwright.sync_api import Locator, Page

RATE = 16_000
PAUSE = 0.4  # seconds between turns
SPOKEN = (  # sample, from and to second
    ("librispeech_1255_a.flac", 0.0, 5.0),
    ("philippe_1.flac", 0.0, 5.0),
    ("librispeech_1255_a.flac", 5.0, 8.0),
)
PATIENCE = 40.0


def write_meeting(path: Path, samples: Path) -> Path:
    """Two people who speak by turns for 14 s."""
    pause = np.zeros(int(PAUSE * RATE), dtype=np.float32)
    sounds = []
    for name, start, end in SPOKEN:
        sound, rate = soundfile.read(samples / name, dtype="float32")
        assert rate == RATE
        sounds += [sound[int(start * RATE) : int(end * RATE)], pause]
    soundfile.write(path, np.concatenate(sounds), RATE)
    return path


def submitted(url: str, meeting: Path, **options: Any) -> str:
    """Have a meeting heard by way of the API; the job's id once it is done."""
    with meeting.open("rb") as sound:
        answer = httpx.post(f"{url}/v1/diarize", files={"audio": (meeting.name, sound)}, data=options, timeout=PATIENCE)
    job = str(answer.raise_for_status().json()["id"])
    end = time.monotonic() + PATIENCE
    while (state := httpx.get(f"{url}/v1/diarize/{job}").raise_for_status().json())["state"] != "done":
        assert state["state"] in ("waiting", "running"), state
        assert time.monotonic() < end, state
        time.sleep(0.1)
    return job


def result(url: str, job: str) -> dict[str, Any]:
    """What the API says about it."""
    found: dict[str, Any] = httpx.get(f"{url}/v1/diarize/{job}/result").raise_for_status().json()
    return found


def names(url: str, job: str) -> list[str]:
    """The speakers, as the API has them."""
    return [one["name"] for one in result(url, job)["speakers"]]


def edit(url: str, job: str, **fields: Any) -> None:
    """Make an edit by way of the API."""
    httpx.post(f"{url}/v1/diarize/{job}/edits", json=fields).raise_for_status()


def open_job(page: Page, job: str) -> Locator:
    """Open a recording of the list; its lanes."""
    page.locator(f"[data-job='{job}']").get_by_role("button", name="Open").click()
    lanes = page.locator(".lanes")
    lanes.wait_for()
    return lanes


def speaker(page: Page, letter: str) -> Locator:
    """The name field of a speaker."""
    return page.get_by_label(f"Name of speaker {letter}", exact=True)
