"""`samevoice calibrate DIR_PER_PERSON`: thresholds and evidence for one's own people, in a copy of the model."""

from __future__ import annotations

import json as json_text
import re
from dataclasses import replace
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
from samevoice.cli.embed import require_writable
from samevoice.embedder import load_model
from samevoice.errors import ConfigError
from samevoice.evaluation.calibrated import calibrate as calibrate_on
from samevoice.evaluation.calibrated import is_own
from samevoice.evaluation.clips import Clips, embed_clips, find_clips
from samevoice.evaluation.plots import check_picture
from samevoice.evaluation.wizardpage import report as written
from samevoice.files import write_atomically
from samevoice.models import store, zoo
from samevoice.models.card import ModelCard, fingerprint_of
from samevoice.models.encoder import write_model
from samevoice.scoring.calibration import Calibration
from samevoice.verification import calibration_of

PAGES = (".html", ".htm")
PLAIN = re.compile(r"[\w.-]+")  # names go into fingerprints and onto command lines


def calibrate(
    folder: Annotated[Path, typer.Argument(metavar="DIR_PER_PERSON", help="A folder for each person, clips inside.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .onnx to write, a copy of the model; its name becomes its own.")
    ],
    model: ModelOption = MODEL,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="A page with figures and plots (extra [plots]).")
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
    copy = calibrated_card(card, graph, output.stem, done.calibration)
    text = None if report is None else written(done, clips, model=card.fingerprint, made=copy.fingerprint)
    write_model(output, graph, copy)
    if report is not None and text is not None:
        _write(report, text)
    if json:
        print_json({"path": str(output), "model": copy.fingerprint, **done.to_json(), "left_out": _left_out(clips)})
        return
    warn(done.warnings)
    out.print(str(done), markup=False)
    out.print("measured on people left out of the fit; the calibration itself is fitted on all of them", markup=False)
    out.print(f"{copy.fingerprint} in {output}; use it with: samevoice verify --model {output} A B", markup=False)


def calibrated_card(card: ModelCard, graph: bytes, name: str, calibration: Calibration) -> ModelCard:
    """The card of a copy: another calibration, and another name, so that no verdict is mistaken for the model's own.

    Args:
        card: of the model.
        graph: of the model.
        name: of the copy.
        calibration: to put in.
    """
    plain = json_text.loads(json_text.dumps(calibration.to_json()))
    changed = replace(card, name=name, calibration=plain)
    return replace(changed, fingerprint=fingerprint_of(graph, changed))


def _check(output: Path, report: Path | None, model: str) -> None:
    """Refuse before the work what could not be written after it.

    Raises:
        ConfigError: a name is not one of a model or page, is taken by the model itself, or cannot be written.
    """
    name = output.stem
    if output.suffix != store.SUFFIX or not PLAIN.fullmatch(name):
        raise ConfigError(f"{output}: models are .onnx files named with letters, digits, . _ and -, as mine.onnx")
    if name in zoo.names():
        raise ConfigError(f"{output}: {name} is the name of a model of the zoo; choose another for the copy")
    source = Path(model) if store.is_path(model) else store.model_path(model)
    if output.exists() and source.exists() and output.samefile(source):
        raise ConfigError(f"{output}: is the model itself; a calibration goes into a copy, give it another name")
    require_writable(output)
    if report is None:
        return
    if report.suffix not in PAGES:
        raise ConfigError(f"{report}: reports are .html files; name it like {name}.html")
    check_picture(report.with_suffix(".svg"))
    require_writable(report)


def _write(report: Path, text: str) -> None:
    """Write the page in one step.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        write_atomically(report, lambda file: file.write(text.encode()))
    except OSError as error:
        raise ConfigError(f"{report}: cannot be written ({error.strerror}); choose another place") from error


def _left_out(clips: Clips) -> list[dict[str, str]]:
    """Clips that could not be used, as JSON tells them."""
    return [error_entry(str(file), error) for file, error in clips.failures]
