"""The embedding of one recording: a unit vector that remembers which model made it.

Knows: its own invariants. Does not know: how it was made, or how two are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NORM_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A voice as a point on the unit sphere.

    Args:
        vector: L2-normalised, shape (d,); kept as a read-only copy.
        model: fingerprint of the model that made it.
        seconds: speech behind it.
        warnings: what may mislead whoever compares it.

    Raises:
        ValueError: the vector is not of shape (d,), not finite or not of unit norm, or the seconds are negative.
    """

    vector: NDArray[np.float32]
    model: str
    seconds: float
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the invariants and freeze a copy of the vector."""
        vector = np.array(self.vector, dtype=np.float32)
        if vector.ndim != 1 or vector.size == 0:
            raise ValueError(f"an embedding is a vector of shape (d,), got {vector.shape}")
        norm = float(np.linalg.norm(vector.astype(np.float64)))
        if not abs(norm - 1.0) <= NORM_TOLERANCE:  # also refuses NaN
            raise ValueError(f"an embedding has unit norm, got {norm:.6g}; divide the vector by its norm")
        if not self.seconds >= 0.0:
            raise ValueError(f"seconds of speech are not negative, got {self.seconds}")
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "warnings", tuple(self.warnings))

    def __reduce__(self) -> tuple[type[Embedding], tuple[NDArray[np.float32], str, float, tuple[str, ...]]]:
        """Rebuild through the constructor, so that the vector is read-only again."""
        return Embedding, (self.vector, self.model, self.seconds, self.warnings)

    def __repr__(self) -> str:
        """Dimension, model and seconds; never the numbers, which are personal data."""
        return f"Embedding({len(self.vector)}, {self.model}, {self.seconds:.1f} s)"
