"""What happened in a run, one JSON object a line, and the curves drawn from it.

The journal never runs ahead of the checkpoint that a run goes on from: what came after it is cut off then.

Knows: lines, pictures. Does not know: what is trained.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from samevoice.errors import ConfigError, ModelError
from samevoice.files import write_atomically

NAME = "log.jsonl"

Row = Mapping[str, Any]


def prepare_folder(folder: Path) -> None:
    """Make the folder of a run, or say before hours of work that nothing can be written there.

    Raises:
        ConfigError: nothing can.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(probe := folder / ".samevoice-probe", lambda stream: stream.write(b""))
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


class Journal:
    """Appends rows to a file.

    Args:
        folder: of the run, which is there; `log.jsonl` in it.
        position: bytes to keep of an older journal; by default all.

    Raises:
        ModelError: the file cannot be written.
    """

    def __init__(self, folder: Path, position: int | None = None) -> None:
        self.path = folder / NAME
        try:
            if position is not None and self.path.exists():
                os.truncate(self.path, min(position, self.path.stat().st_size))
            self._stream: TextIO = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise ModelError(f"{self.path}: cannot be written ({error.strerror}); choose another folder") from error

    def write(self, row: Row) -> None:
        """Add a row.

        Raises:
            ModelError: the disk is full.
        """
        try:
            self._stream.write(json.dumps(row, allow_nan=False) + "\n")
        except OSError as error:
            raise ModelError(f"{self.path}: cannot be written ({error.strerror}); make room and start again") from error

    def position(self) -> int:
        """Bytes so far, all of them on their way to the disk; a checkpoint remembers it."""
        try:
            self._stream.flush()
        except OSError as error:
            raise ModelError(f"{self.path}: cannot be written ({error.strerror}); make room and start again") from error
        return self.path.stat().st_size

    def close(self) -> None:
        """Let the file go; what the last `position` did not count need not be kept."""
        with suppress(OSError):  # of a full disk, which has been told of
            self._stream.close()


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """All complete rows of a run, in order; a line that a kill cut off is left out."""
    try:
        lines = (folder / NAME).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ModelError(f"{folder}: holds no run ({error.strerror}); name the folder given to train --out") from error
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def main_loss(row: Row, objective: str) -> float | None:
    """What a row tells of a stage's first objective: that, and no sum, is what `collapse` can be compared with."""
    value: float | None = row.get(objective, row.get("loss"))
    return value


def write_json(path: Path, content: object) -> None:
    """A JSON file for people and programs, whole or not at all.

    Raises:
        ModelError: it cannot be written.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        write_atomically(path, lambda stream: stream.write(text.encode(errors="backslashreplace")))
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror}); make room and start again") from error
