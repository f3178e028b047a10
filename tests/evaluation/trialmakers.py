"""Voices that never spoke: unit vectors scattered about one direction per speaker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def voices(
    people: int, each: int, *, spread: float = 1.0, seed: int = 0, dimension: int = 8
) -> tuple[NDArray[np.float32], list[str]]:
    """Unit vectors (people * each, dimension) and their speakers "p000", "p001", ..."""
    draw = np.random.default_rng(seed)
    middles = np.repeat(draw.normal(size=(people, dimension)), each, axis=0)
    vectors = middles + spread * draw.normal(size=middles.shape)
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit, [f"p{person:03}" for person in range(people) for _ in range(each)]
