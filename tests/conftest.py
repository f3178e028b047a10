"""What every test may ask for, and what none may do: reach the network."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import settings

from samevoice.audio.waveform import Waveform

pytest_plugins = ["galleryfixtures", "servicefixtures"]

SAMPLES = Path(__file__).parent.parent / "samples"
RATE = 16_000

settings.register_profile("samevoice", deadline=None)  # no test fails for want of time
settings.load_profile("samevoice")


def pytest_configure(config: pytest.Config) -> None:
    """Where several processes test, each computes on one core, and so do the commands that they start."""
    if getattr(config.option, "numprocesses", None):  # the option -n of pytest-xdist, which may be missing
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that leave this machine fail."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guard(address: Any) -> None:
        if not isinstance(address, tuple):
            return  # a socket file
        host = str(address[0])
        if host == "localhost":
            return
        try:
            local = ipaddress.ip_address(host).is_loopback
        except ValueError:
            local = False
        if not local:
            raise RuntimeError(f"a test tried to reach {host}")

    def guarded(self: socket.socket, address: Any) -> None:
        guard(address)
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        guard(address)
        return connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_ex)


@pytest.fixture(autouse=True, scope="session")
def no_keys_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The master keys of galleries that tests make do not stay in the user's settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """What torch draws in a test does not hang on the tests before it."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The directory of real recordings."""
    return SAMPLES


@pytest.fixture(scope="session")
def speech() -> Waveform:
    """The first 3 s of a LibriSpeech utterance at 16 kHz."""
    sound, rate = soundfile.read(SAMPLES / "librispeech_1255_a.flac", frames=3 * RATE, dtype="float32")
    assert rate == RATE
    return Waveform(sound, rate)


@pytest.fixture(scope="session")
def silence() -> Waveform:
    """3 s of digital silence."""
    return Waveform(np.zeros(3 * RATE, dtype=np.float32), RATE)


@pytest.fixture(scope="session")
def noise() -> Waveform:
    """3 s of white noise at -30 dBFS."""
    generator = np.random.default_rng(7)
    return Waveform((generator.standard_normal(3 * RATE) * 10**-1.5).astype(np.float32), RATE)
