"""Random triplets, P x K, siamese pairs and the shuffle buffer: their layout and their chances."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from samplermakers import corpus

from samevoice.training.buffer import BufferSampler, released
from samevoice.training.index import UtteranceIndex, pair_counts
from samevoice.training.pairs import PairSampler
from samevoice.training.pk import PkSampler
from samevoice.training.triplets import TripletSampler

corpora = st.lists(st.integers(1, 6), min_size=2, max_size=8).filter(lambda counts: max(counts) > 1)


def near(counts: np.ndarray, expected: float | np.ndarray) -> bool:
    """All within five standard deviations of a count with that mean."""
    return bool((abs(counts - expected) < 5 * np.sqrt(expected)).all())


@given(counts=corpora, seed=st.integers(0, 99))
def test_seed_random_triplets_are_laid_out_in_three_blocks(counts: list[int], seed: int) -> None:
    index = corpus(*counts)
    size = int(index.counts[index.with_partner].sum())
    for batch in islice(TripletSampler(index, size, seed=seed), 5):
        assert batch.shape == (3 * size,)
        anchor, positive, negative = batch.reshape(3, size)
        assert (index.labels[anchor] == index.labels[positive]).all()
        assert (index.labels[anchor] != index.labels[negative]).all()
        assert (anchor != positive).all()


def test_seed_random_triplets_treat_speakers_alike() -> None:
    """100 utterances count no more than 2; a speaker with one serves as negative only."""
    index = corpus(100, 2, 10, 1, 5)
    batches = np.stack([batch.reshape(3, 32) for batch in islice(TripletSampler(index, 32), 500)], axis=1)
    spoken = [np.array([(index.labels[part] == speaker).sum() for speaker in index.speakers]) for part in batches]
    assert near(spoken[0][[0, 1, 2, 4]], 16_000 / 4)
    assert spoken[0][3] == 0
    # A negative is any of the other four: 1/4 where the anchor is somebody else.
    assert near(spoken[2], 16_000 / 4 * 3 / 4 + np.array([0, 0, 0, 1, 0]) * 1000)
    # All ordered pairs of the speaker with five utterances come up alike.
    fifth = index.labels[batches[0]] == 50
    pairs = np.unique(np.stack([batches[0][fifth], batches[1][fifth]]), axis=1, return_counts=True)[1]
    assert len(pairs) == 20
    assert near(pairs, 4000 / 20)


def test_anchors_of_distinct_speakers() -> None:
    index = corpus(*[3] * 9, 1)
    for batch in islice(TripletSampler(index, 9, distinct=True), 20):
        assert len(set(index.labels[batch[:9]])) == 9


@given(counts=corpora, clips=st.integers(2, 7), seed=st.integers(0, 99))
def test_seed_p_x_k_gives_every_row_a_positive(counts: list[int], clips: int, seed: int) -> None:
    index = corpus(*counts)
    speakers = min(len(index.with_partner), len(index) // clips)
    assume(speakers >= 2)
    for batch in islice(PkSampler(index, speakers, clips, seed=seed), 4):
        assert batch.shape == (speakers * clips,)
        groups = batch.reshape(speakers, clips)
        assert len(set(index.labels[groups[:, 0]])) == speakers
        for group in groups:
            own = index.labels[group[0]]
            assert (index.labels[group] == own).all()
            times = np.unique(group, return_counts=True)[1]
            count = int((index.labels == own).sum())
            assert len(times) == min(clips, count)  # nothing comes again before all have come
            assert times.max() - times.min() <= 1
            assert len(times) > 1  # every row has a positive from another utterance
        found = pair_counts(index.labels[batch])
        assert found.alone == 0
        assert found.same == speakers * clips * (clips - 1) // 2


def test_p_x_k_treats_speakers_and_utterances_alike() -> None:
    index = corpus(40, 4, 10, 5)
    drawn = np.concatenate(list(islice(PkSampler(index, 2, 3), 2000)))
    for speaker, count in zip(index.speakers, index.counts, strict=True):
        times = np.bincount(drawn, minlength=len(index))[index.labels == speaker]
        assert near(times, 2000 * 2 * 3 / 4 / count)


@given(counts=corpora, seed=st.integers(0, 99), data=st.data())
def test_seed_siamese_pairs_are_half_same_half_different(counts: list[int], seed: int, data: st.DataObject) -> None:
    index = corpus(*counts)
    pairs = data.draw(st.integers(1, len(index)))
    for batch in islice(PairSampler(index, pairs, seed=seed), 5):
        first, second = batch.reshape(2, pairs)
        same = index.labels[first] == index.labels[second]
        assert same.sum() in {pairs // 2, (pairs + 1) // 2}
        assert (first != second).all()


def test_siamese_pairs_come_up_alike_in_both_kinds_and_all_places() -> None:
    index = corpus(4, 2, 3, 1)
    sampler = PairSampler(index, 9)
    batches = np.stack([batch.reshape(2, 9) for batch in islice(sampler, 8000)])
    same = index.labels[batches[:, 0]] == index.labels[batches[:, 1]]
    assert near(same.sum(axis=0), 4000)
    assert near(np.array([(same.sum(axis=1) == 4).sum(), (same.sum(axis=1) == 5).sum()]), 4000)
    for kind in (True, False):
        drawn = batches.transpose(0, 2, 1)[same == kind]
        table = np.zeros((10, 10))
        np.add.at(table, (drawn[:, 0], drawn[:, 1]), 1)
        for a in range(10):
            partners = (index.labels == index.labels[a]) == kind
            partners[a] = False
            assert (table[a, ~partners] == 0).all()
            # 36,000 pairs of each kind; the first side of a same pair cannot be the one utterance without a partner.
            if partners.any():
                assert near(table[a, partners], 36_000 / (9 if kind else 10) / partners.sum())


@given(count=st.integers(1, 60), buffer=st.integers(1, 80), seed=st.integers(0, 99))
def test_seed_buffer_releases_each_once_and_none_early(count: int, buffer: int, seed: int) -> None:
    order = released(count, buffer, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(count))
    step_of = np.argsort(order)
    assert (step_of >= np.arange(count) - buffer + 1).all()
    if buffer == 1:
        assert order.tolist() == list(range(count))


def test_seed_buffer_mode_of_speech_identity() -> None:
    """4,000 speakers with five utterances each, read one speaker after the other."""
    index = UtteranceIndex(np.random.default_rng(0).permutation(np.repeat(np.arange(4000), 5)))
    sampler = BufferSampler(index)
    assert (sampler.batch, sampler.buffer) == (384, 3840)
    assert sampler.batches_per_epoch == 20_000 // 384 == 52
    epoch = list(islice(sampler, 52))
    drawn = np.concatenate(epoch)
    assert len(set(drawn.tolist())) == len(drawn) == 52 * 384  # the remainder of 32 is dropped
    # Some rows have no positive, which never happens with P x K.
    assert all(0 < pair_counts(index.labels[batch]).alone < 384 for batch in epoch)
    assert pair_counts(index.labels[next(PkSampler(index, 48, 8))]).alone == 0
    # Local: the first batch comes from the first 3,840 + 384 utterances, speaker by speaker.
    assert index.labels[epoch[0]].max() <= (3840 + 384) / 5
    assert not np.array_equal(next(sampler), epoch[0])  # the next epoch is shuffled anew


@pytest.mark.parametrize("buffer", [3, 1000])
def test_the_buffer_starts_every_epoch_with_all_utterances(buffer: int) -> None:
    index = corpus(4, 4, 4)
    batches = list(islice(BufferSampler(index, 4, buffer), 9))
    for epoch in range(3):
        drawn = np.concatenate(batches[3 * epoch : 3 * epoch + 3])
        assert sorted(drawn.tolist()) == list(range(12))
