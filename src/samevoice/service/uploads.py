"""Uploaded recordings: on disk under a name of ours, within the limits, gone when the request is over.

Knows: limits of bytes, seconds and decoding. Does not know: speech, models.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastapi import UploadFile

from samevoice.audio.blocks import Block
from samevoice.audio.decode import Recording, open_recording
from samevoice.service.options import MIB
from samevoice.service.problems import Refusal, no_room
from samevoice.service.state import Service

LONGEST_NAME = 60
UNNAMED = "recording"


@dataclass(frozen=True, slots=True)
class Clip:
    """An uploaded recording.

    Args:
        path: where it lies while its request lasts; whoever keeps it moves it away.
        name: what the client called it, made printable and short; for messages, never a path.
        seconds: how many it may have.
        patience: how many decoding it may take; None for as many as it does.
    """

    path: Path
    name: str
    seconds: float
    patience: float | None

    @property
    def sound(self) -> Recording:
        """What is in it; reading that raises `Refusal` where it is longer than allowed, or takes too long to decode."""
        return Limited(open_recording(self.path, self.name), self.seconds, self.patience)


class Limited(Recording):
    """A recording of which no more is decoded than is allowed: its header may lie.

    Args:
        whole: the recording.
        seconds: at most.
        patience: seconds that decoding it may take; None for no limit.
    """

    def __init__(self, whole: Recording, seconds: float, patience: float | None) -> None:
        """Keep the limits."""
        super().__init__(whole.info, whole.blocks)
        self._whole, self._seconds, self._patience = whole, seconds, patience

    def blocks(self) -> Iterator[Block]:
        """As for any recording.

        Raises:
            Refusal: 422, a limit is reached.
            AudioError: as for any recording.
        """
        blocks, frames, spent = self._whole.blocks(), 0, 0.0
        while True:
            began = time.monotonic()
            block = next(blocks, None)
            spent += time.monotonic() - began
            if block is None:
                break
            frames += len(block)
            if frames > self._seconds * self.info.rate:
                raise _too_long(self.info.name, self._seconds)
            if self._patience is not None and spent > self._patience:
                raise _too_slow(self.info.name, self._patience)
            yield block
        self.damage = self._whole.damage


@asynccontextmanager
async def received(upload: UploadFile, service: Service, *, meeting: bool = False) -> AsyncIterator[Clip]:
    """An upload as a file whose header is that of audio within the limits; `Clip.sound` keeps them if it lies.

    Args:
        upload: of the form.
        service: whose limits hold.
        meeting: the limits of meetings instead of those of clips.

    Raises:
        Refusal: 413, 422 or 507, it is too large or too long, or the disk is full.
        AudioError: it is no audio that can be read.
    """
    options = service.options
    name = told_name(upload.filename)
    most = options.meeting_bytes if meeting else options.clip_bytes
    if (upload.size or 0) > most:
        raise Refusal(413, "too-large", f"{name}: more than {most / MIB:.0f} MiB; send a shorter recording", limit=most)
    seconds = options.meeting_seconds if meeting else options.clip_seconds
    patience = None if meeting else options.decode_seconds
    clip = Clip(service.uploads / secrets.token_hex(16), name, seconds, patience)
    try:
        await asyncio.to_thread(_take, upload.file, clip)  # short, so it need not wait for a worker
        yield clip
    finally:
        clip.path.unlink(missing_ok=True)


def told_name(name: str | None) -> str:
    """What to call an upload: the last part of the client's name, without what would disturb a line of text."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    told = "".join(sign if sign.isprintable() else "?" for sign in last).strip()
    return told[:LONGEST_NAME] or UNNAMED


def _take(source: BinaryIO, clip: Clip) -> None:
    """Put an upload on disk, and look at its header."""
    try:
        source.seek(0)
        with clip.path.open("xb") as target:
            shutil.copyfileobj(source, target, MIB)
    except OSError as error:
        raise no_room(error) from error
    declared = clip.sound.info.declared
    if declared is not None and declared > clip.seconds:
        raise _too_long(clip.name, clip.seconds)


def _too_long(name: str, seconds: float) -> Refusal:
    return Refusal(422, "too-long", f"{name}: longer than {seconds:g} s; send a part of it", limit=seconds)


def _too_slow(name: str, seconds: float) -> Refusal:
    return Refusal(422, "decode", f"{name}: takes longer than {seconds:g} s to decode; convert it to WAV or FLAC")
