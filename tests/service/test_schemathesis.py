"""schemathesis against a running service: no 5xx, no status and no answer that the document does not describe."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile
import uvicorn
from contractmakers import PLANTED, contract, planted
from servicemakers import serving

from samevoice.client import Client

EXAMPLES = 30
PERSON = "Ada Lovelace"


@pytest.fixture
def sound(tmp_path: Path, samples: Path) -> Path:
    """Four seconds of speech."""
    path = tmp_path / "speech.wav"
    samples_of, rate = soundfile.read(samples / "librispeech_1255_a.flac", frames=4 * 16_000)
    soundfile.write(path, samples_of, rate)
    return path


@contextmanager
def running(app: object) -> Iterator[str]:
    """An application on a free port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.slow
def test_the_service_keeps_its_contract(tmp_path: Path, sound: Path) -> None:
    with serving(tmp_path, per_minute=10**6, logins_per_minute=10**6, waiting=8) as service:
        with Client(service.url) as voices:
            voices.enrol(PERSON, sound)
            job = voices.diarize(sound)
            job.wait(every=0.1)
        known = {"name": PERSON, "job": job.id, "format": "rttm"}
        found = contract(service.url, tmp_path, examples=EXAMPLES, sound=sound, known=known)
    assert found.failures == set(), found.report[-8_000:]
    assert found.errors == [], found.report[-8_000:]
    assert found.status == 0
    reached = {where for status, where in found.answers if 200 <= status < 300}
    operations = {where for _, where in found.answers}
    assert len(operations) > 30
    # Removing something of a random name is refused, and so are pages of random edits; all others were done.
    assert len(reached) >= 25, sorted(operations - reached)


@pytest.mark.slow
def test_these_settings_find_planted_defects(tmp_path: Path, sound: Path) -> None:
    """And a few examples do not: a clean run of those would say nothing."""
    with running(planted()) as url:
        enough = contract(url, tmp_path, examples=EXAMPLES, sound=sound, known={})
        few = contract(url, tmp_path, examples=1, sound=sound, known={})
    assert {where for _, where in enough.failures} == PLANTED
    assert enough.status == 1
    assert {where for _, where in few.failures} < PLANTED
