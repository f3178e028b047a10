"""What a front end is, and how its recipe is written down.

A front end cuts sound into short frames and describes each by a few numbers. Every one here works frame by
frame first (`frames`: frame i depends only on samples i x hop to i x hop + width) and over a whole stretch
second (`normalise`), so that a long recording can be walked through in blocks with the same result.

Knows: the protocol, the serialisable spec and the table of kinds. Does not know: networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ModelError

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FrontendSpec:
    """The recipe of a front end as plain data; it is part of a model's card and of its fingerprint.

    Args:
        kind: name of the implementation (a key of `KINDS`).
        rate: sample rate the recipe works at, in Hz.
        bands: numbers per frame.
        options: further settings of that kind; unknown ones are refused when it is built.
    """

    kind: str
    rate: int
    bands: int
    options: Mapping[str, float | str | bool] = field(default_factory=dict)


class Frontend(Protocol):
    """From samples to features, in two steps that allow streaming."""

    @property
    def spec(self) -> FrontendSpec:
        """The recipe."""

    @property
    def width(self) -> int:
        """Samples that one frame looks at."""

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""

    def frames(self, samples: NDArray[np.float32], /) -> Features:
        """Frames of a stretch of samples, shape (1 + (n - width) // hop, bands); none when n < width."""

    def normalise(self, features: Features, /) -> Features:
        """Whatever the recipe does over a stretch of frames as a whole, shape unchanged."""


def build_frontend(spec: FrontendSpec) -> Frontend:
    """The front end that a spec describes.

    Raises:
        ModelError: the kind is unknown, or an option is not one of its.
    """
    from samevoice.features.kaldi import KaldiFbank
    from samevoice.features.melspec import MelPower

    kinds: dict[str, Callable[[FrontendSpec], Frontend]] = {"kaldi-fbank": KaldiFbank, "mel-power": MelPower}
    if spec.kind not in kinds:
        raise ModelError(
            f"front end {spec.kind!r} is unknown here; update samevoice (known: {', '.join(sorted(kinds))})"
        )
    return kinds[spec.kind](spec)
