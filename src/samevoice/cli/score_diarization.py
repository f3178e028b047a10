"""`samevoice score-diarization REF HYP`: how wrong diarizations are, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from samevoice.cli.console import JsonOption, out, print_json, progress_bar, warn
from samevoice.diarization import formats
from samevoice.diarization.formats import lines
from samevoice.diarization.formats import uem as maps
from samevoice.diarization.scorereport import compare


def score_diarization(
    reference: Annotated[Path, typer.Argument(metavar="REF", help="The truth: an RTTM file, or a folder of them.")],
    hypothesis: Annotated[Path, typer.Argument(metavar="HYP", help="What is scored: an RTTM file, or a folder.")],
    uem: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Score only what this UEM file names: recording, channel, start, end."),
    ] = None,
    per_file: Annotated[bool, typer.Option("--per-file", help="Also tell each recording.")] = False,
    json: JsonOption = False,
) -> None:
    """Tell how wrong diarizations are: DER with its parts, JER and the number of speakers, with 95 % intervals.

    Collar 0 and 0.25 s, overlap scored and skipped, are rows of one table. Recordings are matched by name; one without
    a hypothesis counts as missed. Files of other formats (JSON, CSV, TextGrid, EAF, ...) are read too.

    Example: samevoice score-diarization reference.rttm found.rttm
    """
    truth, guess = formats.read_all(reference), formats.read_all(hypothesis)
    regions = None
    if uem is not None:
        regions = maps.read(lines.decoded(formats.read_bytes(uem), str(uem)), str(uem))
    with progress_bar("scoring", len(truth if regions is None else regions)) as tell:
        report = compare(truth, guess, regions, progress=tell)
    if json:
        print_json({"reference": str(reference), "hypothesis": str(hypothesis), **report.to_json(files=per_file)})
    else:
        out.print(report.words(files=per_file), markup=False)
    warn(report.warnings)
