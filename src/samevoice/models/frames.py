"""Embeddings of any frames of a stretch for the price of one pass: the sequence before pooling, and what pools it.

Networks such as CAM++ describe each moment first and pool the moments by their mean and deviation only at the end. The
costly part is done once per stretch; an embedding of any choice of moments is then two sums and one product.

Knows: which tensors of a graph these are. Does not know: features, time, who speaks.
Source of the statistics: Snyder et al., "X-vectors: Robust DNN embeddings for speaker recognition", ICASSP 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.models.onnxfile import Array, read_tensors, with_output

Frames = NDArray[np.float32]

SEQUENCE = "/xvector/out_nonlinear/relu/Relu_output_0"  # (batch, channels, t), as the export of CAM++ names it
EXIT = "xvector.dense."
EPSILON = 1e-5  # of the normalisation at the exit
STRIDE = 2  # frames of features per moment
LEAST = 2  # moments: one alone has no deviation
FLOOR = 1e-12  # of a variance


@dataclass(frozen=True, slots=True, eq=False)
class Pooling:
    """How moments become an embedding: their mean and unbiased deviation through the exit of the network.

    Args:
        weight: float32 (d, 2 channels).
        mean: float32 (d,).
        scale: float32 (d,).
    """

    weight: Frames
    mean: Frames
    scale: Frames

    def __call__(self, sequence: Frames, chosen: NDArray[np.bool_], /) -> Frames:
        """Raw embeddings of choices of moments.

        Args:
            sequence: moments, shape (channels, t).
            chosen: which of them, shape (n, t); at least `LEAST` in each row.

        Returns:
            Not normalised, shape (n, d).
        """
        weights = chosen.astype(np.float32)
        counts = weights.sum(axis=1, keepdims=True)
        means = weights @ sequence.T / counts
        # Around the mean of the stretch, so that the difference of two sums loses no digits.
        centre = sequence.mean(axis=1)
        squares = weights @ np.square(sequence - centre[:, None]).T - counts * np.square(means - centre)
        deviations = np.sqrt(np.maximum(squares / (counts - 1), FLOOR))
        found: Frames = (np.concatenate([means, deviations], axis=1) @ self.weight.T - self.mean) * self.scale
        return found


def split(graph: bytes) -> tuple[bytes, Pooling] | None:
    """A graph that also gives the sequence before pooling, and what pools it; None for networks of another kind."""
    if SEQUENCE.encode() not in graph:
        return None
    tensors: dict[str, Array] = read_tensors(graph)
    try:
        weight = np.asarray(tensors[EXIT + "linear.weight"], dtype=np.float32)
        mean, variance = (
            np.asarray(tensors[f"{EXIT}nonlinear.batchnorm.running_{name}"], dtype=np.float32)
            for name in ("mean", "var")
        )
    except KeyError:  # quantised, or exported under other names
        return None
    scale = (1.0 / np.sqrt(variance + EPSILON)).astype(np.float32)
    return with_output(graph, SEQUENCE), Pooling(weight[:, :, 0], mean, scale)
