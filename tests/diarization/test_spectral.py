from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pytest
from clustermakers import components, directions, same, unit, voices
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score

from samevoice.diarization.spectral import FEWEST, NODES, spectral


@dataclass(frozen=True)
class Bounds:
    """How many speakers there may be."""

    least: int = 1
    most: int | None = None
    likeness: float = 0.3

    def bounded(self, count: int, /) -> int:
        return max(self.least, count if self.most is None else min(count, self.most))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sizes", [[60], [20, 40], [30, 30, 30], [12, 20, 30, 50], [15] * 6, [20] * 8, [100, 300, 500]])
def test_the_gap_tells_how_many_voices_there_are(seed: int, sizes: list[int]) -> None:
    vectors, who = voices(seed, sizes, dimension=192)
    assert same(spectral(vectors, np.ones(len(who)), Bounds()), who)


@pytest.mark.parametrize("seed", range(4))
def test_a_known_number_gives_what_sklearn_gives(seed: int) -> None:
    vectors, who = voices(seed, [25, 40, 60], likeness=0.5)
    found = spectral(vectors, np.ones(len(who)), Bounds(3, 3))
    affinity = np.maximum(vectors @ vectors.T, 0)
    oracle = SpectralClustering(3, affinity="precomputed", random_state=0).fit_predict(affinity)
    assert same(oracle, who)
    assert same(found, oracle)


@pytest.mark.parametrize("count", [12, 60, 400])
@pytest.mark.parametrize("wanted", [1, 2, 5])
def test_a_known_number_is_met(count: int, wanted: int) -> None:
    for vectors in (directions(count, count), np.tile(directions(1, 1), (count, 1))):
        found = spectral(vectors, np.ones(count), Bounds(wanted, wanted))
        assert sorted(set(found.tolist())) == list(range(wanted))


def test_bounds_are_kept() -> None:
    vectors, who = voices(1, [30] * 5)
    weights = np.ones(len(who))
    counts = [
        int(spectral(vectors, weights, bounds).max()) + 1
        for bounds in (Bounds(), Bounds(1, 3), Bounds(7), Bounds(2, 9), Bounds(30, 30))
    ]
    assert counts[0] == counts[3] == 5
    assert counts[1] <= 3
    assert counts[2] >= 7
    assert counts[4] == 30


def test_few_vectors_are_told_apart_by_their_likeness() -> None:
    vectors, who = voices(2, [5, 7])
    assert len(who) < FEWEST
    assert same(spectral(vectors, np.ones(12), Bounds()), who)
    assert spectral(vectors, np.ones(12), Bounds(most=1)).tolist() == [0] * 12
    assert spectral(vectors, np.ones(12), Bounds(likeness=-0.9)).tolist() == [0] * 12


@pytest.mark.parametrize("count", [0, 1, 2])
def test_none_one_and_two_have_labels(count: int) -> None:
    found = spectral(directions(0, count), np.ones(count), Bounds())
    assert found.shape == (count,)
    assert found.tolist()[:1] == [0] * min(count, 1)


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.sampled_from([1, 5, 23, 24, 40]), st.data())
def test_demands_hold(seed: int, count: int, data: st.DataObject) -> None:
    row = st.integers(0, count - 1)
    groups = data.draw(st.lists(st.lists(row, min_size=1, max_size=5), max_size=5))
    foes = data.draw(st.lists(st.tuples(row, row), max_size=25))
    least = data.draw(st.integers(1, 3))
    weights = np.random.default_rng(seed).uniform(0.5, 5, count)
    found = spectral(directions(seed, count), weights, Bounds(least, least + 1), groups, foes)
    bound = components(count, groups)
    assert all(len(set(found[group])) == 1 for group in groups)
    assert all(found[one] != found[other] for one, other in foes if bound[one] != bound[other])
    assert list(dict.fromkeys(found.tolist())) == list(range(found.max() + 1))


def test_demands_hold_where_vectors_share_nodes() -> None:
    vectors, who = voices(3, [200, 300])
    assert len(who) > NODES
    first, second = np.flatnonzero(who == 0), np.flatnonzero(who == 1)
    groups, foes = [[int(first[0]), int(second[0])]], [(int(first[1]), int(first[2])), (int(second[3]), int(second[4]))]
    found = spectral(vectors, np.ones(len(who)), Bounds(2, 2), groups, foes)
    assert found[first[0]] == found[second[0]]
    assert all(found[one] != found[other] for one, other in foes)
    assert adjusted_rand_score(who, found) > 0.95


def test_all_are_apart_from_all() -> None:
    count = 30
    foes = [(one, other) for one in range(count) for other in range(one)]
    found = spectral(directions(0, count), np.ones(count), Bounds(1, 2), (), foes)
    assert found.tolist() == list(range(count))


def test_who_is_apart_from_whom_tells_one_voice_apart() -> None:
    vectors, _ = voices(9, [30])
    for sizes, bounds in (([15, 15], Bounds(2, 2)), ([6] * 5, Bounds()), ([3] * 10, Bounds())):
        who = np.repeat(np.arange(len(sizes)), sizes)
        foes = [(one, other) for one in range(30) for other in range(one) if who[one] != who[other]]
        assert same(spectral(vectors, np.ones(30), bounds, (), foes), who)


def test_a_stranger_goes_to_others_before_a_new_speaker_is_made() -> None:
    vectors, _ = voices(10, [40], likeness=0.9)
    vectors[20:] *= -1  # two voices that could not be further apart
    found = spectral(vectors, np.ones(40), Bounds(2, 2), (), [(0, 1)])
    assert found.tolist() == [0, 1] + [0] * 18 + [1] * 20
    found = spectral(vectors, np.ones(40), Bounds(2, 2), (), [(0, 1), (1, 30), (0, 30)])
    assert found.tolist() == [0, 1] + [0] * 18 + [2] * 20


def test_the_lesser_of_two_strangers_moves_to_whom_it_is_most_like() -> None:
    vectors, who = voices(4, [30, 30, 30], likeness=0.8)
    one, other = np.flatnonzero(who == 0)[:2].tolist()
    centres = np.stack([vectors[who == voice].mean(axis=0) for voice in range(3)])
    for lesser, greater in ((one, other), (other, one)):
        weights = np.ones(90)
        weights[lesser], weights[greater] = 0.5, 2.0
        found = spectral(vectors, weights, Bounds(3, 3), (), [(one, other)])
        keeps = np.arange(90) != lesser
        assert same(found[keeps], who[keeps])
        nearest = 1 + int((unit(centres[1:]) @ vectors[lesser]).argmax())
        assert found[lesser] == found[np.flatnonzero(who == nearest)[0]]


def test_it_is_as_good_as_k_means_where_voices_blur() -> None:
    """Close voices of unequal size; the oracle is told how many there are."""
    vectors, who = voices(5, [150, 60, 40, 25], likeness=0.25, dimension=128)
    found = spectral(vectors, np.ones(len(who)), Bounds())
    oracle = KMeans(4, n_init=10, random_state=0).fit_predict(vectors)
    assert adjusted_rand_score(who, found) > max(0.9, adjusted_rand_score(who, oracle) - 0.02)


def test_it_gives_one_answer_however_often() -> None:
    vectors = directions(6, 350)
    first = spectral(vectors, np.ones(350), Bounds())
    np.testing.assert_array_equal(first, spectral(vectors.copy(), np.ones(350), Bounds()))


def test_the_order_of_vectors_means_nothing() -> None:
    vectors, who = voices(7, [40, 50, 60])
    order = np.random.default_rng(0).permutation(len(who))
    weights = np.ones(len(who))
    assert same(spectral(vectors, weights, Bounds())[order], spectral(vectors[order], weights, Bounds()))


def test_a_thousand_take_no_time() -> None:
    vectors, who = voices(8, [250] * 4, dimension=192)
    begun = time.process_time()
    spectral(vectors, np.ones(len(who)), Bounds())
    assert time.process_time() - begun < 5  # 0.2 s on a quiet core
