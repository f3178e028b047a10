"""The grid of slices: where they begin and end.

Knows: seconds. Does not know: audio, speech, models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ConfigError
from samevoice.speech.timeline import Seconds

Times = NDArray[np.float64]

LEAST_LENGTH, LEAST_STEP = 0.5, 0.1  # seconds; less speech says nothing about a voice
MAX_SLICES = 1_000_000  # a day at ten a second
ROUNDING = 1e-6  # of a step: a recording of exactly so many steps has no further slice of nothing


@dataclass(frozen=True, slots=True)
class Grid:
    """Slices of one length, a step apart, from the beginning of a recording; together they cover it.

    Args:
        length: seconds of a slice, >= 0.5.
        step: seconds from the start of one to that of the next, >= 0.1, at most the length.

    Raises:
        ConfigError: one is out of range.
    """

    length: Seconds = 1.5
    step: Seconds = 0.75

    def __post_init__(self) -> None:
        """Refuse what would leave gaps or never end."""
        if not LEAST_LENGTH <= self.length < math.inf:
            raise ConfigError(f"slices of {self.length:g} s cannot be; give a length of at least {LEAST_LENGTH:g} s")
        if not LEAST_STEP <= self.step <= self.length:
            raise ConfigError(
                f"slices of {self.length:g} s every {self.step:g} s cannot be; give a step from {LEAST_STEP:g} s to "
                "their length"
            )

    def slices(self, extent: Seconds) -> tuple[Times, Times]:
        """Starts and ends over a recording, each shape (n,), n >= 1.

        Slice k begins at k steps. The last one ends with the recording, and only that one may be shorter: it is longer
        than the length less a step, or all of a recording that is shorter than a slice.

        Args:
            extent: seconds of the recording, > 0.

        Raises:
            ConfigError: they would be more than a million.
        """
        more = math.ceil(max(extent - self.length, 0.0) / self.step - ROUNDING)
        if more >= MAX_SLICES:
            raise ConfigError(
                f"{extent:.0f} s every {self.step:g} s are over {MAX_SLICES:,} slices; give a longer step"
            )
        starts: Times = np.arange(more + 1) * np.float64(self.step)
        ends: Times = np.minimum(starts + self.length, extent)
        ends[-1] = extent
        return starts, ends


SEEDS = Grid(1.6, 0.5)  # what the first systems of this kind took from a microphone
