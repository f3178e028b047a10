"""A whole run: from a recipe and a corpus to a trained network and its folder.

    run.json            recipe, data, machine, versions
    log.jsonl           a row per step and per validation
    curves.png          drawn from it
    checkpoints/        last.pt to go on from, best-STAGE.pt
    teacher.npz         the teacher's answers, where there is one

Knows: how the parts fit together. Does not know: what becomes of the network afterwards (`publishing`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch.nn.modules.batchnorm import _BatchNorm

from samevoice.corpora.manifest import Manifest
from samevoice.corpora.sounds import Sounds
from samevoice.embedder import Model
from samevoice.errors import ConfigError
from samevoice.loading import load_model
from samevoice.networks import NETWORKS
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.options import registered, with_options
from samevoice.speech.vad import everything
from samevoice.training.augment.chain import augmenter_of
from samevoice.training.augment.spec import SpecAugment
from samevoice.training.checkpoint import best_path, resume
from samevoice.training.crops import Crops
from samevoice.training.inheriting import inherit, terms_of
from samevoice.training.items import Items, Parts, digest_of, items_of, joined, parts
from samevoice.training.journal import prepare_folder
from samevoice.training.lessons import Lesson
from samevoice.training.loading import Loader
from samevoice.training.moments import Moments, teacher_moments
from samevoice.training.recipe import Recipe
from samevoice.training.runfile import claimed, describe_run, identity_of, inherited_licences
from samevoice.training.succession import Succession
from samevoice.training.teaching import teacher_answers
from samevoice.training.trained import best_weights, built
from samevoice.training.trainee import Trainee
from samevoice.training.trainer import SAVE_SECONDS, Moment, Trainer
from samevoice.training.tutor import Tutor
from samevoice.training.validation import Outcome, Validator

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told how a run gets on.

    Args:
        say: gets sentences.
        teach: gets how many utterances the teacher has heard, and of how many.
        shrink: gets how many steps of the shrinking are done, and of how many.
        fit: gets how many crops have been heard to fit the exit, and of how many.
        step: gets the moment after every step.
    """

    say: Callable[[str], object] = logger.info
    teach: Callable[[float, float], object] = lambda _, __: None
    shrink: Callable[[float, float], object] = lambda _, __: None
    fit: Callable[[float, float], object] = lambda _, __: None
    step: Callable[[Moment], object] = lambda _: None


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything a run hears.

    Args:
        corpus: utterances, labelled or not.
        valid: validation speakers of another corpus; None to take them out of this one.
        noises: folder of noises for augmentation; None for synthetic ones.
        responses: folder of room responses; None for made-up rooms.
        start: folder of another run whose best weights this one starts from.
    """

    corpus: Manifest
    valid: Manifest | None = None
    noises: Path | None = None
    responses: Path | None = None
    start: Path | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run leaves.

    Args:
        recipe: what was done.
        network: with its best weights, on the CPU, not in training.
        parts: who was heard, and who was not.
        outcome: the validation of those weights.
        bad: utterances that could not be heard, and why.
        excluded: speakers with a single item.
        licences: of all that the weights come from.
        out: the folder.
    """

    recipe: Recipe
    network: EmbeddingNetwork
    parts: Parts
    outcome: Outcome
    bad: dict[str, str]
    excluded: tuple[str, ...]
    licences: tuple[str, ...]
    out: Path


@dataclass(slots=True)
class Run:
    """A run that can be started and taken up again.

    Args:
        recipe: what to do.
        table: the TOML it was read from.
        sources: what to hear.
        out: its folder.
        accelerator: device, processes, precision.
        workers: threads that load sound.
        cache_bytes: decoded sound that is kept in memory.
        watcher: who is told.
        save_seconds: from one checkpoint to the next, where no validation comes before.
    """

    recipe: Recipe
    table: dict[str, Any]
    sources: Sources
    out: Path
    accelerator: Accelerator
    workers: int = 1
    cache_bytes: int = 1 << 30
    watcher: Watcher = field(default_factory=Watcher)
    save_seconds: float = SAVE_SECONDS

    def __call__(self) -> Finished:
        """Train to the end.

        Raises:
            ConfigError: recipe and data do not fit together.
            DataError: a speaker is on two sides, or there is too little that can be read.
            ModelError: the loss is no longer finite, or a checkpoint cannot be written, read or gone on from.
        """
        recipe, sources = self.recipe, self.sources
        prepare_folder(self.out)
        start = None if sources.start is None else sources.start / "checkpoints"
        taken = parts(sources.corpus, recipe.data, recipe.seed, seconds=recipe.validation.seconds, valid=sources.valid)
        labelled = items_of(taken.train, recipe.data)
        pool = joined(labelled, items_of(taken.unlabelled, recipe.data) if len(taken.unlabelled) else None)
        torch.manual_seed(recipe.seed)
        options = self._network_options(len(labelled.names))
        network = built(recipe.network.name, options)
        if recipe.network.momentum is not None:
            for layer in network.modules():
                if isinstance(layer, _BatchNorm):
                    layer.momentum = recipe.network.momentum
        if (least := network.frames or network.least_frames) > recipe.crop.frames:
            raise ConfigError(
                f"crop.frames is {recipe.crop.frames}, but {recipe.network.name} takes at least {least}; enlarge it"
            )
        data = digest_of([taken.train, taken.unlabelled, taken.valid])
        files = {"start": start, "noises": sources.noises, "responses": sources.responses}
        identity = identity_of(self.table, data, files)
        with claimed(self.out, identity) if self.accelerator.is_main_process else nullcontext():
            return self._train(taken, labelled, pool, network, options, data, identity)

    def _train(
        self,
        taken: Parts,
        labelled: Items,
        pool: Items,
        network: EmbeddingNetwork,
        options: dict[str, Any],
        data: str,
        identity: str,
    ) -> Finished:
        """The run itself, in a folder that is ours."""
        recipe, sources = self.recipe, self.sources
        saved = resume(self.out, identity)  # another run's folder is refused before anything in it is changed
        if sources.start and saved is None:
            network.load_state_dict(best_weights(sources.start, network))
        elif recipe.network.inherit and saved is None:
            inherit(network, recipe.network.inherit_from or recipe.teacher, recipe.network.inherit)
        trainee = Trainee(network, recipe.crop.frames, recipe.network.frozen)
        rate = trainee.frontend.spec.rate
        sounds = Sounds(sources.corpus.root, rate, cache_bytes=self.cache_bytes)
        heard = sounds if sources.valid is None else Sounds(sources.valid.root, rate, cache_bytes=0)
        validator = Validator(taken.valid, heard, trainee, recipe.validation)
        self._tell_sides(taken, labelled)
        aside = recipe.teacher_hears == "crops"  # in the loading threads, beside the network
        model = (
            load_model(recipe.teacher, detector=everything, threads=1 if aside else None) if recipe.distils else None
        )
        terms = inherited_licences(sources.start, (recipe.teacher, model.card.licences.weights) if model else None)
        terms |= {one.licence or "unknown" for one in (*taken.train, *taken.unlabelled)}
        terms |= {terms_of(recipe.network.inherit_from)} if recipe.network.inherit_from else set()
        licences = tuple(sorted(terms))
        if self.accelerator.is_main_process:
            about = {"name": recipe.network.name, "options": options}
            describe_run(
                self.out, self.table, about, data, taken, self.accelerator, identity=identity, licences=licences
            )
        teacher, moments = self._taught(model, pool, data) if model else (None, None)
        tutor = Tutor(model, rate, by_moments=recipe.by_moments) if model and aside else None
        augment = augmenter_of(recipe.augment, rate, noises=sources.noises, responses=sources.responses)
        crops = Crops(sounds, trainee.frontend, recipe.crop, augment)
        share = self.accelerator.process_index, self.accelerator.num_processes

        def lesson(name: str) -> Lesson:
            place = list(recipe.stage).index(name)
            key = (recipe.seed, place)
            loader = Loader(
                pool, crops, prepare=trainee.prepare, key=key, workers=self.workers, share=share, teach=tutor
            )
            stage = recipe.stage[name]
            return Lesson(name, stage, pool, labelled, trainee, teacher, loader, recipe.seed, moments)

        excluded: set[str] = set()
        for name in recipe.stage:  # a stage that cannot be had is refused now, not when those before it are done
            excluded.update((asked := lesson(name)).excluded)
            asked.loader.close()
        succession = self._succession(trainee, pool, crops, tutor)
        if succession and saved is None and (cosine := succession.begin(self.watcher.shrink)) is not None:
            self.watcher.say(f"shrunk: cosine to the teacher {cosine:.3f}, on the average")
        mask = with_options("mask", SpecAugment, recipe.mask) if recipe.mask else None
        trainer = Trainer(
            recipe,
            trainee,
            lesson,
            validator,
            self.out,
            identity,
            self.accelerator,
            mask,
            self.watcher.step,
            self.save_seconds,
        )
        outcome = trainer.run()
        if succession and recipe.shrink and recipe.shrink.exit_crops:
            succession.finish(best_path(self.out, list(recipe.stage)[-1]), self.watcher.fit)
            outcome = validator(trainee, self.accelerator.autocast)
        still = network.cpu().eval()
        return Finished(recipe, still, taken, outcome, trainer.bad, tuple(sorted(excluded)), licences, self.out)

    def _tell_sides(self, taken: Parts, labelled: Items) -> None:
        """Who is heard."""
        sides = {"training": taken.train, "validation": taken.valid, "test": taken.test}
        listed = [f"{name}: {len(one)} utterances of {len(one.speakers)} speakers" for name, one in sides.items()]
        self.watcher.say("; ".join([*listed, f"without speaker: {len(taken.unlabelled)} utterances"]))
        self.watcher.say(f"learnt from: {len(labelled)} pieces of {len(labelled.names)} voices, speeds included")

    def _network_options(self, speakers: int) -> dict[str, Any]:
        """The recipe's, with the number of speakers where the network asks for one."""
        name, options = self.recipe.network.name, dict(self.recipe.network.options)
        if "speakers" in signature(registered("network", name, NETWORKS)).parameters:
            asked = options.setdefault("speakers", speakers)
            losses = {one.loss for stage in self.recipe.stage.values() for one in stage.objectives}
            if "cross-entropy" in losses and asked != speakers:
                raise ConfigError(
                    f"network.options.speakers is {asked}, but the data hold {speakers} voices; leave the option out"
                )
        return options

    def _succession(self, trainee: Trainee, pool: Items, crops: Crops, tutor: Tutor | None) -> Succession | None:
        """How the network succeeds the teacher, if the recipe says so."""
        if (plan := self.recipe.shrink) is None:
            return None
        key = (self.recipe.seed, len(self.recipe.stage))
        loader, taught = (
            Loader(pool, crops, prepare=trainee.prepare, key=key, workers=self.workers, teach=teach)
            for teach in (None, tutor)
        )
        path = self.out / "checkpoints" / "shrunk.pt"
        return Succession(trainee, self.recipe.teacher, plan, loader, taught, pool, self.accelerator, path)

    def _taught(self, teacher: Model, pool: Items, data: str) -> tuple[NDArray[np.float32], Moments | None]:
        """The teacher's answers, computed by the main process and read by the others."""
        sounds = Sounds(self.sources.corpus.root, teacher.card.rate, cache_bytes=0)

        def answers() -> tuple[NDArray[np.float32], Moments | None]:
            path = self.out / "teacher.npz"
            before = self.recipe.by_moments and self.recipe.teacher_hears == "utterances"
            asked = partial(teacher_moments if before else teacher_answers, identity=data)
            found = asked(pool.items, teacher, sounds, path, tell=self.watcher.teach)
            return found if isinstance(found, tuple) else (found, None)

        if self.accelerator.is_main_process:
            self.watcher.say(f"teacher: {teacher.card.fingerprint}")
            found = answers()
        self.accelerator.wait_for_everyone()
        if not self.accelerator.is_main_process:
            found = answers()
        if silent := int((~found[0].any(axis=1)).sum()):
            self.watcher.say(f"the teacher has no answer for {silent} of {len(found[0])} items: too little speech")
        return found
