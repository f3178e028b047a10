"""Does a training wait for its data, and does its memory grow? The first stage of a recipe, epoch by epoch.

Batches are made and learnt from by what `samevoice train` uses. An epoch is as many steps as show every item once:
the first finds the cache of decoded sound empty, the second finds it full. Both are measured without and with
augmentation, each in a process of its own, and against the floor: the same steps on batches that are in memory.

Run: python -m benchmarks.train_throughput --data DIR   (a few minutes)
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from inspect import signature
from itertools import islice
from pathlib import Path

import torch
from accelerate import Accelerator

from benchmarks.rescnn_step import cpu
from samevoice.corpora.opening import open_corpus
from samevoice.corpora.sounds import Sounds
from samevoice.networks import NETWORKS
from samevoice.options import registered
from samevoice.training.augment.chain import Augmenter
from samevoice.training.augment.options import augment_options
from samevoice.training.cookbook import load_recipe
from samevoice.training.crops import Crops
from samevoice.training.items import items_of, parts
from samevoice.training.learning import Learning
from samevoice.training.lessons import Lesson
from samevoice.training.loading import Batch, Loader
from samevoice.training.recipe import Recipe
from samevoice.training.trained import built
from samevoice.training.trainee import Trainee

AUGMENTED_LIKE = "ecapa"
WARM_UP = 3  # steps that are not counted


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch took: steps, rows, seconds, processor seconds, seconds of waiting, MB after each quarter."""

    steps: int
    rows: int
    wall: float
    used: float
    waited: float
    memory: tuple[float, ...]


def resident() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def epoch(learning: Learning, batches: Iterator[Batch], steps: int) -> Epoch:
    """Learn from so many batches."""
    memory = [resident()]
    rows, waited = 0, 0.0
    began, used = time.perf_counter(), time.process_time()
    for step in range(1, steps + 1):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        learning.learn(batch)
        rows += len(batch.rows)
        if step * 4 // steps > len(memory) - 1:
            memory.append(resident())
    return Epoch(steps, rows, time.perf_counter() - began, time.process_time() - used, waited, tuple(memory))


def epochs(recipe: Recipe, given: argparse.Namespace) -> dict[str, Epoch]:
    """An epoch with an empty cache, one with a full one, and one of batches in memory."""
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    taken = parts(open_corpus(given.data).manifest, recipe.data, recipe.seed)
    items = items_of(taken.train, recipe.data)
    asked = dict(recipe.network.options)
    if "speakers" in signature(registered("network", recipe.network.name, NETWORKS)).parameters:
        asked.setdefault("speakers", len(items.names))
    trainee = Trainee(built(recipe.network.name, asked), recipe.crop.frames)
    rate = trainee.frontend.spec.rate
    augment = Augmenter(augment_options(recipe.augment), rate, noises=[], responses=[]) if recipe.augment else None
    crops = Crops(Sounds(taken.train.root, rate), trainee.frontend, recipe.crop, augment)
    loader = Loader(items, crops, prepare=trainee.prepare, key=(recipe.seed, 0), workers=given.workers)
    name, stage = next(iter(recipe.stage.items()))
    lesson = Lesson(name, stage, items, items, trainee, None, loader, recipe.seed)
    accelerator = Accelerator(cpu=True, mixed_precision=given.precision)
    learning = Learning(trainee.train(), lesson, accelerator, None, recipe.seed)
    first = lesson.loader.load(1 << 40, next(lesson.sampler))
    for _ in range(WARM_UP):
        learning.learn(first)
    batches = lesson.batches(learning.embed)
    steps = given.steps or -(-len(items) // len(first.rows))
    found = {"empty": epoch(learning, batches, steps), "full": epoch(learning, batches, steps)}
    kept = list(islice(batches, steps))
    loader.close()
    return {**found, "batches in memory": epoch(learning, iter(kept), steps)}


def measured(augmented: bool, given: argparse.Namespace) -> dict[str, Epoch]:
    """The epochs of the recipe, with or without augmentation."""
    recipe = load_recipe(given.recipe, small=True)[0]
    if recipe.distils:
        raise SystemExit(f"{given.recipe} has a teacher; measure the recipe of its network instead")
    like = load_recipe(AUGMENTED_LIKE, small=True)[0]
    return epochs(replace(recipe, augment=like.augment if augmented else {}), given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a corpus or a manifest")
    parser.add_argument("--recipe", default="fbanknet", help="its --small profile is taken")
    parser.add_argument("--precision", default="no", choices=("no", "bf16"))
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--workers", type=int, default=1, help="threads that load sound")
    parser.add_argument("--steps", type=int, default=0, help="of an epoch, to try it out; 0 for all items")
    given = parser.parse_args()
    print(f"{cpu()}, torch {torch.__version__}; {given.recipe} --small, precision {given.precision}, ", end="")
    print(f"{given.threads} thread for the network, {given.workers} for sound\n")
    columns = ("augmented", "cache", "steps", "steps/s", "utterances/s", "processor s per step", "waiting", "MB")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for augmented in (False, True):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(measured, (augmented, given))
        for cache, one in found.items():
            cells = [
                "yes" if augmented else "no",
                cache,
                f"{one.steps}",
                f"{one.steps / one.wall:.2f}",
                f"{one.rows / one.wall:.0f}",
                f"{one.used / one.steps:.3f}",
                f"{100 * one.waited / one.wall:.1f} %",
                ", ".join(f"{value:.0f}" for value in one.memory),
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
