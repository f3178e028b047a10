"""Pictures, where people would rather look than read (extra `[plots]`)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ConfigError
from samevoice.evaluation.metrics import Array as Scores
from samevoice.evaluation.metrics import curve_of
from samevoice.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
MAX_WRITTEN = 20  # cells of larger matrices are too small for figures
LIGHT, DARK = "#e8b34b", "#1f3b73"  # far apart in grey too
DET_TICKS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
GROUPS = ("anchors", "positives", "negatives")
PANELS = (("loss", "loss", 1), ("eer", "EER, %", 100), ("lr", "learning rate", 1))


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


def drawable(text: str, *, most: int | None = 80) -> str:
    """One line of characters that can be drawn, whatever the name of a file holds; a dollar sign begins no formula.

    Args:
        text: a name, or words with names in them.
        most: so many characters at most; None for all.
    """
    text = text.encode(errors="backslashreplace").decode()
    return "".join(one if one.isprintable() else "?" for one in text)[:most].replace("$", r"\$")


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

    names = [drawable(name, most=None) for name in names]
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
    save_picture(figure, path)


def draw_histograms(targets: Scores, non_targets: Scores, path: Path, threshold: float | None = None) -> None:
    """Draw how distances 1 - cosine of anchor-positive and anchor-negative pairs are spread.

    Args:
        targets: cosines of pairs of one speaker, d(AP) = 1 - cosine.
        non_targets: cosines of pairs of two speakers, d(AN).
        path: where to write; the suffix decides the format.
        threshold: a cosine; a line is drawn at its distance.

    Raises:
        ConfigError: see `check_picture`; or the file cannot be written.
    """
    check_picture(path)
    named = (("d(AP), same speaker", 1 - targets), ("d(AN), two speakers", 1 - non_targets))
    sides = [(f"{name}: {one.mean():.3f} ± {one.std():.3f}, {len(one):,} pairs", one) for name, one in named]
    mark = None if threshold is None else (f"threshold: cosine {threshold:.3f}", 1 - threshold)
    save_picture(histogram_figure(sides, "distance, 1 - cosine", mark), path)


def histogram_figure(sides: Sequence[tuple[str, Scores]], label: str, mark: tuple[str, float] | None = None) -> Figure:
    """How the values of target and of non-target trials are spread, told apart by shape as well as by colour.

    Args:
        sides: name and values of the targets, then of the non-targets.
        label: what the values are.
        mark: name and place of a line.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    bins = np.histogram_bin_edges(np.concatenate([values for _, values in sides]), 60).tolist()
    kinds: tuple[dict[str, Any], ...] = ({"color": LIGHT}, {"histtype": "step", "color": DARK, "linewidth": 1.5})
    for (name, values), kind in zip(sides, kinds, strict=True):
        axes.hist(values, bins, weights=np.full(len(values), 100 / len(values)), label=name, **kind)
    if mark is not None:
        axes.axvline(mark[1], color="black", linestyle="--", label=mark[0])
    axes.set_xlabel(label)
    axes.set_ylabel("% of pairs")
    axes.legend()
    return figure


def draw_det(targets: Scores, non_targets: Scores, path: Path) -> None:
    """Draw misses against false accepts on normal-deviate axes, with the equal error rate.

    Args:
        targets: scores of trials with one speaker.
        non_targets: scores of trials with two speakers.
        path: where to write; the suffix decides the format.

    Raises:
        ConfigError: see `check_picture`; or the file cannot be written.
        ValueError: a side is empty or a score is not finite.
    """
    check_picture(path)
    save_picture(det_figure(targets, non_targets), path)


def det_figure(targets: Scores, non_targets: Scores) -> Figure:
    """The same as a figure, to be saved or put on a page.

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    from matplotlib.figure import Figure

    curve = curve_of(targets, non_targets)
    equal = curve.eer()
    # A rate of 0 has no deviate; what fewer trials than these could show is drawn at the edge.
    least = min(DET_TICKS[0], 0.5 / max(len(targets), len(non_targets)))
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(_deviates(curve.p_fa, least), _deviates(curve.p_miss, least), color=DARK, drawstyle="steps-post")
    (place,) = _deviates(np.array([equal]), least)
    axes.plot([place], [place], "o", color="black", label=f"EER {100 * equal:.2f} %")
    ticks, labels = _deviates(np.array(DET_TICKS), least), [f"{100 * tick:g}" for tick in DET_TICKS]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    edges = _deviates(np.array([least, 0.6]), least)
    axes.set_xlim(edges[0] - 0.1, edges[1])
    axes.set_ylim(edges[0] - 0.1, edges[1])
    axes.grid(color="0.85")
    axes.set_xlabel("false accepts, %")
    axes.set_ylabel("misses, %")
    axes.legend()
    return figure


def same_and_different(matrix: NDArray[np.float32], labels: Sequence[str]) -> tuple[Scores, Scores]:
    """The cosines of all pairs i < j, told apart by labels and never by place.

    Args:
        matrix: symmetric, shape (n, n).
        labels: the speaker of each row.

    Returns:
        (same speaker, two speakers).

    Raises:
        ValueError: the shapes do not agree.
    """
    if matrix.shape != (len(labels), len(labels)):
        raise ValueError(f"a matrix of shape {matrix.shape} needs as many labels, got {len(labels)}")
    rows, columns = np.triu_indices(len(labels), k=1)
    names = np.array(labels)
    same = names[rows] == names[columns]
    scores = matrix[rows, columns].astype(np.float64)
    return scores[same], scores[~same]


def draw_similarity(matrix: NDArray[np.float32], labels: Sequence[str], path: Path) -> None:
    """Draw the cosines within a batch of triplets: anchors, then their positives, then their negatives.

    Dots mark pairs of one speaker, by label: besides the diagonal of anchors and positives also those that chance
    put into one batch.

    Args:
        matrix: symmetric, shape (3 n, 3 n) for n triplets, in [-1, 1].
        labels: the speaker of each row.
        path: where to write; the suffix decides the format.

    Raises:
        ConfigError: see `check_picture`; or the file cannot be written.
        ValueError: the shapes do not agree, or the rows are no triplets.
    """
    same, different = same_and_different(matrix, labels)
    if not labels or len(labels) % 3:
        raise ValueError(f"{len(labels)} rows are no triplets")
    check_picture(path)
    from matplotlib.figure import Figure

    count = len(labels) // 3
    figure = Figure(figsize=(8, 7), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(matrix, vmin=-0.2, vmax=1.0, cmap="cividis")
    names = np.array(labels)
    rows, columns = np.nonzero((names[:, None] == names) & ~np.eye(len(names), dtype=bool))
    axes.scatter(columns, rows, s=3, color="white", edgecolors="black", linewidths=0.3)
    for edge in (count - 0.5, 2 * count - 0.5):
        axes.axhline(edge, color="white", linewidth=0.8)
        axes.axvline(edge, color="white", linewidth=0.8)
    groups = [f"{group}\n{at * count} to {(at + 1) * count - 1}" for at, group in enumerate(GROUPS)]
    middles = [(at + 0.5) * count - 0.5 for at in range(3)]
    axes.set_xticks(middles, groups)
    axes.set_yticks(middles, groups, rotation=90, va="center")
    means = [
        f"{name}: {side.mean():.3f} ({len(side):,} pairs)" if len(side) else f"{name}: no pairs"
        for name, side in (("same speaker", same), ("two speakers", different))
    ]
    axes.set_title(f"mean cosine, {'; '.join(means)}", fontsize=10)
    figure.colorbar(image, label="cosine similarity")
    save_picture(figure, path)


def draw_curves(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw how training went: loss, EER and learning rate over steps.

    Args:
        rows: each with "step" and any of "loss", "eer" (a fraction), "lr", "stage" (a vertical line where it changes)
            and "collapse" (the loss of a network that gives the same vector to everybody, drawn across its stage);
            what is missing, None or not finite is left out.
        path: where to write; the suffix decides the format.

    Raises:
        ConfigError: see `check_picture`; or the file cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    for axes, (key, label, scale) in zip(panels, PANELS, strict=True):
        steps, values = _column(rows, key)
        axes.plot(steps, scale * values, color=DARK, linewidth=1.2, marker="o" if key == "eer" else None, markersize=3)
        axes.set_ylabel(label)
        axes.grid(color="0.9")
        if key == "loss" and (values > 0).any():  # those of two stages may differ by a factor of a hundred
            axes.set_yscale("log", nonpositive="mask")
        for before, after in pairwise(rows):
            if before.get("stage") != after.get("stage"):
                axes.axvline(after["step"], color="0.5", linestyle=":")
    steps, values = _column(rows, "collapse")
    if len(steps):
        panels[0].plot(steps, values, color="black", linestyle="--", label="collapse")
        panels[0].legend()
    panels[-1].set_xlabel("step")
    save_picture(figure, path)


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> tuple[Scores, Scores]:
    """Steps and finite values of one key."""
    told = [(row["step"], row[key]) for row in rows if row.get(key) is not None and np.isfinite(row[key])]
    table = np.array(told, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _deviates(rates: Scores, least: float) -> list[float]:
    """Normal deviates of rates, those of 0 and 1 taken a little inside."""
    return [NormalDist().inv_cdf(float(rate)) for rate in np.clip(rates, least, 1 - least)]


def save_picture(figure: Figure, path: Path) -> None:
    """Write a picture in one step.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        write_atomically(path, lambda file: figure.savefig(file, dpi=120, format=path.suffix[1:]))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: the picture cannot be written ({error})") from error
