"""`samevoice calibrate DIR_PER_PERSON`: thresholds and evidence for one's own people, in a copy of the model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from samevoice.cli.console import (
    MODEL,
    JsonOption,
    ModelOption,
    ThreadsOption,
    error_entry,
    out,
    print_json,
    progress_bar,
    warn,
)
from samevoice.cli.outputs import require_page, require_writable
from samevoice.errors import ConfigError
from samevoice.evaluation.calibrated import calibrate as calibrate_on
from samevoice.evaluation.calibrated import is_own
from samevoice.evaluation.clips import Clips, embed_clips, find_clips
from samevoice.evaluation.page import save_page
from samevoice.evaluation.wizardpage import report as written
from samevoice.loading import load_model
from samevoice.models import store
from samevoice.models.card import recalibrated
from samevoice.models.encoder import write_model
from samevoice.verification import calibration_of

PLAIN = re.compile(r"[\w.-]+")  # names go into fingerprints and onto command lines


def calibrate(
    folder: Annotated[Path, typer.Argument(metavar="DIR_PER_PERSON", help="A folder for each person, clips inside.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .onnx to write, a copy of the model; its name becomes its own.")
    ],
    model: ModelOption = MODEL,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="A page with figures and plots (extra \\[plots]).")
    ] = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Calibrate a model on people you know: 10 to 50 of them, three clips each.

    All clips are compared with each other. The result goes into a copy of the model; all figures told are of people
    whom the calibration judging them has not heard. Clips that cannot be used are listed and left out.

    Example: samevoice calibrate people/ -o mine.onnx --report mine.html
    """
    _check(output, report, model)
    found = find_clips(folder)
    opened = load_model(model, threads)
    start = calibration_of(opened)
    if is_own(start):  # its people would be judged by what was fitted on them
        raise ConfigError(f"{model}: is calibrated on people of yours already; calibrate the model it was made from")
    with progress_bar("embedding", sum(map(len, found.values()))) as tell:
        clips = embed_clips(opened, found, tell)
    warn([f"left out: {error}" for _, error in clips.failures])
    done = calibrate_on(clips, start)
    card, graph = store.load_file(Path(model)) if store.is_path(model) else store.load(model)
    copy = recalibrated(card, graph, output.stem, done.calibration.to_json())
    text = None if report is None else written(done, clips, model=card.fingerprint, made=copy.fingerprint)
    write_model(output, graph, copy)
    if report is not None and text is not None:
        save_page(report, text)
    if json:
        print_json({"path": str(output), "model": copy.fingerprint, **done.to_json(), "left_out": _left_out(clips)})
        return
    warn(done.warnings)
    out.print(str(done), markup=False)
    out.print("measured on people left out of the fit; the calibration itself is fitted on all of them", markup=False)
    out.print(f"{copy.fingerprint} in {output}; use it with: samevoice verify --model {output} A B", markup=False)


def _check(output: Path, report: Path | None, model: str) -> None:
    """Refuse before the work what could not be written after it.

    Raises:
        ConfigError: a name is not one of a model or page, is taken by the model itself, or cannot be written.
    """
    name = output.stem
    if output.suffix != store.SUFFIX or not PLAIN.fullmatch(name):
        raise ConfigError(f"{output}: models are .onnx files named with letters, digits, . _ and -, as mine.onnx")
    if name in store.names():
        raise ConfigError(f"{output}: {name} is the name of a model of samevoice; choose another for the copy")
    source = Path(model) if store.is_path(model) else store.model_path(model)
    if output.exists() and source.exists() and output.samefile(source):
        raise ConfigError(f"{output}: is the model itself; a calibration goes into a copy, give it another name")
    require_writable(output)
    if report is not None:
        require_page(report)


def _left_out(clips: Clips) -> list[dict[str, str]]:
    """Clips that could not be used, as JSON tells them."""
    return [error_entry(str(file), error) for file, error in clips.failures]
