"""The index against plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.training.index import PairCounts, UtteranceIndex, pair_counts

labels_of_a_corpus = st.lists(st.integers(-3, 5), min_size=1, max_size=30)


@given(labels_of_a_corpus)
def test_a_speakers_utterances_lie_side_by_side(labels: list[int]) -> None:
    index = UtteranceIndex(np.array(labels))
    assert len(index) == len(labels)
    assert index.speakers.tolist() == sorted(set(labels))
    for position, speaker in enumerate(index.speakers):
        start, count = index.starts[position], index.counts[position]
        expected = [row for row, label in enumerate(labels) if label == speaker]
        assert index.order[start : start + count].tolist() == expected
        assert (index.owners[start : start + count] == position).all()
    assert index.speakers[index.positions].tolist() == labels
    assert set(index.alone.tolist()) == {label for label in labels if labels.count(label) == 1}
    assert set(index.speakers[index.with_partner].tolist()) == {label for label in labels if labels.count(label) > 1}


def test_the_index_keeps_a_copy_that_nobody_can_change() -> None:
    labels = np.array([3, 1, 3])
    index = UtteranceIndex(labels)
    before = index.digest
    labels[0] = 9
    assert index.labels.tolist() == [3, 1, 3]
    assert index.digest == before
    for array in (index.labels, index.positions, index.order, index.counts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5


def test_the_digest_names_the_labels_in_their_order() -> None:
    digests = {UtteranceIndex(np.array(labels)).digest for labels in ([1, 2, 3], [1, 3, 2], [1, 2], [1, 2, 3, 3])}
    assert len(digests) == 4
    assert UtteranceIndex(np.array([1, 2], dtype=np.int8)).digest == UtteranceIndex(np.array([1, 2])).digest


@given(labels_of_a_corpus)
def test_seed_pair_counts_equal_a_count(labels: list[int]) -> None:
    pairs = [a == b for a, b in itertools.combinations(labels, 2)]
    assert pair_counts(labels) == PairCounts(
        same=sum(pairs), different=len(pairs) - sum(pairs), alone=sum(labels.count(label) == 1 for label in labels)
    )
