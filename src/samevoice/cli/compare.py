"""`samevoice compare FILES|DIR`: all pairs at once."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from samevoice.audio.decode import open_recording
from samevoice.cli.console import (
    MODEL,
    JsonOption,
    ModelOption,
    PathsArgument,
    ThreadsOption,
    audio_files,
    embed_files,
    out,
    print_json,
    printable,
    warn,
)
from samevoice.errors import ConfigError, SamevoiceError
from samevoice.evaluation.plots import check_picture, draw_matrix
from samevoice.loading import load_model
from samevoice.scoring.cosine import cosine_matrix
from samevoice.scoring.decision import DEFAULT_PRIOR, SENTENCES, Decision, check_options
from samevoice.verification import calibration_of, decide_pairs


class Format(StrEnum):
    """How `compare` prints."""

    table = "table"
    pairs = "pairs"


def compare(
    files: PathsArgument,
    model: ModelOption = MODEL,
    style: Annotated[
        Format, typer.Option("--format", help="A table of cosines, or one line per pair with a verdict and a distance.")
    ] = Format.table,
    threshold: Annotated[
        float | None, typer.Option(help="A cosine that alone decides each pair (with --format pairs or --json).")
    ] = None,
    heat_map: Annotated[
        Path | None, typer.Option("--heat-map", metavar="PNG", help="Draw the matrix (extra \\[plots]).")
    ] = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Compare all recordings with each other.

    A line of --format pairs holds both names, "Same person:", "Different people:" or "Cannot tell:", and the distance
    of the unit vectors, sqrt(2 - 2 cosine). Recordings that cannot be used are listed and left out; the exit code is
    then 2.

    Example: samevoice compare voices/ --heat-map voices.png
    """
    deciding = json or style is Format.pairs
    if threshold is not None and not deciding:
        raise ConfigError("a table shows cosines and decides nothing; give --threshold with --format pairs or --json")
    if heat_map is not None:
        check_picture(heat_map)
    paths = audio_files(files)
    opened = load_model(model, threads)
    if deciding:
        name = opened.card.name
        check_options(calibration_of(opened), far=None, threshold=threshold, prior=DEFAULT_PRIOR, model=name)
    if style is Format.pairs and not json:
        announce(paths, opened.card.rate)
    good, errors = embed_files(opened, paths)
    if len(good) < 2:
        raise ConfigError(f"{len(good)} usable recordings of {len(paths)}; give at least two")
    names, embeddings = [name for name, _ in good], [embedding for _, embedding in good]
    matrix = cosine_matrix(embeddings)
    if heat_map is not None:
        draw_matrix(matrix, [Path(name).name for name in names], heat_map)
    if deciding:
        decisions = decide_pairs(good, matrix, model=opened, threshold=threshold)
    if json:
        print_json(
            {
                "model": opened.card.fingerprint,
                "files": names,
                "cosines": matrix.tolist(),
                "pairs": [
                    {"first": names[i], "second": names[j], **decision.to_json()}
                    for (i, j), decision in decisions.items()
                ],
                "errors": errors,
            }
        )
    elif style is Format.pairs:
        print_pairs(names, decisions)
    else:
        print_table(names, matrix)
    if not json:
        warn([f"{name}: {text}" for name, embedding in good for text in embedding.warnings])
    raise typer.Exit(2 if errors else 0)


def announce(paths: list[str], wanted: int) -> None:
    """The head of the line format of SpeechIdentity: names, rates and what is resampled."""
    out.print(f"Comparing {[Path(path).name for path in paths]}", markup=False)
    for path in paths:
        if path == "-":
            continue  # standard input can be opened only once
        try:
            rate = open_recording(path).info.rate
        except SamevoiceError:
            continue  # told once, with the reason, when it is embedded
        out.print(f"Processing {printable(Path(path).name)} with sample rate of {rate}", markup=False)
        if rate != wanted:
            out.print(f"Resampling to {wanted}", markup=False)


def print_pairs(names: list[str], decisions: dict[tuple[int, int], Decision]) -> None:
    """The lines of SpeechIdentity: two names, a verdict, the Euclidean distance of the unit vectors."""
    for (i, j), decision in decisions.items():
        distance = math.sqrt(max(0.0, 2.0 - 2.0 * (decision.score or 0.0)))
        pair = f"{Path(names[i]).name} and {Path(names[j]).name}"
        out.print(f"{printable(pair)}: {SENTENCES[decision.verdict]}: {distance}", markup=False)


def print_table(names: list[str], matrix: NDArray[np.float32]) -> None:
    """Cosines with numbered columns; names stand last, where long ones push nothing aside."""
    out.print(" " * 5 + "".join(f"{index + 1:>6}" for index in range(len(names))))
    for index, (name, row) in enumerate(zip(names, matrix, strict=True)):
        out.print(f"{index + 1:>5}" + "".join(f"{value:6.2f}" for value in row) + f"  {printable(name)}", markup=False)
