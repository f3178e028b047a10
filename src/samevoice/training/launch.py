"""What the commands `train` and `export` call: devices, threads, live curves, then the run and its model.

Knows: accelerate, pictures of a run in progress. Does not know: words, exit codes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs

from samevoice.errors import ConfigError, ModelError
from samevoice.evaluation import plots
from samevoice.export import Exported, export_model
from samevoice.models.encoder import read_model
from samevoice.runtime import default_threads
from samevoice.training.boards import board
from samevoice.training.journal import main_loss, sparse_journal
from samevoice.training.publishing import MODEL, publish, published
from samevoice.training.recipe import Recipe
from samevoice.training.runs import Run, Sources, Watcher
from samevoice.training.trained import trained
from samevoice.training.trainer import SAVE_SECONDS, Moment

CURVES = "curves.png"
CURVE_SECONDS = 20.0
MOST_POINTS = 2_000  # of a curve

TEACHING = timedelta(days=7)  # how long the other processes wait while the first one asks the teacher

DEVICES = ("auto", "cpu")
PRECISIONS = ("auto", "no", "bf16", "fp16")


def train(
    recipe: Recipe,
    table: dict[str, Any],
    sources: Sources,
    out: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    workers: int = 1,
    cache_bytes: int = 1 << 30,
    save_seconds: float = SAVE_SECONDS,
    tensorboard: bool = False,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Train, export, evaluate; several processes of one launcher share the work.

    Args:
        recipe: what to do.
        table: the TOML it was read from.
        sources: what to hear.
        out: folder of the run; an interrupted run there is gone on with.
        device: "cpu", or "auto" for a GPU where there is one.
        precision: "no" for float32, mixed "bf16" or "fp16", or "auto": bf16 where the device computes in it.
        threads: of the processor for the network; None for all cores.
        workers: threads that load sound.
        cache_bytes: decoded sound that is kept in memory.
        save_seconds: from one checkpoint to the next, where no validation comes before.
        tensorboard: write the run for a TensorBoard too.
        watcher: who is told.

    Returns:
        What `result.json` holds; an empty dictionary in all processes but the first.

    Raises:
        ConfigError: an option cannot be honoured, or recipe and data do not fit together.
        DataError: a speaker is on two sides, or there is too little that can be read.
        ModelError: the loss is no longer finite, a checkpoint cannot be written, or the network cannot be exported.
    """
    if device not in DEVICES or precision not in PRECISIONS:
        raise ConfigError(f"device must be one of {', '.join(DEVICES)}, precision one of {', '.join(PRECISIONS)}")
    told = watcher or Watcher()
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    if precision == "auto":
        precision = "bf16" if _computes_in_bf16(on_cpu=on_cpu) else "no"
    try:
        patience = InitProcessGroupKwargs(timeout=TEACHING)
        accelerator = Accelerator(cpu=on_cpu, mixed_precision=precision, kwargs_handlers=[patience])
    except ValueError as error:
        raise ConfigError(f"precision {precision!r} is not for this device ({error}); use --precision no") from error
    count = threads or default_threads()
    torch.set_num_threads(max(1, count // (accelerator.num_processes if accelerator.device.type == "cpu" else 1)))
    if accelerator.is_main_process:
        boards = [board(out)] if tensorboard else []
        told = replace(told, step=_drawing(out, recipe, [told.step, *boards]))
    else:
        told = Watcher(say=lambda _: None)
    try:
        finished = Run(recipe, table, sources, out, accelerator, workers, cache_bytes, told, save_seconds)()
    except RuntimeError as error:
        if accelerator.num_processes == 1 or "closed by peer" not in str(error):
            raise
        raise ModelError("another process of this training has stopped; what it says is the reason") from error
    if not accelerator.is_main_process:
        return {}
    if (result := published(out, finished.parts)) is not None:
        told.say(f"{out}: is finished already")
        return result
    draw_curves(out, recipe)
    return publish(finished, say=told.say)


def _computes_in_bf16(*, on_cpu: bool) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware; elsewhere it would only cost digits."""
    if not on_cpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def export(folder: Path, path: Path, weights: str) -> Exported:
    """The model of a finished run under another name.

    Args:
        folder: of the run.
        path: the `.onnx` to write; its stem becomes the model's name.
        weights: "float32" or "int8".

    Raises:
        ConfigError: the folder holds no finished run, or the weights have another kind.
        ModelError: the network cannot be exported.
    """
    if not (folder / MODEL).is_file():
        raise ConfigError(
            f"{folder}: holds no finished run; start its train command again, it goes on where it stopped"
        )
    card, _ = read_model(folder / MODEL)
    return export_model(trained(folder), replace(card, name=path.stem), path, weights=weights)  # type: ignore[arg-type]


def draw_curves(out: Path, recipe: Recipe) -> None:
    """Draw `curves.png` from the journal, where matplotlib is installed."""
    rows: list[dict[str, Any]] = []
    offset, last = 0, ("", 0)
    for row in sparse_journal(out, MOST_POINTS):
        stage = row["stage"]
        if last[0] not in ("", stage):
            offset += last[1]
        last = (stage, row["step"])
        plan = recipe.stage[stage]
        told = {"step": row["step"] + offset, "stage": stage, "collapse": plan.collapse}
        told["loss"] = main_loss(row, plan.objectives[0].loss)
        rows.append({**told, **{key: row[key] for key in ("eer", "lr") if key in row}})
    with suppress(ConfigError):
        plots.draw_curves(rows, out / CURVES)


def _drawing(out: Path, recipe: Recipe, steps: Sequence[Callable[[Moment], object]]) -> Callable[[Moment], object]:
    """Tell all of every step, and draw after validations, but not all the time."""
    drawn = 0.0

    def tell(moment: Moment) -> None:
        nonlocal drawn
        for step in steps:
            step(moment)
        if moment.validated and time.monotonic() - drawn > CURVE_SECONDS:
            draw_curves(out, recipe)
            drawn = time.monotonic()

    return tell
