"""The `samevoice` command: its groups, and the one place where errors become a sentence and an exit code.

Exit codes: 0 same person, or success; 1 different people; 3 cannot tell; 2 any error.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from samevoice import __version__
from samevoice.cli import check, compare, embed, models, verify
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
app.command("compare")(compare.compare)
app.command("embed")(embed.embed)
app.command("check")(check.check)
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
    try:
        app()
    except SamevoiceError as error:
        if "--json" in sys.argv:
            typer.echo(json.dumps({"error": {"code": error.code, "message": str(error)}}, ensure_ascii=False))
        typer.echo(f"samevoice: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("samevoice: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, for example `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
