"""Pictures, where people would rather look than read (extra `[plots]`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ConfigError

SUFFIXES = (".png", ".svg", ".pdf")
MAX_WRITTEN = 20  # cells of larger matrices are too small for figures


def check_picture(path: Path) -> None:
    """Say before hours of work, not after, that a picture cannot be drawn.

    Raises:
        ConfigError: matplotlib is not installed, the folder does not exist, or the suffix is no picture's.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError("drawing needs matplotlib; pip install 'samevoice[plots]'") from error
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{path}: the suffix decides the format; use {', '.join(SUFFIXES)}")
    if not os.path.isdir(path.parent):  # noqa: PTH112 - unlike Path.is_dir, never raises
        raise ConfigError(f"{path.parent}: no such folder; create it first")


def draw_matrix(matrix: NDArray[np.float32], names: Sequence[str], path: Path) -> None:
    """Draw a matrix of cosines as a heat map.

    Args:
        matrix: shape (n, n), in [-1, 1].
        names: n labels.
        path: where to write; the suffix decides the format (.png, .svg, .pdf).

    Raises:
        ConfigError: see `check_picture`; or the file cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    names = [name.replace("$", r"\$") for name in names]  # else read as a formula
    side = max(3.0, min(24.0, 1.5 + 0.45 * len(names)))
    figure = Figure(figsize=(side + 1.5, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(matrix, vmin=-0.2, vmax=1.0, cmap="cividis")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    if len(names) <= MAX_WRITTEN:
        for (row, column), value in np.ndenumerate(matrix):
            shade = "black" if value > 0.5 else "white"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=shade, fontsize=8)
    figure.colorbar(image, label="cosine similarity")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: the picture cannot be written ({error})") from error
