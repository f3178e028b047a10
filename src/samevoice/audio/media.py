"""M4A/AAC, WebM/Matroska, video and telephone containers, by PyAV (extra `[media]`).

The demuxer is chosen here from the first bytes, never guessed by the library: play lists and other formats
that can refer to further files or to the network are thus out of reach.

Knows: containers. Does not know: limits, names of files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from samevoice.audio.blocks import Block, block_frames, regroup
from samevoice.audio.info import AudioInfo, DecodeFailure, Opener
from samevoice.errors import AudioError

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.container import InputContainer

INSTALL = "pip install 'samevoice[media]'"
BARE = frozenset({"aac", "amr"})  # no header: FFmpeg guesses the duration from the first bit rate it meets


def sniff(head: bytes) -> str | None:
    """The demuxer for a file that begins with `head` (at least 16 bytes), or None for one libsndfile reads."""
    if head[4:8] == b"ftyp":
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return "aac"
    if head.startswith(b"#!AMR"):
        return "amr"
    if head.startswith(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"):
        return "asf"
    if head.startswith(b"FLV\x01"):
        return "flv"
    return None


def installed() -> bool:
    """Whether PyAV is there."""
    from importlib.util import find_spec

    return find_spec("av") is not None


def advice() -> str:
    """What to do about a file that nobody here can read."""
    return "convert it to WAV or FLAC" if installed() else f"convert it to WAV or FLAC, or {INSTALL} for more formats"


def probe(opener: Opener, name: str, kind: str) -> AudioInfo:
    """Read the header of the first audio track.

    Raises:
        AudioError: PyAV is not installed, the container is damaged, or it has no audio track.
    """
    with opener() as file, _open(file, name, kind) as container:
        if not container.streams.audio:
            raise AudioError(f"{name}: has no audio track; give a recording with sound")
        stream = container.streams.audio[0]
        context = cast("AudioCodecContext | None", stream.codec_context)
        if context is None:
            raise AudioError(f"{name}: its audio codec is unknown here; convert it to WAV or FLAC")
        seconds = 0.0
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / 1_000_000
        declared = seconds if seconds > 0 and kind not in BARE else None
        label = f"{container.format.name.split(',')[0].upper()} {context.name.upper()}"
        return AudioInfo(name, label, context.sample_rate, context.channels, declared)


def blocks(opener: Opener, info: AudioInfo, kind: str) -> Iterator[Block]:
    """Decode the first audio track: float32 blocks of shape (frames, channels), `block_frames` long.

    Args:
        opener: opens the file.
        info: what `probe` found.
        kind: the demuxer.

    Raises:
        DecodeFailure: the track breaks off or changes its rate or channels in the middle.
    """
    # A codec's own frames are shorter than the windows that the audio doctor looks through.
    return regroup(_frames(opener, info, kind), block_frames(info.rate, info.channels))


def _frames(opener: Opener, info: AudioInfo, kind: str) -> Iterator[Block]:
    """Decode into whatever lengths the codec has."""
    import av
    from av.audio.resampler import AudioResampler

    with opener() as file, _open(file, info.name, kind) as container:
        stream = container.streams.audio[0]
        to_float = AudioResampler(format="fltp")
        try:
            for frame in container.decode(stream):
                if (frame.sample_rate, len(frame.layout.channels)) != (info.rate, info.channels):
                    raise DecodeFailure("the sample rate or the channels change")
                for part in to_float.resample(frame):
                    yield np.ascontiguousarray(part.to_ndarray().T, dtype=np.float32)
        except (av.FFmpegError, ValueError) as error:
            raise DecodeFailure(_reason(error)) from error


def _open(file: BinaryIO, name: str, kind: str) -> InputContainer:
    """Open a container with a demuxer chosen by us."""
    try:
        import av
    except ImportError as error:
        raise AudioError(f"{name}: this format needs PyAV; {INSTALL}, or convert it to WAV or FLAC") from error
    try:
        return av.open(file, mode="r", format=kind)
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(f"{name}: the {kind} container cannot be read ({_reason(error)}); is it damaged?") from error


def _reason(error: Exception) -> str:
    """FFmpeg's sentence without its error number."""
    return getattr(error, "strerror", None) or str(error)
