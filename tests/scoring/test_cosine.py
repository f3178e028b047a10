"""Cosines, and the refusal to compare across models."""

from __future__ import annotations

import math

import numpy as np
import pytest

from samevoice.errors import FingerprintMismatch
from samevoice.models.embedding import Embedding
from samevoice.scoring.cosine import cosine, cosine_matrix


def embedding(seed: int, model: str = "m@1", sign: int = 1) -> Embedding:
    vector = np.random.default_rng(seed).normal(size=192)
    return Embedding((sign * vector / np.linalg.norm(vector)).astype(np.float32), model, 3.0)


def by_hand(first: Embedding, second: Embedding) -> float:
    a = [float(value) for value in first.vector]
    b = [float(value) for value in second.vector]
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_cosine_by_hand_and_symmetric() -> None:
    for seed in range(20):
        first, second = embedding(seed), embedding(seed + 100)
        assert cosine(first, second) == pytest.approx(by_hand(first, second), abs=1e-6)
        assert cosine(first, second) == cosine(second, first)
        assert -1 <= cosine(first, embedding(seed, sign=-1)) <= -1 + 1e-6
        assert 1 - 1e-6 <= cosine(first, first) <= 1


def test_matrix_equals_pairs() -> None:
    people = [embedding(seed) for seed in range(6)]
    matrix = cosine_matrix(people)
    assert matrix.dtype == np.float32
    assert matrix.shape == (6, 6)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    for row in range(6):
        for column in range(6):
            assert matrix[row, column] == pytest.approx(by_hand(people[row], people[column]), abs=1e-6)
    order = [3, 1, 5, 0, 2, 4]
    np.testing.assert_allclose(cosine_matrix([people[i] for i in order]), matrix[np.ix_(order, order)], atol=1e-6)
    assert cosine_matrix(people[:1]).tolist() == [[1.0]]


def test_two_models_are_never_compared() -> None:
    with pytest.raises(FingerprintMismatch, match="m@1 and n@2; embed both") as caught:
        cosine(embedding(0), embedding(0, "n@2"))
    assert (caught.value.first, caught.value.second) == ("m@1", "n@2")
    for models in (("m@1", "n@2"), ("m@1", "m@1", "n@2"), ("m@1", "n@2", "n@2")):
        with pytest.raises(FingerprintMismatch) as caught:
            cosine_matrix([embedding(seed, model) for seed, model in enumerate(models)])
        assert (caught.value.first, caught.value.second) == ("m@1", "n@2")


def test_rounding_leads_nowhere_beyond_one() -> None:
    people = [embedding(seed) for seed in range(100)]
    both = cosine_matrix([*people, *(embedding(seed, sign=-1) for seed in range(100))])
    vectors = np.stack([one.vector for one in people])
    assert (vectors @ vectors.T).max() > 1  # so it would lead there
    assert np.abs(both).max() == 1
    alone = [cosine(one, two) for one in people for two in (one, embedding(0))]
    opposite = [cosine(embedding(seed, sign=-1), one) for seed, one in enumerate(people)]
    assert (min(opposite), max(alone)) == (-1, 1)


def test_no_embeddings() -> None:
    with pytest.raises(ValueError, match=r"^cosine_matrix needs at least one embedding$"):
        cosine_matrix([])
