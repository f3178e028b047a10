"""An explanation as a picture: which stretch of one recording sounds like which stretch of the other.

Knows: explanations, how they are laid out. Does not know: how they were measured.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samevoice.evaluation.plots import DARK, LIGHT, check_picture, drawable, save_picture
from samevoice.scoring.explanation import Explanation, Side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Times = NDArray[np.float64]

LOW, HIGH = -0.2, 1.0  # cosines: the same shades in every picture
NO_SLICES = "Too little speech for a map."
PAUSE, BACKGROUND = 0.005, "0.93"  # shorter parts of a recording without speech would not show
HATCH = "////"  # to be told without colours


def draw_explanation(explanation: Explanation, path: Path) -> None:
    """Draw the similarity map, the mean similarity of every slice, and the slice that hurts most on either side.

    Args:
        explanation: without slices the picture says so.
        path: where to write; the suffix decides the format.

    Raises:
        ConfigError: see `check_picture`; or the file cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9 if explanation.similarities.size else 3), layout="constrained")
    figure.suptitle(_plain(str(explanation.decision), 80), fontsize=13, fontweight="bold")
    footer = "\n".join(_plain(line, 120) for line in explanation.lines())
    figure.supxlabel(footer, x=0.02, ha="left", fontsize=8.5, color="0.25", linespacing=1.4)
    if explanation.similarities.size:
        _draw_map(explanation, figure)
    else:
        figure.text(0.5, 0.5, NO_SLICES, ha="center", va="center", fontsize=14, color="0.3")
    save_picture(figure, path)


def _draw_map(explanation: Explanation, figure: Figure) -> None:
    """The map, a strip along each of its axes, and the legend in the corner between the strips."""
    first, second = explanation.sides
    grid = figure.add_gridspec(2, 2, width_ratios=(4, 1), height_ratios=(1, 4))
    panel = figure.add_subplot(grid[1, 0], facecolor=BACKGROUND)
    rows, columns = _edges(first), _edges(second)
    image = panel.pcolormesh(columns, rows, explanation.similarities, vmin=LOW, vmax=HIGH, cmap="cividis")
    panel.set_xlabel(_label(second))
    panel.set_ylabel(_label(first))
    above, right = figure.add_subplot(grid[0, 0], sharex=panel), figure.add_subplot(grid[1, 1], sharey=panel)
    _draw_strip(above, second, columns, explanation.decision.score, upright=True)
    _draw_strip(right, first, rows, explanation.decision.score, upright=False)
    _mark(second, (panel.axvspan, above.axvspan))
    _mark(first, (panel.axhspan, right.axhspan))
    corner = figure.add_subplot(grid[0, 1])
    corner.axis("off")
    handles = {
        label: handle
        for axes in (above, right)
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    corner.legend(handles.values(), handles.keys(), loc="center", frameon=False, fontsize=8.5)
    figure.colorbar(image, ax=right, label="cosine of two slices", fraction=0.25)


def _draw_strip(axes: Axes, side: Side, edges: Times, score: float | None, *, upright: bool) -> None:
    """The mean similarity of each slice of one recording along its time."""
    values = [one.similarity for one in side.slices]
    axes.stairs(
        values,
        edges,
        fill=True,
        color=DARK,
        orientation="vertical" if upright else "horizontal",
        label="slice, mean",
    )
    limit, ticks, line = (
        (axes.set_ylim, axes.set_yticks, axes.axhline) if upright else (axes.set_xlim, axes.set_xticks, axes.axvline)
    )
    limit(min(LOW, *values), HIGH)
    ticks([0.0, 0.5, 1.0])
    if score is not None:
        line(score, color="black", linestyle="--", linewidth=1, label=f"recordings: {score:.3f}")
    axes.tick_params(labelbottom=not upright, labelleft=upright)
    (axes.set_ylabel if upright else axes.set_xlabel)("cosine")


def _mark(side: Side, spans: tuple[Callable[..., object], Callable[..., object]]) -> None:
    """Blank the pauses of a recording and mark the slice that hurts most, on the map and on a strip."""
    first, last = side.slices[0].start, side.slices[-1].end
    for pause in side.speech.gaps():
        if first < pause.start and pause.end < last and pause.duration > PAUSE * (last - first):
            for span in spans:
                span(pause.start, pause.end, facecolor=BACKGROUND, zorder=3)
    if (worst := side.hurts_most) is not None:
        across, strip = spans
        across(worst.start, worst.end, fill=False, edgecolor="white", linewidth=3, zorder=4)
        across(worst.start, worst.end, fill=False, edgecolor="black", linewidth=1.2, zorder=5)
        strip(worst.start, worst.end, facecolor=LIGHT, edgecolor="black", hatch=HATCH, zorder=0.5, label="hurts most")


def _edges(side: Side) -> Times:
    """Where the cells of slices meet: in the middle of what two neighbours share, or of what lies between them."""
    starts, ends = (np.array(times) for times in zip(*((one.start, one.end) for one in side.slices), strict=True))
    edges: Times = np.concatenate([starts[:1], (ends[:-1] + starts[1:]) / 2, ends[-1:]])
    return edges


def _label(side: Side) -> str:
    """The name of a recording as the label of its axis."""
    return f"{_plain(Path(side.name).name, 60)}, s"


def _plain(text: str, width: int) -> str:
    """Words in lines of so many characters, all of which can be drawn."""
    return "\n".join(drawable(line, most=None) for line in wrap(text, width))
