"""Batches of sound, fetched ahead by threads while the network learns.

What a batch holds depends on its number alone, never on which thread was faster, and every row has random numbers of
its own: a run that is taken up again hears what it would have heard. A recording that cannot be read is replaced by
another of the same speaker, remembered with the reason, and counted.

Knows: rows, threads, substitutes. Does not know: networks, losses.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import AudioError, ConfigError, DataError
from samevoice.training.crops import Crops, Samples, Taken
from samevoice.training.index import Rows
from samevoice.training.items import Items

AHEAD = 4  # batches, or as many as there are threads
MOST_BAD = 0.2  # of all utterances; beyond it something is wrong with the corpus, not with a file

Teach = Callable[[Samples], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step learns from.

    Args:
        sound: crops (B, n), or what `prepare` made of them, float32.
        lengths: samples of each crop that are its own, shape (B,).
        rows: item number of each, shape (B,).
        starts: seconds from the beginning of the utterance, as it sounds at the item's speed, shape (B,).
        answers: what a teacher says of each crop, if one hears them, (B, d), zeros where it has no answer; else None.
        moments: and what it knows of each moment of it, (B, channels, t).
    """

    sound: NDArray[np.float32]
    lengths: NDArray[np.int64]
    rows: Rows
    starts: NDArray[np.float64]
    answers: NDArray[np.float32] | None = None
    moments: NDArray[np.float32] | None = None


class Loader:
    """Makes batches out of rows.

    Args:
        items: what rows are numbers of.
        crops: makes a crop of an item.
        prepare: what is done to a crop in the loading thread; None for nothing.
        key: numbers that tell this loader's random numbers from those of any other.
        workers: threads.
        share: (which, of how many): the contiguous part of every batch that this process loads.
        teach: what a teacher says of a crop as it is before the augmentation, and what it knows of its moments;
            called by the loading threads. None without.

    Attributes:
        any_speaker: whether another speaker may take the place of one who cannot be heard at all; only where rows
            need no order.
        bad: item number -> why it cannot be heard, of all that were met so far.
    """

    def __init__(
        self,
        items: Items,
        crops: Crops,
        *,
        prepare: Callable[[Samples], NDArray[np.float32]] | None = None,
        key: Sequence[int] = (0,),
        workers: int = 1,
        share: tuple[int, int] = (0, 1),
        teach: Teach | None = None,
    ) -> None:
        self.any_speaker = False
        self.bad: dict[int, str] = {}
        self._silent: set[str] = set()  # utterances with a bad item: pieces and speeds of one are one loss
        self._utterances = len({one.piece.utterance.id for one in items.items})
        self._lock = threading.Lock()
        self._share = share
        self._ahead = max(AHEAD, workers)
        self._items, self._crops, self._prepare, self._key = items, crops, prepare, tuple(key)
        self._teach = teach
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="samevoice-loader")

    def stream(self, rows: Iterator[tuple[int, Rows]]) -> Iterator[Batch]:
        """Batches in order, some of them made ahead.

        Args:
            rows: number of a batch and its rows, one after the other; it is read ahead too.

        Raises:
            DataError: nothing can take the place of a recording that cannot be read.
        """
        waiting: deque[Future[Batch]] = deque()
        try:
            for number, found in rows:
                waiting.append(self._pool.submit(self.load, number, found))
                if len(waiting) > self._ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()

    def load(self, number: int, rows: Rows) -> Batch:
        """One batch, or this process's share of it, here and now.

        Args:
            number: of the batch.
            rows: item numbers of the whole batch, shape (B,).

        Raises:
            ConfigError: the rows cannot be dealt out evenly.
            DataError: nothing can take the place of a recording that cannot be read, or too many cannot.
        """
        sounds, lengths, used, starts, taught = [], [], [], [], []
        which, count = self._share
        if len(rows) % count:
            raise ConfigError(
                f"{count} processes cannot share a batch of {len(rows)} rows evenly; change the batch in the recipe, "
                f"or the number of processes"
            )
        size = len(rows) // count
        first = which * size
        for place, row in enumerate(rows[first : first + size].tolist()):
            random = np.random.default_rng([*self._key, number, first + place])
            taken, item = self._row(row, random)
            sounds.append(self._prepare(taken.samples) if self._prepare else taken.samples)
            lengths.append(taken.own)
            used.append(item)
            starts.append(taken.start)
            if self._teach:
                taught.append(self._teach(taken.clean))
        answers, moments = (np.stack(one) for one in zip(*taught, strict=True)) if taught else (None, None)
        return Batch(np.stack(sounds), np.array(lengths), np.array(used), np.array(starts), answers, moments)

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def describe_bad(self) -> Mapping[str, str]:
        """Utterances that cannot be heard, and why."""
        with self._lock:  # threads may be at work
            found = sorted(self.bad.items())
        return {self._items.items[row].piece.utterance.id: why for row, why in found}

    def _row(self, row: int, random: np.random.Generator) -> tuple[Taken, int]:
        """A crop of an item, or of another of the same speaker; and which item it is."""
        candidates = [row]
        for attempt in candidates:
            try:
                return self._crops.take(self._items.items[attempt], random), attempt
            except AudioError as error:
                self._note(attempt, error)
            if attempt == row:
                candidates += self._others(row, random)
        raise DataError(
            f"no recording of speaker {self._items.items[row].speaker} can be read ({self.bad[row]}); mend or remove "
            f"them, then scan the corpus again"
        )

    def _note(self, row: int, error: AudioError) -> None:
        """Remember what cannot be heard, and stop if it is too much."""
        with self._lock:
            self.bad[row] = str(error)
            self._silent.add(self._items.items[row].piece.utterance.id)
            count = len(self._silent)
        if count > max(1, MOST_BAD * self._utterances):
            raise DataError(
                f"{count} of {self._utterances} recordings cannot be read, the last because of: {error}; check the "
                f"corpus with: samevoice data scan"
            ) from error

    def _others(self, row: int, random: np.random.Generator) -> list[int]:
        """Who can take its place: the speaker's other items, in random order; of an unlabelled one all others.

        With `any_speaker`, everybody else who is named follows.
        """
        index = self._items.index
        position = index.positions[row]
        start, count = index.starts[position], index.counts[position]
        same = index.order[start : start + count]
        named = self._items.items[row].speaker is not None
        others: list[int] = random.permutation(same if named else np.arange(len(index))).tolist()
        if named and self.any_speaker:
            strangers = random.permutation(np.flatnonzero(index.positions != position)).tolist()
            others += [other for other in strangers if self._items.items[other].speaker is not None]
        return [other for other in others if other != row]
