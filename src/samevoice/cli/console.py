"""What all commands share: consoles, lists of files, a progress bar, warnings."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from samevoice.audio.decode import AUDIO_SUFFIXES
from samevoice.embedder import Model
from samevoice.errors import AudioError, NotEnoughSpeech, SamevoiceError
from samevoice.loading import DEFAULT_MODEL
from samevoice.models.embedding import Embedding
from samevoice.speech.listening import Progress as Tell

out = Console(highlight=False, soft_wrap=True, emoji=False)  # a digest holds ":AB:", which is no emoji
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="A model of the zoo, or the path of an .onnx file with its card inside.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, max=256, help="Threads for inference; default: all cores, at most 4.")
]
GalleryModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", help="A model of the zoo, or the path of an .onnx file; default: the one the gallery has."
    ),
]
GalleryOption = Annotated[
    str | None,
    typer.Option(
        "--gallery",
        "-g",
        metavar="PATH|URL",
        help="Where the people are; default: $SAMEVOICE_GALLERY, or a file in your data folder.",
    ),
]
PathsArgument = Annotated[
    list[str], typer.Argument(metavar="FILES|DIR...", help="Audio files, folders of them (searched deeply), or -.")
]
MODEL = DEFAULT_MODEL
LINE_SECONDS = 10.0
_SHAPING = "\u200c\u200d\u2068\u2069"  # join letters and keep directions apart; names of people are shown with them


def print_json(value: object) -> None:
    """Machine output: one JSON document, never coloured or wrapped."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def audio_files(paths: Sequence[str]) -> list[str]:
    """Files as given, and the audio files below folders in order of name.

    Raises:
        AudioError: a folder cannot be read or holds no file with an audio suffix, or "-" was given twice.
    """
    if paths.count("-") > 1:
        raise AudioError("standard input can be read only once; give files for the other recordings")

    def unreadable(error: OSError) -> None:
        raise AudioError(f"{error.filename}: {error.strerror}; check its permissions") from error

    found: list[str] = []
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - unlike Path.is_dir, never raises
            found.append(path)
            continue
        inside = sorted(
            os.path.join(folder, name)  # noqa: PTH118 - keeps "./" as the user wrote it
            for folder, _, names in os.walk(path, onerror=unreadable)
            for name in names
            if Path(name).suffix.lower() in AUDIO_SUFFIXES and not name.startswith(".")
        )
        if not inside:
            raise AudioError(f"{path}: no audio files in this folder; name the files if their suffix is unusual")
        found.extend(inside)
    return found


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with what it counts: "1 person", "1,024 people"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def warn(warnings: Sequence[str]) -> None:
    """Show warnings on stderr, each on a line."""
    for warning in warnings:
        err.print(f"warning: {printable(warning)}", style="yellow", markup=False)


def embed_files(model: Model, paths: Sequence[str]) -> tuple[list[tuple[str, Embedding]], list[dict[str, str]]]:
    """Embed with progress: the recordings that can be used, and the others as for `error_entry`, told on stderr."""
    good: list[tuple[str, Embedding]] = []
    errors: list[dict[str, str]] = []
    with progress_bar("embedding", len(paths)) as tell:
        for path, outcome in zip(paths, model.embed_each(paths, progress=tell), strict=True):
            if isinstance(outcome, SamevoiceError):
                errors.append(error_entry(path, outcome))
                complain(outcome)
                if isinstance(outcome, NotEnoughSpeech):
                    warn([f"{path}: {warning}" for warning in outcome.warnings])
            else:
                good.append((path, outcome))
    return good, errors


def error_entry(path: str, error: SamevoiceError) -> dict[str, str]:
    """A recording that cannot be used, as JSON tells it."""
    return {"name": path, "code": error.code, "message": str(error)}


def complain(error: SamevoiceError) -> None:
    """Tell on stderr about one recording of many."""
    err.print(f"samevoice: {printable(str(error))}", style="red", markup=False)


def printable(text: str) -> str:
    """One line: names of files may hold line breaks and commands for a terminal."""
    return "".join(
        one if one.isprintable() or one in _SHAPING else one.encode("unicode_escape").decode() for one in text
    )


@contextmanager
def progress_bar(label: str, total: float) -> Iterator[Tell]:
    """Progress with the time left, on stderr; hands out a function that takes how much of `total` is done.

    A bar on a terminal; elsewhere, where a bar cannot move, a line every `LINE_SECONDS`.
    """
    if not err.is_terminal:
        yield _lines(label, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


def _lines(label: str, total: float) -> Tell:
    """Progress as lines of a log; work that is over sooner than the first leaves none."""
    began = told = time.monotonic()

    def tell(done: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= LINE_SECONDS and done > 0:
            told = now
            left = (now - began) * (total - done) / done
            err.print(f"{label}: {100 * done / total:.0f} %, about {left:.0f} s left")

    return tell
