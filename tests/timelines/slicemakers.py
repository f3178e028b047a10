"""Timelines made of nothing, for tests of what becomes of them."""

from __future__ import annotations

import numpy as np

import samevoice as sv
from samevoice.timelines.grid import Grid
from samevoice.timelines.table import SliceTable
from samevoice.timelines.voices import Voices

DIMENSION, MODEL = 4, "toy@1"


def made(
    count: int = 5, *, voices: bool = True, calibrated: bool = True, recording: str = "a\udcffb.wav"
) -> SliceTable:
    """A table with embeddings in every other slice."""
    generator = np.random.default_rng(3)
    grid = Grid(1.5, 0.75)
    extent, parts = 1.5 + 0.75 * (count - 1), min(10 * count, 4_000)
    starts, ends = grid.slices(extent)
    vectors = generator.standard_normal((count, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[1::2] = 0.0
    embedded = vectors.any(axis=1)
    known = Voices(("Ada", 'B"ob\n\udcff'), vectors[[0, 2]], np.array([3.0, 9.0]), MODEL)
    nearest, cosine = known.nearest(vectors)
    nearest[~embedded] = -1
    return SliceTable(
        recording=recording,
        model=MODEL,
        grid=grid,
        extent=extent,
        starts=starts,
        ends=ends,
        probability=generator.random(count).astype(np.float32),
        share=generator.random(count).astype(np.float32),
        level_dbfs=np.linspace(-200.0, -3.0, count).astype(np.float32),
        vectors=vectors,
        voices=known if voices else None,
        nearest=nearest if voices else None,
        cosine=cosine if voices else None,
        llr=(cosine * 3).astype(np.float32) if voices and calibrated else None,
        even=0.3 if calibrated else None,
        speech=sv.Timeline([sv.Segment(0.5, 2.0)], extent),
        envelope=np.stack([-generator.random(parts), generator.random(parts)]).astype(np.float32),
        warnings=("noisy\udcff",),
    )
