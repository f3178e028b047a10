"""The loop: batch, step, validation, checkpoint; one stage after the other.

Knows: the order of things and what to save. Does not know: how a step is taken, what becomes of the model.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from samevoice.errors import ModelError
from samevoice.training.augment.spec import SpecAugment
from samevoice.training.checkpoint import best_path, last_path, load_checkpoint, resume, save_checkpoint
from samevoice.training.journal import Journal
from samevoice.training.learning import Learning
from samevoice.training.lessons import Lesson
from samevoice.training.parallel import agreed, share_batch_norm, united
from samevoice.training.recipe import Recipe
from samevoice.training.stages import Stage
from samevoice.training.trainee import Trainee
from samevoice.training.validation import Outcome, Validator

logger = logging.getLogger(__name__)

SAVE_SECONDS = 60.0  # at most lost by a kill, beside a validation


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a training stands, for whoever watches it.

    Args:
        stage: its name.
        step: steps of the stage that are done.
        steps: of the stage, at most.
        loss: of the last step.
        eer: of the last validation, a fraction.
        wait: share of the time since the stage began (or was taken up) that was spent waiting for data.
        validated: whether a validation has just been made.
    """

    stage: str
    step: int
    steps: int
    loss: float
    eer: float
    wait: float
    validated: bool


@dataclass(slots=True)
class Trainer:
    """Trains a network by a recipe.

    Args:
        recipe: what to do.
        trainee: the network behind its front end.
        lessons: makes the batches and losses of a stage, by its name.
        validator: compares unseen speakers.
        out: folder of the run.
        identity: of recipe and data; a checkpoint of another is not gone on from.
        accelerator: device, processes, precision.
        mask: SpecAugment; None without.
        watch: is told after every step.
        save_seconds: from one checkpoint to the next, where no validation comes before; 0 for one after every step.

    Attributes:
        bad: utterances that could not be heard, and why.
    """

    recipe: Recipe
    trainee: Trainee
    lessons: Callable[[str], Lesson]
    validator: Validator
    out: Path
    identity: str
    accelerator: Accelerator
    mask: SpecAugment | None = None
    watch: Callable[[Moment], object] = lambda _: None
    save_seconds: float = SAVE_SECONDS
    bad: dict[str, str] = field(default_factory=dict)
    _journal: Journal | None = None

    def run(self) -> Outcome:
        """Train all stages, going on where an interrupted run stopped; leaves the kept weights in the network.

        Returns:
            The validation of those weights.

        Raises:
            ModelError: the loss is no longer finite, or a checkpoint cannot be written or read or is of another run.
            DataError: too much of the data cannot be read.
        """
        self.trainee.to(self.accelerator.device)
        if self.accelerator.num_processes > 1:
            share_batch_norm(self.trainee)
        saved = resume(self.out, self.identity)
        if saved:
            self.trainee.network.load_state_dict(saved["network"])
            self.bad |= saved.get("bad", {})
        self.accelerator.wait_for_everyone()  # none may write before all have read
        names = list(self.recipe.stage)
        if self.accelerator.is_main_process:
            self._journal = Journal(self.out, saved["journal"] if saved else 0)
        try:
            for name in names[names.index(saved["stage"]) if saved else 0 :]:
                if not (saved and saved["done"]):
                    self._stage(name, self.recipe.stage[name], saved["learning"] if saved else None)
                    following = names[names.index(name) + 1 :]
                    self._save(following[0] if following else name, None, done=not following)
                saved = None
        finally:
            if self._journal:
                self._journal.close()
        self._load_best(names[-1])
        return self.validator(self.trainee, self.accelerator.autocast)

    def _stage(self, name: str, stage: Stage, saved: dict[str, Any] | None) -> None:
        """One stage, from its beginning or from a checkpoint; leaves the weights it kept in the network."""
        seed = self.recipe.seed * 1_000 + list(self.recipe.stage).index(name)
        torch.manual_seed(seed)  # losses may have weights
        lesson = self.lessons(name)
        learning = Learning(self.trainee, lesson, self.accelerator, self.mask, seed)
        progress = _Progress()
        if saved:
            learning.restore(saved)
            progress = _Progress(*saved["progress"])
        else:
            self._validate(name, learning, progress)
        try:
            self._steps(name, stage, learning, progress)
        finally:
            self.bad |= lesson.loader.describe_bad()
            lesson.loader.close()
        self.bad = united(self.bad, self.accelerator)
        if self._load_best(name) == 0:
            logger.warning("stage %r never got better than it began: its weights are dropped", name)

    def _steps(self, name: str, stage: Stage, learning: Learning, progress: _Progress) -> None:
        """Step by step to the end, or until nothing gets better."""
        self.trainee.train()
        began = saved = time.monotonic()
        waited = 0.0
        batches = learning.lesson.batches(learning.embed)
        while learning.step < stage.steps and not 0 < stage.patience <= progress.waited:
            asked = time.monotonic()
            batch = next(batches)
            got = time.monotonic()
            facts = learning.learn(batch)
            done = time.monotonic()
            waited += got - asked
            self._write(name, learning.step, {**facts, "wait": got - asked, "seconds": done - got})
            due = learning.step % stage.validate_every == 0 or learning.step == stage.steps
            if due:
                self._validate(name, learning, progress)
            elif done - saved >= self.save_seconds:
                self._checkpoint(name, learning, progress)
            if due or done - saved >= self.save_seconds:
                saved = time.monotonic()
            share = waited / max(1e-9, done - began)
            self.watch(Moment(name, learning.step, stage.steps, facts["loss"], progress.eer, share, due))

    def _validate(self, name: str, learning: Learning, progress: _Progress) -> None:
        """Compare unseen speakers, keep the weights if they are to be kept, and save where the run stands."""
        began = time.monotonic()
        try:
            outcome = self.validator(self.trainee, self.accelerator.autocast)
        except ModelError as error:
            raise learning.stopped(str(error)) from error
        progress.eer = agreed(outcome.eer, self.accelerator)
        learning.plateau.look(progress.eer, learning.lesson.stage.optimiser)
        if better := progress.eer < progress.best:
            progress.best, progress.waited = progress.eer, 0
        else:
            progress.waited += 1
        facts = {
            "eer": progress.eer,
            "target_mean": float(outcome.targets.mean()),
            "target_std": float(outcome.targets.std()),
            "non_target_mean": float(outcome.non_targets.mean()),
            "non_target_std": float(outcome.non_targets.std()),
        }
        self._write(name, learning.step, {**facts, "best": better, "seconds": time.monotonic() - began})
        if (better or learning.lesson.stage.keep == "last") and self._journal:
            save_checkpoint(
                best_path(self.out, name),
                {"network": self.trainee.network.state_dict(), "step": learning.step, **facts},
            )
        self._checkpoint(name, learning, progress)

    def _checkpoint(self, name: str, learning: Learning, progress: _Progress) -> None:
        """Save where the run stands."""
        if not learning.finite():
            raise learning.stopped("a weight is NaN or infinite")
        self.bad |= learning.lesson.loader.describe_bad()
        self._save(name, {**learning.state(), "progress": [progress.eer, progress.best, progress.waited]})

    def _save(self, stage: str, learning: dict[str, Any] | None, *, done: bool = False) -> None:
        """The checkpoint to go on from; only the main process writes."""
        if self._journal:
            content = {"identity": self.identity, "stage": stage, "done": done, "learning": learning, "bad": self.bad}
            content |= {"network": self.trainee.network.state_dict(), "journal": self._journal.position()}
            save_checkpoint(last_path(self.out), content)

    def _write(self, stage: str, step: int, facts: dict[str, Any]) -> None:
        """A row of the journal."""
        if self._journal:
            self._journal.write({"stage": stage, "step": step, **facts})

    def _load_best(self, stage: str) -> int:
        """Take the weights that the stage kept; at which step that was."""
        self.accelerator.wait_for_everyone()
        best = load_checkpoint(best_path(self.out, stage))
        self.trainee.network.load_state_dict(best["network"])
        return int(best["step"])


@dataclass(slots=True)
class _Progress:
    """Validation errors so far: the last, the lowest, and how many have passed since."""

    eer: float = math.inf
    best: float = math.inf
    waited: int = 0
