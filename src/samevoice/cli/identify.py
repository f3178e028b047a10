"""`samevoice identify FILE...`: who of the people enrolled speaks, or nobody of them?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

import samevoice as sv  # whose gallery is imported when it is first used: SQLAlchemy takes a quarter of a second
from samevoice.cli.console import (
    GalleryModelOption,
    GalleryOption,
    JsonOption,
    ThreadsOption,
    audio_files,
    complain,
    counted,
    err,
    error_entry,
    out,
    print_json,
    warn,
)
from samevoice.errors import AudioError
from samevoice.gallery.identification import TOP, Identification
from samevoice.gallery.names import shown
from samevoice.gallery.rules import DEFAULT_FPIR

EXIT_CODES = {"known": 0, "unknown": 1, "unsure": 3}
COLOURS = {"known": "green", "unknown": "red", "unsure": "yellow"}


def identify(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings of one person each, or -.")],
    top: Annotated[int, typer.Option(min=1, max=50, help="How many of the likeliest people to show.")] = TOP,
    fpir: Annotated[
        float, typer.Option(help="Tolerated share of strangers taken for anybody enrolled, a fraction.")
    ] = DEFAULT_FPIR,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Listen only until the evidence is enough, and say for how long.")
    ] = False,
    gallery: GalleryOption = None,
    model: GalleryModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Who of the people enrolled speaks? "Unknown" is an answer.

    The more people are enrolled, the more evidence a name needs: the stated share of strangers holds for all of them
    together. Exit code of one file 0: known, 1: unknown, 3: cannot tell, 2: error; of several 0, unless one cannot be
    read.

    Example: samevoice identify visitor.wav --fpir 0.001
    """
    paths = audio_files(files)
    found: list[dict[str, Any]] = []
    failed = False
    result: Identification | None = None
    with sv.Gallery(gallery, model=model, threads=threads, create=False) as people:
        for path in paths:
            try:
                result = people.identify(path, top=top, fpir=fpir, sequential=sequential)
            except AudioError as error:
                if len(paths) == 1:
                    raise
                failed = True
                found.append({"file": path, "error": error_entry(path, error)})
                complain(error)
                continue
            found.append({"file": path, **result.to_json()})
            if not json:
                _tell(path if len(paths) > 1 else None, result)
    if json:
        print_json(found if len(paths) > 1 else found[0])
    single = len(paths) == 1 and result is not None
    raise typer.Exit(2 if failed else EXIT_CODES[result.verdict] if single and result else 0)


def _tell(path: str | None, result: Identification) -> None:
    """The verdict, the candidates and the figures behind them."""
    out.print(f"{shown(path)}: {result}" if path else str(result), style=COLOURS[result.verdict], markup=False)
    for one in result.candidates:
        out.print(f"  {100 * one.probability:5.1f} %  cosine {one.score:6.3f}  {shown(one.name)}", markup=False)
    figures = [counted(result.people, "person", "people"), f"speech {result.speech:.1f} s", result.model]
    if result.threshold is not None:
        figures.insert(0, f"threshold {result.threshold:.3f}")
    err.print(", ".join(figures), style="dim", markup=False)
    warn(result.warnings)
