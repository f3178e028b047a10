"""Whether a graph answers as its network does in torch.

Knows: both ways to run a network, and cosines. Does not know: how the graph was made, files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from samevoice.errors import ModelError
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.runtime import default_threads, open_session

MIN_COSINE = 0.9999
CASES = 20
# Odd and even, about multiples of 16 (four halvings), about 100 frames before and after one halving (the segments of
# CAM++), and the seeds' and the benchmarks' own lengths. With the two shortest of a network there are twenty.
FRAMES = (12, 15, 16, 17, 31, 50, 64, 99, 127, 150, 159, 160, 199, 200, 201, 202, 298, 345)
BATCHES = (1, 2, 3, 4)


def cases(network: EmbeddingNetwork) -> list[tuple[int, int]]:
    """Twenty pairs of a number of frames and a batch size for which a graph must answer as its network.

    Twenty lengths with changing batch sizes; for a network that takes one length only, batches of 1 to 20.
    """
    if network.frames is not None:
        return [(network.frames, batch + 1) for batch in range(CASES)]
    lengths = (network.least_frames, network.least_frames + 1, *FRAMES)
    return [(frames, BATCHES[index % len(BATCHES)]) for index, frames in enumerate(lengths)]


def parity(
    network: EmbeddingNetwork,
    graph: bytes,
    tried: Sequence[tuple[int, int]] | None = None,
    *,
    least: float = MIN_COSINE,
) -> float:
    """Compare torch with ONNX Runtime on random features.

    Args:
        network: on the CPU, in inference mode.
        graph: an ONNX model with its weights.
        tried: pairs of frames and batch size; `cases` if None.
        least: smallest cosine that passes, in [-1, 1].

    Returns:
        The smallest cosine between two embeddings of the same features.

    Raises:
        ModelError: a cosine is smaller than `least`, or an answer has no direction, or another shape.
    """
    session = open_session(graph, "exported network", threads=default_threads())
    (features,) = session.get_inputs()
    generator = np.random.default_rng(7)
    smallest = 1.0
    for frames, batch in cases(network) if tried is None else tried:
        values = generator.standard_normal((batch, frames, network.bands), dtype=np.float32)
        with torch.no_grad():
            theirs = network(torch.from_numpy(values)).numpy()
        where = f"at {frames} frames, batch {batch}"
        try:
            (ours,) = session.run(None, {features.name: values})
        except Exception as error:  # ONNX Runtime raises many private classes
            reason = str(error).splitlines()[0][:200]
            raise ModelError(f"torch and ONNX differ {where}: ONNX Runtime fails ({reason})") from error
        if ours.shape != theirs.shape:
            raise ModelError(f"torch and ONNX differ {where}: shapes {theirs.shape} and {ours.shape}")
        norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        with np.errstate(invalid="ignore"):  # an answer of zeros has no direction: NaN, refused below
            cosine = float(np.min(np.sum(ours * theirs, axis=1) / norms))
        smallest = min(smallest, cosine)
        if not cosine >= least:
            raise ModelError(f"torch and ONNX differ {where}: cosine {cosine:.6f}, need {least}; export it again")
    return smallest
