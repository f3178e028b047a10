"""Who speaks when as a picture: a lane for each speaker over true time.

Knows: diarizations, how they are laid out. Does not know: how they were made.
"""

from __future__ import annotations

from pathlib import Path

from samevoice.diarization.turns import Diarization
from samevoice.evaluation.plots import check_picture, drawable, save_picture
from samevoice.timelines.picture import MOST_TICKS, TICKS
from samevoice.timelines.reading import clock

FAINTEST = 0.35  # opacity of a turn nobody would bet on
NARROWEST = 1 / 1_500  # of the recording: shorter turns would be narrower than a dot
LONGEST = 24  # letters of a name


def draw_diarization(found: Diarization, path: Path) -> None:
    """Draw the turns; the less sure a turn, the paler it is.

    Args:
        found: the diarization.
        path: where to write; the suffix decides the format (.png, .svg, .pdf).

    Raises:
        ConfigError: see `check_picture`; or the file cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure
    from matplotlib.ticker import MultipleLocator

    speakers = found.speakers
    wide = 10 if found.extent < 600 else 14
    figure = Figure(figsize=(wide, 1.2 + 0.35 * max(len(speakers), 1)), layout="constrained")
    axes = figure.subplots()
    for lane, speaker in enumerate(speakers):
        mine = [turn for turn in found if turn.speaker == speaker]
        sure = [1.0 if turn.confidence is None else turn.confidence for turn in mine]
        axes.broken_barh(
            [(turn.start, max(turn.duration, found.extent * NARROWEST)) for turn in mine],
            (lane - 0.4, 0.8),
            color=[(*_colour(lane), FAINTEST + (1 - FAINTEST) * one) for one in sure],
            linewidth=0,
        )
    talked = [f"{drawable(one)[:LONGEST]}  {clock(found.of(one).duration)}" for one in speakers]
    axes.set_yticks(range(len(speakers)), talked)
    axes.set_ylim(len(speakers) - 0.5 if speakers else 0.5, -0.5)
    axes.set_xlim(0.0, max(found.extent, 0.1))
    tick = next((tick for tick in TICKS if found.extent <= MOST_TICKS * tick), found.extent)
    axes.xaxis.set_major_locator(MultipleLocator(tick))
    axes.xaxis.set_major_formatter(lambda value, _: clock(max(value, 0.0), decimals=int(tick < 1)))
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.set_title(drawable(found.recording), fontsize=10, loc="left")
    save_picture(figure, path)


def _colour(lane: int) -> tuple[float, float, float]:
    """A colour for a lane that most eyes tell from its neighbours'."""
    from matplotlib import colormaps

    red, green, blue, _ = colormaps["tab10"](lane % 10)
    return red, green, blue
