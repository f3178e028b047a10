"""How a small network succeeds a large one: what a run takes over before its first stage, and mends after its last.

First the small network's entry learns, by steps, to answer each moment as the large one's does; then the body behind it
is fitted (`shrinking`). Both hear the same crops, augmented or not. What was learnt is kept beside the checkpoints, so
that a killed run goes on with it. When all stages are done the exit is fitted to what the teacher says of clean crops.

Knows: loaders, optimisers, the large network's weights. Does not know: stages, how a body or an exit is fitted.
Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015 (a student's first layers learn a teacher's hint).
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from samevoice.errors import ConfigError, ModelError
from samevoice.networks.campplus import DenselyConnected
from samevoice.training.checkpoint import load_checkpoint, save_checkpoint
from samevoice.training.index import Rows
from samevoice.training.inheriting import inherit
from samevoice.training.items import Items
from samevoice.training.loading import Batch, Loader
from samevoice.training.optimising import Plateau, build_optimiser, learning_rate
from samevoice.training.shrinking import check_layers, fit_body, fit_exit
from samevoice.training.stages import Shrink
from samevoice.training.trained import built
from samevoice.training.trainee import Trainee

SAVE_SECONDS = 60.0
STREAM = (zlib.crc32(b"shrink"),)  # of random numbers that no stage draws
FLOOR = 0.01  # of the mean variance: what a channel that hardly moves is measured by


class Succession:
    """Shrinks a teacher into a trainee, and fits its exit at the end.

    Args:
        trainee: whose network is changed in place; of the plan of CAM++.
        teacher: name of the model to shrink, or the path of its file.
        plan: what is kept and how long is learnt.
        loader: makes crops.
        taught: makes crops with what the teacher says of them.
        items: what they are made of.
        accelerator: device and precision.
        path: of the file that keeps what was learnt, in a folder that is this run's.

    Raises:
        ConfigError: a network is of another plan, or the teacher holds no such network, or the plan does not fit them.
        ModelError: the teacher cannot be read.
    """

    def __init__(
        self,
        trainee: Trainee,
        teacher: str,
        plan: Shrink,
        loader: Loader,
        taught: Loader,
        items: Items,
        accelerator: Accelerator,
        path: Path,
    ) -> None:
        large = built(plan.network, {})
        for key, one in (("network", trainee.network), ("shrink.network", large)):
            if not isinstance(one, DenselyConnected):
                raise ConfigError(f"{key}: shrink is for networks of the plan of CAM++, not {type(one).__name__}")
        inherit(large, teacher, [""])
        self._network = cast("DenselyConnected", trainee.network)
        self._trainee = trainee.to(accelerator.device)
        large = large.eval().requires_grad_(requires_grad=False).to(accelerator.device)
        self._teacher = cast("DenselyConnected", large)
        check_layers(self._network, self._teacher, plan.layers)
        self._plan, self._loader, self._taught, self._items = plan, loader, taught, items
        self._accelerator, self._path = accelerator, path

    def begin(self, tell: Callable[[float, float], object]) -> float | None:
        """Shrink, or take up again; the main process does, and the others read what it kept.

        Args:
            tell: gets the steps that are done, and of how many.

        Returns:
            The mean cosine of both networks' embeddings; None where an earlier call was done with it.

        Raises:
            DataError: too little can be heard.
            ModelError: what was kept cannot be read or written; the loss is not finite.
        """
        main = self._accelerator.is_main_process
        cosine = self._shrunk(tell) if main else None
        self._accelerator.wait_for_everyone()
        if not main:
            self._shrunk(tell)
        return cosine

    def _shrunk(self, tell: Callable[[float, float], object]) -> float | None:
        """Everything that `begin` is for, in this process."""
        parts = [*self._network.head.parameters(), *self._network.xvector.tdnn.parameters()]
        optimiser: Any = build_optimiser(self._plan.optimiser, parts)
        done = self._restored(optimiser)
        if done > self._plan.steps:
            return None
        saved = time.monotonic()
        self._network.train()
        for batch in self._batches(self._loader, done, self._plan.steps):
            self._step(optimiser, parts, batch, done)
            done += 1
            if done == self._plan.steps or time.monotonic() - saved > SAVE_SECONDS:
                self._keep(done, optimiser)
                saved = time.monotonic()
            tell(done, self._plan.steps)
        self._network.eval()
        beyond = self._plan.steps + self._count(self._plan.crops)
        heard = [self._entries(batch) for batch in self._batches(self._loader, self._plan.steps, beyond)]
        own, aim = (torch.cat(one).float().cpu() for one in zip(*heard, strict=True))
        self._loader.close()
        cosine = fit_body(self._network.cpu(), self._teacher.cpu(), own, aim, self._plan.layers)
        self._network.to(self._accelerator.device)
        self._keep(self._plan.steps + 1, optimiser)
        return cosine

    def finish(self, path: Path, tell: Callable[[float, float], object]) -> None:
        """Fit the exit to what the teacher says of clean crops; the network hears them augmented.

        The main process does so, once, and the others read what it kept.

        Args:
            path: of the weights of the last stage, which are changed too.
            tell: gets the crops that are heard, and of how many.

        Raises:
            DataError: too little can be heard.
            ConfigError: the loader has no teacher.
            ModelError: the weights cannot be read or written.
        """
        if self._accelerator.is_main_process and not (kept := load_checkpoint(path)).get("fitted"):
            self._fit(tell)
            save_checkpoint(path, {**kept, "network": self._network.state_dict(), "fitted": True})
        self._accelerator.wait_for_everyone()
        self._network.load_state_dict(load_checkpoint(path)["network"])

    def _fit(self, tell: Callable[[float, float], object]) -> None:
        """The exit, in this process."""
        pooled, answers = [], []
        first = self._plan.steps + self._count(self._plan.crops)
        count = self._count(self._plan.exit_crops)
        self._network.eval()
        for batch in self._batches(self._taught, first, first + count):
            if batch.answers is None:
                raise ConfigError("the exit can only be fitted to a teacher that hears crops")
            with torch.no_grad(), self._accelerator.autocast():
                pooled.append(self._network.pooled(self._features(batch)).float().cpu())
            answers.append(torch.from_numpy(batch.answers))
            tell(len(answers) * self._plan.batch, count * self._plan.batch)
        self._taught.close()
        wanted = torch.cat(answers)
        known = wanted.any(dim=1)
        fit_exit(self._network.cpu(), torch.cat(pooled)[known], wanted[known])
        self._network.to(self._accelerator.device)

    def _count(self, crops: int) -> int:
        """In how many batches there are so many crops."""
        return -(-crops // self._plan.batch)

    def _features(self, batch: Batch) -> Tensor:
        """What the network sees of a batch."""
        device = self._accelerator.device
        sound, lengths = (torch.from_numpy(one).to(device) for one in (batch.sound, batch.lengths))
        return self._trainee.features(sound, lengths)[0]

    def _step(self, optimiser: Any, parts: list[torch.nn.Parameter], batch: Batch, step: int) -> None:
        """One step of the entry."""
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(self._plan.optimiser, step, self._plan.steps, Plateau())
        own, aim = self._entries(batch, learning=True)
        own, aim = own.float(), aim.float()
        spread = aim.var(dim=(0, 2), keepdim=True)
        loss = ((own - aim).square() / (spread + FLOOR * spread.mean())).mean()
        if not loss.isfinite():
            raise ModelError(f"shrink, step {step + 1}: the loss is {float(loss)}; lower shrink.optimiser.lr")
        optimiser.zero_grad()
        self._accelerator.backward(loss)
        torch.nn.utils.clip_grad_norm_(parts, self._plan.optimiser.clip)
        optimiser.step()

    def _entries(self, batch: Batch, *, learning: bool = False) -> tuple[Tensor, Tensor]:
        """What both networks' entries make of a batch, each (B, width, t)."""
        with self._accelerator.autocast():
            with torch.no_grad():
                features = self._features(batch)
                aim = self._teacher.entry(features)
            with torch.set_grad_enabled(learning):
                return self._network.entry(features), aim

    def _batches(self, loader: Loader, first: int, beyond: int) -> Iterator[Batch]:
        """Batches by number; what is in one depends on its number alone."""

        def rows() -> Iterator[tuple[int, Rows]]:
            for number in range(first, beyond):
                random = np.random.default_rng([*STREAM, number])
                yield number, random.integers(len(self._items), size=self._plan.batch)

        yield from loader.stream(rows())

    def _keep(self, done: int, optimiser: Any) -> None:
        """Write where it stands: steps of the entry, one more when the body is fitted too."""
        state = {"network": self._network.state_dict(), "optimiser": optimiser.state_dict()}
        save_checkpoint(self._path, {"done": done, **state})

    def _restored(self, optimiser: Any) -> int:
        """Go on from what was kept; how far that was."""
        if not self._path.is_file():
            return 0
        saved = load_checkpoint(self._path)
        self._network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        return int(saved["done"])
