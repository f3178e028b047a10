"""Cosine similarity of embeddings, refused across models.

Knows: embeddings. Does not know: thresholds, calibration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import FingerprintMismatch
from samevoice.models.embedding import Embedding


def cosine(first: Embedding, second: Embedding) -> float:
    """Cosine similarity of two embeddings, in [-1, 1].

    Raises:
        FingerprintMismatch: two models made them.
    """
    if first.model != second.model:
        raise FingerprintMismatch(first.model, second.model)
    return float(np.clip(np.dot(first.vector, second.vector), -1.0, 1.0))


def cosine_matrix(embeddings: Sequence[Embedding]) -> NDArray[np.float32]:
    """Cosine similarity of all pairs: float32 (n, n), symmetric, ones on the diagonal.

    Raises:
        FingerprintMismatch: more than one model made them.
        ValueError: no embeddings.
    """
    if not embeddings:
        raise ValueError("cosine_matrix needs at least one embedding")
    for other in embeddings[1:]:
        if other.model != embeddings[0].model:
            raise FingerprintMismatch(embeddings[0].model, other.model)
    vectors = np.stack([embedding.vector for embedding in embeddings])
    matrix: NDArray[np.float32] = np.clip(vectors @ vectors.T, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return matrix
