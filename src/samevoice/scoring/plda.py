"""Two-covariance PLDA: evidence from how voices differ between speakers and within one.

A recording is y + e: the speaker's own point y ~ N(mean, between) and what this recording adds, e ~ N(0, within). The
llr of two recordings asks whether they share one y. A linear map makes `within` the identity and `between` diagonal,
so that the llr is a sum over independent directions; those with the largest ratio are what LDA would keep.

Knows: vectors, speakers, fingerprints. Does not know: audio, models, calibration (its llrs are only as good as the
two normal distributions: calibrate them like any score).
Source: Brummer and de Villiers, "The speaker partitioning problem", Odyssey 2010 (the model and its llr); Sizov, Lee
and Kinnunen, "Unifying probabilistic linear discriminant analysis variants in biometric authentication", S+SSPR 2014
(EM).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import DataError
from samevoice.options import checked_number, checked_size
from samevoice.scoring.arrays import damaged, read_arrays, write_arrays
from samevoice.scoring.calibration import Array

__all__ = ["Plda", "fit_plda"]

Vectors = NDArray[np.floating[Any]]

SINGULAR = 1e-10  # of the mean variance of all recordings; a direction with less has none


@dataclass(frozen=True, slots=True, eq=False)
class Plda:
    """A fitted model; scores pairs of recordings.

    Args:
        mean: of the speakers, shape (d,).
        directions: map of a centred vector to independent directions where `within` is 1, shape (d, k).
        between: variance between speakers in each of these, at least 0, shape (k,).
        model: fingerprint of the model that made the vectors.
        source: what it was fitted on, for people.

    Raises:
        ValueError: the shapes do not fit, a number is not finite or a variance negative.
    """

    mean: Array
    directions: Array
    between: Array
    model: str
    source: str

    def __post_init__(self) -> None:
        """Check the numbers and freeze copies of them."""
        if self.mean.ndim != 1 or self.directions.shape != (*self.mean.shape, *self.between.shape):
            shapes = self.mean.shape, self.directions.shape, self.between.shape
            raise ValueError(f"shapes (d,), (d, k), (k,) are needed, got {shapes}")
        for name in ("mean", "directions", "between"):
            numbers = np.array(getattr(self, name), dtype=np.float64)
            if not numbers.size or not np.isfinite(numbers).all():
                raise ValueError(f"{name} must be finite numbers")
            numbers.flags.writeable = False
            object.__setattr__(self, name, numbers)
        if (self.between < 0).any():
            raise ValueError("a variance between speakers is negative")

    def llrs(self, first: Vectors, second: Vectors) -> Array:
        """Evidence for one speaker, natural logarithm, for pairs of rows.

        Args:
            first: shape (n, d).
            second: shape (n, d).

        Returns:
            Shape (n,).

        Raises:
            ValueError: the shapes do not fit, or a number is not finite.
        """
        if first.shape != second.shape:
            raise ValueError(f"pairs need one shape, got {first.shape} and {second.shape}")
        one, two = self._project(first), self._project(second)
        cross, own, constant = self._terms()
        found: Array = (one * two) @ cross - (one**2 + two**2) @ own + constant
        return found

    def llr_matrix(self, first: Vectors, second: Vectors) -> Array:
        """The same for every row of one table with every row of another: (n, d) and (m, d) to (n, m).

        Args:
            first: embeddings, shape (n, d).
            second: embeddings, shape (m, d).
        """
        one, two = self._project(first), self._project(second)
        cross, own, constant = self._terms()
        found: Array = (one * cross) @ two.T
        found -= (one**2 @ own)[:, None] - constant
        found -= two**2 @ own
        return found

    def _project(self, vectors: Vectors) -> Array:
        """Vectors in the independent directions, shape (n, d) to (n, k)."""
        if vectors.ndim != 2 or vectors.shape[1:] != self.mean.shape or not np.isfinite(vectors).all():
            raise ValueError(f"finite vectors of shape (n, {len(self.mean)}) are needed, got {vectors.shape}")
        found: Array = (vectors - self.mean) @ self.directions
        return found

    def _terms(self) -> tuple[Array, Array, float]:
        """Weights of x y and of x^2 + y^2 in each direction, and the constant.

        With b between and 1 within, the covariance of a pair is [[1 + b, b], [b, 1 + b]] for one speaker and
        (1 + b) times the identity for two; the terms are what is left of the difference of both log densities.
        """
        b = self.between
        both = 1 + 2 * b
        return b / both, 0.5 * b**2 / (both * (1 + b)), float(np.sum(np.log1p(b) - 0.5 * np.log1p(2 * b)))

    def save(self, path: Path) -> None:
        """Write to a file.

        Args:
            path: of the file, which is replaced whole.

        Raises:
            ModelError: the file cannot be written.
        """
        numbers = {"mean": self.mean, "directions": self.directions, "between": self.between}
        write_arrays(path, "PLDA", {**numbers, "model": self.model, "source": self.source})

    @staticmethod
    def load(path: Path, model: str) -> Plda:
        """Read what `save` wrote.

        Args:
            path: where.
            model: fingerprint of the model whose vectors are to be scored.

        Raises:
            FingerprintMismatch: it was fitted on vectors of another model.
            ModelError: the file cannot be read, is damaged or no PLDA.
        """
        found = read_arrays(path, "PLDA", {"mean": 1, "directions": 2, "between": 1}, model)
        try:
            return Plda(found["mean"], found["directions"], found["between"], model, str(found["source"]))
        except ValueError as error:
            raise damaged(path, "PLDA", error) from error


def fit_plda(
    vectors: Vectors,
    speakers: Sequence[str],
    *,
    model: str,
    source: str,
    iterations: int = 10,
    shrinkage: float = 0.5,
    dimensions: int | None = None,
) -> Plda:
    """Fit by expectation maximisation.

    The mean is that of the speakers' means. Shrinkage mixes, in each step, both covariances with multiples of the
    identity that have the same mean variance (the mode under an inverse Wishart prior), so that fewer recordings than
    dimensions suffice; without it no step lowers the likelihood.

    Args:
        vectors: shape (n, d).
        speakers: who speaks in each row.
        model: fingerprint of the model that made the vectors.
        source: what to say about them, for people.
        iterations: at least 0; 0 leaves the covariances of and around the speakers' means.
        shrinkage: share of the identity, in [0, 1]; the fewer speakers and the stranger the sound to be scored, the
            more of it pays.
        dimensions: how many directions to keep, best first; None for all.

    Raises:
        ConfigError: an option is out of range.
        DataError: there are no two speakers, none of them has two recordings, or a direction does not vary within
            speakers and there is no shrinkage.
        ValueError: the shapes do not fit, or a number is not finite.
    """
    checked_number("shrinkage", shrinkage, low=0, high=1)
    if vectors.ndim != 2 or len(vectors) != len(speakers) or not np.isfinite(vectors).all():
        raise ValueError(f"finite vectors of shape (n, d) and n speakers are needed, got {vectors.shape}")
    checked_size("iterations", iterations, least=0)
    kept = vectors.shape[1] if dimensions is None else checked_size("dimensions", dimensions, most=vectors.shape[1])
    sums = _Sums.of(vectors.astype(np.float64), speakers)
    within = sums.scatter / (sums.counts.sum() - len(sums.counts))
    between = sums.means.T @ sums.means / len(sums.means)
    priors = _isotropic(within), _isotropic(between)
    within, between = _mixed(within, priors[0], shrinkage), _mixed(between, priors[1], shrinkage)
    for _ in range(iterations):
        new_within, new_between = _step(sums, within, between)
        within, between = _mixed(new_within, priors[0], shrinkage), _mixed(new_between, priors[1], shrinkage)
    directions, _, ratios = _diagonalised(within, between)
    return Plda(sums.mean, directions[:, :kept], ratios[:kept], model, source)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """All that the fit needs of the data.

    Args:
        mean: of the speakers' means, shape (d,).
        means: of each speaker, centred, shape (s, d).
        counts: recordings of each, shape (s,).
        scatter: sum of outer products of what is left of the recordings without their speaker's mean, shape (d, d).
    """

    mean: Array
    means: Array
    counts: Array
    scatter: Array

    @staticmethod
    def of(vectors: Array, speakers: Sequence[str]) -> _Sums:
        """Sum up."""
        _, voices, counts = np.unique(np.array(speakers, dtype=str), return_inverse=True, return_counts=True)
        if len(counts) < 2 or counts.max() < 2:
            raise DataError(
                f"{len(vectors)} recordings of {len(counts)} speakers tell nothing about speakers and recordings; "
                "at least two speakers are needed, and two recordings of one of them"
            )
        order = np.argsort(voices, kind="stable")
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        means = np.add.reduceat(vectors[order], starts) / counts[:, None]
        apart = vectors - means[voices]
        mean = means.mean(axis=0)
        return _Sums(mean, means - mean, counts.astype(np.float64), apart.T @ apart)


def _step(sums: _Sums, within: Array, between: Array) -> tuple[Array, Array]:
    """One step of EM: the covariances expected under the present ones."""
    directions, back, ratios = _diagonalised(within, between)
    means = sums.means @ directions
    counts = sums.counts[:, None]
    share = counts * ratios / (1 + counts * ratios)  # how far a speaker's point is believed to follow the mean
    points = share * means
    variances = ratios / (1 + counts * ratios)  # of those points
    rest = means - points
    between = (points.T @ points + np.diag(variances.sum(axis=0))) / len(means)
    around = (rest * counts).T @ rest + np.diag((counts * variances).sum(axis=0))
    within = (directions.T @ sums.scatter @ directions + around) / sums.counts.sum()
    return back.T @ within @ back, back.T @ between @ back


def _diagonalised(within: Array, between: Array) -> tuple[Array, Array, Array]:
    """(D, inverse of D, r): D' within D is the identity and D' between D has diagonal r, which descends."""
    variances, axes = np.linalg.eigh(within)
    if not variances[0] > SINGULAR * np.diagonal(within + between).mean():
        raise DataError(
            f"the recordings of one speaker do not vary in all {len(within)} directions; "
            "add recordings or raise the shrinkage"
        )
    whitening = axes / np.sqrt(variances)
    ratios, turn = np.linalg.eigh(whitening.T @ between @ whitening)
    directions = whitening @ turn[:, ::-1]
    return directions, directions.T @ within, np.maximum(ratios[::-1], 0.0)


def _isotropic(covariance: Array) -> Array:
    """The multiple of the identity with the same mean variance."""
    sphere: Array = np.eye(len(covariance)) * np.diagonal(covariance).mean()
    return sphere


def _mixed(covariance: Array, prior: Array, share: float) -> Array:
    """A covariance moved towards a prior by a share of the way."""
    mixed: Array = (1 - share) * covariance + share * prior
    return mixed
