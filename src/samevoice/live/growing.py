"""A file that somebody else is still writing: what is there is heard, then what comes.

The length in the header of a WAV file is only true once its writer is done, so it is not believed while the file grows.

Knows: WAV (RIFF, RF64) headers, bare samples, growth. Does not know: other formats, speech.
Source: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991 (RIFF); EBU Tech 3306 (RF64).
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samevoice.audio.blocks import block_frames
from samevoice.audio.waveform import Samples
from samevoice.errors import AudioError, ConfigError
from samevoice.live.feed import Feed, Note
from samevoice.live.pcm import Decoder, Encoding

POLL = 0.1  # seconds between looks at a file that does not grow
IDLE = 10.0  # seconds without growth after which a file is taken to be complete
INTEGERS, FLOATS, EXTENSIBLE = 1, 3, 0xFFFE
HEADER_BYTES = 1 << 20  # before the sound
# What may follow the sound; other bytes behind the length that the header gives are sound that it does not know of yet.
TAILS = {b"LIST", b"id3 ", b"ID3 ", b"bext", b"cue ", b"smpl", b"fact", b"PEAK", b"iXML", b"axml", b"JUNK", b"junk"}
MARKS = {b"RIFF", b"RF64"}


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says before its first sample.

    Args:
        encoding: of the samples.
        start: place of the first one, in bytes.
        size: of all samples, in bytes, as the header has it now; it need not be true.
    """

    encoding: Encoding
    start: int
    size: int


def follow(path: Path, *, idle: float = IDLE, raw: Encoding | None = None) -> Feed:
    """A file from its beginning, and what is written to it until it no longer grows.

    Args:
        path: a WAV file, or bare samples.
        idle: seconds without growth after which it is complete, above 0.
        raw: how bare samples are written; None for a WAV file.

    Raises:
        AudioError: the file cannot be read, or is no WAV file.
        ConfigError: `idle` is not above 0.
    """
    if not 0 < idle < float("inf"):
        raise ConfigError(f"a file cannot be idle for {idle:g} s; give seconds above 0")
    growth = _Growth(path, idle)
    try:
        header = Header(raw, 0, 0) if raw else growth.header()
    except AudioError:
        growth.close()
        raise
    return Feed(str(path), header.encoding.rate, growth.items(header))


class _Growth:
    """Reads a file that grows."""

    def __init__(self, path: Path, idle: float) -> None:
        """Open it."""
        self._path, self._idle = path, idle
        try:
            self._file = path.open("rb", buffering=0)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise AudioError(f"{path}: {reason}; check the path and its permissions") from error

    def header(self) -> Header:
        """The header, as soon as it is there.

        Raises:
            AudioError: it does not come, or is not that of a WAV file.
        """
        waited = 0.0
        while (found := self._header()) is None:
            if waited >= self._idle:
                raise AudioError(f"{self._path}: holds no sound yet; start the recording, or give a longer --idle")
            time.sleep(POLL)
            waited += POLL
        return found

    def close(self) -> None:
        """Leave the file."""
        self._file.close()

    def items(self, header: Header) -> Iterator[Samples | Note]:
        """All samples until the file no longer grows.

        Raises:
            AudioError: the file becomes shorter, or another one.
        """
        decoder, place, waited = Decoder(header.encoding), header.start, 0.0
        most = block_frames(header.encoding.rate, header.encoding.channels) * header.encoding.frame
        with self._file:
            while waited < self._idle:
                count = min(self._ahead(header, place), most)
                if count < 0:
                    break
                chunk = self._read(place, count)
                if chunk:
                    place, waited = place + len(chunk), 0.0
                    yield decoder.push(chunk)
                else:
                    time.sleep(POLL)
                    waited += POLL
        if decoder.left:
            yield Note(f"{self._path}: ends within a sample")

    def _ahead(self, header: Header, place: int) -> int:
        """Bytes of sound that are there and were not read; -1 where the sound is over for certain."""
        end = os.fstat(self._file.fileno()).st_size
        if end < place:
            raise AudioError(f"{self._path}: became shorter while it was listened to; what came before was heard")
        if not header.start:
            return end - place
        now = self._header()
        if now is None or now.encoding != header.encoding or now.start != header.start:
            raise AudioError(f"{self._path}: changed its rate or channels; what came before was heard")
        told = header.start + now.size
        if self._read(told + now.size % 2, 4) in TAILS:
            return told - place or -1
        return end - place

    def _header(self) -> Header | None:
        """The header as it stands; None where it is not complete."""
        head = self._read(0, 12)
        if len(head) < len("RIFF....WAVE"):
            if head and not any(mark.startswith(head[:4]) for mark in MARKS):
                raise self._foreign()
            return None
        if head[:4] not in MARKS or head[8:] != b"WAVE":
            raise self._foreign()
        encoding, large, place = None, 0, len(head)
        while place < HEADER_BYTES:
            chunk = self._read(place, 8)
            if len(chunk) < struct.calcsize("<4sI"):
                return None
            name, size = struct.unpack("<4sI", chunk)
            if name == b"data":
                if encoding is None:
                    raise self._foreign()
                return Header(encoding, place + 8, large if large and size == 0xFFFFFFFF else size)
            body = self._read(place + 8, min(size, 40))
            if len(body) < min(size, 40):
                return None
            if name == b"fmt ":
                encoding = self._encoding(body)
            if name == b"ds64":
                (large,) = struct.unpack_from("<Q", body.ljust(16, b"\0"), 8)
            place += 8 + size + size % 2
        raise self._foreign()

    def _encoding(self, body: bytes) -> Encoding:
        """What a `fmt ` chunk says."""
        if len(body) < 16:
            raise self._foreign()
        kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
        if kind == EXTENSIBLE and len(body) >= 26:
            (kind,) = struct.unpack_from("<H", body, 24)
        if kind not in (INTEGERS, FLOATS):
            raise AudioError(f"{self._path}: its samples are compressed; only bare ones can be followed")
        try:
            return Encoding(rate, channels, bits, kind == FLOATS)
        except ConfigError as error:
            raise AudioError(f"{self._path}: {error}") from error

    def _read(self, place: int, count: int) -> bytes:
        """At most so many bytes from a place on."""
        self._file.seek(place)
        return self._file.read(count)

    def _foreign(self) -> AudioError:
        return AudioError(
            f"{self._path}: only WAV files and bare samples (--rate) can be followed while they grow; "
            "without --follow it is replayed"
        )
