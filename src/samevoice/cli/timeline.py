"""`samevoice timeline FILE`: who is heard when, slice by slice?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import samevoice as sv  # whose gallery is imported when it is first used: SQLAlchemy takes a quarter of a second
from samevoice.cli.console import (
    MODEL,
    GalleryModelOption,
    GalleryOption,
    JsonOption,
    ThreadsOption,
    err,
    out,
    print_json,
    progress_bar,
    warn,
)
from samevoice.cli.outputs import require_apart, require_writable
from samevoice.embedder import Model
from samevoice.errors import AudioError, ConfigError
from samevoice.evaluation.plots import check_picture
from samevoice.loading import load_model
from samevoice.scoring.decision import DIFFERENT_LLR, SAME_LLR, odds
from samevoice.timelines.grid import SEEDS, Grid
from samevoice.timelines.outputs import check_suffix, header, rows, write_table
from samevoice.timelines.picture import draw_timeline
from samevoice.timelines.reading import clock, groups
from samevoice.timelines.slicing import timeline as slice_up
from samevoice.timelines.table import Likeness, SliceTable
from samevoice.timelines.voices import Voices

ROWS = 60  # on a terminal; what is piped has them all
BAR = 10  # characters


def timeline(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An audio file, or - for standard input.")],
    reference: Annotated[
        str | None, typer.Option("--reference", "-r", metavar="FILE", help="One person's voice to look for.")
    ] = None,
    people: Annotated[bool, typer.Option("--people", help="Look for the people enrolled in the gallery.")] = False,
    gallery: GalleryOption = None,
    length: Annotated[float | None, typer.Option(help="Seconds of a slice; default: 1.5.")] = None,
    step: Annotated[float | None, typer.Option(help="Seconds between the starts of two; default: half of it.")] = None,
    seeds: Annotated[bool, typer.Option("--seeds", help="Slices of 1.6 s every 0.5 s, as older systems cut.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write: OUT.jsonl, OUT.npz or OUT.parquet.")
    ] = None,
    embeddings: Annotated[bool, typer.Option(help="Write the embeddings too; they are personal data.")] = True,
    picture: Annotated[
        Path | None, typer.Option(metavar="PNG|SVG|PDF", help="Draw the timeline there (extra \\[plots]).")
    ] = None,
    model: GalleryModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """What is heard when: speech, level and voice of a recording, slice by slice.

    Slices lie on a fixed grid in true time. Each has the probability of speech, the share of speech, the level, and the
    embedding of its speech where there is at least half a second; with --reference or --people also the nearest known
    voice: its cosine, and the odds that it is (+) or is not (-) the one that speaks, as far as so little speech tells.

    Example: samevoice timeline meeting.m4a --reference ada.wav --picture meeting.png

    Example: samevoice timeline meeting.m4a --people -o meeting.jsonl
    """
    grid = _grid(length, step, seeds=seeds)
    if reference is not None and (people or gallery is not None):
        raise ConfigError("--reference and the people of a gallery exclude each other; choose one")
    if file == reference == "-":
        raise AudioError("standard input can be read only once; give a file for the reference")
    if output is not None:
        check_suffix(output)
        require_writable(output)
    if picture is not None:
        check_picture(picture)
        require_writable(picture)
    opened, known = _opened(model, threads, gallery, (output, picture), people=people or gallery is not None)
    with progress_bar("listening", 1.0) as tell:
        table = slice_up(file, model=opened, grid=grid, reference=known or reference, progress=tell)
    if output is not None:
        write_table(table, output, embeddings=embeddings)
    if picture is not None:
        draw_timeline(table, picture)
    if json:
        print_json({**header(table), "slices": list(rows(table, embeddings=False))})
    elif output is None:
        _show(table)
    err.print(_figures(table), style="dim", markup=False)
    warn(table.warnings)


def _grid(length: float | None, step: float | None, *, seeds: bool) -> Grid:
    """The grid that was asked for."""
    if seeds and (length is not None or step is not None):
        raise ConfigError("--seeds is a length and a step; leave --length and --step out")
    if seeds:
        return SEEDS
    length = Grid().length if length is None else length
    return Grid(length, length / 2 if step is None else step)


def _opened(
    model: str | None, threads: int | None, gallery: str | None, outputs: Sequence[Path | None], *, people: bool
) -> tuple[Model, Voices | None]:
    """The model, and who is enrolled if that was asked for, in a gallery that is none of the outputs."""
    if not people:
        return load_model(model or MODEL, threads), None
    with sv.Gallery(gallery, model=model, threads=threads, create=False) as opened:
        require_apart(opened, *outputs)
        return opened.model, Voices.enrolled(opened)


def _show(table: SliceTable) -> None:
    """A line for each slice or, on a terminal, for a few neighbours where they would be too many."""
    compared = table.voices is not None
    out.print(f"{'time':>9}  {'speech':<{BAR + 5}}{'level':>8}{'  nearest voice' if compared else ''}", style="bold")
    first = groups(len(table), ROWS if out.is_terminal else len(table))
    full, empty = "# " if out.options.ascii_only else "█░"
    for start, end in zip(first.tolist(), [*first[1:].tolist(), len(table)], strict=True):
        speech = float(table.probability[start:end].mean())
        power = float(np.power(10.0, table.level_dbfs[start:end] / 10).mean())
        filled = round(BAR * speech)
        bar = full * filled + empty * (BAR - filled)
        level = max(10 * np.log10(max(power, 1e-20)), -200.0)
        line = f"{clock(float(table.starts[start]), decimals=2):>9}  {bar} {100 * speech:3.0f} % {level:6.0f} dB"
        said, style = _nearest(table, start, end)
        out.print(f"{line}  {said}".rstrip(), style=style, markup=False)
    if len(first) < len(table):
        err.print(f"a line stands for up to {-(-len(table) // len(first))} slices; -o writes all", style="dim")


def _nearest(table: SliceTable, start: int, end: int) -> tuple[str, str]:
    """The nearest voice in a few slices in words, and the colour of the line."""
    found = [one for one in _likenesses(table, start, end) if one is not None]
    if not found:
        return "", ""
    best = max(found, key=lambda one: one.cosine)
    words = f"{best.cosine:6.3f}  {_short(best.name)}"
    if best.llr is None:
        return words, ""
    sign = "+" if best.llr >= 0 else "-"
    style = "green" if best.llr >= SAME_LLR else "" if best.llr > DIFFERENT_LLR else "dim"
    return f"{words}  {sign} {odds(abs(best.llr))}", style


def _likenesses(table: SliceTable, start: int, end: int) -> Iterator[Likeness | None]:
    """Of some slices."""
    return (table[row].likeness for row in range(start, end))


def _short(name: str) -> str:
    """A name on one line, of a length for a table."""
    plain = "".join(one if one.isprintable() else "?" for one in Path(name).name or name)
    return plain if len(plain) <= 24 else f"{plain[:23]}…"


def _figures(table: SliceTable) -> str:
    """The whole on one line."""
    return ", ".join(
        [
            f"{table.extent:.1f} s",
            f"speech {table.speech.duration:.1f} s",
            f"{len(table):,} slices of {table.grid.length:g} s every {table.grid.step:g} s",
            f"{int(table.embedded.sum()):,} with an embedding",
            table.model,
        ]
    )
