"""What is learnt in each stretch of a training, and how weights move: the plain values of a recipe's tables.

Knows: their ranges. Does not know: the rest of a recipe (`recipe`), how any of it is done; it needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from samevoice.errors import ConfigError
from samevoice.options import checked_number, checked_size, checked_word

OPTIMISERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "linear", "cosine", "plateau")
KEPT = ("best", "last")
MAX_STEPS = 100_000_000


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
        checked_word("optimiser.kind", self.kind, OPTIMISERS)
        checked_word("optimiser.schedule", self.schedule, SCHEDULES)
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
    """One stretch of training; the next one starts from the weights it keeps.

    Args:
        steps: batches at most.
        sampler: a name of `samevoice.training.SAMPLERS`.
        sampler_options: of the sampler.
        objectives: what is minimised, at least one.
        unlabelled: utterances without a speaker that join each batch, for distillation.
        optimiser: how weights move.
        validate_every: steps from one validation to the next.
        patience: stop after so many validations without a lower error; 0 to go on to the end.
        keep: "best", the weights of the lowest validation error, or "last": where a teacher tells what is right and the
            few validation speakers could only choose by chance.
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
    keep: str = "best"
    collapse: float | None = None

    def __post_init__(self) -> None:
        checked_size("stage.steps", self.steps, 1, MAX_STEPS)
        checked_size("stage.unlabelled", self.unlabelled, 0, 100_000)
        checked_size("stage.validate_every", self.validate_every, 1)
        checked_size("stage.patience", self.patience, 0)
        checked_word("stage.keep", self.keep, KEPT)
        if not self.objectives:
            raise ConfigError("a stage needs at least one objective; add [[stage.NAME.objectives]]")
        if self.unlabelled and not self.distils:
            raise ConfigError("unlabelled utterances teach only by distillation; add such an objective or set it to 0")

    @property
    def distils(self) -> bool:
        """Whether a teacher is needed."""
        return any(one.distils for one in self.objectives)


@dataclass(frozen=True, slots=True)
class Shrink:
    """How the teacher is shrunk into the network before the first stage; see `samevoice.training.succession`.

    Args:
        layers: for each dense block of the teacher the numbers, from 1 and rising, of the layers that the network
            keeps: as many as its own block has.
        network: what the teacher is: "campplus", or another of its plan.
        steps: of the entry, which learns to answer as the teacher's does.
        batch: crops of a step.
        crops: that the rest is fitted on.
        exit_crops: that the exit is fitted on after the last stage; 0 to leave it.
        optimiser: how the entry learns.
    """

    layers: tuple[tuple[int, ...], ...]
    network: str = "campplus"
    steps: int = 1_200
    batch: int = 64
    crops: int = 1_280
    exit_crops: int = 12_800
    optimiser: Optimiser = Optimiser(kind="adamw", lr=0.003, schedule="cosine", warmup=50, weight_decay=0.01, clip=5.0)

    def __post_init__(self) -> None:
        checked_size("shrink.steps", self.steps, 1, MAX_STEPS)
        checked_size("shrink.batch", self.batch, 2, 100_000)
        checked_size("shrink.crops", self.crops, 2, 100_000)
        checked_size("shrink.exit_crops", self.exit_crops, 0, 1_000_000)
