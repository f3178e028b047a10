"""From a list of recordings to a finished dataset: blocks out to the workers, results back onto the disk.

A lost worker costs a second attempt at its block. A block that loses two is done recording by recording, and a
recording that loses two on its own is noted as bad.

Knows: the order of the work. Does not know: processes, clusters, files.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from samevoice.batch.cluster import RayPool
from samevoice.batch.dataset import Dataset, Description, at_work, read_description
from samevoice.batch.listing import Listing
from samevoice.batch.local import LocalPool
from samevoice.batch.parts import Bad, Outcome, require_parquet
from samevoice.batch.pool import Lost, Pool, Task
from samevoice.batch.worker import Job
from samevoice.errors import ConfigError, DataError, ModelError
from samevoice.models import store
from samevoice.models.card import ModelCard
from samevoice.options import checked_size
from samevoice.runtime import cores

LEAST_BLOCK, MOST_BLOCK = 16, 1_024  # recordings
BLOCKS = 64  # into which a corpus is cut if that keeps to these sizes
MAX_BLOCK = 65_536
MAX_WORKERS = 4_096
ATTEMPTS = 2  # at a block, and then at each recording of it
MAX_LOSSES = 20  # workers lost in a row, with nothing done in between

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left.

    Args:
        dataset: finished.
        embedded: recordings with an embedding.
        bad: recordings without, including those that the corpus could not list.
        done: recordings that this run went through; 0 if the dataset was finished before.
    """

    dataset: Dataset
    embedded: int
    bad: int
    done: int


def embed_corpus(
    listing: Listing,
    folder: Path,
    *,
    model: str,
    workers: int | None = None,
    ray: str | None = None,
    block: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Embed all recordings of a list into a dataset, or the rest of them if an earlier run was stopped.

    The dataset's bytes depend on the list, the model and the size of a block, not on workers, stops or losses.

    Args:
        listing: see `list_recordings`.
        folder: of the dataset; new, empty, or with the same dataset begun.
        model: a name of the zoo, or the path of an .onnx file.
        workers: processes; None for one per core of this machine or of the cluster.
        ray: address of a Ray cluster, "local" for one of its own on this machine; None for processes without Ray.
        block: recordings that share a file; None for what the dataset has, or else what suits the number.
        progress: told (recordings that this run is through with, recordings that it has to do).

    Raises:
        ConfigError: an option is out of range, a library is missing, nothing can be written, another run is at work in
            the folder, or workers are lost again and again.
        DataError: the folder holds something else.
        ModelError: the model cannot be used.
    """
    require_parquet()
    if workers is not None:
        checked_size("--workers", workers, 1, MAX_WORKERS)
    if block is not None:
        checked_size("--block", block, 1, MAX_BLOCK)
    card, name = _named(model)
    count = len(listing.items)
    size = block or _begun_block(folder) or min(max(-(-count // BLOCKS), LEAST_BLOCK), MOST_BLOCK)
    wanted = Description(card.name, card.fingerprint, card.dimension, listing.digest, count, size)
    job = Job(listing.root, name, card.fingerprint)
    with at_work(folder, wanted) as dataset:
        tasks = [Task(number, 0, listing.items[number * size : (number + 1) * size]) for number in dataset.pending()]
        total = done = sum(len(task.items) for task in tasks)
        if tasks:
            dataset.write_problems(listing.problems)
            most = workers if ray is not None else min(workers or cores(), len(tasks))
            pool: Pool = LocalPool(job, most or 1) if ray is None else RayPool(job, ray, most)
            with pool:
                done = 0
                for task, outcomes in _finished(pool, tasks):
                    dataset.write(task.block, task.items, outcomes)
                    done += len(outcomes)
                    if progress:
                        progress(done, total)
        embedded, bad = dataset.counts()
        return Result(dataset, embedded, bad, done)


def _named(model: str) -> tuple[ModelCard, str]:
    """The card of a model, and the name by which any process finds it."""
    path = Path(model).resolve() if store.is_path(model) else None
    card, _ = store.load_file(path) if path else store.load(model)
    if card.frontend is None or not card.dimension:
        raise ModelError(f"{card.name}: is a {card.kind} model, not one for speaker embeddings; choose another")
    return card, str(path or model)


def _begun_block(folder: Path) -> int | None:
    """The size of a block in a dataset that was begun."""
    try:
        return read_description(folder).block
    except DataError:  # nothing there, or something else, which is refused when the dataset is opened
        return None


def _finished(pool: Pool, blocks: Sequence[Task]) -> Iterator[tuple[Task, list[Outcome]]]:
    """The blocks with all their outcomes, as they come to their end."""
    whole = {task.block: task for task in blocks}
    found: dict[int, dict[int, Outcome]] = {}
    for task, answer in _answers(pool, deque(blocks)):
        known = found.setdefault(task.block, {})
        known.update(enumerate(answer, task.start))
        items = whole[task.block].items
        if len(known) == len(items):
            del found[task.block]
            yield whole[task.block], [known[place] for place in range(len(items))]


def _answers(pool: Pool, tasks: deque[Task]) -> Iterator[tuple[Task, list[Outcome]]]:
    """Tasks with their outcomes; what was lost is tried again."""
    in_a_row = 0
    while tasks or pool.busy:
        while tasks and pool.idle:
            pool.submit(tasks.popleft())
        task, answer = pool.wait()
        if isinstance(answer, Lost):
            in_a_row += 1
            if in_a_row >= MAX_LOSSES:
                raise ConfigError(
                    f"{in_a_row} workers in a row ended before their work ({answer.how}); give fewer --workers or free "
                    "memory, and run the same command again: finished blocks are kept"
                )
            if task is None:
                continue
            tasks.extendleft(reversed(_again(task)))
            answer = _given_up(task, answer)
        elif task is not None:
            in_a_row = 0
        if tasks and pool.idle:  # before the disk is waited for
            pool.submit(tasks.popleft())
        if task is not None and answer:
            yield task, answer


def _again(task: Task) -> list[Task]:
    """What to do after a worker was lost over a task."""
    if task.losses + 1 < ATTEMPTS:
        return [replace(task, losses=task.losses + 1)]
    if len(task.items) == 1:
        return []
    return [Task(task.block, task.start + place, (item,)) for place, item in enumerate(task.items)]


def _given_up(task: Task, lost: Lost) -> list[Outcome]:
    """The outcome of a recording that no worker survives; nothing as long as there is another attempt."""
    if _again(task):
        return []
    (item,) = task.items
    reason = f"{item.path}: ended its worker {ATTEMPTS} times ({lost.how}); listen to it, and leave it out"
    return [Bad("lost", reason)]
