"""What happened in a run, one JSON object a line, and the curves drawn from it.

The journal never runs ahead of the checkpoint that a run goes on from: what came after it is cut off then.

Knows: lines, pictures. Does not know: what is trained.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
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
        tempfile.TemporaryFile(dir=folder).close()  # its name is its own: several processes may ask at once
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


def read_journal(folder: Path) -> Iterator[dict[str, Any]]:
    """All complete rows of a run, in order; a line that a kill cut off is left out.

    Raises:
        ModelError: the folder holds no journal.
    """
    for line in _lines(folder):
        with suppress(ValueError):
            yield json.loads(line)


def sparse_journal(folder: Path, most: int) -> list[dict[str, Any]]:
    """Every validation and about so many steps between them, in order, however long the journal is.

    Raises:
        ModelError: the folder holds no journal.
    """
    stride, kept = 1, []
    for number, line in enumerate(_lines(folder)):
        if number % stride and '"eer"' not in line:
            continue
        with suppress(ValueError):
            kept.append((number, json.loads(line)))
        if len(kept) > 2 * most and stride < number:
            stride *= 2
            kept = [(place, row) for place, row in kept if place % stride == 0 or "eer" in row]
    return [row for _, row in kept]


def _lines(folder: Path) -> Iterator[str]:
    """The lines of a journal, one after the other."""
    try:
        with (folder / NAME).open(encoding="utf-8", errors="replace") as stream:
            yield from stream
    except OSError as error:
        raise ModelError(f"{folder}: holds no run ({error.strerror}); name the folder given to train --out") from error


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
