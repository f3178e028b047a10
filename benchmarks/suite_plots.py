"""The pictures of the suite's page: shades that are far apart in grey too, with markers and patterns besides.

Knows: matplotlib. Does not know: where figures come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHADES = ("#1f3b73", "#e8b34b", "#b5482f", "#6aa86a", "#a9c4e0", "#000000", "#c9c9c9", "#6b6b6b")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "--", "oo")
INK, LINES = "#333333", "#dddddd"

Curves = Mapping[str, Sequence[tuple[float, float]]]


def curves(panels: Mapping[str, Curves], ticks: Sequence[tuple[float, str]], across: str, up: str, path: Path) -> None:
    """Lines of points, a panel for each set, with one legend.

    Args:
        panels: by title, of each system points (x, y).
        ticks: of the x axis: where, and what is written there.
        across: what x is.
        up: what y is.
        path: an SVG file.
    """
    figure, axes = _figure(len(panels), 3.6)
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    for one, (title, panel) in zip(axes, panels.items(), strict=True):
        for name, points in panel.items():
            if not points:
                continue
            number = names.index(name) % len(SHADES)
            x, y = zip(*points, strict=True)
            one.plot(x, y, color=SHADES[number], marker=MARKERS[number], markersize=5, label=name)
        one.set_title(title, fontsize=10, color=INK)
        one.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
        one.set_xlabel(across)
    axes[0].set_ylabel(up)
    axes[0].set_ylim(bottom=0)  # of all, which share it, once all is drawn
    handles = {label: handle for one in axes for handle, label in zip(*one.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    _save(figure, path)


def bars(stacks: Mapping[str, Mapping[str, float]], across: str, path: Path) -> None:
    """A bar for each system, made of parts, with its sum at the end.

    Args:
        stacks: of each system its parts by name.
        across: what they measure.
        path: an SVG file.
    """
    figure, (axes,) = _figure(1, 0.9 + 0.42 * len(stacks))
    names = list(stacks)
    starts = [0.0] * len(names)
    for number, part in enumerate(next(iter(stacks.values()))):
        sizes = [stacks[name][part] for name in names]
        shade, hatch = SHADES[(0, 4, 1)[number % 3]], HATCHES[number % len(HATCHES)]
        axes.barh(names, sizes, left=starts, color=shade, edgecolor="white", hatch=hatch, height=0.6, label=part)
        starts = [start + size for start, size in zip(starts, sizes, strict=True)]
    for row, end in enumerate(starts):
        axes.text(end, row, f" {end:.3g}", va="center", fontsize=8, color=INK)
    axes.invert_yaxis()
    axes.set_xlabel(across)
    axes.margins(x=0.12)
    if len(next(iter(stacks.values()))) > 1:
        figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    _save(figure, path)


def _figure(panels: int, height: float) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(8.0, 2.6 * panels), height), layout="constrained", facecolor="white")
    axes = list(figure.subplots(1, panels, sharey=True, squeeze=False)[0])
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="both", color=LINES, linewidth=0.6)
        one.set_axisbelow(True)
        one.tick_params(labelsize=8, colors=INK)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    """The same bytes for the same figures."""
    import matplotlib

    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "path"}):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
