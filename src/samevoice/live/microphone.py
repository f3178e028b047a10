"""The microphone, by PortAudio through the package `sounddevice` (extra `[mic]`).

What the device had to throw away is told, and silence is put in its place, so that times stay true.

Knows: devices. Does not know: speech.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from samevoice.audio.waveform import Samples, check_rate
from samevoice.errors import AudioError, ConfigError
from samevoice.live.feed import Feed, Note

BLOCK = 0.1  # seconds that are read at once
LEAST_GAP = 0.05  # seconds; what is less may be the clock's
LONGEST_GAP = 3600.0  # seconds of silence that stand for what was lost, as when a computer slept
INSTALL = "pip install 'samevoice[mic]'"


def microphone(device: str | None = None) -> Feed:
    """What a microphone hears from now on, at the rate of its device.

    Args:
        device: its number or a part of its name; None for the one the system prefers.

    Raises:
        ConfigError: `sounddevice` or PortAudio is missing.
        AudioError: there is no such device, or it cannot be opened.
    """
    audio = _sounddevice()
    wanted: int | str | None = int(device) if device is not None and device.isdigit() else device
    try:
        found = audio.query_devices(wanted, "input")
        rate = round(found["default_samplerate"])
        check_rate(rate, str(found["name"]))
        stream = audio.InputStream(
            device=wanted, samplerate=rate, channels=1, dtype="float32", blocksize=round(BLOCK * rate)
        )
    except (audio.PortAudioError, ValueError) as error:
        which = "no microphone was found" if device is None else f"microphone {device!r} cannot be used"
        raise AudioError(
            f"{which} ({_reason(error)}); connect one, choose another with --device, or pipe sound in and give '-'"
        ) from error
    return Feed(str(found["name"]), rate, _items(stream, rate, str(found["name"]), audio.PortAudioError))


def _sounddevice() -> Any:
    """The package, which looks for PortAudio when it is imported.

    Raises:
        ConfigError: one of the two is missing.
    """
    try:
        return import_module("sounddevice")
    except ImportError as error:
        raise ConfigError(f"a microphone needs sounddevice; {INSTALL}, or pipe sound in and give '-'") from error
    except OSError as error:
        raise ConfigError(
            f"a microphone needs the library PortAudio; {INSTALL} brings it on Windows and macOS, "
            "apt install libportaudio2 or the like elsewhere"
        ) from error


def _items(stream: Any, rate: int, name: str, failure: type[Exception]) -> Iterator[Samples | Note]:
    """Sound until the device goes away, with silence for what was lost."""
    given = 0
    try:
        with stream:
            began = stream.time
            while True:
                block, overflowed = stream.read(stream.blocksize)
                due = (stream.time - began) * rate - stream.read_available
                given += len(block)
                lost = min((due - given) / rate, LONGEST_GAP)
                if overflowed or lost > 1.0:
                    if lost > LEAST_GAP:
                        yield from _silence(lost, rate)
                        given += round(lost * rate)
                    yield Note(f"{name}: {max(lost, 0.0):.1f} s were lost before this; the computer is too busy")
                yield np.ascontiguousarray(block[:, 0])
    except failure as error:
        raise AudioError(f"{name}: stopped working ({_reason(error)}); is it unplugged?") from error


def _silence(seconds: float, rate: int) -> Iterator[Samples]:
    """Silence, a second at a time."""
    left = round(seconds * rate)
    while left > 0:
        yield np.zeros(min(left, rate), dtype=np.float32)
        left -= rate


def _reason(error: Exception) -> str:
    """The first line of what a library says, without its last full stop."""
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
