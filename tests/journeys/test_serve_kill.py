"""A service that is killed while people are enrolled: what was acknowledged is kept, the rest is absent or complete."""

from __future__ import annotations

import io
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
import soundfile

from samevoice.gallery.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing can be killed here")]

KILLS = 5
CLIENTS = 2
PATIENCE = 120.0  # seconds for a start on a machine that is busy with other things; the figure is printed
COMMAND = [sys.executable, "-m", "samevoice", "serve"]
SPOKEN = ["philippe_1.flac", "sample_1a.mp3", "sample_1b.mp3", "librispeech_1255_a.flac"]
SECONDS = 4.0
SPEEDS = [0.80, 0.84, 0.88, 0.92, 0.96, 1.00, 1.04, 1.08, 1.12, 1.16, 1.20, 1.24]


def recordings(samples: Path) -> list[bytes]:
    """As many different recordings as there are voices and speeds: none of them is another one again."""
    made = []
    for speed in SPEEDS:
        for name in SPOKEN:
            sound, rate = soundfile.read(samples / name, dtype="int16")
            file = io.BytesIO()
            soundfile.write(file, sound[: round(SECONDS * rate)], round(speed * rate), "PCM_16", format="WAV")
            made.append(file.getvalue())
    return made


class Enrolling:
    """Clients that enrol people until the service is gone, and what they were told.

    Attributes:
        told: by name, the status; None where no answer came.
    """

    def __init__(self, url: str, sounds: list[bytes], numbers: count[int]) -> None:
        self.told: dict[str, int | None] = {}
        self._url, self._sounds, self._numbers = url, sounds, numbers
        self._threads = [threading.Thread(target=self._enrol) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, answers: int) -> None:
        """Until so many were answered, however busy the machine is."""
        end = time.monotonic() + PATIENCE
        while sum(status is not None for status in self.told.copy().values()) < answers:
            assert time.monotonic() < end, "nobody is enrolled"
            time.sleep(0.002)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _enrol(self) -> None:
        with httpx.Client(timeout=60) as client:
            while True:
                number = next(self._numbers)
                name = f"person {number}"
                self.told[name] = None
                files = {"audio": ("spoken.wav", self._sounds[number % len(self._sounds)])}
                form = {"name": name, "keep_audio": "true", "consent": "asked"}
                try:
                    self.told[name] = client.post(f"{self._url}/v1/people", data=form, files=files).status_code
                except httpx.TransportError:
                    return


def test_kill_9_loses_nobody_who_was_acknowledged(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # where the master key goes
    for variable in ("SAMEVOICE_GALLERY", "SAMEVOICE_GALLERY_KEY", "SAMEVOICE_GALLERY_KEY_FILE"):
        monkeypatch.delenv(variable, raising=False)
    draw = random.Random(0)  # noqa: S311 nothing secret
    sounds, numbers = recordings(samples), count()
    acknowledged: set[str] = set()
    refused: set[str] = set()
    unsaid = 0
    starts: list[float] = []
    for _ in range(KILLS):
        with running(tmp_path) as (process, url, seconds):
            starts.append(seconds)
            listed = {one["name"] for one in httpx.get(f"{url}/v1/people", params={"limit": 1000}).json()["people"]}
            assert acknowledged <= listed
            assert not list((tmp_path / "data").glob("samevoice-uploads-*/*"))  # what the last kill left there is gone
            enrolling = Enrolling(url, sounds, numbers)
            enrolling.wait_for(draw.randint(1, 3))
            time.sleep(draw.uniform(0.0, 0.5))
            process.send_signal(signal.SIGKILL)
            enrolling.join()
            assert process.wait() == -signal.SIGKILL
        assert set(enrolling.told.values()) <= {201, 422, None}
        acknowledged |= {name for name, status in enrolling.told.items() if status == 201}
        refused |= {name for name, status in enrolling.told.items() if status == 422}
        with Store.open(tmp_path / "voices.db", create=False) as store:
            enrolled = check_people(store)
        assert acknowledged <= enrolled
        assert not refused & enrolled
        in_flight = {name for name, status in enrolling.told.items() if status is None}
        assert enrolled - acknowledged <= in_flight  # on disk, but killed before it could say so
        unsaid += len(enrolled - acknowledged)
        acknowledged |= enrolled
    with running(tmp_path) as (process, url, seconds):
        starts.append(seconds)
        assert httpx.get(f"{url}/v1/people").json()["total"] == len(acknowledged)
        assert httpx.get(f"{url}/v1/audit/check").json() == {"events": len(acknowledged) + 1, "broken": None}
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)
    assert len(acknowledged) > KILLS
    print(  # noqa: T201 - the figures, for those who ask for them with -s
        f"{KILLS} kills: {len(acknowledged)} people enrolled, {unsaid} of them unacknowledged and complete, "
        f"{len(refused)} refused; ready after {min(starts[1:]):.2f} to {max(starts[1:]):.2f} s"
    )


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """A service in a process of its own, with its address and the seconds until it was ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = ["--gallery", str(folder / "voices.db"), "--data", str(folder / "data")]
    command = [*COMMAND, "--port", str(port), "--model", "campplus", "--workers", "2", *place]
    url, quiet, began = f"http://127.0.0.1:{port}", subprocess.DEVNULL, time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
        try:
            while not is_ready(url):
                assert process.poll() is None, "the service does not start"
                assert time.monotonic() - began < PATIENCE, "the service is not ready in time"
                time.sleep(0.02)
            yield process, url, time.monotonic() - began
        finally:
            process.kill()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def check_people(store: Store) -> set[str]:
    """The names of all who are enrolled; each of them is complete, and the record of events holds."""
    people = store.people()
    model = store.model() or ""
    for person in people:
        (voiceprint,) = person.voiceprints
        assert voiceprint.consent == "asked"
        (voice,) = store.embeddings(person.name, model)
        template = store.template(person.name, model)
        assert template is not None
        assert template.vector == pytest.approx(voice.vector, abs=1e-6)
        assert len(store.traces(person.id)) == 1
        assert (store.recording(voiceprint.id) or b"").startswith(b"fLaC")
    assert len(store.template_ids(model)) == len(people)
    events = store.events()
    assert [event.action for event in events[1:]] == ["enrol"] * len(people)
    assert store.audit().broken is None
    return {person.name for person in people}
