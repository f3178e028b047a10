"""The network in training: from sound to embeddings, with slices where it sees only so many frames at once.

Knows: front ends on the device, slices, class scores. Does not know: losses, steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Self, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from numpy.typing import NDArray
from torch import Tensor, nn

from samevoice.errors import ConfigError, ModelError
from samevoice.features.frontend import Frontend, build_frontend
from samevoice.features.kinds import default_spec
from samevoice.networks.campplus import DenselyConnected
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.training.features import TWINS, FrontendTwin, build_twin


class Trainee(nn.Module):
    """A network behind its front end.

    Args:
        network: what is trained.
        frames: frames of a crop that the network shall see; what the front end gives beyond them is cut off.
        frozen: what the names of those tensors begin with that are not trained.

    Raises:
        ConfigError: no tensor is called so.

    Attributes:
        frontend: its front end in numpy.
        prepare: what must be done to a crop before it comes here: nothing where the front end has a twin in torch,
            else the front end itself, so that loading threads do it.
    """

    def __init__(self, network: EmbeddingNetwork, frames: int, frozen: Sequence[str] = ()) -> None:
        """Build the front end that the network was designed for."""
        super().__init__()
        self._frozen = tuple(frozen)
        for beginning in frozen:
            if not any(name.startswith(beginning) for name in network.state_dict()):
                raise ConfigError(f"network.frozen: the network has no tensor that begins with {beginning!r}")
        for name, one in network.named_parameters():
            one.requires_grad_(not name.startswith(self._frozen) if frozen else True)
        spec = default_spec(network.frontend)
        self.network = network
        self.frames = frames
        self.frontend: Frontend = build_frontend(spec)
        self.twin: FrontendTwin | None = build_twin(spec) if spec.kind in TWINS else None
        self.prepare: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None if self.twin else self.frontend
        self._takes_lengths = "lengths" in signature(network.forward).parameters

    def train(self, mode: bool = True) -> Self:
        """As torch's; what is frozen keeps its statistics too."""
        super().train(mode)
        for name, one in self.network.named_modules():
            if self._frozen and f"{name}.".startswith(self._frozen):
                one.train(mode=False)
        return self

    def features(self, sound: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the network sees.

        Args:
            sound: crops, float32 (B, n), or what `prepare` made of them, (B, T, bands).
            lengths: samples of each crop that are its own, int64 (B,).

        Returns:
            Features, float32 (B, at most `frames`, bands); and frames of each that are its own, (B,).
        """
        if self.twin is None:
            features, counts = sound, torch.full((len(sound),), sound.shape[1], device=sound.device)
        else:
            features, counts = self.twin(sound, lengths)
            missing = min(self.frames, self.frontend.count(sound.shape[1])) - features.shape[1]
            features = F.pad(features, (0, 0, 0, max(0, missing)))  # all crops of the batch ended early
        return features[:, : self.frames], counts.clamp_max(self.frames)

    def forward(self, features: Tensor, lengths: Tensor, *, scores: bool = False) -> Tensor:
        """Embed crops.

        Args:
            features: shape (B, T, bands).
            lengths: frames of each that are its own, (B,).
            scores: give the network's own class scores instead, where it makes both.

        Returns:
            Shape (B, d). Of a network that takes a fixed number of frames and is given several times as many: the
            mean of the unit vectors of the consecutive slices (of their scores as they are).
        """
        side = self.network.frames
        if side is None or features.shape[1] == side:
            return self._answers(features, lengths, scores=scores)
        count = features.shape[1] // side
        slices = features[:, : count * side].reshape(len(features) * count, side, features.shape[2])
        answers = self._answers(slices, lengths, scores=scores)
        if not scores:
            answers = F.normalize(answers, dim=1)
        return answers.reshape(len(features), count, -1).mean(dim=1)

    def moments(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What the network knows of each moment, (B, C, t), and the embeddings that it pools from that, (B, d).

        Raises:
            ModelError: it is a network of another kind.
        """
        if not isinstance(self.network, DenselyConnected):
            raise ModelError(f"{type(self.network).__name__} pools no moments to compare with a teacher's")
        found = self.network.moments(features)
        return found, self.network.pool(found)

    def _answers(self, features: Tensor, lengths: Tensor, *, scores: bool) -> Tensor:
        """What the network says of features of a length that it takes."""
        if scores and hasattr(self.network, "scores"):
            answers: Tensor = cast("Callable[[Tensor], Tensor]", self.network.scores)(features)
        elif self._takes_lengths and bool((lengths < features.shape[1]).any()):  # else recurrence is faster unpacked
            answers = self.network(features, lengths)
        else:
            answers = self.network(features)
        return answers
