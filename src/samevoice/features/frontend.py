"""What a front end is, and how its recipe is written down.

A front end cuts sound into short frames and describes each by a few numbers. Every one here works frame by
frame first (`frames`: frame i depends only on samples i x hop - lead to i x hop + width) and over a whole stretch
second (`normalise`), so that a long recording can be walked through in blocks (`walk`) with the same result.

Knows: the protocol and the serialisable spec. Does not know: which kinds there are (`kinds`), networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import MAX_RATE, MIN_RATE, Samples, Waveform, as_float, check_samples
from samevoice.errors import AudioError, ModelError

__all__ = ["Frontend", "FrontendSpec", "build_frontend"]

Features = NDArray[np.float32]

MAX_BANDS = 1024  # more than any recipe has use for


@dataclass(frozen=True, slots=True)
class FrontendSpec:
    """The recipe of a front end as plain data; it is part of a model's card and of its fingerprint.

    Args:
        kind: name of the implementation (a key of `samevoice.features.kinds.KINDS`).
        rate: sample rate the recipe works at, in Hz.
        bands: numbers per frame.
        options: further settings of that kind; unknown ones are refused when it is built.
    """

    kind: str
    rate: int
    bands: int
    options: Mapping[str, float | str | bool] = field(default_factory=dict)


class Frontend(Protocol):
    """From samples to features; a recipe says its sizes, `frames` and `normalise`, and inherits the rest.

    Attributes:
        spec: the recipe.
        width: samples that one frame looks at, from its start.
        hop: samples from the start of one frame to that of the next.
        lead: samples before its start that a frame looks at too; before a recording they are zeros.
    """

    spec: FrontendSpec
    width: int
    hop: int
    lead: int = 0

    def count(self, samples: int) -> int:
        """Frames of a complete recording of so many samples: those that lie inside, unless a recipe pads its end.

        Args:
            samples: at the recipe's rate.
        """
        return max(0, 1 + (samples - self.width) // self.hop)

    def frames(self, samples: Samples, /, count: int | None = None) -> Features:
        """Frames of consecutive samples, the first of which starts at `samples[lead]`.

        Args:
            samples: shape (lead + n,), at the rate of the spec.
            count: how many frames to give; those that reach beyond the end see the recipe's padding. By default
                all that lie inside: 1 + (n - width) // hop, none when n < width.

        Returns:
            Shape (count, bands).
        """

    def normalise(self, features: Features, /) -> Features:
        """Whatever the recipe does over a stretch of frames as a whole, shape unchanged.

        Args:
            features: float32 (frames, bands).
        """

    def __call__(self, sound: NDArray[np.generic] | Waveform, /) -> Features:
        """The whole recipe on one complete stretch of sound.

        Args:
            sound: a `Waveform` of n samples, or bare samples of shape (n,), floats in [-1, 1] or integers of full
                scale. Bare samples must have the rate of the spec: nobody can check it.

        Returns:
            Shape (count(n), bands).

        Raises:
            AudioError: the sound has another rate or shape, is not finite, or is too short for one frame.
        """
        kind, samples = self.spec.kind, samples_at_rate(sound, self.spec)
        if samples.ndim != 1:
            raise AudioError(f"{kind}: samples have shape {samples.shape}; give one channel of shape (n,)")
        floats = as_float(samples)
        check_samples(floats, kind)
        count = self.count(len(floats))
        if count == 0:
            least = 1 if self.count(1) else self.width
            raise AudioError(f"{kind}: {len(floats)} samples hold no frame; give at least {least}")
        return self.normalise(self.frames(np.concatenate([self._silence(), floats]), count))

    def walk(self, blocks: Iterable[Samples]) -> Iterator[Features]:
        """The frames of a recording that comes in blocks, not yet normalised; together they are those of the whole.

        Args:
            blocks: consecutive samples, each float32 (n,); frames may straddle them.

        Yields:
            For each block the frames that end in it, then those that reach beyond the end: `count` in all.
        """
        rest, heard, given = self._silence(), 0, 0
        for block in blocks:
            joined = np.concatenate([rest, block])
            features = self.frames(joined)
            heard, given = heard + len(block), given + len(features)
            rest = joined[len(features) * self.hop :]
            yield features
        yield self.frames(rest, self.count(heard) - given)

    def _silence(self) -> Samples:
        """What lies before a recording."""
        return np.zeros(self.lead, dtype=np.float32)


def build_frontend(spec: FrontendSpec) -> Frontend:
    """The front end that a spec describes.

    Args:
        spec: kind, rate, bands and options.

    Raises:
        ModelError: the kind is unknown, or cannot do the rate, the bands or an option of the spec.
    """
    from samevoice.features.kinds import kind_of  # which imports this file

    return kind_of(spec.kind).build(spec)


def samples_at_rate(sound: NDArray[np.generic] | Waveform, spec: FrontendSpec) -> NDArray[np.generic]:
    """The samples of a sound, if its rate is that of a recipe or is not known.

    Args:
        sound: a `Waveform`, or bare samples, which are given back unseen.
        spec: the recipe.

    Raises:
        AudioError: the sound has another rate.
    """
    if not isinstance(sound, Waveform):
        return sound
    if sound.rate != spec.rate:
        raise AudioError(
            f"{spec.kind} works at {spec.rate} Hz, the sound has {sound.rate} Hz; resample it to {spec.rate} Hz first"
        )
    return sound.samples


def check_spec(spec: FrontendSpec, *, rate: int | None = None, bands: int | None = None) -> None:
    """Refuse what a front end without options, and possibly of one rate and size, cannot do.

    It is called before anything is built: a C library ends the process when asked for the impossible.

    Args:
        spec: the recipe asked for.
        rate: the only rate that the kind works at, in Hz; None if it takes any.
        bands: the only number of bands that it gives; None if it gives any.

    Raises:
        ModelError: the spec asks for something else.
    """
    if spec.options:
        raise ModelError(f"front end {spec.kind} takes no options, got {', '.join(sorted(spec.options))}")
    if rate is not None and spec.rate != rate:
        raise ModelError(f"front end {spec.kind} works at {rate} Hz, not at {spec.rate} Hz; set the rate to {rate}")
    if bands is not None and spec.bands != bands:
        raise ModelError(f"front end {spec.kind} gives {bands} bands, not {spec.bands}; set the bands to {bands}")
    if not (MIN_RATE <= spec.rate <= MAX_RATE and 1 <= spec.bands <= MAX_BANDS):
        raise ModelError(
            f"front end {spec.kind} cannot do {spec.bands} bands at {spec.rate} Hz; "
            f"set a rate of {MIN_RATE} to {MAX_RATE} Hz and 1 to {MAX_BANDS} bands"
        )
