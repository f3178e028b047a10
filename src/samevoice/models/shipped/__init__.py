"""The models that lie in the package itself, as whole files with their cards inside.

Knows: where they lie. Does not know: what they are for.
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("small", "vad")


def path_of(name: str) -> Path:
    """Where a shipped model lies, or would lie.

    Args:
        name: such as "vad".
    """
    return Path(__file__).with_name(f"{name}.onnx")


def read(name: str) -> bytes:
    """The file of a shipped model.

    Args:
        name: such as "vad".

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    return path_of(name).read_bytes()
