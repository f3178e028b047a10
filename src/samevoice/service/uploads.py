"""Uploaded recordings: on disk under a name of ours, within the limits, gone when the request is over.

Knows: limits of bytes, seconds and decoding. Does not know: speech, models.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fastapi import UploadFile

from samevoice.audio.decode import open_recording
from samevoice.service.options import MIB
from samevoice.service.problems import Refusal
from samevoice.service.state import Service

LONGEST_NAME = 60
UNNAMED = "recording"


@dataclass(frozen=True, slots=True)
class Clip:
    """An uploaded recording.

    Args:
        path: where it lies while its request lasts; whoever keeps it moves it away.
        name: what the client called it, made printable and short; for messages, never a path.
    """

    path: Path
    name: str

    def open(self) -> BinaryIO:
        """The file: audio of which messages do not tell the path."""
        return self.path.open("rb")


@asynccontextmanager
async def received(upload: UploadFile, service: Service, *, meeting: bool = False) -> AsyncIterator[Clip]:
    """An upload as a file, once it is known to be audio within the limits.

    A clip is decoded to its end, since its header may lie; a meeting's header is read only, and whoever hears it
    has to count its seconds.

    Args:
        upload: of the form.
        service: whose limits hold.
        meeting: the limits of meetings instead of those of clips.

    Raises:
        Refusal: 413 or 422, it is too large, too long, or takes too long to decode.
        AudioError: it is no audio that can be read.
    """
    options = service.options
    name = told_name(upload.filename)
    most = options.meeting_bytes if meeting else options.clip_bytes
    if (upload.size or 0) > most:
        raise Refusal(413, "too-large", f"{name}: more than {most / MIB:.0f} MiB; send a shorter recording", limit=most)
    clip = Clip(service.uploads / secrets.token_hex(16), name)
    seconds = options.meeting_seconds if meeting else options.clip_seconds
    patience = None if meeting else options.decode_seconds
    try:
        await service.pool.run(partial(_take, upload.file, clip, seconds, patience))
        yield clip
    finally:
        clip.path.unlink(missing_ok=True)


def told_name(name: str | None) -> str:
    """What to call an upload: the last part of the client's name, without what would disturb a line of text."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    told = "".join(sign if sign.isprintable() else "?" for sign in last).strip()
    return told[:LONGEST_NAME] or UNNAMED


def _take(source: BinaryIO, clip: Clip, seconds: float, patience: float | None) -> None:
    """Put an upload on disk and check it; `patience` None for the header only."""
    source.seek(0)
    with clip.path.open("xb") as target:
        shutil.copyfileobj(source, target, MIB)
    recording = open_recording(clip.path, clip.name)
    rate, declared = recording.info.rate, recording.info.declared
    if declared is not None and declared > seconds:
        raise _too_long(clip.name, seconds)
    if patience is None:
        return
    end = time.monotonic() + patience
    left = seconds * rate
    for block in recording.blocks():
        left -= len(block)
        if left < 0:
            raise _too_long(clip.name, seconds)
        if time.monotonic() > end:
            detail = f"{clip.name}: takes longer than {patience:g} s to decode; convert it to WAV or FLAC"
            raise Refusal(422, "decode", detail)


def _too_long(name: str, seconds: float) -> Refusal:
    return Refusal(422, "too-long", f"{name}: longer than {seconds:g} s; send a part of it", limit=seconds)
