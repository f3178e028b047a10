"""The memory that hard triplets are chosen from: what it holds, refuses and takes up again."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from samplermakers import corpus, mined, places, step

from samevoice.errors import ConfigError, ModelError
from samevoice.training.history import EmbeddingHistory


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=8), st.integers(1, 12))
def test_the_history_holds_the_newest_of_each_and_forgets_the_oldest(sets: list[list[int]], capacity: int) -> None:
    history = EmbeddingHistory(capacity)
    expected: dict[int, int] = {}  # utterance -> when it was embedded, in order of age
    for time, rows in enumerate(sets):
        when = [10 * time + place for place in range(len(rows))]
        history.add(np.array(rows, dtype=np.int64), np.array([[np.cos(t), np.sin(t)] for t in when]).reshape(-1, 2))
        for row, moment in zip(rows, when, strict=True):
            expected.pop(row, None)
            expected[row] = moment
        expected = dict(list(expected.items())[-capacity:])
    assert history.rows.tolist() == list(expected)
    angles = np.array([[np.cos(t), np.sin(t)] for t in expected.values()], dtype=np.float32)
    np.testing.assert_allclose(history.embeddings.reshape(-1, 2), angles.reshape(-1, 2), atol=1e-6)


def test_the_history_keeps_directions_only_and_refuses_what_has_none() -> None:
    history = EmbeddingHistory(5)
    history.add(np.array([4, 2]), np.array([[3.0, 4.0], [0.0, 1e-9]]))
    np.testing.assert_allclose(history.embeddings, np.array([[0.6, 0.8], [0, 1]]), rtol=1e-6)
    assert history.embeddings.dtype == np.float32
    for bad in (np.nan, np.inf, 0.0):
        with pytest.raises(ModelError, match=r"of shape \(1, 2\) must be finite and none a zero vector"):
            history.add(np.array([1]), np.full((1, 2), bad))
    for wrong in (np.ones(2), np.ones((2, 2)), np.ones((1, 3))):
        with pytest.raises(ModelError, match=r"embeddings must have shape \(1, 2\), got"):
            history.add(np.array([1]), wrong)
    assert history.rows.tolist() == [4, 2]


def test_the_history_takes_numpy_alone() -> None:
    history = EmbeddingHistory(5)
    wrong: tuple[object, ...] = (torch.ones(1, 2), torch.ones(1, 2, requires_grad=True), [[1.0, 2.0]], None)
    for embeddings in wrong:
        name = type(embeddings).__name__
        with pytest.raises(
            ModelError, match=rf"embeddings must be a numpy array of floats of shape \(1, d\), got {name}"
        ):
            history.add(np.array([1]), embeddings)  # type: ignore[arg-type]


def test_a_damaged_history_is_refused() -> None:
    index = corpus(4, 4, 4, 4, 4, 4)
    sampler = mined(index, 0)
    step(sampler, places(index))
    state = sampler.state()
    remembered = state["remembered"]
    short = base64.b64encode(b"123").decode()
    for broken in (
        {},
        {**remembered, "rows": remembered["rows"][1:]},
        {**remembered, "rows": "none"},
        {**remembered, "embeddings": short},
        {**remembered, "embeddings": "?"},
        {**remembered, "embeddings": None},
        {**remembered, "rows": [remembered["rows"][1], *remembered["rows"][1:]]},
        {**remembered, "rows": [0.5, *remembered["rows"][1:]]},
        {**remembered, "rows": [-1, *remembered["rows"][1:]]},
        {**remembered, "embeddings": base64.b64encode(np.full((12, 6), np.nan, "<f4").tobytes()).decode()},
        {**remembered, "embeddings": base64.b64encode(np.ones((12, 6), "<f4").tobytes()).decode()},
        None,
    ):
        with pytest.raises(ConfigError, match="the saved history of embeddings is damaged; go back to an older"):
            mined(index, 0).restore({**state, "remembered": broken})
    outside = {**remembered, "rows": [24, *remembered["rows"][1:]]}
    with pytest.raises(ConfigError, match=r"utterances must be whole numbers in 0..23 of shape \(k,\)"):
        mined(index, 0).restore({**state, "remembered": outside})
    many = EmbeddingHistory(30)
    many.add(np.arange(24), places(index))
    with pytest.raises(ConfigError, match="the saved history holds 24 utterances, this one 20"):
        mined(index, 0).restore({**state, "remembered": many.state()})


def test_a_refused_state_changes_nothing() -> None:
    """Each part of the state is damaged in turn, while all before it are those of a later moment."""
    index = corpus(4, 4, 4, 4, 4, 4)
    embeddings = places(index)
    ahead = mined(index, 0)
    for _ in range(3):
        step(ahead, embeddings)
    later = ahead.state()
    sampler = mined(index, 0)
    step(sampler, embeddings)
    before = json.dumps(sampler.state())
    outside = {**later["remembered"], "rows": [24, *later["remembered"]["rows"][1:]]}
    for part, broken in (
        ("candidates", None),
        ("candidates", {**later["candidates"], "batch": -1}),
        ("remembered", None),
        ("remembered", {**later["remembered"], "embeddings": "?"}),
        ("remembered", outside),
    ):
        with pytest.raises(ConfigError):
            sampler.restore({**later, part: broken})
        assert json.dumps(sampler.state()) == before
    sampler.restore(later)
    assert sampler.state() == later


def test_a_mined_batch_depends_on_what_was_recorded_before() -> None:
    """Its number alone does not bring it back: the state to save is the one right after the batch."""
    index = corpus(4, 4, 4, 4, 4, 4)
    embeddings = places(index)
    first, other = mined(index, 0), mined(index, 0)
    states = []
    for _ in range(4):
        step(first, embeddings)
        states.append(json.dumps(first.state()))
    other.restore(json.loads(states[1]))
    again = [step(other, embeddings).tolist() for _ in range(2)]
    fresh = mined(index, 0)
    fresh.restore({**fresh.state(), "batch": 2})
    unlike = [step(fresh, embeddings).tolist() for _ in range(2)]
    assert json.dumps(other.state()) == states[3]
    assert again != unlike
