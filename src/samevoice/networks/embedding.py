"""What every network that makes speaker embeddings shares: what it says of itself, and the check of its input.

Knows: shapes and kinds of features. Does not know: any particular network.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from samevoice.errors import ModelError


def halved(count: int, times: int) -> int:
    """What is left of so many bands after a number of halvings that round up."""
    return -(-count // (1 << times))


class EmbeddingNetwork(nn.Module):
    """A network from features (batch, frames, bands), float32, to embeddings (batch, dimension).

    Attributes:
        frontend: the features it was designed for.
        bands: numbers per frame.
        dimension: length of an embedding.
        frames: the only number of frames it takes; None if it takes any number from `least_frames`.
        least_frames: fewest frames it takes.
        least_batch: fewest utterances it can train on at once; 2 where the pooled vector is batch-normalised.
    """

    frontend: ClassVar[str]
    bands: int
    dimension: int
    frames: int | None = None
    least_frames: int = 1
    least_batch: int = 1

    def require(self, features: Tensor) -> None:
        """Refuse features that the network cannot embed; silent while the network is traced for export.

        Args:
            features: what was given.

        Raises:
            ModelError: wrong rank, bands, number of frames or kind of number, no utterance, or a value not finite.
        """
        if torch.onnx.is_in_onnx_export() or torch.compiler.is_compiling():
            return
        name, shape = type(self).__name__, tuple(features.shape)
        wanted = f"{name} takes features (batch, {self.frames or 'frames'}, {self.bands})"
        if len(shape) != 3 or shape[0] == 0 or shape[2] != self.bands or shape[1] != (self.frames or shape[1]):
            raise ModelError(f"{wanted}, got {shape}; use its front end {self.frontend}")
        if shape[1] < self.least_frames:
            raise ModelError(f"{wanted} with at least {self.least_frames} frames, got {shape[1]}; give longer speech")
        if features.dtype != (kind := next(self.parameters()).dtype):
            raise ModelError(f"{wanted} as {kind}, got {features.dtype}; convert them first")
        if self.training and shape[0] < self.least_batch:
            raise ModelError(f"{wanted} with a batch of at least {self.least_batch} in training, got {shape[0]}")
        if not features.is_meta and not bool(features.isfinite().all()):
            raise ModelError(f"{wanted} that are finite, got NaN or infinity; check the recording and its features")
