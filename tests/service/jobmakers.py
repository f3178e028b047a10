"""What the tests of jobs and streams share: a conversation of two, and callers who wait for jobs."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

from samevoice.audio.waveform import Samples
from samevoice.service.access import Caller
from samevoice.service.jobs import Job, Jobs

RATE = 16_000
SAMPLES = Path(__file__).parents[2] / "samples"
PHILIPPE_ENROLS = SAMPLES / "philippe_1.flac"
PATIENCE = 60.0
ME = Caller("me", "user")


def spoken(name: str, seconds: float) -> Samples:
    """The beginning of a sample, in steps of 16 bits."""
    sound, rate = soundfile.read(SAMPLES / f"{name}.flac", frames=round(seconds * RATE), dtype="int16")
    assert rate == RATE
    return np.asarray(sound.astype(np.float32) / 32_768)


def conversation() -> Samples:
    """A reader, then Philippe; 14 s."""
    pause = np.zeros(RATE // 2, dtype=np.float32)
    return np.concatenate([pause, spoken("librispeech_1255_a", 7), pause, spoken("philippe_2", 6), pause])


def wav(path: Path, samples: Samples) -> Path:
    """A file of 16 bits that holds these samples exactly."""
    soundfile.write(path, np.rint(samples * 32_768).clip(-32_768, 32_767).astype(np.int16), RATE, subtype="PCM_16")
    return path


def long_wav(path: Path, seconds: float) -> Path:
    """The conversation again and again."""
    return wav(path, np.resize(conversation(), round(seconds * RATE)))


def sent(client: httpx.Client, path: Path, name: str | None = None, **form: Any) -> httpx.Response:
    """The answer to a recording that was sent to be diarized."""
    with path.open("rb") as stream:
        return client.post("/v1/diarize", files={"audio": (name or path.name, stream)}, data=form)


def finished(client: httpx.Client, job: str) -> dict[str, Any]:
    """A job when it has ended."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found: dict[str, Any] = client.get(f"/v1/diarize/{job}").json()
        if found["state"] in ("done", "failed"):
            return found
        time.sleep(0.05)
    raise AssertionError("the job does not end")


def ended(jobs: Jobs, job: str, caller: Caller = ME) -> Job:
    """The same without a server."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = jobs.find(job, caller)
        if found.record.state in ("done", "failed"):
            return found
        time.sleep(0.05)
    raise AssertionError("the job does not end")


@contextmanager
def room_for(count: int) -> Iterator[None]:
    """No file may be longer: what a full disk does to a program."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
