"""Pictures for a page: misses against false accepts, the spread of cosines, whether stated probabilities are true.

Knows: scores and evidence of both kinds of trials, how they are drawn (extra `[plots]`). Does not know: pages, models.
Source: DeGroot and Fienberg, "The comparison and evaluation of forecasters", The Statistician 32, 1983 (reliability
diagrams).
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samevoice.evaluation.metrics import Array
from samevoice.evaluation.plots import DARK, LIGHT, det_figure, histogram_figure
from samevoice.scoring.calibration import sigmoid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 10
MANY = 30  # trials in a step


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Stated probabilities in equal steps, each against what came true, as if both kinds of trials were as many.

    Args:
        stated: mean probability in each step that has trials, shape (k,).
        found: share of targets there, shape (k,).
        targets: how many there are in each of the steps, shape (`BINS`,).
        non_targets: the same, shape (`BINS`,).
    """

    stated: Array
    found: Array
    targets: NDArray[np.intp]
    non_targets: NDArray[np.intp]


def reliability(target_llrs: Array, non_target_llrs: Array) -> Reliability:
    """How true the probabilities are that follow from llrs at even odds.

    Args:
        target_llrs: natural-log likelihood ratios of trials with one speaker, shape (n,), n >= 1.
        non_target_llrs: the same for two speakers, shape (m,), m >= 1.
    """
    stated = sigmoid(np.concatenate([target_llrs, non_target_llrs]))
    is_target = np.arange(len(stated)) < len(target_llrs)
    weights = np.where(is_target, 0.5 / len(target_llrs), 0.5 / len(non_target_llrs))
    steps = np.minimum((BINS * stated).astype(np.intp), BINS - 1)
    mass, told, true = (
        np.bincount(steps, weights * values, minlength=BINS) for values in (np.ones(len(stated)), stated, is_target)
    )
    there = mass > 0
    hits = np.bincount(steps[is_target], minlength=BINS)
    return Reliability(
        told[there] / mass[there], true[there] / mass[there], hits, np.bincount(steps, minlength=BINS) - hits
    )


def det_picture(targets: Array, non_targets: Array) -> bytes:
    """Misses against false accepts at every threshold, as SVG."""
    return svg(det_figure(targets, non_targets))


def score_picture(targets: Array, non_targets: Array, threshold: float | None = None) -> bytes:
    """How the cosines of target and of non-target trials are spread, as SVG.

    Args:
        targets: cosines, shape (n,), n >= 1.
        non_targets: the same, shape (m,), m >= 1.
        threshold: a line is drawn there.
    """
    sides = ((f"one speaker, {len(targets):,}", targets), (f"two speakers, {len(non_targets):,}", non_targets))
    mark = None if threshold is None else (f"accepted from about {threshold:.2f} on", threshold)
    return svg(histogram_figure(sides, "cosine", mark))


def reliability_picture(target_llrs: Array, non_target_llrs: Array) -> bytes:
    """Stated probability against the share that came true, and below how many trials stand behind it, as SVG."""
    from matplotlib.figure import Figure

    found = reliability(target_llrs, non_target_llrs)
    figure = Figure(figsize=(5.5, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="as stated")
    many = (found.targets + found.non_targets)[found.targets + found.non_targets > 0] >= MANY
    for chosen, face, label in ((many, DARK, "found"), (~many, "white", f"found, fewer than {MANY} trials")):
        if chosen.any():
            above.plot(found.stated[chosen], found.found[chosen], "o", color=DARK, markerfacecolor=face, label=label)
    above.set_ylabel("share of one speaker")
    above.grid(color="0.9")
    above.legend()
    edges = np.linspace(0, 1, BINS + 1)
    below.stairs(found.targets, edges, fill=True, color=LIGHT, label="one speaker")
    below.stairs(found.non_targets, edges, color=DARK, linewidth=1.5, label="two speakers")
    below.set_yscale("symlog", linthresh=1)
    below.set_ylabel("trials")
    below.set_xlabel("stated probability of one speaker, at even odds")
    below.legend(fontsize=8)
    return svg(figure)


def svg(figure: Figure) -> bytes:
    """A figure as an SVG file, the same for the same figure."""
    import matplotlib as mpl

    file = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "samevoice"}):  # else ids are drawn by chance
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
