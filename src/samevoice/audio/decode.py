"""From anything a user calls audio to blocks of samples, with bounded memory.

A path, bytes, an open binary file, standard input ("-") or a `Waveform` becomes a `Recording`, which can be
walked through any number of times. WAV, FLAC, MP3, Ogg Vorbis and Opus are read by libsndfile; M4A, WebM and
video by `media` where PyAV is installed.

Knows: sources, limits, damage. Does not know: resampling, mixing, speech.
"""

from __future__ import annotations

import io
import os
import re
import stat
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import numpy as np
import soundfile

from samevoice.audio import media
from samevoice.audio.blocks import Block, block_frames
from samevoice.audio.info import AudioInfo, DecodeFailure, Opener, UnusedStream
from samevoice.audio.tail import check_tail
from samevoice.audio.waveform import MAX_CHANNELS, Waveform, check_rate, check_samples
from samevoice.errors import AudioError

MAX_SECONDS = 24 * 3600.0
MAX_STREAM_BYTES = 2 << 30  # what is read from a pipe or a file object, spooled to disk
SPOOL_BYTES = 16 << 20
AUDIO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("wav", "flac", "mp3", "ogg", "oga", "opus", "aif", "aiff", "au", "caf"),
        *("m4a", "mp4", "aac", "webm", "mkv", "mka", "mov", "avi", "amr", "wma", "3gp"),
    )
)

# What a broken-off WAV, AIFF or AU leaves in libsndfile's log; 0xFFFFFFFF and 0x7FFFFFFF mean "length unknown".
_SHORT_DATA = re.compile(r"^ *(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = 0x7FFFF000


class Recording:
    """A sound that can be walked through in blocks, as often as needed.

    Attributes:
        info: what the header says.
        damage: a sentence on what was wrong with the file, found while walking; None when nothing was.
    """

    def __init__(self, info: AudioInfo, walk: Callable[[], Iterator[Block]]) -> None:
        """Take the header's facts and a function that starts decoding from the beginning."""
        self.info = info
        self.damage: str | None = None
        self._walk = walk

    def blocks(self) -> Iterator[Block]:
        """Decode from the beginning: float32 blocks of shape (frames, channels), about one second each.

        Blocks are shorter where many channels at a high rate would need much memory.

        Raises:
            AudioError: nothing can be decoded, samples are not finite, or the recording is longer than a day.
        """
        info, frames = self.info, 0
        broken: DecodeFailure | None = None
        try:
            for block in self._walk():
                check_samples(block, info.name, offset=frames / info.rate)
                frames += len(block)
                if frames > MAX_SECONDS * info.rate:
                    raise AudioError(f"{info.name}: longer than {MAX_SECONDS / 3600:.0f} h; cut it into parts")
                yield block
        except DecodeFailure as error:
            broken = error
        seconds = frames / info.rate
        if not frames:
            raise AudioError(f"{info.name}: no audio could be decoded{f': {broken}' if broken else ''}; is it damaged?")
        if isinstance(broken, UnusedStream):
            self.damage = str(broken)
        elif broken:
            self.damage = f"damaged after {seconds:.1f} s ({broken}); only what lies before was used"
        elif info.declared is not None and info.declared - seconds > max(0.1, 0.01 * info.declared):
            self.damage = f"promises {info.declared:.1f} s but holds {seconds:.1f} s; the file may be cut off"


Source = str | os.PathLike[str] | bytes | BinaryIO | Waveform | Recording


def open_recording(source: Source, name: str | None = None) -> Recording:
    """Open any supported source; decoding starts when the blocks are asked for.

    Args:
        source: a path, "-" for standard input, bytes of a file, a binary file object (read from its current
            position), a waveform, or what this function returned.
        name: what to call it in messages; by default the path.

    Raises:
        AudioError: it does not exist, is no regular file, is empty, is no known audio, or exceeds a limit.
    """
    if isinstance(source, Recording):
        return source
    if isinstance(source, Waveform):
        return _from_waveform(source, name or "waveform")
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        return _from_opener(lambda: io.BytesIO(data), name or "bytes")
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if path == "-":
            return _from_stream(_standard_input(), name or "standard input")
        return _from_path(Path(path), name or str(path))
    if hasattr(source, "read"):
        return _from_stream(source, name or str(getattr(source, "name", "file object")))
    raise AudioError(f"{type(source).__name__} is not audio; give a path, bytes, a binary file or a Waveform")


def _from_waveform(waveform: Waveform, name: str) -> Recording:
    """Hand out a waveform in blocks like any other source."""
    step = block_frames(waveform.rate, 1)
    column = waveform.samples[:, None]
    info = AudioInfo(name, "samples", waveform.rate, 1, waveform.duration)
    return Recording(info, lambda: (column[start : start + step] for start in range(0, len(column), step)))


def _from_path(path: Path, name: str) -> Recording:
    """Check that a path is a readable, non-empty regular file."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else getattr(error, "strerror", None) or error
        raise AudioError(f"{name}: {reason}; check the path") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{name}: is a directory; give an audio file")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{name}: is not a regular file; pipe it in and give '-' instead")
    try:
        path.open("rb").close()
    except OSError as error:
        raise AudioError(f"{name}: {error.strerror}; check its permissions") from error
    return _from_opener(lambda: path.open("rb"), name)


def _standard_input() -> BinaryIO:
    """Standard input as bytes."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise AudioError("standard input: nothing is piped in; use: samevoice ... - < FILE")
    return sys.stdin.buffer


def _from_stream(stream: BinaryIO, name: str) -> Recording:
    """Spool a stream that may not be seekable, with a cap, so that it can be walked through again."""
    with ExitStack() as stack:
        spool = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES))
        total = 0
        for chunk in _chunks(stream, name):
            total += len(chunk)
            if total > MAX_STREAM_BYTES:
                raise AudioError(f"{name}: more than {MAX_STREAM_BYTES >> 30} GiB; save it to a file first")
            spool.write(chunk)

        @contextmanager
        def rewound() -> Iterator[BinaryIO]:
            spool.seek(0)
            yield cast("BinaryIO", spool)

        recording = _from_opener(rewound, name)
        weakref.finalize(recording, stack.pop_all().close)  # the spool lives as long as the recording
        return recording


def _chunks(stream: BinaryIO | TextIO, name: str) -> Iterator[bytes]:
    """What is left in a stream, in pieces."""
    refusal = f"{name}: is a text file object; open it in binary mode ('rb')"
    if isinstance(stream, io.TextIOBase):
        raise AudioError(refusal)
    try:
        while chunk := stream.read(1 << 20):
            if not isinstance(chunk, bytes | bytearray | memoryview):
                raise AudioError(refusal)
            yield bytes(chunk)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{name}: cannot be read ({reason}); give a file that is open for reading") from error


def _from_opener(opener: Opener, name: str) -> Recording:
    """Find out who can decode the bytes, and check the header against the limits."""
    with opener() as file:
        head = file.read(64)
        if not head:
            raise AudioError(f"{name}: is empty (0 bytes); record it again")
        kind = media.sniff(head)
        info = media.probe(opener, name, kind) if kind else _probe(file, name)
    check_rate(info.rate, name)
    if not 1 <= info.channels <= MAX_CHANNELS:
        raise AudioError(f"{name}: {info.channels} channels are more than {MAX_CHANNELS}; extract the one you need")
    if kind:
        return Recording(info, lambda: media.blocks(opener, info, kind))
    return Recording(info, lambda: _sndfile_blocks(opener, info))


def _probe(file: BinaryIO, name: str) -> AudioInfo:
    """Read a header with libsndfile."""
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            info = AudioInfo(name, f"{sound.format} {sound.subtype}", sound.samplerate, sound.channels, None)
            declared = sound.frames / sound.samplerate if 0 < sound.frames < 1 << 62 else None
            if match := _SHORT_DATA.search(sound.extra_info):
                promised, held = int(match[1]), int(match[2])
                if held < promised < _UNKNOWN_LENGTH and declared is not None:
                    declared *= promised / max(held, 1)
    except (soundfile.LibsndfileError, TypeError, ValueError, OSError) as error:
        raise AudioError(f"{name}: is not audio that samevoice can read; {media.advice()}") from error
    return replace(info, declared=declared)


def _sndfile_blocks(opener: Opener, info: AudioInfo) -> Iterator[Block]:
    """Decode with libsndfile, a block at a time, so that a small file cannot expand into much memory."""
    step = block_frames(info.rate, info.channels)
    block: Block = np.empty((0, info.channels), dtype=np.float32)
    left = 0
    try:
        with opener() as file, closing(soundfile.SoundFile(file)) as sound:
            left = sound.frames
            while True:
                block = np.full((step, info.channels), np.nan, dtype=np.float32)
                if not len(part := sound.read(out=block)):
                    break
                left -= len(part)
                yield part
            check_tail(file, info.format)
    except (soundfile.LibsndfileError, OSError) as error:
        # NaN: libsndfile never came so far; beyond the length that the header gives it writes zeros.
        decoded = np.append(np.isfinite(block[:left]).all(axis=1), False)
        if count := int(np.argmin(decoded)):
            yield block[:count]
        reason = getattr(error, "error_string", None) or str(error)
        raise DecodeFailure(str(reason).removeprefix("Error : ").strip(" .")) from error
