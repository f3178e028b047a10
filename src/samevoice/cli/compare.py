"""`samevoice compare FILES|DIR`: all pairs at once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from samevoice.audio.decode import open_recording
from samevoice.cli.console import (
    MODEL,
    JsonOption,
    ModelOption,
    PathsArgument,
    ThreadsOption,
    audio_files,
    err,
    out,
    print_json,
    progress_bar,
    warn,
)
from samevoice.embedder import Model, load_model
from samevoice.errors import ConfigError, SamevoiceError
from samevoice.models.embedding import Embedding
from samevoice.scoring.cosine import cosine_matrix
from samevoice.scoring.decision import Decision, decide
from samevoice.speech.vad import RATE
from samevoice.verification import calibration_of


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
    threshold: Annotated[float | None, typer.Option(help="A cosine that alone decides each pair.")] = None,
    heat_map: Annotated[
        Path | None, typer.Option("--heat-map", metavar="PNG", help="Draw the matrix (extra [plots]).")
    ] = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Compare all recordings with each other.

    Recordings that cannot be used are listed and left out; the exit code is then 2.

    Example: samevoice compare voices/ --heat-map voices.png
    """
    paths = audio_files(files)
    opened = load_model(model, threads)
    if style is Format.pairs and not json:
        announce(paths)
    names, embeddings = embed_all(opened, paths)
    if len(names) < 2:
        raise ConfigError(f"{len(names)} usable recordings of {len(paths)}; give at least two")
    matrix = cosine_matrix(embeddings)
    if json or style is Format.pairs:
        decisions = decide_pairs(opened, embeddings, matrix, threshold)
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
            }
        )
    elif style is Format.pairs:
        print_pairs(names, decisions)
    else:
        print_table(names, matrix)
    if not json:
        warn([f"{name}: {text}" for name, one in zip(names, embeddings, strict=True) for text in one.warnings])
    if heat_map is not None:
        from samevoice.evaluation.plots import draw_matrix

        draw_matrix(matrix, [Path(name).name for name in names], heat_map)
    raise typer.Exit(0 if len(names) == len(paths) else 2)


def embed_all(model: Model, paths: list[str]) -> tuple[list[str], list[Embedding]]:
    """Names and embeddings of the recordings that can be used; the others are told on stderr."""
    names: list[str] = []
    embeddings: list[Embedding] = []
    with progress_bar("embedding", len(paths)) as tell:
        for path, outcome in zip(paths, model.embed_each(paths, progress=tell), strict=True):
            if isinstance(outcome, SamevoiceError):
                err.print(f"samevoice: {outcome}", style="red", markup=False)
            else:
                names.append(path)
                embeddings.append(outcome)
    return names, embeddings


def decide_pairs(
    model: Model, embeddings: list[Embedding], matrix: NDArray[np.float32], threshold: float | None
) -> dict[tuple[int, int], Decision]:
    """A decision for every pair i < j."""
    calibration = calibration_of(model)
    return {
        (i, j): decide(
            float(matrix[i, j]),
            (embeddings[i].seconds, embeddings[j].seconds),
            calibration,
            model=model.card.fingerprint,
            threshold=threshold,
        )
        for i in range(len(embeddings))
        for j in range(i + 1, len(embeddings))
    }


def announce(paths: list[str]) -> None:
    """The head of the line format of SpeechIdentity: names, rates and what is resampled."""
    out.print(f"Comparing {[Path(path).name for path in paths]}", markup=False)
    for path in paths:
        try:
            rate = open_recording(path).info.rate
        except SamevoiceError:
            continue  # told once, with the reason, when it is embedded
        out.print(f"Processing {Path(path).name} with sample rate of {rate}", markup=False)
        if rate != RATE:
            out.print(f"Resampling to {RATE}", markup=False)


def print_pairs(names: list[str], decisions: dict[tuple[int, int], Decision]) -> None:
    """The lines of SpeechIdentity: two names, a verdict, the Euclidean distance of the unit vectors."""
    for (i, j), decision in decisions.items():
        accepted = (
            decision.score is not None and decision.threshold is not None and decision.score >= decision.threshold
        )
        verdict = "Same person:" if accepted else "Different people:"
        distance = float(np.sqrt(max(0.0, 2.0 - 2.0 * (decision.score or 0.0))))
        out.print(f"{Path(names[i]).name} and {Path(names[j]).name}: {verdict} {distance}", markup=False)


def print_table(names: list[str], matrix: NDArray[np.float32]) -> None:
    """Cosines with numbered columns, so that long names do not widen the table."""
    table = Table("", "", *(str(index + 1) for index in range(len(names))), box=None)
    for index, (name, row) in enumerate(zip(names, matrix, strict=True)):
        table.add_row(str(index + 1), name, *(f"{value:.2f}" for value in row))
    out.print(table)
