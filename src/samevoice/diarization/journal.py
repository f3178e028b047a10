"""What was heard before a kill: the evidence of each finished stretch, until the whole recording is done.

The files lie in samevoice's cache, in a folder that only its owner can read; they hold voices, and are removed as soon
as the diarization is complete, or after a week.

Knows: files. Does not know: how stretches are heard.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from samevoice.diarization.evidence import Evidence
from samevoice.errors import DataError
from samevoice.models.store import default_folder

FOLDER = "diarize"
LONGEST = 7 * 86_400.0  # seconds that a journal waits
HEAD = 1 << 20  # bytes of a recording that name it, beside its size and its time of change


class Journal:
    """The stretches of one recording that were heard already.

    Args:
        folder: where they lie; made when the first is kept.
    """

    def __init__(self, folder: Path) -> None:
        """Look at nothing yet."""
        self.folder = folder

    @staticmethod
    def sweep() -> None:
        """Forget what commands left behind that were killed long ago and never given again; it holds voices."""
        with contextlib.suppress(OSError):
            for folder in (default_folder().parent / FOLDER).iterdir():
                if time.time() - folder.stat().st_mtime > LONGEST:
                    shutil.rmtree(folder, ignore_errors=True)

    @classmethod
    def of(cls, recording: Path, makers: Sequence[str]) -> Journal:
        """The journal of a file, as long as it is the same file and the same models hear it.

        Args:
            recording: a file that can be read.
            makers: fingerprints of the models.

        Raises:
            OSError: it cannot.
        """
        status = recording.stat()
        with recording.open("rb") as stream:
            head = stream.read(HEAD)
        digest = hashlib.sha256(head)
        for part in (str(recording.resolve()), str(status.st_size), str(status.st_mtime_ns), *makers):
            digest.update(b"\0" + os.fsencode(part))
        return cls(default_folder().parent / FOLDER / digest.hexdigest()[:32])

    def read(self) -> list[Evidence]:
        """The stretches heard so far, in order, up to the first that is missing or damaged."""
        found: list[Evidence] = []
        with contextlib.suppress(DataError):
            while True:
                found.append(Evidence.load(self._path(len(found))))
        return found

    def keep(self, number: int, part: Evidence) -> None:
        """Keep a stretch; where there is no room, the diarization goes on without."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.save(self._path(number))

    def remove(self) -> None:
        """Forget everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        """The file of a stretch."""
        return self.folder / f"{number:05d}.npz"
