"""How well the network in training tells unseen speakers apart: error rate over all pairs of their pieces.

Knows: pieces, pairs. Does not know: when a training stops.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from numpy.typing import NDArray

from samevoice.corpora.manifest import Manifest
from samevoice.corpora.pieces import Piece, cut_pieces, evenly
from samevoice.corpora.sounds import Sounds
from samevoice.errors import AudioError, ConfigError, DataError, ModelError
from samevoice.evaluation.metrics import eer
from samevoice.evaluation.trials import all_pairs
from samevoice.training.recipe import Validation
from samevoice.training.trainee import Trainee

logger = logging.getLogger(__name__)

PIECES_EACH = 10  # of a speaker, evenly over what there is
BATCH_FRAMES = 4_000  # at once through the network


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a validation found.

    Args:
        eer: equal error rate, a fraction.
        targets: cosines of pairs of one speaker.
        non_targets: cosines of pairs of two speakers.
    """

    eer: float
    targets: NDArray[np.float64]
    non_targets: NDArray[np.float64]


class Validator:
    """Pieces of speakers that the training never hears, as features.

    Args:
        manifest: their utterances.
        sounds: where they are read.
        trainee: gives the front end.
        settings: length of the pieces, number of speakers.

    Raises:
        ConfigError: the network needs longer pieces.
        DataError: fewer than two speakers have two pieces.
    """

    def __init__(self, manifest: Manifest, sounds: Sounds, trainee: Trainee, settings: Validation) -> None:
        frontend, least = trainee.frontend, trainee.network.frames or trainee.network.least_frames
        if (have := frontend.count(round(settings.seconds * frontend.spec.rate))) < least:
            raise ConfigError(
                f"validation.seconds is {settings.seconds:g}, which gives {have} frames, but the network takes at "
                f"least {least}; make it longer"
            )
        names = evenly(manifest.speakers, settings.speakers_at_most)
        pieces: list[Piece] = []
        for name in names:
            own = cut_pieces((one for one in manifest if one.speaker == name), settings.seconds)
            pieces += evenly(own, PIECES_EACH)
        self._features: list[torch.Tensor] = []
        self.speakers: list[str] = []
        for piece in pieces:
            try:
                samples = sounds.read(piece.utterance, piece.start, piece.seconds)
            except AudioError as error:
                logger.warning("left out of the validation: %s", error)
                continue
            self._features.append(torch.from_numpy(frontend(samples)))
            self.speakers.append(str(piece.utterance.speaker))
        counts = [self.speakers.count(name) for name in set(self.speakers)]
        if sum(count > 1 for count in counts) < 2:
            raise DataError(
                f"{manifest.root}: fewer than two of {len(names)} validation speakers have two pieces of "
                f"{settings.seconds:g} s; add recordings, or ask for shorter pieces with --set validation.seconds=1.5"
            )

    def __call__(self, trainee: Trainee, autocast: Callable[[], AbstractContextManager[None]] = nullcontext) -> Outcome:
        """Compare all pieces with the network as it is now.

        Args:
            trainee: is left in the mode it had.
            autocast: context in which the network runs.

        Raises:
            ModelError: an answer is not finite.
        """
        was = trainee.training
        trainee.eval()
        device = next(trainee.network.parameters()).device
        size = max(1, BATCH_FRAMES // max(len(one) for one in self._features))
        vectors = []
        try:
            with torch.inference_mode(), autocast():
                for start in range(0, len(self._features), size):
                    features = torch.stack(self._features[start : start + size]).to(device)
                    lengths = torch.full((len(features),), features.shape[1], device=device)
                    vectors.append(F.normalize(trainee(features, lengths).float(), dim=1).cpu())
        finally:
            trainee.train(was)
        found: NDArray[np.float32] = torch.cat(vectors).numpy()
        if not np.isfinite(found).all():
            raise ModelError("the network answers NaN for validation speakers")
        trials = all_pairs(found, self.speakers)
        targets, non_targets = trials.scores[trials.is_target], trials.scores[~trials.is_target]
        return Outcome(eer(targets, non_targets), targets, non_targets)
