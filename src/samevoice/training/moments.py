"""What a teacher knows of each moment of every utterance, computed once before the training and kept beside it.

The teacher hears whole utterances without augmentation, at every speed the student will hear. Its moments lie in one
file of half precision that is mapped, not read: there are fifty a second, of 512 numbers each.

Knows: a teacher that pools moments, its answers on disk. Does not know: losses.
Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015 (hints from the middle of a teacher).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.corpora.sounds import Sounds
from samevoice.effects.speed import change_speed
from samevoice.embedder import Model
from samevoice.errors import ConfigError, ModelError, SamevoiceError
from samevoice.models.describer import Pooled
from samevoice.training.items import Item
from samevoice.training.teaching import CHUNK, SAVE_SECONDS, Answers, identified, keep, placed, restored

LONGEST = 60.0  # seconds of an utterance that the teacher hears
HALF = np.dtype("<f2")
LARGEST = float(np.finfo(HALF).max)

Frames = NDArray[np.float32]


class Moments:
    """The moments of items, read where they are wanted.

    Args:
        path: of the file, (all moments, channels), half precision.
        channels: of a moment.
        bounds: first and one-past-last moment of each item, (items, 2).
        seconds: from one moment to the next.
    """

    def __init__(self, path: Path, channels: int, bounds: NDArray[np.int64], seconds: float) -> None:
        """Map the file."""
        self._values: Any = np.empty((0, channels), HALF)
        if path.stat().st_size:
            self._values = np.memmap(path, dtype=HALF, mode="r").reshape(-1, channels)
        self.channels, self._bounds, self._seconds = channels, bounds, seconds

    def window(self, row: int, start: float, count: int) -> tuple[Frames, NDArray[np.bool_]]:
        """A stretch of an item's utterance, between the teacher's moments interpolated.

        Args:
            row: number of the item.
            start: of the stretch, in seconds of the utterance at the item's speed.
            count: moments.

        Returns:
            Moments, float32 (count, channels); and which of them the teacher heard, (count,).
        """
        first, last = self._bounds[row].tolist()
        place = start / self._seconds
        whole = int(place)
        values = np.zeros((count, self.channels), dtype=np.float32)
        known = max(0, min(count, last - first - 1 - whole))  # each lies between two of the teacher's
        if known:
            found = self._values[first + whole : first + whole + known + 1].astype(np.float32)
            share = np.float32(place - whole)
            values[:known] = found[:-1] + share * (found[1:] - found[:-1])
        return values, np.arange(count) < known


def teacher_moments(
    items: Sequence[Item],
    teacher: Model,
    sounds: Sounds,
    path: Path,
    *,
    identity: str,
    tell: Callable[[float, float], object] | None = None,
) -> tuple[Answers, Moments]:
    """The teacher's embedding of each item's utterance, and its moments.

    Args:
        items: what will be learnt from.
        teacher: a model that describes each moment before it pools them.
        sounds: where utterances are read, at the rate of the teacher.
        path: an `.npz` where answers are kept, with the moments beside it; an interrupted computation goes on.
        identity: of the data; answers kept under another are not used.
        tell: is told how many utterances are done, and of how many.

    Returns:
        Unit vectors, float32 (items, d), zeros where there is too little to hear; and the moments.

    Raises:
        ConfigError: the teacher does not pool moments.
        ModelError: the answers cannot be written.
    """
    describer = teacher.describer
    if not isinstance(describer, Pooled):
        raise ConfigError(f"{teacher.card.name} describes no moments to learn from; choose another teacher")
    keys, places, todo = placed(items)
    answers = np.zeros((len(places), teacher.card.dimension), dtype=np.float32)
    ends = np.zeros(len(places), dtype=np.int64)
    identity = identified(identity, teacher, f"moments {LONGEST}", places)
    done = restored(path, identity, {"answers": answers, "ends": ends})
    raw = path.with_suffix(".moments")
    try:
        with raw.open("r+b" if done and raw.exists() else "wb") as stream:
            size = int(ends[done - 1]) * describer.channels * HALF.itemsize if done else 0
            if stream.seek(0, 2) < size:
                done = size = 0  # half of what belongs together
            stream.truncate(size)
            stream.seek(size)
            saved = time.monotonic()
            for one in todo[done:]:
                sequence = _heard(one, sounds, describer)
                if sequence.shape[1]:
                    answers[done] = describer.embed(sequence, np.ones((1, sequence.shape[1]), dtype=np.bool_))[0]
                stream.write(np.clip(sequence.T, -LARGEST, LARGEST).astype(HALF).tobytes())
                ends[done] = (ends[done - 1] if done else 0) + sequence.shape[1]
                done += 1
                if done % CHUNK == 0 or done == len(places):
                    if tell:
                        tell(float(done), float(len(places)))
                    if done == len(places) or time.monotonic() - saved > SAVE_SECONDS:
                        stream.flush()
                        keep(path, identity, {"answers": answers, "ends": ends}, done)
                        saved = time.monotonic()
    except OSError as error:
        raise ModelError(f"{raw}: cannot be written ({error.strerror}); make room and start again") from error
    rows = np.array([places[key] for key in keys])
    bounds = np.stack([np.concatenate([[0], ends[:-1]])[rows], ends[rows]], axis=1)
    return answers[rows], Moments(raw, describer.channels, bounds, describer.stride / sounds.rate)


def _heard(item: Item, sounds: Sounds, describer: Pooled) -> Frames:
    """The moments of an item's utterance at the item's speed; none where it cannot be read."""
    utterance = item.piece.utterance
    try:
        samples = sounds.read(utterance, 0.0, min(LONGEST, utterance.seconds))
        return describer.sequence(change_speed(samples, sounds.rate, item.speed) if item.speed != 1.0 else samples)
    except SamevoiceError:
        return np.empty((describer.channels, 0), dtype=np.float32)  # whoever trains on it will say why
