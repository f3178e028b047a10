"""What all samplers share: an endless, seeded row of batches that can be left and taken up again.

Batch k is a function of data, settings, seed and k alone: each batch has a random generator of its own. A trainer that
fetches batches ahead can therefore save the number of batches it has *used* and lose none. Mined triplets are the
exception: their batch k also depends on the history, that is on every embedding recorded before it. A trainer that
fetches those ahead must keep what `state` gives right after each batch, and save the one of the last batch it used.

Knows: seeds, counting, saving. Does not know: what a batch looks like.
"""

from __future__ import annotations

import logging
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from samevoice.errors import ConfigError
from samevoice.losses import Layout
from samevoice.options import checked_size
from samevoice.training.index import Rows, UtteranceIndex

logger = logging.getLogger(__name__)

State = dict[str, Any]  # plain JSON


class Sampler(ABC):
    """An endless iterator over batches; each batch is an int64 array of utterance numbers of the index.

    Args:
        index: the corpus.
        seed: whole number >= 0; the same seed, settings and data give the same batches (with the same numpy).
        settings: what else decides the batches, for the saved state.

    Attributes:
        kind: its name in `SAMPLERS`.
        layout: how the rows of its batches are arranged; "any" if in no order that a loss could need.
        index: the corpus.
        excluded: labels of speakers that cannot be used because they have a single utterance; also logged.

    Raises:
        ConfigError: the seed is not a whole number >= 0.
    """

    kind: ClassVar[str]
    layout: ClassVar[Layout] = "any"

    def __init__(self, index: UtteranceIndex, seed: int, settings: Mapping[str, int | bool]) -> None:
        checked_size("seed", seed, 0)
        self.index = index
        self.excluded: Rows = index.speakers[:0]
        self._identity: State = {"sampler": self.kind, "data": index.digest, "seed": seed, **settings}
        self._stream = [zlib.crc32(self.kind.encode()), seed]
        self._batch = 0

    def __iter__(self) -> Self:
        """Itself: it never ends, and it goes on where it was left."""
        return self

    def __next__(self) -> Rows:
        """The next batch."""
        drawn = self._draw(self._batch)
        self._batch += 1
        return drawn

    @abstractmethod
    def _draw(self, number: int) -> Rows:
        """Batch `number`, counted from 0."""

    def _generator(self, number: int) -> np.random.Generator:
        """The random numbers of batch (or epoch) `number`, unrelated to those of any other or of another sampler."""
        return np.random.default_rng([*self._stream, number])

    def state(self) -> State:
        """Where the sampler stands, as plain JSON; `batch` is how many batches it has given."""
        return {**self._identity, "batch": self._batch}

    def check(self, state: Mapping[str, Any]) -> None:
        """Refuse a state that `restore` cannot take; changes nothing.

        Args:
            state: what `state` gave, possibly after a trip through JSON.

        Raises:
            ConfigError: it was saved by another sampler, with other settings or other data, or it is damaged.
        """
        if not isinstance(state, Mapping):
            raise ConfigError(
                f"the saved state of the sampler must be what `state` gave, got {type(state).__name__}; go back to an "
                f"older checkpoint"
            )
        for name, here in self._identity.items():
            if state.get(name) != here:
                raise ConfigError(
                    f"the saved state of the sampler has {name} {state.get(name)!r}, this one {here!r}; build the "
                    f"sampler with the data and settings it was saved with"
                )
        checked_size("batch in the saved state of the sampler", state.get("batch"), 0)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state: the next batches are those that would have come then. All of it or nothing.

        Args:
            state: what `state` gave, possibly after a trip through JSON.

        Raises:
            ConfigError: it was saved by another sampler, with other settings or other data, or it is damaged; the
                sampler stands where it stood.
        """
        self.check(state)
        self._batch = state["batch"]

    def _needs_partners(self) -> Rows:
        """Positions of the speakers with two or more utterances; the others are put into `excluded` and logged."""
        needs_two_speakers(self.index)
        usable = self.index.with_partner
        if not len(usable):
            raise ConfigError(
                "no speaker has two utterances, so there is no positive; add recordings of the same speakers"
            )
        self.excluded = self.index.alone
        if len(self.excluded):
            logger.warning(
                "%s: %d of %d speakers have a single utterance and cannot give a positive",
                self.kind,
                len(self.excluded),
                len(self.index.speakers),
            )
        return usable


def needs_two_speakers(index: UtteranceIndex) -> None:
    """Refuse data in which nobody is different.

    Raises:
        ConfigError: there is one speaker only.
    """
    if len(index.speakers) < 2:
        raise ConfigError(
            "the data hold 1 speaker, so there is no negative; add recordings of at least one other person"
        )


def fits(name: str, value: int, limit: int, unit: str) -> None:
    """Refuse a batch that asks for more than the data hold.

    Raises:
        ConfigError: the value exceeds the limit.
    """
    if value > limit:
        raise ConfigError(f"{name} is {value}, but the data hold {limit} {unit}; use at most {limit} or add recordings")
