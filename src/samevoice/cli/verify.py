"""`samevoice verify A B`: do two recordings come from the same person?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import samevoice as sv  # whose gallery is imported when it is first used: SQLAlchemy takes a quarter of a second
from samevoice.cli.console import (
    MODEL,
    GalleryOption,
    JsonOption,
    ThreadsOption,
    err,
    out,
    print_json,
    printable,
    warn,
)
from samevoice.cli.outputs import require_writable
from samevoice.errors import AudioError, ConfigError
from samevoice.evaluation.explained import draw_explanation
from samevoice.evaluation.plots import check_picture
from samevoice.explaining import explain as explain_pair
from samevoice.loading import load_model
from samevoice.scoring.decision import Decision
from samevoice.verification import verify as decide_pair

EXIT_CODES = {"same": 0, "different": 1, "unsure": 3}
COLOURS = {"same": "green", "different": "red", "unsure": "yellow"}


def verify(
    first: Annotated[str, typer.Argument(metavar="A", help="An audio file, or - for standard input.")],
    second: Annotated[str | None, typer.Argument(metavar="B", help="Another one; not with --as.")] = None,
    person: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Compare A with this person's voiceprint instead.")
    ] = None,
    gallery: GalleryOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help=f"A model of the zoo, or an .onnx file; default: {MODEL}, or the gallery's."
        ),
    ] = None,
    far: Annotated[
        float | None,
        typer.Option(
            help="Tolerated false-accept rate, a fraction; default: 0.01, or the next that the model supports."
        ),
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="A cosine that alone decides, in place of --far.")] = None,
    explain: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Tell what the decision rests on, and draw it there (extra \\[plots])."),
    ] = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Do two recordings come from the same person?

    Prints one sentence with the reason, and with --explain what weighs: the speech there is, stretches that hold the
    similarity down, facts about the sound. Exit code 0: same person, 1: different people, 3: cannot tell, 2: error.

    Example: samevoice verify monday.wav tuesday.m4a --far 0.005

    Example: samevoice verify --as "Ada Lovelace" today.wav
    """
    explanation = None
    if person is not None and second is None:
        if explain is not None:
            raise ConfigError("--explain needs two recordings: the sound behind a voiceprint is not there")
        with sv.Gallery(gallery, model=model, threads=threads, create=False) as people:
            decision = people.verify(person, first, far=far, threshold=threshold)
    elif second is None or person is not None:
        raise ConfigError("give two recordings, or one recording and --as NAME")
    elif first == second == "-":
        raise AudioError("standard input can be read only once; give files for the other recordings")
    elif explain is None:
        decision = decide_pair(first, second, model=load_model(model or MODEL, threads), far=far, threshold=threshold)
    else:
        check_picture(explain)
        require_writable(explain)
        explanation = explain_pair(
            first, second, model=load_model(model or MODEL, threads), far=far, threshold=threshold
        )
        decision = explanation.decision
        draw_explanation(explanation, explain)
    if json:
        more = {"explanation": explanation.to_json()} if explanation else {}
        sides = {"file": first, "person": person} if person is not None else {"first": first, "second": second}
        print_json({**sides, **decision.to_json(), **more})
    else:
        out.print(printable(str(decision)), style=COLOURS[decision.verdict], markup=False)
        if explanation:
            out.print("\n".join(map(printable, explanation.lines())), markup=False)
        err.print(details(decision), style="dim", markup=False)
        warn(decision.warnings)
    raise typer.Exit(EXIT_CODES[decision.verdict])


def details(decision: Decision) -> str:
    """The figures behind the sentence, on one line."""
    parts = [f"speech {decision.speech[0]:.1f} s and {decision.speech[1]:.1f} s"]
    if decision.score is not None:
        parts.insert(0, f"cosine {decision.score:.3f} (threshold {decision.threshold:.3f})")
    if decision.probability is not None:
        parts.insert(1, f"probability {decision.probability:.3f} at prior {decision.prior:g}")
    return ", ".join([*parts, decision.model])
