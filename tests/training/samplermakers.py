"""Small corpora, and one sampler of each kind, ready to draw."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from samevoice.training.buffer import BufferSampler
from samevoice.training.index import Rows, UtteranceIndex
from samevoice.training.mining import MinedTripletSampler
from samevoice.training.pairs import PairSampler
from samevoice.training.pk import PkSampler
from samevoice.training.sampler import Sampler
from samevoice.training.triplets import TripletSampler


def corpus(*counts: int, seed: int = 0) -> UtteranceIndex:
    """Speakers 10, 20, 30, ... with these many utterances each, in mixed order."""
    labels = np.repeat(10 * np.arange(1, len(counts) + 1), counts)
    return UtteranceIndex(np.random.default_rng(seed).permutation(labels))


def places(index: UtteranceIndex, dimension: int = 6, noise: float = 0.6) -> np.ndarray:
    """Embeddings of all utterances: a point per speaker, and each utterance somewhere around it."""
    random = np.random.default_rng(5)
    centres = {speaker: random.standard_normal(dimension) for speaker in index.speakers}
    spread = noise * random.standard_normal((len(index), dimension))
    return (np.stack([centres[label] for label in index.labels]) + spread).astype(np.float32)


def mined(index: UtteranceIndex, seed: int) -> MinedTripletSampler:
    return MinedTripletSampler(index, 8, speakers=6, history=20, seed=seed)


KINDS: dict[str, Callable[[UtteranceIndex, int], Sampler]] = {
    "triplets": lambda index, seed: TripletSampler(index, 8, seed=seed),
    "triplets, distinct": lambda index, seed: TripletSampler(index, 6, distinct=True, seed=seed),
    "p x k": lambda index, seed: PkSampler(index, 4, 3, seed=seed),
    "pairs": lambda index, seed: PairSampler(index, 7, seed=seed),
    "buffer": lambda index, seed: BufferSampler(index, 8, 12, seed=seed),
    "mined": mined,
}


def step(sampler: Sampler, embeddings: np.ndarray) -> Rows:
    """One batch, as a trainer fetches it; the network drifts a little from batch to batch."""
    if isinstance(sampler, MinedTripletSampler):
        rows = next(sampler.candidates)
        drift = 1 + 0.1 * np.sin(np.arange(embeddings.shape[1]) + sampler.state()["batch"])
        sampler.record(rows, embeddings[rows] * drift)
    return next(sampler)
