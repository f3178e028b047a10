"""`samevoice train` and `samevoice export`: from a folder of voices to a model one can serve."""

from __future__ import annotations

import os
import time
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from samevoice.cli.console import JsonOption, err, out, print_json, warn
from samevoice.cli.networks import network_facts
from samevoice.corpora.manifest import Manifest
from samevoice.corpora.opening import open_corpus
from samevoice.errors import ConfigError, DataError
from samevoice.evaluation.report import FEW
from samevoice.training.cookbook import load_recipe, shipped
from samevoice.training.journal import prepare_folder
from samevoice.training.recipe import Recipe

LINE_SECONDS = 10.0
SHOWN = 5  # names of unreadable utterances


def train(
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE", help="A shipped recipe (see --list), or a .toml file.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A folder of voices, any corpus layout, a manifest, or a packed folder.", show_default=False),
    ] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the run; an interrupted one is taken up again.")
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="The recipe's short profile, meant for two cores.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show the shipped recipes and stop.")] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help='Change the recipe, e.g. --set "seed = 1"; may be repeated.'),
    ] = None,
    valid: Annotated[
        Path | None, typer.Option(help="Validation speakers of another corpus; else some of DATA are kept apart.")
    ] = None,
    noise: Annotated[Path | None, typer.Option(help="Folder of noises for augmentation.")] = None,
    rooms: Annotated[Path | None, typer.Option(help="Folder of room responses for augmentation.")] = None,
    start_from: Annotated[Path | None, typer.Option(help="Start from the best weights of another run.")] = None,
    device: Annotated[str, typer.Option(help="auto (a GPU where there is one) or cpu.")] = "auto",
    precision: Annotated[str, typer.Option(help="no (float32), bf16, fp16, or auto: bf16 where it is fast.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, max=256, help="Threads of the network; default: all cores.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Threads that load sound.")] = 1,
    cache_mb: Annotated[int, typer.Option(min=0, help="Decoded sound kept in memory, in MB.")] = 1024,
    save_seconds: Annotated[float, typer.Option(min=0, help="Seconds between checkpoints.")] = 60.0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write the run for a TensorBoard too.")] = False,
    json: JsonOption = False,
) -> None:
    """Train a speaker embedding network and leave a model that can be served.

    The run's folder gets checkpoints, log.jsonl, curves.png, result.json and model.onnx. Killed runs go on where they
    stopped when the same command is given again. Several processes: accelerate launch -m samevoice train ...

    Example: samevoice train fbanknet --small --data voices/ --out runs/fbanknet
    """
    if list_:
        _list(json)
        return
    if recipe is None or data is None or out_folder is None:
        raise ConfigError("train needs a recipe, --data and --out; see: samevoice train --list, samevoice train --help")
    plan, table = load_recipe(recipe, small=small, changes=tuple(changes or ()))
    runs, launch = _module("runs"), _module("launch")
    if not data.exists():  # before anything is made
        raise DataError(f"{data}: no such file or folder; check the path")
    prepare_folder(out_folder)
    sources = runs.Sources(_opened(data), _opened(valid) if valid else None, noise, rooms, start_from)
    watcher = runs.Watcher(
        say=_say,
        teach=_Lines("teacher"),
        shrink=_Lines("shrinking the teacher"),
        fit=_Lines("fitting the exit"),
        step=_Steps(plan),
    )
    result = launch.train(
        plan,
        table,
        sources,
        out_folder,
        device=device,
        precision=precision,
        threads=threads,
        workers=workers,
        cache_bytes=cache_mb << 20,
        save_seconds=save_seconds,
        tensorboard=tensorboard,
        watcher=watcher,
    )
    if result:
        _tell(result, out_folder, json=json)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    path: Annotated[Path, typer.Option("--output", "-o", help="The .onnx to write; its name becomes the model's.")],
    int8: Annotated[bool, typer.Option("--int8", help="Weights in 8 bits: a quarter of the size.")] = False,
    json: JsonOption = False,
) -> None:
    """Write the model of a run as one .onnx file with its card inside, proven equal to the network in torch.

    Example: samevoice export runs/fbanknet -o mine.onnx
    """
    if path.suffix != ".onnx":
        raise ConfigError(f"{path}: models are .onnx files; name it like {path.stem}.onnx")
    exported = _module("launch").export(run, path, "int8" if int8 else "float32")
    if json:
        print_json({"path": str(path), "fingerprint": exported.card.fingerprint, "cosine": exported.cosine})
    else:
        out.print(str(exported), markup=False)


def _opened(path: Path) -> Manifest:
    """The corpus there; what had to be left out of it is told."""
    opened = open_corpus(path)
    if opened.problems:
        warn(
            [
                f"{path}: {len(opened.problems)} files left out",
                *(f"{one.path}: {one.message}" for one in opened.problems[:SHOWN]),
            ]
        )
    return opened.manifest


def _module(name: str) -> Any:
    """A module of the workshop, which needs torch.

    Its threads are told to sleep while they wait: where others use the cores too, spinning ones stand in each other's
    way, and a step takes many times as long.

    Raises:
        ConfigError: that is not installed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read once, when torch is loaded
    try:
        return import_module(f"samevoice.training.{name}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("samevoice"):
            raise
        raise ConfigError(f"training needs {error.name}; install it with: pip install 'samevoice[train]'") from error


def _list(json: bool) -> None:
    """The shipped recipes: what each trains, needs and gives."""
    recipes = {name: load_recipe(name)[0] for name in shipped()}
    facts = {one["name"]: one for one in network_facts()}
    if json:
        print_json([_described(name, one) for name, one in recipes.items()])
        return
    for name, one in recipes.items():
        stages = ", then ".join(
            f"{stage} ({' + '.join(objective.loss for objective in plan.objectives)}, {plan.steps:,} steps)"
            for stage, plan in one.stage.items()
        )
        out.print(f"[bold]{name}[/bold]: {one.summary}")
        fact = facts[one.network.name]
        gives = f"a model of {fact['parameters']:,} parameters ({one.network.name}, front end {fact['frontend']})"
        for title, told in (("stages", stages), ("needs", one.needs), ("gives", gives)):
            out.print(f"  {title:<7} {told}", markup=False)


def _described(name: str, recipe: Recipe) -> dict[str, Any]:
    """One recipe as JSON."""
    told = {"name": name, "summary": recipe.summary, "source": recipe.source, "needs": recipe.needs}
    return {**told, "network": recipe.network.name, "stages": {key: one.steps for key, one in recipe.stage.items()}}


def _say(text: str) -> None:
    """A sentence on what is being done."""
    err.print(text, markup=False)


class _Lines:
    """Progress of something counted, a line now and then with the time left."""

    def __init__(self, label: str) -> None:
        self._label, self._began, self._told = label, 0.0, 0.0
        self._first = 0.0

    def __call__(self, done: float, total: float) -> None:
        """Tell, if it is time."""
        now = time.monotonic()
        if not self._began:
            self._began, self._first = now, done
        if now - self._told < LINE_SECONDS and done < total:
            return
        self._told = now
        left = (now - self._began) / max(1.0, done - self._first) * (total - done)
        err.print(f"{self._label}: {done:.0f} of {total:.0f}, about {left:.0f} s left", markup=False)


class _Steps:
    """Progress of the stages, a line at every validation and now and then between."""

    def __init__(self, recipe: Recipe) -> None:
        self._stage, self._began, self._first, self._told = "", 0.0, 0, 0.0
        self._names = list(recipe.stage)

    def __call__(self, moment: Any) -> None:
        """Tell, if it is time."""
        now = time.monotonic()
        if moment.stage != self._stage:
            self._stage, self._began, self._first = moment.stage, now, moment.step
        if not moment.validated and now - self._told < LINE_SECONDS:
            return
        self._told = now
        rate = (now - self._began) / max(1, moment.step - self._first)
        left = rate * (moment.steps - moment.step)
        place = f"{moment.stage} ({self._names.index(moment.stage) + 1} of {len(self._names)})"
        err.print(
            f"{place}: step {moment.step:,} of {moment.steps:,}, loss {moment.loss:.4f}, validation EER "
            f"{100 * moment.eer:.2f} %, waited for data {100 * moment.wait:.0f} %, about {left:.0f} s left",
            markup=False,
        )


def _tell(result: dict[str, Any], folder: Path, *, json: bool) -> None:
    """What came of it."""
    if result["skipped"]:
        names = [f"{name}: {why}" for name, why in list(result["skipped"].items())[:SHOWN]]
        warn([f"{len(result['skipped'])} utterances could not be heard and were skipped", *names])
    if result["speakers_of_one_item"]:
        listed = ", ".join(result["speakers_of_one_item"][:SHOWN])
        warn([f"{len(result['speakers_of_one_item'])} speakers have a single item and gave no positive: {listed}"])
    if json:
        print_json(result)
        return
    measured = result["rules"]["far"]
    if measured["speakers"] < FEW:
        warn([f"{measured['speakers']} speakers are too few: the interval says nothing about other people"])
    out.print(
        f"EER {100 * measured['eer']['value']:.2f} % ({100 * measured['eer']['low']:.2f} to "
        f"{100 * measured['eer']['high']:.2f}) over {measured['speakers']} {result['speakers']} speakers, pieces of "
        f"{result['piece_seconds']:g} s",
        markup=False,
    )
    out.print(f"model: {folder / 'model.onnx'} ({result['model']})", markup=False)
    verify = " ".join(["samevoice verify", "--model", str(folder / "model.onnx"), *result.get("verify_options", [])])
    out.print(f"figures: {folder / 'result.json'}; next: {verify} A B", markup=False)
