"""What a training is: data, network, stages, as plain values.

Knows: what a recipe holds and its ranges. Does not know: where recipes lie (`cookbook`), how any of it is done; it
needs no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from samevoice.effects.speed import FASTEST, SLOWEST
from samevoice.errors import ConfigError
from samevoice.options import checked_number, checked_size, checked_word
from samevoice.training.stages import Shrink, Stage

FILLINGS = ("repeat", "silence")
HEARD = ("utterances", "crops")
MAX_SEED = 2**32 - 1  # stages make their own seeds of it
MAX_STRETCH = 0.3
LEAST_PIECE = 0.1  # seconds
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # models and checkpoints are called so


@dataclass(frozen=True, slots=True)
class Data:
    """Which sound is learnt from.

    Args:
        pieces: cut utterances into equal pieces of about so many seconds, each an utterance of its own to the
            sampler; 0 to leave them whole, else at least 0.1. For corpora with one utterance per speaker: positives
            then share a session.
        least: leave out utterances shorter than this, in seconds.
        speeds: factors of playing speed; every utterance is there once at each.
        speeds_are_speakers: a voice at another speed counts as another speaker.
        valid: share of the speakers kept for validation where the data name no such split.
    """

    pieces: float = 0.0
    least: float = 0.5
    speeds: tuple[float, ...] = (1.0,)
    speeds_are_speakers: bool = True
    valid: float = 0.1

    def __post_init__(self) -> None:
        checked_number("data.pieces", self.pieces, high=3600)
        if 0 < self.pieces < LEAST_PIECE:
            raise ConfigError(f"data.pieces must be 0 or at least {LEAST_PIECE:g} s, got {self.pieces:g}")
        checked_number("data.least", self.least, high=3600)
        checked_number("data.valid", self.valid, above=0, high=0.5)
        for speed in self.speeds:
            checked_number("data.speeds", speed, low=SLOWEST, high=FASTEST)
        if not self.speeds or len(set(self.speeds)) != len(self.speeds):
            raise ConfigError(f"data.speeds must name at least one speed, each once, got {list(self.speeds)}")


@dataclass(frozen=True, slots=True)
class Crop:
    """What of a piece the network sees in one step: a stretch from a random place.

    Args:
        frames: its length in frames of the front end.
        fill: what follows a shorter piece: "repeat" it from its start, or "silence".
        stretch: each crop is played faster or slower than its item by a share of up to so much, 0 to 0.3, drawn anew;
            a voice becomes many, of which nobody is heard twice.
    """

    frames: int = 160
    fill: str = "repeat"
    stretch: float = 0.0

    def __post_init__(self) -> None:
        checked_size("crop.frames", self.frames, 1, 60_000)
        checked_word("crop.fill", self.fill, FILLINGS)
        checked_number("crop.stretch", self.stretch, high=MAX_STRETCH)


@dataclass(frozen=True, slots=True)
class Network:
    """Which network is trained; see `samevoice networks`.

    Args:
        name: of the network.
        options: its options; "speakers" is answered by the data.
        momentum: share of each batch in the running statistics of batch normalisation; None leaves the network's own.
            Keras' 0.01 needs some hundred steps before the network answers outside training as it does in training.
        inherit: what the names of those tensors begin with that are taken over before the training; "" for all.
        inherit_from: the model that has them, by name or file; the teacher where it is left out.
        frozen: and of those that stay as they are.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    momentum: float | None = None
    inherit: tuple[str, ...] = ()
    inherit_from: str = ""
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.momentum is not None:
            checked_number("network.momentum", self.momentum, above=0, high=1)


@dataclass(frozen=True, slots=True)
class Validation:
    """How unseen speakers are compared during the training.

    Args:
        seconds: length of the pieces; every pair of them is a trial.
        speakers_at_most: of more validation speakers, so many are used.
    """

    seconds: float = 3.0
    speakers_at_most: int = 200

    def __post_init__(self) -> None:
        checked_number("validation.seconds", self.seconds, above=0, high=600)
        checked_size("validation.speakers_at_most", self.speakers_at_most, 2)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training.

    Args:
        name: short name.
        summary: one sentence on what it trains.
        source: who published it, and what differs here.
        needs: what data and time it takes at full size.
        network: what is trained.
        stage: its stages in order, by name.
        data: which sound is learnt from.
        crop: what is seen in one step.
        augment: see `samevoice.training.augment`.
        mask: SpecAugment on the features; see there too.
        teacher: model that distillation learns from.
        teacher_hears: "utterances", once, before the training, whose answers are kept; or the "crops" of every step
            as they are before the augmentation, which costs its time in every step (Beyer et al., "Knowledge
            Distillation: A Good Teacher Is Patient and Consistent", CVPR 2022).
        shrink: how the network begins with what is left of the teacher; None to begin otherwise.
        validation: how unseen speakers are compared.
        seed: of everything random, 0 to 2**32 - 1.
    """

    name: str
    summary: str
    source: str
    needs: str
    network: Network
    stage: Mapping[str, Stage]
    data: Data = Data()
    crop: Crop = Crop()
    augment: Mapping[str, Any] = field(default_factory=dict)
    mask: Mapping[str, Any] = field(default_factory=dict)
    teacher: str = "campplus"
    teacher_hears: str = "utterances"
    shrink: Shrink | None = None
    validation: Validation = Validation()
    seed: int = 0

    def __post_init__(self) -> None:
        checked_size("seed", self.seed, 0, MAX_SEED)
        if not self.stage:
            raise ConfigError(f"recipe {self.name!r} has no stage; add [stage.NAME]")
        if self.network.inherit and not (self.distils or self.network.inherit_from):
            raise ConfigError(
                "network.inherit takes from a teacher, but no stage has one; add a distillation loss or "
                "network.inherit_from"
            )
        if self.shrink and (self.network.inherit or not self.distils or self.teacher_hears != "crops"):
            raise ConfigError(
                'shrink needs a teacher that hears crops: a distillation loss, teacher_hears = "crops", and no '
                "network.inherit beside it"
            )
        checked_word("teacher_hears", self.teacher_hears, HEARD)
        if self.crop.stretch and self.distils and self.teacher_hears != "crops":
            raise ConfigError('crop.stretch makes voices that the teacher has not heard; add teacher_hears = "crops"')
        if self.teacher_hears == "crops" and self.crop.fill != "repeat":
            raise ConfigError('a teacher that hears crops needs full ones: crop.fill = "repeat"')
        low, high = min(self.data.speeds) / (1 + self.crop.stretch), max(self.data.speeds) * (1 + self.crop.stretch)
        if low < SLOWEST or high > FASTEST:
            raise ConfigError(
                f"data.speeds and crop.stretch give speeds of {low:.2f} to {high:.2f}; keep them within 0.5 to 2"
            )
        for name in (self.name, *self.stage):
            if not _FILE_NAME.fullmatch(name):
                raise ConfigError(f"recipe and stages become file names: use A-Z, a-z, 0-9, - and _ in {name!r}")

    @property
    def distils(self) -> bool:
        """Whether a teacher is needed."""
        return any(stage.distils for stage in self.stage.values())

    @property
    def by_moments(self) -> bool:
        """Whether the teacher is asked for its moments."""
        return any(one.by_moments for stage in self.stage.values() for one in stage.objectives)
