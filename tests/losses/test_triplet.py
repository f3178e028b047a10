"""Triplet losses against loops, another library and cases one can do by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_oracles import cosine_triplet, gradient, semi_hard
from numpy.typing import NDArray
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor

from samevoice.errors import ConfigError, ModelError
from samevoice.losses.triplet import CosineTriplet, SemiHardTriplet


def random_rows(seed: int, count: int, dimension: int = 4) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((count, dimension))


def learning(rows: NDArray[np.float64]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32, requires_grad=True)


@pytest.mark.parametrize("count", [1, 12, 32])
def test_seed_cosine_triplet_collapses_to_its_margin(count: int) -> None:
    collapsed = torch.ones(3 * count, 512)
    assert CosineTriplet(0.1)(collapsed).item() == pytest.approx(0.1, abs=1e-6)
    assert CosineTriplet()(collapsed).item() == pytest.approx(0.2, abs=1e-6)
    assert CosineTriplet(reduction="sum")(collapsed).item() == pytest.approx(0.2 * count, abs=1e-5)


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [
        (0, 180, 0.0),
        (0, 90, 0.0),
        (90, 0, 1.2),
        (180, 0, 2.2),
        (45, 45, 0.2),
        (60, 70, 0.2 + math.cos(math.radians(70)) - 0.5),
    ],
)
def test_seed_cosine_triplet_ordered_cases(positive: float, negative: float, expected: float) -> None:
    """The anchor looks along 0 degrees, its partners along the angles given, all of different lengths."""
    angles = torch.deg2rad(torch.tensor([0.0, positive, negative]))
    rows = torch.stack([angles.cos(), angles.sin()], dim=1) * torch.tensor([[1.0], [7.0], [0.01]])
    assert CosineTriplet(0.2)(rows).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_seed_cosine_triplet_equals_the_distance_form_and_its_slopes(reduction: str) -> None:
    rows = random_rows(1, 15)
    embeddings = learning(rows)
    loss = CosineTriplet(0.2, reduction)(embeddings)
    loss.backward()
    share = 1 if reduction == "sum" else 5
    assert loss.item() == pytest.approx(cosine_triplet(rows, 0.2) / share, abs=1e-5)
    assert embeddings.grad is not None
    expected = gradient(lambda at: cosine_triplet(at, 0.2), rows) / share
    np.testing.assert_allclose(embeddings.grad.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("margin", [0.1, 0.2, 1.0])
def test_seed_cosine_triplet_equals_pytorch_metric_learning(margin: float) -> None:
    rows = random_rows(2, 96, 64)
    ours, theirs = learning(rows), learning(rows)
    peer = TripletMarginLoss(margin, distance=CosineSimilarity(), reducer=MeanReducer())
    index = torch.arange(96)
    loss = CosineTriplet(margin)(ours)
    expected = peer(theirs, indices_tuple=index.chunk(3))
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=0)


def test_a_step_pulls_the_positive_and_pushes_the_negative() -> None:
    before = learning(random_rows(3, 3))
    CosineTriplet(2.0)(before).backward()
    assert before.grad is not None
    after = before.detach() - 0.1 * before.grad
    near, far = (torch.cosine_similarity(row[0], row[1:]) for row in (before.detach(), after))
    assert far[0] > near[0]
    assert far[1] < near[1]


def test_rows_must_divide_by_three_and_labels_must_be_triplets() -> None:
    loss = CosineTriplet()
    with pytest.raises(ModelError, match=r"\(3 B, ...\), got \(32, 8\); give it a number of rows that divides by 3"):
        loss(torch.ones(32, 8))
    rows = torch.ones(6, 8)
    assert loss(rows, torch.tensor([1, 2, 1, 2, 2, 1])).isfinite()
    for labels in ([1, 2, 2, 1, 3, 3], [1, 2, 1, 2, 1, 3]):
        with pytest.raises(ModelError, match="anchor's speaker equals its positive's and differs from its negative's"):
            loss(rows, torch.tensor(labels))


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="margin must be a number above 0 and at most 2, got 0"):
        CosineTriplet(0)
    with pytest.raises(ConfigError, match="margin"):
        SemiHardTriplet(math.nan)
    with pytest.raises(ConfigError, match="reduction must be mean or sum, got 'max'"):
        CosineTriplet(reduction="max")


def test_seed_semi_hard_of_two_orthogonal_vectors_without_a_negative() -> None:
    rows = torch.eye(2)
    assert SemiHardTriplet()(rows, torch.tensor([4, 4])).item() == pytest.approx(2.414214, abs=1e-6)


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=10),
    seed=st.integers(0, 10_000),
    margin=st.sampled_from([0.2, 1.0]),
    unit=st.booleans(),
)
def test_seed_semi_hard_equals_brute_force(labels: list[int], seed: int, margin: float, unit: bool) -> None:
    rows = random_rows(seed, len(labels))
    if unit:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    embeddings = learning(rows)
    loss = SemiHardTriplet(margin)(embeddings, torch.tensor(labels))
    assert loss.item() == pytest.approx(semi_hard(embeddings.detach().double().numpy(), labels, margin), abs=1e-5)
    loss.backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize("seed", range(3))
def test_seed_semi_hard_has_the_slopes_of_brute_force(seed: int) -> None:
    rows, labels = random_rows(seed, 12), [0, 1, 2, 0, 1, 2, 3, 3, 3, 4, 0, 5]
    embeddings = learning(rows)
    SemiHardTriplet()(embeddings, torch.tensor(labels)).backward()
    assert embeddings.grad is not None
    expected = gradient(lambda at: semi_hard(at, labels, 1.0), rows)
    np.testing.assert_allclose(embeddings.grad.numpy(), expected, atol=1e-5)


@given(
    points=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=9),
    data=st.data(),
)
def test_seed_semi_hard_with_ties_and_equal_points(points: list[tuple[int, int]], data: st.DataObject) -> None:
    """On a small grid distances coincide and points lie on each other."""
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(points), max_size=len(points)))
    embeddings = learning(np.array(points, dtype=np.float64))
    loss = SemiHardTriplet()(embeddings, torch.tensor(labels))
    assert loss.item() == pytest.approx(semi_hard(np.array(points, dtype=np.float64), labels, 1.0), abs=1e-5)
    loss.backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


def test_a_collapsed_batch_costs_the_margin_and_has_no_slope() -> None:
    embeddings = torch.ones(6, 3, requires_grad=True)
    loss = SemiHardTriplet()(embeddings, torch.tensor([0, 0, 1, 1, 2, 2]))
    loss.backward()
    assert loss.item() == 1.0
    assert embeddings.grad is not None
    assert (embeddings.grad == 0).all()


def test_rows_without_a_partner_are_no_anchors() -> None:
    """0 and 1 on a line are one speaker; 1.5 is alone: terms 1 + 1 - 1.5 (from 0) and 1 + 1 - 0.5 (from 1)."""
    line = torch.tensor([[0.0], [1.0], [1.5]])
    assert SemiHardTriplet()(line, torch.tensor([7, 7, 9])).item() == pytest.approx((0.5 + 1.5) / 2)


def test_without_any_pair_the_loss_is_zero_and_can_be_walked_back() -> None:
    embeddings = learning(random_rows(0, 4))
    loss = SemiHardTriplet()(embeddings, torch.arange(4))
    loss.backward()
    assert loss.item() == 0
    assert embeddings.grad is not None
    assert (embeddings.grad == 0).all()


def test_normalising_inside_equals_normalising_before() -> None:
    rows = torch.tensor(random_rows(5, 8), dtype=torch.float32)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2, 3])
    unit = rows / rows.norm(dim=1, keepdim=True)
    torch.testing.assert_close(
        SemiHardTriplet(normalise=True)(rows * 9, labels), SemiHardTriplet()(unit, labels), atol=1e-6, rtol=0
    )
    with pytest.raises(ModelError, match="row 2 is a zero vector"):
        SemiHardTriplet(normalise=True)(rows.index_fill(0, torch.tensor([2]), 0.0), labels)
