from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from numpy.typing import NDArray

from samevoice.models.embedding import Embedding


def unit() -> NDArray[np.float32]:
    return np.array([0.6, 0.8], dtype=np.float32)


def test_it_keeps_a_read_only_copy() -> None:
    vector = unit()
    embedding = Embedding(vector, "m@1", 2.9)
    vector[0] = 9.0
    assert embedding.vector[0] == np.float32(0.6)
    with pytest.raises(ValueError, match="read-only"):
        embedding.vector[0] = 1.0


@pytest.mark.parametrize("again", [copy.deepcopy, lambda item: pickle.loads(pickle.dumps(item))])  # noqa: S301 (our own)
def test_it_stays_read_only_on_a_journey(again: object) -> None:
    assert callable(again)
    embedding = again(Embedding(unit(), "m@1", 2.9, ("noisy",)))
    assert not embedding.vector.flags.writeable
    assert (embedding.model, embedding.seconds, embedding.warnings) == ("m@1", 2.9, ("noisy",))


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones((1, 2)) / np.sqrt(2), "shape"),
        (np.empty(0), "shape"),
        (np.array([np.nan, 1.0]), "unit norm"),
        (np.array([0.6, 0.81]), "unit norm"),
        (np.zeros(2), "unit norm"),
    ],
)
def test_what_is_no_unit_vector_is_refused(vector: NDArray[np.float32], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Embedding(vector, "m@1", 1.0)


def test_its_words_hold_no_numbers_of_the_voice() -> None:
    assert repr(Embedding(unit(), "m@1", 2.94)) == "Embedding(2, m@1, 2.9 s)"
