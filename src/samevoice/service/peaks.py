"""A recording to play and to look at: FLAC at 16 kHz in one channel, and its outline, made block by block.

What is played is made here, so no byte that somebody gave to the service goes back to a browser.

Knows: blocks, FLAC, outlines. Does not know: jobs, speakers.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from samevoice.audio.decode import open_recording
from samevoice.audio.resample import mix, waveforms
from samevoice.errors import AudioError, DataError
from samevoice.files import write_atomically
from samevoice.scoring.arrays import DAMAGE
from samevoice.speech.segmentation import RATE
from samevoice.speech.timeline import Seconds

CELL = RATE // 100  # samples: 10 ms, finer than any screen
MEDIA_TYPE = "audio/flac"

Outline = NDArray[np.float16]


def prepare(
    audio: Path, name: str, sound: Path, peaks: Path, *, most: Seconds, told: Callable[[float], object]
) -> Seconds:
    """Write what is played and its outline; memory grows with the outline alone: 0.7 MB an hour.

    Args:
        audio: the recording as it came.
        name: what to call it.
        sound: where the FLAC goes.
        peaks: where the outline goes, after the FLAC is there.
        most: seconds a recording may have.
        told: hears the share done, in [0, 1], every 20 s, as far as the header gives a length; what it raises stops the
            work.

    Returns:
        Its length in seconds.

    Raises:
        AudioError: the recording cannot be read, or is too long.
        OSError: the files cannot be written.
    """
    outline: list[Outline] = []
    count = 0
    recording = open_recording(audio, name)
    declared = recording.info.declared
    part = sound.with_suffix(".part")
    with soundfile.SoundFile(part, "w", RATE, 1, format="FLAC", subtype="PCM_16") as file:
        for block in waveforms((mix(one) for one in recording.blocks()), recording.info.rate, RATE):
            samples = np.clip(block.samples, -1.0, 1.0)
            count += len(samples)
            if count > most * RATE:
                raise AudioError(f"{name}: longer than {most / 3600:.3g} h; cut it into parts")
            outline.append(np.maximum.reduceat(np.abs(samples), np.arange(0, len(samples), CELL)).astype(np.float16))
            _write(file, samples)
            told(min(count / RATE / declared, 1.0) if declared else 0.0)
    _check(part, count)
    part.replace(sound)
    joined = np.concatenate(outline)
    write_atomically(peaks, lambda stream: np.save(stream, joined, allow_pickle=False))
    return count / RATE


def outlined(path: Path, points: int) -> list[float]:
    """The highest level of each of at most so many equal parts of a recording, in [0, 1].

    Args:
        path: of an outline.
        points: how many, at least 1; there are fewer where they would be shorter than 10 ms.

    Raises:
        DataError: it cannot be read.
    """
    try:
        cells = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (OSError, *DAMAGE):
        cells = np.empty(0)
    if cells.dtype != np.float16 or cells.ndim != 1 or not len(cells) or not np.isfinite(cells).all():
        raise DataError("the outline of this recording is damaged; delete the job and give the recording again")
    first = np.linspace(0, len(cells), min(points, len(cells)), endpoint=False).astype(int)
    return [round(float(one), 4) for one in np.maximum.reduceat(cells, first)]


def length(sound: Path) -> Seconds | None:
    """Seconds of what is played; None where it is not there, or not whole."""
    try:
        return float(soundfile.info(sound).duration)
    except (soundfile.LibsndfileError, OSError):
        return None


def _write(file: soundfile.SoundFile, samples: NDArray[np.float32]) -> None:
    """Add samples; libsndfile has no words for a disk that is full."""
    try:
        file.write(samples)
    except (soundfile.LibsndfileError, AssertionError) as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def _check(path: Path, count: int) -> None:
    """Have a whole file on disk; what is buffered is lost without a word when a disk is full."""
    seconds = length(path)
    if seconds is None or round(seconds * RATE) != count:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
