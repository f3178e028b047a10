"""Checkpoints: all that a run needs to go on as if it had never stopped, in one file that appears whole or not at all.

Only tensors and plain values are in it, and only those are read (`weights_only`): a checkpoint of a stranger runs no
code.

Knows: files. Does not know: what is trained.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from samevoice.errors import ModelError
from samevoice.files import write_atomically

LAST, BEST = "last.pt", "best.pt"
FORMAT = 1


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint; whatever goes wrong, the one before it stays.

    Args:
        path: where; its folder is made if missing.
        content: tensors and plain values, in dictionaries and lists.

    Raises:
        ModelError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda stream: torch.save({"format": FORMAT, **content}, stream))
    except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
        raise ModelError(
            f"{path}: the checkpoint cannot be written ({error}); the one before it is intact: make room and start the "
            f"same command again"
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        ModelError: it is damaged, holds other things than a checkpoint may, or has another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path}: no readable checkpoint; remove the folder to start anew") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ModelError(f"{path}: a checkpoint of another format; train anew in another folder")
    return content
