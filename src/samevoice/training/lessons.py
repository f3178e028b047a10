"""What a stage learns from and by: its batches, its losses, its teacher.

Knows: recipes, samplers, losses. Does not know: optimisers, steps, checkpoints.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from samevoice import losses
from samevoice.errors import ConfigError
from samevoice.losses import LOSSES
from samevoice.losses.base import Loss
from samevoice.options import registered
from samevoice.training import build_sampler, check_layouts
from samevoice.training.index import Rows
from samevoice.training.items import Items
from samevoice.training.loading import Batch, Loader
from samevoice.training.mining import MinedTripletSampler
from samevoice.training.moments import Moments
from samevoice.training.parallel import gathered
from samevoice.training.stages import Objective, Stage
from samevoice.training.trainee import Trainee

logger = logging.getLogger(__name__)

Embed = Callable[[Batch], NDArray[np.float32]]

ANCHORS = 1 << 14  # as many similarities as a step can afford
CANDIDATES = 1 << 40  # numbers of their batches begin here, so that they share no random numbers with the others


class Lesson:
    """One stage's batches and losses.

    The first rows of a batch come from the sampler; `stage.unlabelled` others join them.

    Args:
        name: of the stage.
        stage: what the recipe says of it.
        items: labelled items, then unlabelled ones, in one list.
        labelled: how many are labelled.
        trainee: the network that the losses are for.
        teacher: the teacher's answer for each item, (items, d), zeros where it has none; None without a teacher.
        loader: makes batches of rows.
        seed: of the run.
        moments: what the teacher knows of each moment; None without.

    Attributes:
        losses: one for each objective.
        excluded: speakers that the sampler cannot use, because they have a single item.
        unlabelled: how many rows of each batch have no speaker.

    Raises:
        ConfigError: sampler, losses, network and data do not fit together.
    """

    def __init__(
        self,
        name: str,
        stage: Stage,
        items: Items,
        labelled: Items,
        trainee: Trainee,
        teacher: NDArray[np.float32] | None,
        loader: Loader,
        seed: int,
        moments: Moments | None = None,
    ) -> None:
        self.name, self.stage, self.loader = name, stage, loader
        self._trainee = trainee
        self.positions = labelled.index.positions
        self.teacher = None if teacher is None else torch.from_numpy(teacher)
        self._moments = moments
        self._anchors: torch.Tensor | None = None
        self._stream = [zlib.crc32(name.encode()), seed]
        self._others = np.arange(len(labelled), len(items))
        if teacher is not None:
            self._others = self._others[teacher[self._others].any(axis=1)]
        self.unlabelled = stage.unlabelled if len(self._others) else 0
        if self.unlabelled < stage.unlabelled:
            logger.warning("stage %r asks for unlabelled utterances, but the data hold none; it learns without", name)
        try:
            self.sampler = build_sampler(stage.sampler, labelled.index, stage.sampler_options, seed)
        except ConfigError as error:
            raise ConfigError(f"stage {name!r}: {error} (--set stage.{name}.sampler_options.OPTION=...)") from error
        loader.any_speaker = self.sampler.layout == "any"  # a substitute brings its own label
        self.excluded = [labelled.names[number] for number in self.sampler.excluded]
        self.losses = [self._loss(one, trainee, len(labelled.names)) for one in stage.objectives]
        self.used = 0

    def batches(self, embed: Embed) -> Iterator[Batch]:
        """Batches from where the lesson stands; all but mined ones are made ahead.

        Args:
            embed: the network as it is now, for mined triplets: the embeddings of a batch of candidates.
        """
        if isinstance(self.sampler, MinedTripletSampler):
            yield from self._mined(self.sampler, embed)
        for batch in self.loader.stream(self._rows()):
            self.used += 1
            yield batch

    def state(self) -> str:
        """Where the lesson stands, counted in batches that were used, not in those made ahead."""
        return json.dumps({**self.sampler.state(), "batch": self.used})

    def restore(self, state: str) -> None:
        """Go on from there.

        Raises:
            ConfigError: the state is that of another sampler or of other data.
        """
        found = json.loads(state)
        self.sampler.restore(found)
        self.used = found["batch"]

    def targets(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The teacher's answers for items (B,): shape (B, d); and which of them it has."""
        if self.teacher is None:
            raise ConfigError(f"stage {self.name!r} has no teacher")
        found = self.teacher[rows.cpu()].to(rows.device)
        return found, found.any(dim=1)

    def anchors(self, device: torch.device) -> torch.Tensor:
        """What the teacher says of items all over the data, evenly chosen, at most `ANCHORS`: shape (M, d)."""
        if self.teacher is None:
            raise ConfigError(f"stage {self.name!r} has no teacher")
        if self._anchors is None:
            answered = self.teacher[self.teacher.any(dim=1)]
            chosen = np.linspace(0, len(answered) - 1, min(len(answered), ANCHORS)).round().astype(np.int64)
            self._anchors = answered[torch.from_numpy(chosen)].to(device)
        return self._anchors

    def moments(self, rows: torch.Tensor, starts: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What the teacher knows of crops of items, moment by moment.

        Args:
            rows: numbers of the items, (B,).
            starts: of the crops, in seconds of the utterances at the items' speeds, (B,).
            count: moments of a crop.

        Returns:
            Shape (B, channels, count); and which of them it heard, (B, count).
        """
        if self._moments is None:
            raise ConfigError(f"stage {self.name!r} has no teacher that describes moments")
        found = [self._moments.window(*one, count) for one in zip(rows.tolist(), starts.tolist(), strict=True)]
        values, known = (torch.from_numpy(np.stack(one)).to(rows.device) for one in zip(*found, strict=True))
        return values.transpose(1, 2), known

    def _rows(self) -> Iterator[tuple[int, Rows]]:
        """Number and rows of each batch."""
        for number, rows in enumerate(self.sampler, start=self.used):
            yield number, self._with_others(number, rows)

    def _mined(self, sampler: MinedTripletSampler, embed: Embed) -> Iterator[Batch]:
        """Batches that depend on what the network makes of candidates now."""
        while True:
            candidates = self.loader.load(CANDIDATES + self.used, next(sampler.candidates))
            embeddings = embed(candidates)
            device = next(self._trainee.parameters()).device
            rows = gathered(torch.from_numpy(candidates.rows).to(device))  # of all processes, as the embeddings are
            sampler.record(rows.cpu().numpy(), embeddings)
            batch = self.loader.load(self.used, self._with_others(self.used, next(sampler)))
            self.used += 1
            yield batch

    def _with_others(self, number: int, rows: Rows) -> Rows:
        """The sampler's rows and some that have no speaker."""
        if not self.unlabelled:
            return rows
        random = np.random.default_rng([*self._stream, number])
        more = len(self._others) < self.unlabelled
        return np.concatenate([rows, random.choice(self._others, self.unlabelled, replace=more)])

    def _loss(self, objective: Objective, trainee: Trainee, speakers: int) -> Loss:
        """One loss, with what data, network and teacher answer by themselves."""
        answered: dict[str, Any] = {}
        takes = signature(registered("loss", objective.loss, LOSSES)).parameters
        if "speakers" in takes:
            answered["speakers"] = speakers
        if "teacher_dimension" in takes and self.teacher is not None:
            answered["teacher_dimension"] = self.teacher.shape[1]
        if (asked := objective.options.get("speakers")) is not None and asked != speakers:
            raise ConfigError(
                f"stage {self.name!r}: {objective.loss} is asked for {asked} speakers, but the data hold {speakers} "
                f"voices; leave the option out"
            )
        built = losses.build(objective.loss, {**answered, **objective.options}, trainee.network)
        if not objective.distils:
            check_layouts(self.sampler, built)
        return built
