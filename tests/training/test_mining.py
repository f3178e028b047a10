"""Hard and semi-hard triplets against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from samplermakers import corpus, mined, places, step

from samevoice.errors import ConfigError
from samevoice.losses.triplet import CosineTriplet, SemiHardTriplet
from samevoice.training.mining import MinedTripletSampler, hardest_triplets
from samevoice.training.semihard import semi_hard_triplets
from samevoice.training.triplets import TripletSampler


def unit(rows: np.ndarray) -> np.ndarray:
    directions: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return directions.astype(np.float32)


def by_hand(embeddings: np.ndarray, labels: np.ndarray, anchor: int, count: int) -> tuple[list[int], list[int]]:
    """Sort every other row by its similarity to this very anchor."""
    similarity = [float(embeddings[anchor] @ row) for row in embeddings]
    others = [row for row in range(len(labels)) if row != anchor]
    positives = sorted((row for row in others if labels[row] == labels[anchor]), key=lambda row: similarity[row])
    negatives = sorted((row for row in others if labels[row] != labels[anchor]), key=lambda row: -similarity[row])
    return [positives[min(k, len(positives) - 1)] for k in range(count)], [
        negatives[min(k, len(negatives) - 1)] for k in range(count)
    ]


@given(labels=st.lists(st.integers(0, 4), min_size=4, max_size=24), seed=st.integers(0, 999), count=st.integers(1, 4))
def test_seed_hard_mining_equals_brute_force_for_each_anchor(labels: list[int], seed: int, count: int) -> None:
    speakers, random = np.array(labels), np.random.default_rng(seed)
    embeddings = unit(random.standard_normal((len(labels), 5)))
    usable = [row for row in range(len(labels)) if 1 < labels.count(labels[row]) < len(labels)]
    assume(usable)
    anchors = random.permutation(usable)  # any order, not that of the rows
    found = hardest_triplets(embeddings, speakers, anchors, count).reshape(3, len(anchors), count)
    for place, anchor in enumerate(anchors):
        positives, negatives = by_hand(embeddings, speakers, anchor, count)
        assert found[0, place].tolist() == [anchor] * count
        assert found[1, place].tolist() == positives
        assert found[2, place].tolist() == negatives


def test_seed_hard_mining_with_a_history() -> None:
    """Every batch holds, for each of its anchors, the hardest of what the history holds at that moment."""
    index = corpus(6, 5, 7, 4, 1, 8)
    embeddings = places(index)
    sampler = MinedTripletSampler(index, 8, per_anchor=2, speakers=4, history=14, seed=3)
    assert sampler.candidates.speakers == 4
    for _ in range(30):
        batch = step(sampler, embeddings).reshape(3, 4, 2)
        rows, memory = sampler.history.rows, sampler.history.embeddings
        assert len(rows) <= 14
        labels = index.labels[rows]
        assert len(set(batch[0, :, 0].tolist())) == 4
        for anchor, positive, negative in batch.transpose(1, 0, 2):
            place = int(np.flatnonzero(rows == anchor[0])[0])
            positives, negatives = by_hand(memory, labels, place, 2)
            assert anchor.tolist() == [rows[place]] * 2
            assert positive.tolist() == rows[positives].tolist()
            assert negative.tolist() == rows[negatives].tolist()


def test_seed_mined_triplets_are_harder_than_random_ones() -> None:
    index = corpus(*[12] * 20)
    embeddings = places(index)
    hard = MinedTripletSampler(index, 32, speakers=20, history=200)
    easy = TripletSampler(index, 32)
    loss = CosineTriplet()
    for _ in range(10):
        losses = []
        for sampler in (hard, easy):
            rows = step(sampler, embeddings)
            losses.append(loss(torch.from_numpy(embeddings[rows]), torch.from_numpy(index.labels[rows])).item())
        assert losses[0] > 2 * losses[1]


def test_mining_before_recording_and_sizes_that_do_not_fit_are_refused() -> None:
    index = corpus(4, 4, 4, 4, 4, 4)
    with pytest.raises(ConfigError, match="the history holds 0 utterances that can be anchors, 4 are needed; record"):
        next(mined(index, 0))
    with pytest.raises(ConfigError, match="triplets is 8, which 3 per anchor do not divide"):
        MinedTripletSampler(index, 8, per_anchor=3)
    with pytest.raises(ConfigError, match=r"history must hold one set of candidates and all anchors \(12\), got 11"):
        MinedTripletSampler(index, 8, history=11)
    with pytest.raises(ConfigError, match="speakers is 2, but the data hold 1 speakers with two utterances"):
        MinedTripletSampler(corpus(9, 1, 1), 2)
    with pytest.raises(ConfigError, match=r"utterances must be whole numbers in 0..23"):
        mined(index, 0).record(np.array([24]), np.ones((1, 3)))
    with pytest.raises(ConfigError, match=r"of shape \(k,\), as a numpy array"):
        mined(index, 0).record([2], np.ones((1, 3)))  # type: ignore[arg-type]


@given(labels=st.lists(st.integers(0, 3), min_size=3, max_size=14), seed=st.integers(0, 999))
def test_seed_semi_hard_choice_equals_brute_force(labels: list[int], seed: int) -> None:
    embeddings = np.random.default_rng(seed).standard_normal((len(labels), 4)).astype(np.float32)
    directions = unit(embeddings)
    expected = []
    for a in range(len(labels)):
        for p in range(len(labels)):
            if a != p and labels[a] == labels[p]:
                away = {
                    n: np.linalg.norm(directions[a] - directions[n])
                    for n in range(len(labels))
                    if labels[n] != labels[a]
                }
                farther = {n: far for n, far in away.items() if far > np.linalg.norm(directions[a] - directions[p])}
                if away:
                    chosen = min(farther, key=lambda n: farther[n]) if farther else max(away, key=lambda n: away[n])
                    expected.append((a, p, chosen))
    if not expected:
        with pytest.raises(ConfigError, match="holds no triplet, that is two rows of one speaker and one of another"):
            semi_hard_triplets(torch.from_numpy(embeddings), torch.tensor(labels))
        return
    rows = semi_hard_triplets(torch.from_numpy(embeddings), torch.tensor(labels))
    assert [tuple(row) for row in rows.reshape(3, -1).T.tolist()] == expected


def test_seed_semi_hard_rows_give_the_semi_hard_loss() -> None:
    labels = torch.arange(12) % 4
    embeddings = torch.from_numpy(unit(np.random.default_rng(0).standard_normal((12, 4))))
    anchor, positive, negative = embeddings[semi_hard_triplets(embeddings, labels)].chunk(3)
    terms = (anchor - positive).norm(dim=1) - (anchor - negative).norm(dim=1) + 1
    torch.testing.assert_close(terms.relu().mean(), SemiHardTriplet()(embeddings, labels))
    assert CosineTriplet()(torch.cat([anchor, positive, negative])).isfinite()
