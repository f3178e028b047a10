"""What was heard in a recording, before anybody is told apart: all that clustering, editing and assembly need.

It holds neither sound nor text, but it holds voices: it is personal data like any voiceprint.

Knows: its own arrays, and their file. Does not know: how they were made, who speaks.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.decode import MAX_SECONDS
from samevoice.errors import DataError
from samevoice.files import write_atomically
from samevoice.scoring.arrays import DAMAGE
from samevoice.speech.segmentation import FRAME, FRAMES, RATE, VOICES
from samevoice.speech.timeline import Seconds

HOP: Seconds = FRAME / RATE
TRACKS = VOICES + 2  # of a window: each of its voices, anybody, two at once
ACTIVE = 0.5  # probability from which a voice speaks
SCALE = 255  # probabilities are kept in one byte each
VERSION = 1
MOST_BYTES = 1 << 31

Bytes = NDArray[np.uint8]
Frames = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What was heard, in windows of 10 s that overlap by half.

    A *piece* is one of at most three voices within a window, described by one embedding of the moments at which it
    speaks alone. A *span* is a second and a half of speech, whoever speaks, every half second.

    Args:
        recording: its name.
        extent: its length in seconds.
        model: fingerprint of the model behind the vectors.
        firsts: frame (of 17 ms) at which each window begins, int64 (w,), rising.
        tracks: probabilities in 1/255, uint8 (w, 589, 5): three voices, anybody, two at once.
        windows: the window of each piece, int64 (p,).
        voices: its voice there, 0 to 2, int64 (p,).
        seconds: of it that its vector stands on, float32 (p,).
        vectors: of pieces, float32 (p, d), unit rows.
        starts: of spans in seconds, float32 (s,), rising.
        span_vectors: float16 (s, d), unit rows.
        warnings: what was wrong with the recording.
    """

    recording: str
    extent: Seconds
    model: str
    firsts: Rows
    tracks: Bytes
    windows: Rows
    voices: Rows
    seconds: Frames
    vectors: Frames
    starts: Frames
    span_vectors: NDArray[np.float16]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Sizes; never the vectors."""
        return f"Evidence({self.extent:.1f} s, {len(self.windows)} pieces, {self.model})"

    @property
    def frames(self) -> int:
        """How many frames the recording has."""
        return int(self.extent / HOP) + 1

    def save(self, path: Path) -> None:
        """Write everything into one file, whole or not at all.

        Args:
            path: of the file, ending in .npz.

        Raises:
            OSError: the file cannot be written.
        """
        write_atomically(path, self._write)

    def _write(self, stream: BinaryIO) -> None:
        head = {"version": VERSION, **{name: getattr(self, name) for name in HEAD}}
        arrays = {name: getattr(self, name) for name in ARRAYS}
        np.savez_compressed(stream, head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8), **arrays)

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Read what `save` wrote; nothing in it is run.

        Args:
            path: of the file.

        Raises:
            DataError: the file cannot be read, or is not such a file.
        """
        try:
            with np.load(io.BytesIO(_checked(path)), allow_pickle=False) as content:
                head = json.loads(bytes(content["head"]).decode())
                if head["version"] != VERSION:
                    raise DataError(f"{path}: was written by another version of samevoice; diarize the recording again")
                arrays = {name: content[name] for name in ARRAYS}
            named = str(head["recording"]), float(head["extent"]), str(head["model"])
            found = cls(*named, **arrays, warnings=tuple(str(one) for one in head["warnings"]))
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
        except DAMAGE as error:
            raise DataError(
                f"{path}: holds no diarization evidence; give a file that `diarize --keep` wrote"
            ) from error
        found.check(str(path))
        return found

    def check(self, where: str) -> None:
        """Refuse arrays that do not fit together.

        Args:
            where: what to call the file in the message.

        Raises:
            DataError: so.
        """
        if not (all(getattr(self, name).ndim == rank for name, (_, rank) in ARRAYS.items()) and self._fits()):
            raise DataError(f"{where}: holds diarization evidence that is damaged; diarize the recording again")

    def _fits(self) -> bool:
        windows, pieces, spans = len(self.firsts), len(self.windows), len(self.starts)
        return bool(
            0 <= self.extent <= MAX_SECONDS
            and self.tracks.shape == (windows, FRAMES, TRACKS)
            and {len(array) for array in (self.windows, self.voices, self.seconds, self.vectors)} == {pieces}
            and self.span_vectors.shape == (spans, self.vectors.shape[1])
            and all(getattr(self, name).dtype == kind for name, (kind, _) in ARRAYS.items())
            and all(np.isfinite(array).all() for array in (self.vectors, self.span_vectors, self.starts, self.seconds))
            and (not pieces or (self.windows.min() >= 0 and self.windows.max() < windows))
            and (not pieces or (self.voices.min() >= 0 and self.voices.max() < VOICES))
            and (np.diff(self.firsts) > 0).all()
            and (np.diff(self.windows) >= 0).all()
            and (np.diff(self.starts) > 0).all()
            and (not windows or 0 <= self.firsts[0] <= self.firsts[-1] <= self.frames)
            and (not spans or 0 <= self.starts[0] <= self.starts[-1] <= self.extent)
        )


HEAD = ("recording", "extent", "model", "warnings")
ARRAYS: dict[str, tuple[Any, int]] = {  # kinds and numbers of axes
    "firsts": (np.int64, 1),
    "tracks": (np.uint8, 3),
    "windows": (np.int64, 1),
    "voices": (np.int64, 1),
    "seconds": (np.float32, 1),
    "vectors": (np.float32, 2),
    "starts": (np.float32, 1),
    "span_vectors": (np.float16, 2),
}


def joined(parts: Sequence[Evidence], extent: Seconds, warnings: tuple[str, ...] = ()) -> Evidence:
    """Consecutive parts of one recording as one; the windows of pieces are counted anew.

    Args:
        parts: in order, at least one.
        extent: of the whole recording in seconds.
        warnings: what was wrong with the recording.
    """
    before = np.cumsum([0, *(len(part.firsts) for part in parts)])
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS if name != "windows"}
    windows = np.concatenate([part.windows + shift for part, shift in zip(parts, before, strict=False)])
    return Evidence(parts[0].recording, extent, parts[0].model, windows=windows, **arrays, warnings=warnings)


def _checked(path: Path) -> bytes:
    """The bytes of a file of bounded size whose members, unpacked, are bounded too."""
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path}: is too large for diarization evidence; give a file that `diarize --keep` wrote")
    content = path.read_bytes()
    with ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
            raise DataError(f"{path}: unpacks to more than diarization evidence takes; give another file")
    return content
