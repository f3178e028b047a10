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
from samevoice.options import checked_number, checked_size

OPTIMISERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "linear", "cosine", "plateau")
FILLINGS = ("repeat", "silence")
HEARD = ("utterances", "crops")
MAX_STEPS = 100_000_000
MAX_SEED = 2**32 - 1  # stages make their own seeds of it
MAX_STRETCH = 0.3
LEAST_PIECE = 0.1  # seconds
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # models and checkpoints are called so


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a word that is not among the known ones."""
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(known)}, got {value!r}")


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
        _one_of("crop.fill", self.fill, FILLINGS)
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
class Objective:
    """One loss of a stage.

    Args:
        loss: a name of `samevoice.losses.LOSSES`; the distillation losses look at the teacher, all others at speakers.
        weight: factor of it in the sum.
        options: of the loss; "speakers" is answered by the data, "dimension" by the network.
    """

    loss: str
    weight: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_number("objective.weight", self.weight, above=0)

    @property
    def distils(self) -> bool:
        """Whether it compares with a teacher instead of speakers."""
        return self.loss.endswith("-distillation")

    @property
    def by_moments(self) -> bool:
        """Whether it compares moment by moment."""
        return self.loss in ("moment-distillation", "statistics-distillation")

    @property
    def by_similarity(self) -> bool:
        """Whether it looks at the teacher's answers for other clips too."""
        return self.loss == "similarity-distillation"


@dataclass(frozen=True, slots=True)
class Optimiser:
    """How weights move.

    Args:
        kind: "adam", "adamw" or "sgd".
        lr: highest learning rate.
        final_lr: learning rate at the end of "linear" and "cosine", and the lowest of "plateau".
        schedule: "constant", "linear", "cosine", or "plateau": halved after `patience` validations without gain.
        warmup: steps of linear rise from zero.
        momentum: of "sgd".
        eps: of "adam" and "adamw".
        weight_decay: decoupled in "adamw"; of "sgd" and "adam" a penalty on all weights.
        kernel_penalty: Keras' L2 on the kernels of convolutions alone: so much times the sum of squares joins the loss.
        clip: longest gradient; 0 to leave it.
        patience: of "plateau".
    """

    kind: str = "adam"
    lr: float = 1e-3
    final_lr: float = 0.0
    schedule: str = "constant"
    warmup: int = 0
    momentum: float = 0.0
    eps: float = 1e-8
    weight_decay: float = 0.0
    kernel_penalty: float = 0.0
    clip: float = 0.0
    patience: int = 10

    def __post_init__(self) -> None:
        _one_of("optimiser.kind", self.kind, OPTIMISERS)
        _one_of("optimiser.schedule", self.schedule, SCHEDULES)
        checked_number("optimiser.lr", self.lr, above=0, high=10)
        checked_number("optimiser.eps", self.eps, above=0, high=1)
        checked_number("optimiser.final_lr", self.final_lr, high=self.lr)
        checked_number("optimiser.momentum", self.momentum, high=0.9999)
        for name in ("weight_decay", "kernel_penalty", "clip"):
            checked_number(f"optimiser.{name}", getattr(self, name))
        checked_size("optimiser.warmup", self.warmup, 0, MAX_STEPS)
        checked_size("optimiser.patience", self.patience, 1)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stretch of training; the next one starts from its best weights.

    Args:
        steps: batches at most.
        sampler: a name of `samevoice.training.SAMPLERS`.
        sampler_options: of the sampler.
        objectives: what is minimised, at least one.
        unlabelled: utterances without a speaker that join each batch, for distillation.
        optimiser: how weights move.
        validate_every: steps from one validation to the next.
        patience: stop after so many validations without a lower error; 0 to go on to the end.
        collapse: value of the loss when all embeddings are alike; drawn into the curves.
    """

    steps: int
    sampler: str
    objectives: tuple[Objective, ...]
    sampler_options: Mapping[str, Any] = field(default_factory=dict)
    unlabelled: int = 0
    optimiser: Optimiser = Optimiser()
    validate_every: int = 200
    patience: int = 0
    collapse: float | None = None

    def __post_init__(self) -> None:
        checked_size("stage.steps", self.steps, 1, MAX_STEPS)
        checked_size("stage.unlabelled", self.unlabelled, 0, 100_000)
        checked_size("stage.validate_every", self.validate_every, 1)
        checked_size("stage.patience", self.patience, 0)
        if not self.objectives:
            raise ConfigError("a stage needs at least one objective; add [[stage.NAME.objectives]]")
        if self.unlabelled and not self.distils:
            raise ConfigError("unlabelled utterances teach only by distillation; add such an objective or set it to 0")

    @property
    def distils(self) -> bool:
        """Whether a teacher is needed."""
        return any(one.distils for one in self.objectives)


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
        _one_of("teacher_hears", self.teacher_hears, HEARD)
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
