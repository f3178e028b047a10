"""Scores seen against a crowd: adaptive symmetric normalisation, and centring.

A cosine of 0.4 means little for a voice that resembles many and much for one that resembles nobody. So each side of a
trial is compared with a cohort of other people, and the score is counted in standard deviations above the cohort's
scores that come nearest to it.

Knows: unit vectors, fingerprints. Does not know: audio, models, llrs, verdicts.
Source: Matejka et al., "Analysis of score normalization in multilingual speaker recognition", Interspeech 2017: the
symmetric normalisation whose statistics come from the part of the cohort most similar to each side (AS-norm1).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ConfigError, DataError
from samevoice.models.embedding import NORM_TOLERANCE
from samevoice.scoring.arrays import damaged, read_arrays, write_arrays
from samevoice.scoring.calibration import Array

__all__ = ["Cohort", "Statistics", "as_norm", "statistics"]

Vectors = NDArray[np.float32]

MIN_SD = 1e-3  # cosines to a real cohort spread 0.03 or more; less means that it repeats one recording
BLOCK_SCORES = 1 << 22  # cosines held at a time: 16 MB


class Statistics(NamedTuple):
    """How each row scores against the part of a cohort most similar to it.

    Attributes:
        means: mean score, shape (n,).
        sds: standard deviation, at least `MIN_SD`, shape (n,).
    """

    means: Array
    sds: Array

    def of(self, rows: NDArray[np.intp]) -> Statistics:
        """Those of chosen rows, in their order and as often as they are named: one side of many trials.

        Args:
            rows: their numbers, shape (k,).
        """
        return Statistics(self.means[rows], self.sds[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Recordings of many people, none of whom is ever to be judged.

    Args:
        vectors: unit vectors, shape (n, d), n >= 2; kept as a read-only copy.
        model: fingerprint of the model that made them.
        source: where they come from, for people.

    Raises:
        DataError: fewer than two recordings.
        ValueError: the vectors are not finite unit vectors of shape (n, d).
    """

    vectors: Vectors
    model: str
    source: str

    def __post_init__(self) -> None:
        """Check the vectors and freeze a copy."""
        vectors = np.array(self.vectors, dtype=np.float32)
        _check_units(vectors)
        if len(vectors) < 2:
            raise DataError(f"a cohort of {len(vectors)} recordings has no spread; add recordings of other people")
        vectors.flags.writeable = False
        object.__setattr__(self, "vectors", vectors)

    def save(self, path: Path) -> None:
        """Write to a file.

        Args:
            path: of the file, which is replaced whole.

        Raises:
            ModelError: the file cannot be written.
        """
        write_arrays(path, "cohort", {"vectors": self.vectors, "model": self.model, "source": self.source})

    @staticmethod
    def load(path: Path, model: str) -> Cohort:
        """Read what `save` wrote.

        Args:
            path: where.
            model: fingerprint of the model whose scores are to be normalised.

        Raises:
            FingerprintMismatch: another model made the cohort.
            ModelError: the file cannot be read, is damaged or no cohort.
        """
        found = read_arrays(path, "cohort", {"vectors": 2}, model)
        try:
            return Cohort(found["vectors"], model, str(found["source"]))
        except (ValueError, DataError) as error:
            raise damaged(path, "cohort", error) from error


def statistics(vectors: Vectors, cohort: Cohort, top: int = 300) -> Statistics:
    """Mean and standard deviation of each row's cosines to the most similar recordings of a cohort.

    Args:
        vectors: unit vectors of the cohort's model, shape (n, d).
        cohort: other people.
        top: how many recordings count, at least 2; all of them where the cohort has fewer.

    Raises:
        ConfigError: `top` is below 2.
        ValueError: the vectors are not finite unit vectors with the dimension of the cohort.
    """
    if top < 2:
        raise ConfigError(f"the {top} most similar recordings of a cohort have no spread; take at least 2")
    _check_units(vectors)
    if vectors.shape[1] != cohort.vectors.shape[1]:
        raise ValueError(f"{vectors.shape[1]} dimensions do not fit a cohort of {cohort.vectors.shape[1]}")
    size = len(cohort.vectors)
    top = min(top, size)
    step = max(1, BLOCK_SCORES // size)
    means, sds = np.empty(len(vectors)), np.empty(len(vectors))
    for start in range(0, len(vectors), step):
        rows = slice(start, start + step)
        scores = vectors[rows] @ cohort.vectors.T
        scores.partition(size - top, axis=1)
        nearest = scores[:, size - top :].astype(np.float64)  # so that small spreads survive
        means[rows], sds[rows] = nearest.mean(axis=1), nearest.std(axis=1)
    return Statistics(means, np.maximum(sds, MIN_SD))


def as_norm(scores: Array, first: Statistics, second: Statistics) -> Array:
    """Normalised scores: the mean of (s - mean) / sd over both sides.

    For trials that name their sides by row: `as_norm(scores, found.of(first), found.of(second))`.

    Args:
        scores: cosines, shape (n,).
        first: of one side of each trial, shape (n,).
        second: of the other side.

    Returns:
        Standard deviations above the cohort, shape (n,); no cosines.

    Raises:
        ValueError: the shapes differ.
    """
    if not scores.shape == first.means.shape == second.means.shape:
        raise ValueError(f"{scores.shape} scores need statistics of as many sides")
    normed: Array = 0.5 * ((scores - first.means) / first.sds + (scores - second.means) / second.sds)
    return normed


def centred(vectors: Vectors, mean: NDArray[np.floating[Any]]) -> Vectors:
    """Vectors without what all of them share, back on the unit sphere.

    Args:
        vectors: shape (n, d).
        mean: of many recordings like them, shape (d,).

    Returns:
        Unit vectors, shape (n, d).

    Raises:
        DataError: a vector equals the mean, so that it has no direction.
        ValueError: the shapes do not fit, or a number is not finite.
    """
    if vectors.ndim != 2 or mean.shape != vectors.shape[1:]:
        raise ValueError(f"vectors of shape {vectors.shape} need (n, d), and a mean of shape (d,), got {mean.shape}")
    moved = vectors - mean.astype(np.float64)
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    if not np.isfinite(norms).all():
        raise ValueError("vectors and mean must be finite")
    if (norms < NORM_TOLERANCE).any():
        row = int(np.argmin(norms))
        raise DataError(f"recording {row} equals the mean and has no direction left; take the mean of more recordings")
    found: Vectors = (moved / norms).astype(np.float32)
    return found


def _check_units(vectors: Vectors) -> None:
    """Refuse anything but finite unit vectors of shape (n, d)."""
    if vectors.ndim != 2:
        raise ValueError(f"vectors of shape (n, d) are needed, got {vectors.shape}")
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    if not (np.abs(norms - 1.0) <= 10 * NORM_TOLERANCE).all():  # also refuses NaN
        raise ValueError("finite unit vectors are needed; divide each by its norm")
