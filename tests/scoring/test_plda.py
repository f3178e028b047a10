"""PLDA against the densities it stands for, and against the truth on drawn voices."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import invwishart, multivariate_normal

from samevoice.errors import ConfigError, DataError, FingerprintMismatch, ModelError
from samevoice.scoring.calibration import Array
from samevoice.scoring.plda import Plda, fit_plda

MEAN = np.array([0.5, -1.0, 0.0, 2.0])


def covariance(seed: int, dimension: int = 4, scale: float = 1.0) -> Array:
    found: Array = invwishart.rvs(dimension + 6, scale * 6 * np.eye(dimension), random_state=seed)
    return found


def drawn(counts: list[int], within: Array, between: Array, seed: int) -> tuple[Array, list[str]]:
    """Recordings of voices from the model itself."""
    draw = np.random.default_rng(seed)
    mean = np.resize(MEAN, len(within))
    points = draw.multivariate_normal(mean, between, len(counts))
    noise = draw.multivariate_normal(np.zeros(len(within)), within, sum(counts))
    return np.repeat(points, counts, axis=0) + noise, [str(voice) for voice in np.repeat(range(len(counts)), counts)]


def covariances(plda: Plda) -> tuple[Array, Array]:
    """Within and between as the fit sees them, from all directions."""
    back = np.linalg.inv(plda.directions)
    return back.T @ back, back.T @ np.diag(plda.between) @ back


def log_likelihood(vectors: Array, speakers: list[str], plda: Plda) -> float:
    """Of all recordings, with one dense normal distribution for each speaker."""
    within, between = covariances(plda)
    total = 0.0
    for speaker in set(speakers):
        own = vectors[np.array(speakers) == speaker]
        joint = np.kron(np.eye(len(own)), within) + np.kron(np.ones((len(own), len(own))), between)
        total += multivariate_normal.logpdf(own.ravel(), np.tile(plda.mean, len(own)), joint, allow_singular=True)
    return total


def fitted(vectors: Array, speakers: list[str], **options: Any) -> Plda:
    return fit_plda(vectors, speakers, **{"model": "m", "source": "drawn", **options})


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_llrs_are_the_ratio_of_two_densities(seed: int, dimension: int) -> None:
    within, between = covariance(seed, dimension), covariance(seed + 1, dimension, 2.0)
    within, between = within.reshape(dimension, dimension), between.reshape(dimension, dimension)
    plda = fitted(*drawn([4] * 30, within, between, seed), shrinkage=0.1)
    within, between = covariances(plda)
    total = within + between
    same = np.block([[total, between], [between, total]])
    first, second = np.random.default_rng(seed).normal(0, 2, (2, 7, dimension))
    joined = np.concatenate([plda.mean, plda.mean])
    pairs = np.concatenate([first, second], axis=1)
    expected = multivariate_normal.logpdf(pairs, joined, same)
    for side in (first, second):
        expected = expected - multivariate_normal.logpdf(side.reshape(7, dimension), plda.mean, total)
    np.testing.assert_allclose(plda.llrs(first, second), expected, atol=1e-6)


def test_matrix_and_pairs_agree() -> None:
    plda = fitted(*drawn([5] * 40, covariance(1), covariance(2), 3))
    first, second = np.random.default_rng(4).normal(0, 1, (2, 6, 4))
    matrix = plda.llr_matrix(first, second[:5])
    assert matrix.shape == (6, 5)
    for row in range(6):
        for column in range(5):
            expected = plda.llrs(first[row : row + 1], second[column : column + 1])[0]
            assert matrix[row, column] == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(plda.llr_matrix(first, first), plda.llr_matrix(first, first).T, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_no_step_lowers_the_likelihood(seed: int) -> None:
    counts = np.random.default_rng(seed).integers(1, 7, 25).tolist()
    vectors, speakers = drawn(counts, covariance(seed), covariance(seed + 9), seed)
    values = [
        log_likelihood(vectors, speakers, fitted(vectors, speakers, shrinkage=0.0, iterations=steps))
        for steps in range(16)
    ]
    assert all(after >= before - 1e-9 for before, after in pairwise(values))
    assert values[-1] > values[0] + 0.01


@pytest.mark.parametrize("shrinkage", [0.1, 0.5])
def test_no_step_lowers_the_likelihood_with_its_prior(shrinkage: float) -> None:
    """Likelihood times an inverse Wishart for each covariance, of n s / (1 - s) recordings or speakers."""
    vectors, speakers = drawn([2, 3, 4] * 8, covariance(5), covariance(6), 7)
    _, voices, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    means = np.array([vectors[voices == voice].mean(axis=0) for voice in range(len(counts))])
    apart = vectors - means[voices]
    spreads = (np.sum(apart**2) / (len(vectors) - len(counts)) / 4, np.mean((means - means.mean(axis=0)) ** 2))

    def objective(plda: Plda) -> float:
        total = log_likelihood(vectors, speakers, plda)
        for matrix, spread, count in zip(covariances(plda), spreads, (len(vectors), len(counts)), strict=True):
            strength = count * shrinkage / (1 - shrinkage)
            log_determinant = np.linalg.slogdet(matrix)[1]
            total -= 0.5 * strength * (log_determinant + spread * np.trace(np.linalg.inv(matrix)))
        return total

    values = [objective(fitted(vectors, speakers, shrinkage=shrinkage, iterations=steps)) for steps in range(13)]
    assert all(after >= before - 1e-9 for before, after in pairwise(values))
    assert values[-1] > values[0] + 0.01


def test_recovers_the_truth_as_data_grow() -> None:
    within, between = covariance(11), covariance(12, scale=2.0)
    errors = []
    for speakers in (60, 6_000):
        plda = fitted(*drawn([3, 5, 10] * (speakers // 3), within, between, 13), shrinkage=0.0, iterations=60)
        found = covariances(plda)
        errors.append(
            [
                np.linalg.norm(got - truth) / np.linalg.norm(truth)
                for got, truth in zip((*found, plda.mean), (within, between, MEAN), strict=True)
            ]
        )
    assert max(errors[1]) < 0.06
    assert all(late < early for early, late in zip(*errors, strict=True))


def test_directions_are_those_that_tell_speakers_apart() -> None:
    """Between speakers only two of six axes vary; what is left of the vectors is scored as if that were all."""
    between = np.diag([4.0, 0, 0, 2.0, 0, 0]) + 1e-4 * np.eye(6)
    vectors, speakers = drawn([8] * 400, np.eye(6), between, 1)
    plda = fitted(vectors, speakers, shrinkage=0.0, dimensions=2)
    assert plda.directions.shape == (6, 2)
    np.testing.assert_allclose(plda.between, [4, 2], rtol=0.2)
    np.testing.assert_allclose(np.abs(plda.directions[[0, 3]]), np.eye(2), atol=0.1)
    whole = fitted(vectors, speakers, shrinkage=0.0)
    assert (np.diff(whole.between) <= 0).all()
    np.testing.assert_allclose(
        plda.llrs(vectors[:50], vectors[50:100]), whole.llrs(vectors[:50], vectors[50:100]), atol=1
    )


@pytest.mark.parametrize(("speakers", "each", "dimension"), [(200, 4, 192), (40, 2, 256)])
def test_fewer_recordings_than_dimensions(speakers: int, each: int, dimension: int) -> None:
    """Most of the variance lies in few directions, as with voices; new speakers are told apart better than by
    cosine."""
    scale = 1 / (1 + np.arange(dimension))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(dimension, dimension)))[0]
    within, between = turn @ np.diag(0.05 + scale) @ turn.T, turn @ np.diag(0.01 + 0.3 * scale[::-1]) @ turn.T
    vectors, names = drawn([each] * speakers, within, between, 1)
    plda = fitted(vectors, names)
    vectors, _ = drawn([2] * 60, within, between, 2)
    matrix = plda.llr_matrix(vectors[::2], vectors[1::2])
    assert np.isfinite(matrix).all()
    own, others = np.diagonal(matrix), matrix[~np.eye(60, dtype=bool)]
    centred = vectors - plda.mean
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = centred[::2] @ centred[1::2].T

    def area(same: Array, different: Array) -> float:
        return float((same[:, None] > different[None, :]).mean())

    assert area(own, others) > area(np.diagonal(cosines), cosines[~np.eye(60, dtype=bool)]) + 0.01


def test_more_dimensions_than_recordings_are_fitted_soon() -> None:
    draw = np.random.default_rng(1)
    vectors = np.repeat(draw.normal(size=(200, 512)), 4, axis=0) + draw.normal(size=(800, 512))
    started = time.process_time()
    fitted(vectors, [str(row // 4) for row in range(800)], iterations=2)
    assert time.process_time() - started < 30  # about a second


def test_the_order_of_recordings_and_names_of_speakers_do_not_matter() -> None:
    vectors, speakers = drawn([2, 3, 4, 1] * 6, covariance(1), covariance(2), 3)
    order = np.random.default_rng(1).permutation(len(vectors))
    one = fitted(vectors, speakers)
    own = [vectors[np.array(speakers) == speaker].mean(axis=0) for speaker in set(speakers)]
    np.testing.assert_allclose(one.mean, np.mean(own, axis=0))  # each speaker counts once
    other = fitted(vectors[order], [f"voice {speakers[row]}" for row in order])
    np.testing.assert_allclose(one.llrs(vectors[:9], vectors[9:18]), other.llrs(vectors[:9], vectors[9:18]), atol=1e-9)


def test_what_cannot_be_fitted() -> None:
    vectors, speakers = drawn([3] * 10, covariance(1), covariance(2), 3)
    for names in (["one"] * 30, [str(row) for row in range(30)]):
        with pytest.raises(DataError, match="at least two speakers are needed"):
            fitted(vectors, names)
    with pytest.raises(DataError, match="raise the shrinkage"):
        fitted(np.random.default_rng(1).normal(size=(30, 60)), speakers, shrinkage=0.0)
    with pytest.raises(DataError, match="do not vary"):
        fitted(np.repeat(vectors[::3], 3, axis=0), speakers)  # each recording three times
    with pytest.raises(DataError, match="do not vary"):
        fitted(np.ones((30, 4)), speakers)
    for options in ({"shrinkage": -0.1}, {"shrinkage": 1.1}, {"dimensions": 0}, {"dimensions": 5}, {"iterations": -1}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            fitted(vectors, speakers, **options)
    with pytest.raises(ValueError, match="n speakers"):
        fitted(vectors, speakers[1:])
    vectors[3, 2] = np.nan
    with pytest.raises(ValueError, match="finite"):
        fitted(vectors, speakers)


def test_what_cannot_be_scored() -> None:
    plda = fitted(*drawn([3] * 10, covariance(1), covariance(2), 3))
    with pytest.raises(ValueError, match="one shape"):
        plda.llrs(np.zeros((3, 4)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"\(n, 4\)"):
        plda.llr_matrix(np.zeros((3, 4)), np.zeros((3, 5)))
    with pytest.raises(ValueError, match="finite"):
        plda.llrs(np.full((3, 4), np.nan), np.zeros((3, 4)))


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "plda.npz"
    plda = fitted(*drawn([3] * 10, covariance(1), covariance(2), 3), dimensions=3, model="f" * 12)
    plda.save(path)
    found = Plda.load(path, "f" * 12)
    for name in ("mean", "directions", "between"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plda, name))
    assert (found.model, found.source) == ("f" * 12, "drawn")
    with pytest.raises(FingerprintMismatch):
        Plda.load(path, "e" * 12)


@pytest.mark.parametrize(
    "change",
    [
        {"between": np.array([1.0, -1.0, 0.5])},
        {"between": np.array([1.0, np.inf, 0.5])},
        {"between": np.array([1.0, 0.5])},
        {"between": np.array([[1.0, 0.5, 0.1]])},
        {"mean": np.zeros(5)},
        {"mean": np.array(["a"] * 4)},
        {"directions": np.zeros((4, 0)), "between": np.zeros(0)},
        {"kind": np.array("cohort")},
    ],
    ids=str,
)
def test_damaged_files_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "plda.npz"
    fitted(*drawn([3] * 10, covariance(1), covariance(2), 3), dimensions=3).save(path)
    with np.load(path) as opened:
        content = {name: opened[name] for name in opened.files}
    np.savez(path, **(content | change))
    with pytest.raises(ModelError, match=r"plda\.npz: no usable PLDA .*make it again"):
        Plda.load(path, "m")
