"""From an item to what the network hears of it in one step: a stretch from a random place, at its speed, augmented.

A crop is a function of the item and of the random numbers it is given, nothing else.

Knows: places, lengths, filling. Does not know: batches, features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samevoice.corpora.sounds import Sounds
from samevoice.effects.speed import change_speed
from samevoice.features.frontend import Frontend
from samevoice.training.items import Item
from samevoice.training.recipe import Crop

Samples = NDArray[np.float32]


def samples_for(frontend: Frontend, frames: int) -> int:
    """How many samples give exactly so many frames, each of them filled as far as the front end allows."""
    count = (frames - 1) * frontend.hop + frontend.width
    while frontend.count(count) > frames:  # front ends that pad the end need less
        count -= 1
    return count


class Taken(NamedTuple):
    """One crop.

    Args:
        samples: shape (n,).
        own: how many of them are the item's own, the rest being silence.
        start: where it begins, in seconds of the utterance as it sounds at the speed of the crop.
        clean: what is the item's own, before the augmentation, shape (own,).
    """

    samples: Samples
    own: int
    start: float
    clean: Samples


@dataclass(frozen=True, slots=True)
class Crops:
    """Makes crops.

    Args:
        sounds: where utterances are read, at the rate of the front end.
        frontend: of the network; gives the sizes.
        crop: how long, and what follows shorter pieces.
        augment: changes a crop, given random numbers; None to leave it.
    """

    sounds: Sounds
    frontend: Frontend
    crop: Crop
    augment: Callable[[Samples, np.random.Generator], Samples] | None = None

    @property
    def length(self) -> int:
        """Samples of a crop."""
        return samples_for(self.frontend, self.crop.frames)

    def take(self, item: Item, random: np.random.Generator) -> Taken:
        """One crop.

        Args:
            item: what to hear.
            random: draws the place and the augmentation.

        Returns:
            `length` samples.

        Raises:
            AudioError: its sound cannot be read.
        """
        length, rate, piece = self.length, self.frontend.spec.rate, item.piece
        speed = item.speed
        if self.crop.stretch:
            speed *= (1 + self.crop.stretch) ** random.uniform(-1, 1)
        held = max(1, round(piece.seconds * rate))  # of a piece of no sample the reader says so
        wanted = min(held, round(length * speed))
        spare = held - wanted
        first = round(piece.start * rate) + int(random.integers(spare + 1))
        samples = self.sounds.read(piece.utterance, first / rate, wanted / rate)
        if speed != 1.0:
            samples = change_speed(samples, rate, speed)
        own = min(len(samples), length)
        if own < length and (self.crop.fill == "repeat" or spare):  # with sound to spare it is a sample of rounding
            samples, own = np.resize(samples, length), length
        clean = samples[:own]
        samples = self.augment(clean, random) if self.augment else clean
        return Taken(np.pad(samples[:own], (0, length - own)), own, first / rate / speed, clean)
