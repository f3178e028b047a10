"""The `samevoice` command: its groups, and the one place where errors become a sentence and an exit code.

Exit codes: 0 same person, or success; 1 different people; 3 cannot tell; 2 any error.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from samevoice import __version__
from samevoice.cli import (
    batch,
    bench,
    calibrate,
    check,
    compare,
    data,
    diarize,
    embed,
    enrol,
    evaluate,
    gallery,
    identify,
    keys,
    listen,
    models,
    networks,
    people,
    recordings,
    score_diarization,
    serve,
    simulate,
    timeline,
    train,
    verify,
)
from samevoice.cli.console import printable
from samevoice.errors import SamevoiceError

app = typer.Typer(
    name="samevoice",
    help="Do these audios come from the same person?\n\n"
    "Start with: [bold]samevoice models pull[/bold] (once), then [bold]samevoice verify A B[/bold].\n\n"
    "Exit codes: 0 same person or success, 1 different people, 3 cannot tell, 2 error.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("verify")(verify.verify)
app.command("enrol")(enrol.enrol)
app.command("identify")(identify.identify)
app.add_typer(people.app, name="people")
app.add_typer(gallery.app, name="gallery")
app.command("diarize")(diarize.diarize)
app.command("listen")(listen.listen)
app.command("timeline")(timeline.timeline)
app.add_typer(recordings.app, name="recordings")
app.command("score-diarization")(score_diarization.score_diarization)
app.command("serve")(serve.serve)
app.add_typer(keys.app, name="keys")
app.command("simulate")(simulate.simulate)
app.command("compare")(compare.compare)
app.command("embed")(embed.embed)
app.command("check")(check.check)
app.command("bench")(bench.bench)
app.command("networks")(networks.networks)
app.add_typer(data.app, name="data")
app.add_typer(batch.app, name="batch")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("calibrate")(calibrate.calibrate)
app.command("export")(train.export)
app.add_typer(models.app, name="models")


def _version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"samevoice {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of all commands."""
    del version


def main() -> None:
    """Run the command line; every expected error ends in one sentence on stderr."""
    if hasattr(signal, "SIGPIPE"):  # end quietly, with 141, when the reader of our output goes away
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    with quiet_libraries():
        _run()


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep descriptor 2 from C libraries: what the MP3 decoder mutters there, users get as a warning in words."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        if sys.stderr is None:  # closed by the caller: what is said there is lost, what is done is not
            sys.stderr = nowhere
            yield
            return
        theirs = sys.stderr
        with os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace") as ours:
            sys.stderr = ours
            os.dup2(nowhere.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr = theirs
                os.dup2(ours.fileno(), 2)


def _run() -> None:
    """Turn errors into sentences and exit codes."""
    try:
        app()
    except SamevoiceError as error:
        _fail(str(error), error.code, error.exit_code)
    except Exception as error:  # a full disk, or a defect: Python's exit code 1 would say "different people"
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        _fail(f"unexpected {type(error).__name__} in {where}: {error}; if it stays, please report it", "internal", 2)


def _fail(message: str, code: str, exit_code: int) -> NoReturn:
    """One sentence on standard error, the same as JSON where JSON was asked for, and the exit code."""
    with contextlib.suppress(OSError):  # standard output may be what failed
        if "--json" in sys.argv:
            typer.echo(json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False))
    typer.echo(f"samevoice: {printable(message)}", err=True)
    sys.exit(exit_code)
