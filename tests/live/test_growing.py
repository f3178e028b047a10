"""Files that grow while they are listened to."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from livemakers import RATE, READER, read

from samevoice.audio.waveform import Samples
from samevoice.errors import AudioError, ConfigError
from samevoice.live.feed import Feed, Note
from samevoice.live.growing import follow
from samevoice.live.pcm import Encoding

SOUND = read(READER)[: 2 * RATE]
CONTENT = np.rint(SOUND * 32_767).astype("<i2").tobytes()


def header(size: int, *, rate: int = RATE, channels: int = 1, kind: int = 1, before: bytes = b"") -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, channels, rate, rate * 2 * channels, 2 * channels, 16)
    body = b"WAVE" + form + before + struct.pack("<4sI", b"data", size)
    return struct.pack("<4sI", b"RIFF", min(len(body) + size, 0xFFFFFFFF)) + body


def samples(feed: Feed) -> Samples:
    """All of the sound; notes fail."""
    parts = [item for item in feed.items if not isinstance(item, Note)]
    return np.concatenate([np.empty(0, dtype=np.float32), *parts])


def expected(content: bytes) -> Samples:
    found: Samples = np.frombuffer(content, dtype="<i2").astype(np.float32) / np.float32(32_768)
    return found


def while_written(path: Path, write: Callable[[], None], idle: float = 0.6) -> Samples:
    """What is heard of a file to which a thread writes."""
    thread = threading.Thread(target=write)
    thread.start()
    try:
        return samples(follow(path, idle=idle))
    finally:
        thread.join()


@pytest.mark.parametrize("size", [0, 1_000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_header_that_is_not_true_yet(tmp_path: Path, size: int) -> None:
    path = tmp_path / "growing.wav"
    path.write_bytes(header(size) + CONTENT[:7_001])

    def write() -> None:
        with path.open("ab") as file:
            for start in range(7_001, len(CONTENT), 13_331):
                time.sleep(0.15)
                file.write(CONTENT[start : start + 13_331])
                file.flush()

    np.testing.assert_array_equal(while_written(path, write), expected(CONTENT))


def test_a_header_that_is_still_to_come_and_then_mended(tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    path.touch()

    def write() -> None:
        with path.open("r+b") as file:
            for part in (header(0)[:20], header(0)[20:], CONTENT[:30_000], CONTENT[30_000:]):
                time.sleep(0.12)
                file.write(part)
                file.flush()
            file.seek(0)
            file.write(header(len(CONTENT)))

    np.testing.assert_array_equal(while_written(path, write), expected(CONTENT))


def test_libsndfile_writes_while_we_listen(tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_24") as file:
        file.write(np.stack([SOUND[:4_000], -0.5 * SOUND[:4_000]], axis=1))
        file.flush()

        def write() -> None:
            time.sleep(0.2)
            file.write(np.stack([SOUND[4_000:], -0.5 * SOUND[4_000:]], axis=1))
            file.flush()

        heard = while_written(path, write)
    known, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(heard, known.mean(axis=1, dtype=np.float32))


@pytest.mark.parametrize("odd", [0, 1])
def test_what_follows_the_sound_is_not_heard(tmp_path: Path, odd: int) -> None:
    path = tmp_path / "done.wav"
    content = CONTENT[: 2_000 - odd]
    tail = struct.pack("<4sI", b"LIST", 26) + b"INFOISFT" + b"\0" * 18
    path.write_bytes(
        header(len(content), before=struct.pack("<4sI", b"JUNK", 3) + b"abc\0") + content + b"\0" * odd + tail
    )
    began = time.monotonic()
    items = list(follow(path, idle=30).items)
    assert time.monotonic() - began < 5  # the end is certain
    heard = np.concatenate([item for item in items if not isinstance(item, Note)])
    np.testing.assert_array_equal(heard, expected(content[: len(content) - odd]))
    assert sum(isinstance(item, Note) for item in items) == odd


def test_large_files_have_their_length_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "large.wav"
    large = struct.pack("<4sIQQQI", b"ds64", 28, 0, 4_000, 2_000, 0)
    head = header(0xFFFFFFFF)
    tail = struct.pack("<4sI", b"LIST", 4) + b"INFO"
    path.write_bytes(b"RF64" + head[4:12] + large + head[12:] + CONTENT[:4_000] + tail)
    np.testing.assert_array_equal(samples(follow(path, idle=0.3)), expected(CONTENT[:4_000]))


def test_bare_samples_grow_too(tmp_path: Path) -> None:
    path = tmp_path / "growing.raw"
    path.write_bytes(CONTENT[:-1])
    items = list(follow(path, idle=0.2, raw=Encoding(8_000)).items)
    assert isinstance(items[-1], Note)
    heard = np.concatenate([item for item in items if not isinstance(item, Note)])
    np.testing.assert_array_equal(heard, expected(CONTENT[:-2]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no sound yet"),
        (header(0)[:30], "holds no sound yet"),
        (b"fLaC" + bytes(100), "only WAV files"),
        (b"RIFF\0\0\0\0AVI " + bytes(100), "only WAV files"),
        (header(0)[:12] + struct.pack("<4sI", b"data", 0) + CONTENT, "only WAV files"),
        (header(0, kind=2) + CONTENT, "compressed"),
        (header(0, channels=0) + CONTENT, "0 channels"),
        (header(0, rate=7) + CONTENT, "7 Hz"),
        (header(0)[:12] + struct.pack("<4sI", b"JUNK", 0xFFFFFFF0) + CONTENT, "only WAV files"),
    ],
)
def test_what_cannot_be_followed_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "some.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=said):
        follow(path, idle=0.2)


def test_a_file_that_is_not_there_or_idle_for_no_time(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="No such file"):
        follow(tmp_path / "missing.wav")
    for idle in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="idle"):
            follow(tmp_path / "missing.wav", idle=idle)


def test_a_file_that_shrinks_or_becomes_another_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "some.wav"
    for later, said in ((header(0), "shorter"), (header(0, rate=8_000) + 2 * CONTENT, "changed its rate")):
        path.write_bytes(header(0) + CONTENT)
        feed = follow(path, idle=5.0)
        assert not isinstance(next(feed.items), Note)
        path.write_bytes(later)
        with pytest.raises(AudioError, match=said):
            list(feed.items)
