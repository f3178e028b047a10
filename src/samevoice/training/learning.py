"""One step of learning: features, embeddings, losses, gradients, weights; and all the state that this has.

Knows: a lesson, an optimiser, several processes. Does not know: files, when to validate or stop.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from samevoice.errors import ModelError
from samevoice.training.augment.spec import SpecAugment
from samevoice.training.lessons import Lesson
from samevoice.training.loading import Batch
from samevoice.training.optimising import Plateau, build_optimiser, kernel_penalty, learning_rate
from samevoice.training.parallel import average_gradients, gathered
from samevoice.training.trainee import Trainee


class Learning:
    """The weights of one stage on their way.

    Args:
        trainee: the network, on its device.
        lesson: batches and losses.
        accelerator: device, processes, precision.
        mask: SpecAugment; None without.
        seed: of the stage, for masks.

    Attributes:
        step: how many are done.
        plateau: of the schedule of that name.
    """

    def __init__(
        self, trainee: Trainee, lesson: Lesson, accelerator: Accelerator, mask: SpecAugment | None, seed: int
    ) -> None:
        self.trainee, self.lesson, self.accelerator, self.mask = trainee, lesson, accelerator, mask
        self.step, self.plateau = 0, Plateau()
        self._seed = seed
        for loss in lesson.losses:
            loss.to(accelerator.device)
        own = {id(one) for one in trainee.parameters()}  # a head that a loss borrowed is the network's
        of_losses = [one for loss in lesson.losses for one in loss.parameters() if id(one) not in own]
        self._parameters = [one for one in (*trainee.parameters(), *of_losses) if one.requires_grad]
        self._labels = torch.tensor(lesson.positions, device=accelerator.device)
        self._optimiser: Any = accelerator.prepare(build_optimiser(lesson.stage.optimiser, self._parameters))

    def learn(self, batch: Batch) -> dict[str, float]:
        """Take one step.

        Returns:
            "loss", the sum that was minimised, of the whole batch; with several objectives each by its name; "norm",
            the length of the gradient before clipping; "lr".

        Raises:
            ModelError: the loss or a gradient is no longer finite; the weights are as they were before.
        """
        settings = self.lesson.stage.optimiser
        rate = learning_rate(settings, self.step, self.lesson.stage.steps, self.plateau)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad()
        try:
            total, parts = self._losses(batch)
        except ModelError as error:  # what networks and losses refuse: they know neither stage nor step
            raise self.stopped(str(error)) from error
        if settings.kernel_penalty:
            parts["penalty"] = kernel_penalty(self.trainee.network, settings.kernel_penalty)
            total = total + parts["penalty"]
        loss = float(total.detach())
        if not math.isfinite(loss):
            raise self.stopped(f"the loss is {loss}")
        self.accelerator.backward(total)
        average_gradients(self._parameters, self.accelerator)
        self.accelerator.unscale_gradients()
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, settings.clip or math.inf))
        if not math.isfinite(norm) and self.accelerator.mixed_precision != "fp16":  # whose scaler skips such a step
            raise self.stopped(f"the gradient is {norm}")
        self._optimiser.step()
        self.step += 1
        several = {key: float(value.detach()) for key, value in parts.items()} if len(parts) > 1 else {}
        return {"loss": loss, **several, "norm": norm if math.isfinite(norm) else 0.0, "lr": rate}

    def embed(self, batch: Batch) -> NDArray[np.float32]:
        """What the network makes of a batch now, without learning: float32 (B, d), of all processes."""
        was = self.trainee.training
        self.trainee.eval()
        with torch.no_grad(), self.accelerator.autocast():
            found = gathered(self.trainee(*self._features(batch)).float())
        self.trainee.train(was)
        answers: NDArray[np.float32] = found.cpu().numpy()
        return answers

    def stopped(self, reason: str) -> ModelError:
        """The error that says where a training stopped because its numbers went astray."""
        name = self.lesson.name
        return ModelError(
            f"stage {name!r}, step {self.step + 1}: {reason}; the last checkpoint is kept: start again in another "
            f"folder with a lower stage.{name}.optimiser.lr, or clip the gradient with stage.{name}.optimiser.clip"
        )

    def finite(self) -> bool:
        """Whether all weights are numbers; a checkpoint holds no others."""
        return all(bool(one.detach().isfinite().all()) for one in self._parameters)

    def state(self) -> dict[str, Any]:
        """Everything that the next steps depend on, beside the network's weights."""
        scaler = self.accelerator.scaler
        return {
            "step": self.step,
            "plateau": [self.plateau.factor, self.plateau.best, self.plateau.waited],
            "lesson": self.lesson.state(),
            "losses": [loss.state_dict() for loss in self.lesson.losses],
            "optimiser": self._optimiser.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave.

        Raises:
            ConfigError: it belongs to other data or another sampler.
        """
        self.lesson.restore(state["lesson"])
        self.step, self.plateau = state["step"], Plateau(*state["plateau"])
        for loss, saved in zip(self.lesson.losses, state["losses"], strict=True):
            loss.load_state_dict(saved)
        self._optimiser.load_state_dict(state["optimiser"])
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if torch.cuda.is_available() and state["cuda"]:
            torch.cuda.set_rng_state_all(state["cuda"])

    def _features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The batch on the device, as features and their lengths."""
        device = self.accelerator.device
        sound, lengths = torch.from_numpy(batch.sound).to(device), torch.from_numpy(batch.lengths).to(device)
        with torch.no_grad():
            return self.trainee.features(sound, lengths)

    def _losses(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of all objectives over the rows of all processes, and each of them by name."""
        features, lengths = self._features(batch)
        if self.mask:
            first = self.accelerator.process_index * len(features)  # in the whole batch: shares change no mask
            places = range(first, first + len(features))
            random = [np.random.default_rng([self._seed, self.step, place]) for place in places]
            features = self.mask(features, lengths, random)
        device = features.device
        rows = gathered(torch.from_numpy(batch.rows).to(device))
        count = len(rows) - self.lesson.unlabelled
        labels = self._labels[rows[:count]]
        moments: Tensor | None = None
        answers: dict[bool, Tensor] = {}
        if any(one.by_moments for one in self.lesson.stage.objectives):
            with self.accelerator.autocast():
                seen, found = self.trainee.moments(features)
            moments, answers[False] = gathered(seen.float()), self._finite(found)
        total, parts = torch.zeros((), device=device), {}
        for objective, loss in zip(self.lesson.stage.objectives, self.lesson.losses, strict=True):
            scores = objective.loss == "cross-entropy"
            if scores not in answers:
                with self.accelerator.autocast():
                    answers[scores] = self._finite(self.trainee(features, lengths, scores=scores))
            if moments is not None and objective.by_moments:
                hints, heard = self._hints(batch, rows, moments.shape[2])
                value = loss(moments, hints, heard) if heard.any() else 0.0 * moments.sum()
            elif objective.distils:
                targets, known = self._targets(batch, rows)
                found, wanted = answers[scores][known], targets[known]
                others = [self.lesson.anchors(device)] if objective.by_similarity else []
                # Of a batch that the teacher is silent about there is nothing to learn: gradients of zero.
                value = loss(found, wanted, *others) if known.any() else 0.0 * answers[scores].sum()
            else:
                value = loss(answers[scores][:count], labels)
            parts[objective.loss] = value
            total = total + objective.weight * value
        return total, parts

    def _targets(self, batch: Batch, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What the teacher says of the crops of all processes, or else of their items; and of which of them."""
        if batch.answers is None:
            return self.lesson.targets(rows)
        told = gathered(torch.from_numpy(batch.answers).to(rows.device))
        return told, told.any(dim=1)

    def _hints(self, batch: Batch, rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """And what it knows of their moments."""
        if batch.moments is None:
            return self.lesson.moments(rows, gathered(torch.from_numpy(batch.starts).to(rows.device)), count)
        told = gathered(torch.from_numpy(batch.moments).to(rows.device))
        return told, torch.ones(len(told), told.shape[2], dtype=torch.bool, device=told.device)

    def _finite(self, found: Tensor) -> Tensor:
        """What the network answers in all processes, and then looked at: all of them stop, or none."""
        answers: Tensor = gathered(found.float())
        if not bool(answers.isfinite().all()):
            raise ModelError("the network answers NaN or infinity")
        return answers
