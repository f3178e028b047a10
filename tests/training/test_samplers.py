"""What every sampler promises: the same batches for a seed, none lost by a restart, bad data refused."""

from __future__ import annotations

import json
import logging
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samplermakers import KINDS, corpus, places, step

from samevoice.errors import ConfigError
from samevoice.training.buffer import BufferSampler
from samevoice.training.index import UtteranceIndex
from samevoice.training.mining import MinedTripletSampler
from samevoice.training.pairs import PairSampler
from samevoice.training.pk import PkSampler
from samevoice.training.sampler import Sampler
from samevoice.training.triplets import TripletSampler

INDEX = corpus(4, 7, 2, 1, 5, 3, 9, 2)
EMBEDDINGS = places(INDEX)
every = pytest.mark.parametrize("kind", KINDS)


def batches(sampler: Sampler, count: int) -> list[list[int]]:
    return [step(sampler, EMBEDDINGS).tolist() for _ in range(count)]


@every
@given(seed=st.integers(0, 2**63), before=st.integers(0, 12), after=st.integers(1, 5))
@settings(max_examples=20)
def test_seed_samplers_go_on_where_they_were_left(kind: str, seed: int, before: int, after: int) -> None:
    first = KINDS[kind](INDEX, seed)
    batches(first, before)
    saved = json.dumps(first.state())
    expected = batches(first, after)
    fresh = KINDS[kind](INDEX, seed)
    fresh.restore(json.loads(saved))
    assert batches(fresh, after) == expected
    batches(first, 3)
    first.restore(json.loads(saved))  # backwards
    assert batches(first, after) == expected


@every
def test_seed_samplers_depend_on_their_seed_alone(kind: str) -> None:
    runs = [batches(KINDS[kind](INDEX, seed), 6) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert len({tuple(batch) for batch in runs[0]}) == 6  # no batch comes twice


@every
def test_batches_are_utterance_numbers(kind: str) -> None:
    sampler = KINDS[kind](INDEX, 0)
    assert iter(sampler) is sampler
    for _ in range(20):
        batch = step(sampler, EMBEDDINGS)
        assert batch.dtype == np.int64
        assert batch.ndim == 1
        assert ((batch >= 0) & (batch < len(INDEX))).all()


@every
def test_a_state_of_something_else_is_refused(kind: str) -> None:
    sampler = KINDS[kind](INDEX, 0)
    step(sampler, EMBEDDINGS)
    state = sampler.state()
    other = next(make(INDEX, 0) for name, make in KINDS.items() if name.split(",")[0] != kind.split(",")[0])
    with pytest.raises(ConfigError, match=r"the saved state of the sampler has sampler '.*', this one '.*'; build the"):
        other.restore(state)
    with pytest.raises(ConfigError, match="has seed 0, this one 1"):
        KINDS[kind](INDEX, 1).restore(state)
    with pytest.raises(
        ConfigError, match=r"has data '.*', this one '.*'; build the sampler with the data and settings"
    ):
        KINDS[kind](corpus(4, 7, 2, 1, 5, 3, 9, 2, seed=1), 0).restore(state)
    for broken in ({}, {**state, "batch": -1}, {**state, "batch": "3"}, {**state, "batch": None}, None, 3, [state]):
        with pytest.raises(ConfigError, match="saved state"):
            KINDS[kind](INDEX, 0).restore(broken)  # type: ignore[arg-type]


def test_settings_are_part_of_the_state() -> None:
    with pytest.raises(ConfigError, match="has triplets 8, this one 9"):
        TripletSampler(INDEX, 9).restore(TripletSampler(INDEX, 8).state())


def test_batch_k_does_not_depend_on_the_batches_before() -> None:
    """A trainer that fetches ahead may save the number of batches it has used."""
    sampler = PkSampler(INDEX, 4, 3)
    fifth = list(islice(sampler, 5))[-1]
    other = PkSampler(INDEX, 4, 3)
    other.restore({**other.state(), "batch": 4})
    np.testing.assert_array_equal(next(other), fifth)


def test_two_kinds_with_one_seed_draw_unrelated_numbers() -> None:
    kinds = [TripletSampler(INDEX, 8, seed=3), PairSampler(INDEX, 8, seed=3)]
    first, second = (sampler._generator(0).integers(1 << 30, size=8).tolist() for sampler in kinds)
    assert first != second


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "buffer"])
def test_speakers_that_cannot_be_used_are_told(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        sampler = KINDS[kind](INDEX, 0)
    assert sampler.excluded.tolist() == [40]
    assert len(caplog.messages) == 1
    assert "1 of 8 speakers have a single utterance and cannot give a positive" in caplog.messages[0]
    caplog.clear()
    assert KINDS[kind](corpus(3, 3, 3, 3, 3, 3), 0).excluded.size == 0
    assert caplog.messages == []


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "buffer"])
def test_data_without_positives_or_negatives_are_refused(kind: str) -> None:
    with pytest.raises(
        ConfigError, match="the data hold 1 speaker, so there is no negative; add recordings of at least"
    ):
        KINDS[kind](corpus(50), 0)
    with pytest.raises(
        ConfigError, match="no speaker has two utterances, so there is no positive; add recordings of the"
    ):
        KINDS[kind](corpus(*[1] * 50), 0)


def test_batches_larger_than_the_data_are_refused() -> None:
    small = corpus(2, 3, 1)
    with pytest.raises(
        ConfigError, match="triplets is 6, but the data hold 5 utterances that can be anchors; use at most 5"
    ):
        TripletSampler(small, 6)
    with pytest.raises(ConfigError, match="triplets is 3, but the data hold 2 speakers with two utterances"):
        TripletSampler(small, 3, distinct=True)
    with pytest.raises(
        ConfigError, match="speakers is 3, but the data hold 2 speakers with two utterances; use at most 2"
    ):
        PkSampler(small, 3, 2)
    with pytest.raises(ConfigError, match="speakers x clips is 8, but the data hold 6 utterances"):
        PkSampler(small, 2, 4)
    with pytest.raises(
        ConfigError, match="pairs is 7, but the data hold 6 utterances; use at most 6 or add recordings"
    ):
        PairSampler(small, 7)
    with pytest.raises(ConfigError, match="batch is 7, but the data hold 6 utterances"):
        BufferSampler(small, 7)
    with pytest.raises(
        ConfigError, match=r"anchors \(triplets / per_anchor\) is 6, but the data hold 5 utterances that"
    ):
        MinedTripletSampler(small, 12, speakers=2)
    TripletSampler(small, 5)
    PkSampler(small, 2, 3)
    BufferSampler(small, 6)


@pytest.mark.parametrize("wrong", [0, -3, 2.0, True, "4", None])
def test_sizes_must_be_whole_numbers(wrong: int) -> None:
    for make in (
        lambda: TripletSampler(INDEX, wrong),
        lambda: PkSampler(INDEX, wrong, 2),
        lambda: PkSampler(INDEX, 2, wrong),
        lambda: PairSampler(INDEX, wrong),
        lambda: BufferSampler(INDEX, wrong),
        lambda: BufferSampler(INDEX, 8, wrong),
        lambda: MinedTripletSampler(INDEX, wrong),
        lambda: MinedTripletSampler(INDEX, 8, per_anchor=wrong),
    ):
        with pytest.raises(ConfigError, match="must be a whole number of at least"):
            make()


@pytest.mark.parametrize("wrong", [-1, 0.5, None])
def test_the_seed_must_be_a_whole_number(wrong: int) -> None:
    with pytest.raises(ConfigError, match="seed must be a whole number of at least 0"):
        TripletSampler(INDEX, 8, seed=wrong)


@pytest.mark.parametrize("labels", [[], [[1, 2]], [0.5, 1.5], ["a", "b"]])
def test_labels_must_be_integers(labels: list[object]) -> None:
    with pytest.raises(
        ConfigError, match=r"speaker labels must be integers of shape \(n,\), one per utterance and n >= 1"
    ):
        UtteranceIndex(np.array(labels))
