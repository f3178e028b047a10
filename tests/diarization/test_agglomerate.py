from __future__ import annotations

import numpy as np
import pytest
from clustermakers import Array, Labels, components, directions, same, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from samevoice.diarization.agglomerate import Tree, agglomerate

SEEDS = st.integers(0, 2**31)


def defined(
    vectors: Array, weights: Array, groups: list[list[int]], foes: list[tuple[int, int]]
) -> tuple[list[Labels], list[float]]:
    """Average links as they are defined: all pairs of members, every time; labels and likeness after each merge."""
    labels = components(len(vectors), groups)
    steps = [labels.copy()]
    likeness: list[float] = []
    cosines = vectors @ vectors.T * weights[:, None] * weights
    mass = weights[:, None] * weights
    while True:
        best, pair = -np.inf, None
        names = np.unique(labels)
        for row, one in enumerate(names):
            for other in names[row + 1 :]:
                here, there = labels == one, labels == other
                if any((here[a] and there[b]) or (here[b] and there[a]) for a, b in foes):
                    continue
                mean = cosines[np.ix_(here, there)].sum() / mass[np.ix_(here, there)].sum()
                if mean > best:
                    best, pair = mean, (one, other)
        if pair is None:
            return steps, likeness
        labels[labels == pair[1]] = pair[0]
        steps.append(labels.copy())
        likeness.append(best)


@pytest.mark.parametrize("count", [2, 3, 17, 120])
def test_it_is_scipys_average_linkage(count: int) -> None:
    vectors = directions(count, count)
    tree = agglomerate(vectors)
    oracle = linkage(vectors, "average", metric="cosine")
    np.testing.assert_allclose(1 - tree.likeness, oracle[:, 2], atol=1e-12)
    for clusters in range(1, count + 1):
        found = tree.cut_to(clusters)
        assert found.max() + 1 == clusters
        assert same(found, fcluster(oracle, clusters, "maxclust"))
    for distance in np.linspace(0, 2, 41):
        assert same(tree.cut(1 - distance), fcluster(oracle, distance, "distance"))


@settings(max_examples=60)
@given(SEEDS, st.integers(2, 12), st.data())
def test_it_is_what_the_definition_says_with_weights_and_demands(seed: int, count: int, data: st.DataObject) -> None:
    vectors, weights = directions(seed, count, 5), np.random.default_rng(seed).uniform(0.2, 5, count)
    row = st.integers(0, count - 1)
    groups = data.draw(st.lists(st.lists(row, min_size=1, max_size=4), max_size=3))
    bound = components(count, groups)
    foes = [pair for pair in data.draw(st.lists(st.tuples(row, row), max_size=6)) if bound[pair[0]] != bound[pair[1]]]
    tree = agglomerate(vectors, weights, together=groups, apart=foes)
    steps, likeness = defined(vectors, weights, groups, foes)
    assert tree.demanded == count - len(np.unique(bound))
    np.testing.assert_allclose(tree.likeness[tree.demanded :], likeness, atol=1e-12)
    for merges, labels in enumerate(steps):
        assert same(tree.cut_after(tree.demanded + merges), labels)


@settings(max_examples=60)
@given(SEEDS, st.integers(1, 40), st.data())
def test_demands_hold_in_every_cut(seed: int, count: int, data: st.DataObject) -> None:
    row = st.integers(0, count - 1)
    groups = data.draw(st.lists(st.lists(row, min_size=1, max_size=5), max_size=6))
    foes = data.draw(st.lists(st.tuples(row, row), max_size=30))  # also of oneself, and of those who are bound
    tree = agglomerate(directions(seed, count), together=groups, apart=foes)
    bound = components(count, groups)
    for labels in [tree.cut_to(clusters) for clusters in range(count + 2)] + [tree.cut(-1.0), tree.cut(1.5)]:
        assert all(len(set(labels[group])) == 1 for group in groups)
        assert all(labels[one] != labels[other] for one, other in foes if bound[one] != bound[other])
    assert (np.diff(tree.likeness[tree.demanded :]) <= 0).all()


def test_pairs_that_are_apart_through_their_groups_stay_apart() -> None:
    vectors = unit([[1.0, 0.0], [1.0, 0.01], [1.0, 0.02], [1.0, 0.03]])
    tree = agglomerate(vectors, together=[(0, 3)], apart=[(0, 1), (3, 2)])
    assert tree.cut_to(1).tolist() == [0, 1, 1, 0]
    assert tree.cut(-1).tolist() == [0, 1, 1, 0]


def test_what_must_be_together_outweighs_what_must_be_apart() -> None:
    tree = agglomerate(unit([[1.0, 0.0], [-1.0, 0.1]]), together=[(0, 1)], apart=[(1, 0), (1, 1)])
    assert tree.cut(2.0).tolist() == tree.cut_to(2).tolist() == [0, 0]
    assert tree.demanded == 1


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one_have_nothing_to_merge(count: int) -> None:
    tree = agglomerate(directions(0, count), together=[(0,)] * count)
    assert tree.merges.shape == (0, 2)
    for labels in (tree.cut(0.5), tree.cut_to(0), tree.cut_to(5), tree.cut_after(0)):
        assert labels.tolist() == [0] * count


def test_two_are_cut_at_their_cosine() -> None:
    vectors = unit([[1.0, 0.0], [0.6, 0.8]])
    tree = agglomerate(vectors)
    np.testing.assert_allclose(tree.likeness, [0.6])
    exact = float(tree.likeness[0])
    assert tree.cut(exact).tolist() == [0, 0]
    assert tree.cut(np.nextafter(exact, 1)).tolist() == [0, 1]


def test_a_heavy_vector_pulls_the_mean() -> None:
    vectors = unit([[1.0, 0.0], [0.9, 0.3], [0.0, 1.0]])
    found = agglomerate(vectors, [1.0, 9.0, 1.0])
    np.testing.assert_allclose(found.likeness[1], 0.9 * vectors[1] @ vectors[2], atol=1e-12)


@settings(max_examples=60)
@given(SEEDS, st.integers(1, 60), st.integers(1, 4), st.sampled_from([0.0, 1e-16, 1e-15]))
def test_vectors_that_are_the_same_up_to_rounding_find_each_other(
    seed: int, count: int, different: int, noise: float
) -> None:
    generator = np.random.default_rng(seed)
    which = generator.integers(0, different, count)
    vectors = directions(seed, different, 100)[which] + noise * generator.standard_normal((count, 100))
    tree = agglomerate(vectors, generator.uniform(0.5, 3.0, count))
    assert len(tree.merges) == count - 1
    assert same(tree.cut(0.999), which)


@pytest.mark.parametrize("seed", range(1, 31, 2))
def test_a_chain_of_equals_ends(seed: int) -> None:
    """Products of rows that differ in their last bits hang on where a row stands; once such rows chased each other."""
    generator = np.random.default_rng(seed)
    count, dimension = int(generator.integers(3, 80)), int(generator.integers(2, 200))
    vectors = unit(generator.standard_normal((int(generator.integers(1, 4)), dimension)))
    vectors = vectors[generator.integers(0, len(vectors), count)]
    vectors = vectors + 1e-16 * generator.standard_normal(vectors.shape)
    assert len(agglomerate(vectors, generator.uniform(0.5, 3, count)).merges) == count - 1


def test_ties_give_one_answer() -> None:
    corners = np.eye(6)
    trees = [agglomerate(corners) for _ in range(3)]
    assert all(np.array_equal(tree.merges, trees[0].merges) for tree in trees)
    np.testing.assert_array_equal(trees[0].likeness, np.zeros(5))
    assert [len(set(trees[0].cut_to(clusters))) for clusters in range(1, 7)] == [1, 2, 3, 4, 5, 6]


def test_labels_count_from_nought_in_order_of_first_members() -> None:
    vectors, twice = directions(3, 20), agglomerate(directions(3, 20))
    tree = agglomerate(vectors)
    for clusters in range(1, 21):
        labels = tree.cut_to(clusters)
        assert list(dict.fromkeys(labels.tolist())) == list(range(clusters))
        np.testing.assert_array_equal(labels, twice.cut_to(clusters))


def test_the_vectors_given_are_left_alone() -> None:
    vectors = directions(1, 9)
    before = vectors.copy()
    agglomerate(vectors, np.ones(9))
    np.testing.assert_array_equal(vectors, before)


def test_a_tree_without_demands_needs_none() -> None:
    tree = Tree(np.array([[0, 1]]), np.array([0.3]), 3)
    assert tree.cut(0.3).tolist() == [0, 0, 1]
    assert tree.cut(0.31).tolist() == [0, 1, 2]
