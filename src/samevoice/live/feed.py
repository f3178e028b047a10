"""Where live sound comes from: mono blocks in order, and what the source has to say about them.

Knows: blocks, clocks. Does not know: devices, headers, speech.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from samevoice.audio.blocks import block_frames, regroup
from samevoice.audio.decode import Source, open_recording
from samevoice.audio.resample import mix
from samevoice.audio.waveform import Samples
from samevoice.errors import AudioError, ConfigError
from samevoice.live.pcm import Decoder, Encoding

__all__ = ["Feed", "Note", "Stream", "pcm", "replay", "standard_input"]

PACED_SECONDS = 0.1  # of a block that is replayed in its own time


@dataclass(frozen=True, slots=True)
class Note:
    """What a source says about its sound, in a sentence."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """Sound that is still coming.

    Args:
        name: what to call it.
        rate: in Hz.
        items: mono samples, shape (n,), a second or less each; notes stand where they belong.
        paced: whether sound comes in its own time, so that listening can fall behind.
    """

    name: str
    rate: int
    items: Iterator[Samples | Note]
    paced: bool = True


class Stream(Protocol):
    """An unbuffered binary stream: hands out what is there instead of waiting for all that was asked for."""

    def read(self, size: int, /) -> bytes | None:
        """At most so many bytes; none at the end.

        Args:
            size: bytes, at least 1.
        """


def replay(audio: Source, speed: float = 1.0, name: str | None = None) -> Feed:
    """A complete recording as if it were spoken now.

    Args:
        audio: anything `open_recording` takes.
        speed: 1 for real time, 2 for twice as fast; 0 for as fast as it is heard.
        name: what to call it.

    Raises:
        AudioError: the recording cannot be read.
        ConfigError: the speed is negative or not a number.
    """
    if not 0 <= speed < float("inf"):
        raise ConfigError(f"speed {speed} cannot be replayed; give 1 for real time, or 0 for as fast as possible")
    recording = open_recording(audio, name)
    info = recording.info

    def items() -> Iterator[Samples | Note]:
        mono = (mix(block) for block in recording.blocks())
        if speed:
            yield from _paced(regroup(mono, max(1, round(PACED_SECONDS * info.rate))), info.rate * speed)
        else:
            yield from mono
        if recording.damage:
            yield Note(f"{info.name}: {recording.damage}")

    return Feed(info.name, info.rate, items(), paced=bool(speed))


def _paced(blocks: Iterator[Samples], rate: float) -> Iterator[Samples]:
    """Blocks, each when its last sample is due."""
    began, passed = time.monotonic(), 0
    for block in blocks:
        passed += len(block)
        time.sleep(max(began + passed / rate - time.monotonic(), 0.0))
        yield block


def pcm(stream: Stream, encoding: Encoding, name: str = "standard input") -> Feed:
    """Bare samples from a pipe.

    Args:
        stream: unbuffered.
        encoding: of the samples.
        name: what to call it.
    """

    def items() -> Iterator[Samples | Note]:
        decoder = Decoder(encoding)
        most = block_frames(encoding.rate, encoding.channels) * encoding.frame
        try:
            while raw := stream.read(most):
                yield decoder.push(raw)
        except (OSError, ValueError) as error:
            raise AudioError(f"{name}: cannot be read any more ({error}); what came before was heard") from error
        if decoder.left:
            yield Note(f"{name}: ends within a sample; is it {encoding}?")

    return Feed(name, encoding.rate, items())


def standard_input() -> Stream:
    """Standard input, unbuffered: its buffer would be locked by a thread that waits for more while others end.

    Raises:
        AudioError: nothing is piped in.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise AudioError("standard input: nothing is piped in; use: arecord -f S16_LE -r 16000 | samevoice listen -")
    return io.FileIO(sys.stdin.fileno(), closefd=False)
