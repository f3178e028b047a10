"""A timeline as a picture: waveform, speech, and likeness to a reference or to the people enrolled.

Knows: timelines, how they are laid out. Does not know: how they were measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samevoice.evaluation.plots import DARK, LIGHT, check_picture, drawable, save_picture
from samevoice.timelines.reading import clock, groups
from samevoice.timelines.table import SliceTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

Values = NDArray[np.float64]

LOW, HIGH = -0.2, 1.0  # cosines: the same shades in every picture
BACKGROUND = "0.93"
LANES = 8  # people drawn; those to whom most slices are nearest
BINS = 700  # cells of a lane: more would be narrower than a dot
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)  # seconds, as clocks count
MOST_TICKS = 12
LOUDEST = 0.05  # of full scale; quieter recordings are not drawn louder than this


def draw_timeline(table: SliceTable, path: Path) -> None:
    """Draw a timeline over true time, readable for seconds and for hours.

    Args:
        table: the timeline.
        path: where to write; the suffix decides the format (.png, .svg, .pdf).

    Raises:
        ConfigError: see `check_picture`; or the file cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure
    from matplotlib.ticker import MultipleLocator

    lanes = _lanes(table)
    below = [] if not lanes else [1.4] if len(lanes) == 1 else [0.3 * len(lanes)]
    heights = [1.2, 0.7, *below]
    figure = Figure(figsize=(10 if table.extent < 600 else 14, 1.2 + 1.15 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    _draw_wave(panels[0], table)
    _draw_speech(panels[1], table)
    if len(lanes) == 1:
        _draw_likeness(panels[2], table, lanes[0])
    elif lanes:
        image = _draw_people(panels[2], table, lanes)
        figure.colorbar(image, ax=panels[2], label="cosine", pad=0.01)
    panels[0].set_title(drawable(f"{Path(table.recording).name}, {table.model}"), fontsize=10, loc="left")
    panels[0].set_xlim(0.0, table.extent)
    tick = next((tick for tick in TICKS if table.extent <= MOST_TICKS * tick), table.extent)
    panels[-1].xaxis.set_major_locator(MultipleLocator(tick))
    panels[-1].xaxis.set_major_formatter(lambda value, _: clock(max(value, 0.0), decimals=int(tick < 1)))
    panels[-1].set_xlabel("time")
    save_picture(figure, path)


def _draw_wave(axes: Axes, table: SliceTable) -> None:
    """The outline of the waveform, darker where somebody speaks."""
    low, high = table.envelope.astype(np.float64)
    times = (np.arange(len(low)) + 0.5) * table.extent / len(low)
    speech = table.speech.covers(times)
    axes.fill_between(times, low, high, color="0.75", linewidth=0, step="mid", rasterized=True)
    axes.fill_between(times, low, high, where=speech.tolist(), color=DARK, linewidth=0, step="mid", rasterized=True)
    limit = max(float(np.abs(table.envelope).max(initial=0.0)), LOUDEST)
    axes.set_ylim(-limit, limit)
    axes.set_yticks([])
    axes.set_ylabel("waveform")


def _draw_speech(axes: Axes, table: SliceTable) -> None:
    """Probability of speech, and a bar where the detector says so."""
    edges, values = _binned(table, table.probability.astype(np.float64), np.ones(len(table), dtype=np.bool_))
    axes.stairs(values.filled(0.0), edges, fill=True, color=LIGHT)
    for segment in table.speech:
        axes.plot([segment.start, segment.end], [1.08, 1.08], color=DARK, linewidth=3, solid_capstyle="butt")
    axes.set_ylim(0.0, 1.16)
    axes.set_yticks([0.0, 0.5, 1.0])
    axes.set_ylabel("speech")


def _draw_likeness(axes: Axes, table: SliceTable, lane: tuple[str, Values]) -> None:
    """The cosine with one voice over time, with gaps where too little is said."""
    name, cosines = lane
    edges, values = _binned(table, cosines, table.embedded)
    axes.set_facecolor(BACKGROUND)
    axes.stairs(values.filled(np.nan), edges, baseline=None, color=DARK, linewidth=1.4)
    axes.stairs(values.filled(0.0), edges, fill=True, color=DARK, alpha=0.25)
    if table.even is not None:
        axes.axhline(table.even, color="black", linestyle="--", linewidth=0.8)
        axes.annotate("even", (1.0, table.even), xycoords=("axes fraction", "data"), fontsize=8, va="center")
    axes.set_ylim(min(LOW, float(cosines.min(initial=0.0))), HIGH)
    axes.set_yticks([0.0, 0.5, 1.0])
    axes.set_ylabel("cosine")
    axes.text(0.005, 0.97, drawable(f"like {Path(name).name}"), transform=axes.transAxes, va="top", fontsize=9)


def _draw_people(axes: Axes, table: SliceTable, lanes: list[tuple[str, Values]]) -> QuadMesh:
    """A lane for each person, the brighter the more alike."""
    from matplotlib.colors import Normalize

    found = [_binned(table, cosines, table.embedded) for _, cosines in lanes]
    edges = found[0][0]
    axes.set_facecolor(BACKGROUND)
    image = axes.pcolormesh(
        edges,
        np.arange(len(lanes) + 1) - 0.5,
        np.ma.stack([values for _, values in found]),
        norm=Normalize(LOW, HIGH),
        cmap="cividis",
        rasterized=True,
    )
    axes.set_yticks(range(len(lanes)), [drawable(name) for name, _ in lanes])
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    return image


def _lanes(table: SliceTable) -> list[tuple[str, Values]]:
    """Names and cosines of the voices to draw, those first to whom most slices are nearest."""
    if table.voices is None or table.nearest is None:
        return []
    votes = np.bincount(table.nearest[table.nearest >= 0], minlength=len(table.voices))
    chosen = np.argsort(-votes, kind="stable")[: LANES if len(table.voices) > 1 else 1]
    cosines = table.voices.cosines(table.vectors, chosen).astype(np.float64)
    return [(table.voices.names[row], cosines[:, lane]) for lane, row in enumerate(chosen.tolist())]


def _binned(
    table: SliceTable, values: Values, known: NDArray[np.bool_]
) -> tuple[Values, np.ma.MaskedArray[tuple[int], np.dtype[np.float64]]]:
    """Values of slices as cells of time that meet half-way between the middles of neighbours; many share a cell.

    Args:
        table: the timeline.
        values: of its slices, shape (n,).
        known: which of them count, shape (n,).

    Returns:
        Edges (k + 1,) in seconds, and values (k,), masked where nothing is known.
    """
    first = groups(len(table), BINS)
    middles = (table.starts + table.ends) / 2
    edges = np.concatenate([[0.0], (middles[first[1:] - 1] + middles[first[1:]]) / 2, [table.extent]])
    totals = np.add.reduceat(np.where(known, values, 0.0), first)
    counts = np.add.reduceat(known.astype(np.float64), first)
    return edges, np.ma.masked_array(totals / np.maximum(counts, 1.0), mask=counts == 0)
