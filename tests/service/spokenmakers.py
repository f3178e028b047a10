"""Recordings of known people as forms take them, and a service whose callers have each role."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
import soundfile
from servicemakers import Running, bearer, new_key, serving

from samevoice.gallery.voiceprints import NewVoiceprint, Person
from samevoice.models.embedding import Embedding
from samevoice.service.keys import ROLES

SAMPLES = Path(__file__).parents[2] / "samples"
ADA, ADA_AGAIN = SAMPLES / "sample_1a.mp3", SAMPLES / "sample_1b.mp3"  # of one person
PHILIPPE, PHILIPPE_AGAIN = SAMPLES / "philippe_1.flac", SAMPLES / "philippe_2.flac"  # of another; 7 and 3 s of speech
STRANGER = SAMPLES / "sample_2.mp3"
READER = SAMPLES / "librispeech_1255_a.flac"

Upload = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A running service and a client for each role.

    Args:
        running: the service.
        clients: by role, and "nobody" without a key.
    """

    running: Running
    clients: Mapping[str, httpx.Client]

    @property
    def user(self) -> httpx.Client:
        return self.clients["user"]

    @property
    def enroller(self) -> httpx.Client:
        return self.clients["enroller"]

    @property
    def admin(self) -> httpx.Client:
        return self.clients["admin"]

    def add(self, name: str, seed: int = 0, **about: Any) -> Person:
        """Somebody with a random voice, enrolled without a recording."""
        gallery = self.running.gallery
        card = gallery.model.card
        vector = np.random.default_rng(seed).standard_normal(card.dimension)
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        gallery.store.require_model(card.fingerprint)
        return gallery.store.add(name, NewVoiceprint(Embedding(unit, card.fingerprint, 5.0), **about))


@contextmanager
def spoken(folder: Path, **options: Any) -> Iterator[Spoken]:
    """A service with three keys; the master key of its gallery lies in the folder too."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("SAMEVOICE_GALLERY")]:
            patch.delenv(variable)
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        headers: dict[str, dict[str, str]] = {role: bearer(new_key(folder, role)) for role in ROLES} | {"nobody": {}}
        with serving(folder, **options) as running:
            url = f"{running.url}/v1"
            clients = {role: httpx.Client(base_url=url, headers=told, timeout=60) for role, told in headers.items()}
            yield Spoken(running, clients)
            for client in clients.values():
                client.close()


def audio(sound: Path | Upload) -> dict[str, Upload]:
    """The field of a form."""
    return {"audio": (sound.name, sound.read_bytes()) if isinstance(sound, Path) else sound}


def cut(path: Path, start: float = 0.0, end: float | None = None, *, gain: float = 1.0) -> Upload:
    """A part of a recording, as a file."""
    samples, rate = soundfile.read(path, dtype="float32")
    part = samples[round(start * rate) : None if end is None else round(end * rate)]
    return wav(gain * part, rate)


def wav(samples: Any, rate: int = 16_000) -> Upload:
    """Samples as a file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "PCM_16", format="WAV")
    return "part.wav", file.getvalue()


def silence(seconds: float = 3.0) -> Upload:
    """Nothing at all."""
    return wav(np.zeros(round(16_000 * seconds), dtype=np.float32))


def at(*parts: str) -> str:
    """A path of these parts, whatever they hold."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def code(answer: httpx.Response, status: int) -> str:
    """The code of a problem of that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["status"] == status
    return str(told["code"])
