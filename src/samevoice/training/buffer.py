"""A shuffle buffer over a file of contiguous speakers: how SpeechIdentity made its batches, kept for comparison.

Positives meet in a batch only because the buffer is short against the file. Nothing guarantees them:
`index.pair_counts` tells how many rows stand alone.

Knows: the buffer. Does not know: losses. Use `pk` to train.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from samevoice.options import checked_size
from samevoice.training.index import Rows, UtteranceIndex
from samevoice.training.sampler import Sampler, fits

__all__ = ["BufferSampler"]


class BufferSampler(Sampler):
    """Batches of B rows in the order in which a shuffle buffer releases them, epoch after epoch.

    An epoch gives n // B batches; the rest of its utterances is dropped. Each epoch is shuffled anew.

    Args:
        index: the corpus; its utterances are read speaker by speaker.
        batch: B.
        buffer: utterances held back; 1 leaves the order as it is, n or more shuffles completely.
        seed: whole number >= 0.

    Raises:
        ConfigError: the batch is larger than the data, or a size is not a whole number above 0.

    Source: SpeechIdentity (tf.data: shuffle 3,840, batch 384, drop remainder).
    """

    kind: ClassVar[str] = "buffer"

    def __init__(self, index: UtteranceIndex, batch: int = 384, buffer: int = 3840, *, seed: int = 0) -> None:
        checked_size("batch", batch, 1)
        checked_size("buffer", buffer, 1)
        super().__init__(index, seed, {"size": batch, "buffer": buffer})
        fits("batch", batch, len(index), "utterances")
        self.batch = batch
        self.buffer = buffer
        self.batches_per_epoch = len(index) // batch
        self._epoch = -1
        self._released = index.order[:0]

    def _draw(self, number: int) -> Rows:
        """A slice of its epoch's order, which is made when the epoch begins and again after a restore."""
        epoch, step = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            self._released = self.index.order[released(len(self.index), self.buffer, self._generator(epoch))]
            self._epoch = epoch
        return self._released[step * self.batch : (step + 1) * self.batch]


def released(count: int, buffer: int, random: np.random.Generator) -> Rows:
    """The order in which a shuffle buffer lets `count` items go that arrive as 0, 1, 2, ...

    The buffer is filled; then a random item leaves and the next one takes its slot; at the end the rest leaves in
    random order. Item i leaves at step i - buffer + 1 or later.

    Args:
        count: number of items, at least 1.
        buffer: slots, at least 1.
        random: source of random numbers.

    Returns:
        A permutation of 0..count-1, shape (count,).
    """
    slots = np.arange(min(buffer, count))
    order = np.empty(count, dtype=np.int64)
    arriving = range(len(slots), count)
    for step, (slot, item) in enumerate(zip(random.integers(len(slots), size=len(arriving)), arriving, strict=True)):
        order[step] = slots[slot]
        slots[slot] = item
    order[len(arriving) :] = random.permutation(slots)
    return order
