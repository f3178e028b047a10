"""The microphone, with a stand-in for PortAudio: no machine that tests has a microphone."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from samevoice.errors import AudioError, ConfigError
from samevoice.live.feed import Note
from samevoice.live.microphone import microphone


class PortAudioError(Exception):
    """As in sounddevice."""


class Stream:
    """Hands out a script of blocks: whether the device overflowed, and seconds that it lost before."""

    script: ClassVar[list[tuple[bool, float]]] = []

    def __init__(self, *, device: object, samplerate: int, channels: int, dtype: str, blocksize: int) -> None:
        assert (channels, dtype) == (1, "float32")
        self.device, self.rate, self.blocksize = device, samplerate, blocksize
        self.time, self.read_available, self.left = 100.0, 0, list(self.script)
        self.open = False

    def __enter__(self) -> Stream:
        self.open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False

    def read(self, frames: int) -> tuple[Any, bool]:
        if not self.left:
            raise PortAudioError("Device unavailable.")
        overflowed, lost = self.left.pop(0)
        self.time += lost + frames / self.rate
        return np.full((frames, 1), 0.5, dtype=np.float32), overflowed


def installed(monkeypatch: pytest.MonkeyPatch, rate: float = 44_100.0) -> None:
    def query(device: object, kind: str) -> dict[str, object]:
        assert kind == "input"
        if device not in (None, 3, "USB"):
            raise ValueError(f"No input device matching {device!r}")
        return {"name": "USB mic", "default_samplerate": rate}

    stand_in = SimpleNamespace(PortAudioError=PortAudioError, InputStream=Stream, query_devices=query)
    monkeypatch.setitem(sys.modules, "sounddevice", stand_in)


def test_sound_comes_until_the_device_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    monkeypatch.setattr(Stream, "script", [(False, 0.0)] * 3)
    feed = microphone("3")
    assert (feed.name, feed.rate, feed.paced) == ("USB mic", 44_100, True)
    blocks = [next(feed.items) for _ in range(3)]
    assert all(not isinstance(block, Note) and block.shape == (4_410,) for block in blocks)
    with pytest.raises(AudioError, match=r"USB mic: stopped working \(Device unavailable\); is it unplugged"):
        next(feed.items)


@pytest.mark.parametrize(("overflowed", "lost"), [(True, 0.7), (False, 2.5)])
def test_what_was_lost_is_told_and_times_stay_true(
    monkeypatch: pytest.MonkeyPatch, overflowed: bool, lost: float
) -> None:
    installed(monkeypatch, 16_000.0)
    monkeypatch.setattr(Stream, "script", [(False, 0.0), (overflowed, lost), (False, 0.0)])
    feed = microphone()
    items: list[object] = []
    with pytest.raises(AudioError):
        items.extend(feed.items)  # takes one by one
    notes = [item for item in items if isinstance(item, Note)]
    assert len(notes) == 1
    assert f"{lost:.1f} s were lost" in notes[0].text
    sound = np.concatenate([item for item in items if isinstance(item, np.ndarray)])
    gap = round(lost * 16_000)
    assert len(sound) == 3 * 1_600 + gap
    assert (sound[1_600 : 1_600 + gap] == 0).all()
    assert (np.delete(sound, np.s_[1_600 : 1_600 + gap]) == 0.5).all()


def test_no_microphone_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    with pytest.raises(AudioError, match=r"microphone 'None of them' cannot be used .*--device"):
        microphone("None of them")
    installed(monkeypatch, 100.0)
    with pytest.raises(AudioError, match="100 Hz"):
        microphone()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ConfigError, match=r"pip install 'samevoice\[mic\]'"):
        microphone()

    def no_library(name: str) -> object:
        assert name == "sounddevice"
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("samevoice.live.microphone.import_module", no_library)
    with pytest.raises(ConfigError, match="libportaudio2"):
        microphone()
