"""Checkpoints: all that a run needs to go on as if it had never stopped, in one file that appears whole or not at all.

Only tensors and plain values are in it, and only those are read (`weights_only`): a checkpoint of a stranger runs no
code.

Knows: files. Does not know: what is trained.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import torch

from samevoice.errors import ConfigError, ModelError
from samevoice.files import write_atomically

FORMAT = 1


def last_path(run: Path) -> Path:
    """The checkpoint that the run of a folder goes on from."""
    return run / "checkpoints" / "last.pt"


def best_path(run: Path, stage: str) -> Path:
    """The best weights of a stage.

    Raises:
        ConfigError: the stage's name could lead out of the folder.
    """
    if not re.fullmatch(r"[\w-]+", stage):
        raise ConfigError(f"stage {stage!r} names a file; name it with letters, digits and hyphens")
    return run / "checkpoints" / f"best-{stage}.pt"


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint; whatever goes wrong, the one before it stays.

    Args:
        path: where; its folder is made if missing.
        content: tensors and plain values, in dictionaries and lists.

    Raises:
        ModelError: it cannot be written.
    """
    buffer = io.BytesIO()  # torch's writer takes a disk that is full for a defect of its own
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"format": FORMAT, **content}, buffer)
        write_atomically(path, lambda stream: stream.write(buffer.getbuffer()))
    except OSError as error:
        raise ModelError(
            f"{path}: the checkpoint cannot be written ({error.strerror}); the one before it is "
            f"intact: make room and start the same command again"
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        ModelError: it is damaged, holds other things than a checkpoint may, or has another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # there is no end to what a damaged or a stranger's file can raise
        raise ModelError(f"{path}: no readable checkpoint; put a copy back, or train anew in another folder") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ModelError(f"{path}: a checkpoint of another format; train anew in another folder")
    return content


def resume(run: Path, identity: str) -> dict[str, Any] | None:
    """What an interrupted run saved last.

    Args:
        run: its folder.
        identity: of recipe and data.

    Returns:
        What was saved; None if there is nothing.

    Raises:
        ModelError: it cannot be read, or it belongs to another recipe or to other data.
    """
    if not (path := last_path(run)).is_file():
        return None
    saved = load_checkpoint(path)
    if saved.get("identity") != identity:
        raise ModelError(f"{run}: holds a run of another recipe or of other data; choose another --out, or remove it")
    return saved
