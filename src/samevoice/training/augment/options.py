"""Which augmentations a recipe asks for, how often and how strongly.

    [augment]
    room = {chance = 0.4, rt60 = [0.1, 0.7]}
    noise = {chance = 0.6, snr = [0, 20]}
    codec = {names = ["mp3", "amr"]}

A step without a table is left out; a key without a value has its default. Spans are drawn from evenly.

Knows: keys and ranges. Does not know: sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from samevoice.errors import ConfigError
from samevoice.options import checked_number, checked_size
from samevoice.training.tables import from_table

Span = tuple[float, ...]  # lowest and highest value

CODEC_NAMES = ("mp3", "opus", "gsm", "ulaw", "g726", "amr", "aac")
LOUDEST_DB = 60.0
MOST_SOUNDS = 20


@dataclass(frozen=True, slots=True)
class Room:
    """Reverberation.

    Args:
        chance: share of the clips that get it.
        rt60: seconds of decay of made-up rooms; without effect where responses are given.
        direct: direct sound over reverberation in made-up rooms, in dB.
    """

    chance: float = 0.4
    rt60: Span = (0.1, 0.7)
    direct: Span = (-3.0, 12.0)

    def __post_init__(self) -> None:
        checked_number("augment.room.chance", self.chance, high=1)
        _checked_span("augment.room.rt60", self.rt60, 0.02, 10)
        _checked_span("augment.room.direct", self.direct, -20, LOUDEST_DB)


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise behind the voice: the given sounds, or synthetic noise where none are given.

    Args:
        chance: share of the clips that get it.
        snr: power of the clip over that of the noise, in dB.
        sounds: fewest and most of the given sounds at once; [3, 7] makes babble of voices.
        tilt: of synthetic noise: 0 for white, 1 for pink, 2 for brown.
    """

    chance: float = 0.6
    snr: Span = (0.0, 20.0)
    sounds: tuple[int, ...] = (1, 1)
    tilt: Span = (0.0, 1.5)

    def __post_init__(self) -> None:
        checked_number("augment.noise.chance", self.chance, high=1)
        _checked_span("augment.noise.snr", self.snr, -LOUDEST_DB, 100)
        for count in self.sounds:
            checked_size("augment.noise.sounds", count, 1, MOST_SOUNDS)
        _checked_span("augment.noise.sounds", self.sounds, 1, MOST_SOUNDS)
        _checked_span("augment.noise.tilt", self.tilt, 0, 2)


@dataclass(frozen=True, slots=True)
class Colour:
    """The frequency response of another microphone.

    Args:
        chance: share of the clips that get it.
        db: farthest departure from a flat response, either way.
        knots: independent gains over the band.
    """

    chance: float = 0.3
    db: float = 6.0
    knots: int = 5

    def __post_init__(self) -> None:
        checked_number("augment.colour.chance", self.chance, high=1)
        checked_number("augment.colour.db", self.db, high=LOUDEST_DB)
        checked_size("augment.colour.knots", self.knots, 2, 50)


@dataclass(frozen=True, slots=True)
class Band:
    """A narrower band: the telephone's, or a low-pass.

    Args:
        chance: share of the clips that get it.
        telephone: share of those that get 300 to 3,400 Hz; the others get a low-pass.
        top: highest frequency that passes the low-pass, in Hz.
    """

    chance: float = 0.1
    telephone: float = 0.5
    top: Span = (3_000.0, 7_500.0)

    def __post_init__(self) -> None:
        checked_number("augment.band.chance", self.chance, high=1)
        checked_number("augment.band.telephone", self.telephone, high=1)
        _checked_span("augment.band.top", self.top, 500, 400_000)


@dataclass(frozen=True, slots=True)
class Coding:
    """A lossy codec.

    Args:
        chance: share of the clips that get it.
        names: of those to choose from.
    """

    chance: float = 0.2
    names: tuple[str, ...] = ("mp3", "opus", "gsm")

    def __post_init__(self) -> None:
        checked_number("augment.codec.chance", self.chance, high=1)
        if not self.names:
            raise ConfigError(f"augment.codec.names is empty; name some of {', '.join(CODEC_NAMES)}")
        if unknown := [name for name in self.names if name not in CODEC_NAMES]:
            raise ConfigError(f"augment.codec.names: {unknown[0]!r} is unknown; use some of {', '.join(CODEC_NAMES)}")


@dataclass(frozen=True, slots=True)
class Gain:
    """Another level.

    Args:
        chance: share of the clips that get it.
        db: gain in dB.
    """

    chance: float = 0.5
    db: Span = (-10.0, 10.0)

    def __post_init__(self) -> None:
        checked_number("augment.gain.chance", self.chance, high=1)
        _checked_span("augment.gain.db", self.db, -LOUDEST_DB, LOUDEST_DB)


@dataclass(frozen=True, slots=True)
class AugmentOptions:
    """All steps, in their order; None leaves one out."""

    room: Room | None = None
    noise: Noise | None = None
    colour: Colour | None = None
    band: Band | None = None
    codec: Coding | None = None
    gain: Gain | None = None


def augment_options(table: Mapping[str, object]) -> AugmentOptions:
    """The options that a recipe's table holds.

    Raises:
        ConfigError: a key is unknown, or a value of the wrong kind or out of range.
    """
    return from_table(AugmentOptions, table, "augment")


def _checked_span(name: str, span: Span, low: float, high: float) -> None:
    """Refuse what is no pair of rising numbers in a range."""
    for value in span:
        checked_number(name, value, low=low, high=high)
    if len(span) != 2 or span[0] > span[1]:
        raise ConfigError(f"{name} must be a lowest and a highest value, such as [{low:g}, {high:g}], got {list(span)}")
