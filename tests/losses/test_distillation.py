"""Distillation against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from loss_oracles import cosine, gradient
from lossmakers import BY_MOMENTS

from samevoice import losses
from samevoice.errors import ConfigError, ModelError
from samevoice.losses.distillation import CosineDistillation, MseDistillation, SimilarityDistillation

Kind = type[CosineDistillation | MseDistillation]
KINDS = pytest.mark.parametrize("kind", [CosineDistillation, MseDistillation])


@KINDS
@pytest.mark.parametrize("size", [4, 6], ids=["same size", "projected"])
def test_value_and_slopes_equal_numpy(kind: Kind, size: int) -> None:
    torch.manual_seed(0)
    loss = kind(4, size)
    random = np.random.default_rng(1)
    rows, teacher = random.standard_normal((5, 4)), random.standard_normal((5, size))
    weight = np.eye(4) if size == 4 else next(loss.parameters()).detach().double().numpy()

    def oracle(at: np.ndarray) -> float:
        pairs = list(zip(at @ weight.T, teacher, strict=True))
        if kind is CosineDistillation:
            return float(np.mean([1 - cosine(a, b) for a, b in pairs]))
        return float(np.mean([(a - b) ** 2 for a, b in pairs]))

    embeddings = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
    taught = torch.tensor(teacher, dtype=torch.float32, requires_grad=True)
    found = loss(embeddings, taught)
    found.backward()
    assert found.item() == pytest.approx(oracle(rows), abs=1e-5)
    assert embeddings.grad is not None
    np.testing.assert_allclose(embeddings.grad.numpy(), gradient(oracle, rows), atol=1e-5)
    assert taught.grad is None  # the teacher learns nothing


@KINDS
def test_a_perfect_pupil_costs_nothing_and_equal_sizes_learn_no_weights(kind: Kind) -> None:
    loss = kind(8, 8)
    rows = torch.randn(3, 8, generator=torch.Generator().manual_seed(2))
    assert loss(rows, rows).item() == pytest.approx(0, abs=1e-6)
    assert list(loss.parameters()) == []
    assert [tuple(item.shape) for item in kind(8, 5).parameters()] == [(5, 8)]


@KINDS
def test_wrong_teachers_are_refused(kind: Kind) -> None:
    loss = kind(8, 5)
    rows = torch.ones(3, 8)
    with pytest.raises(
        ModelError, match=r"must have shape \(3, 5\), one row per embedding of the student, got \(2, 5\)"
    ):
        loss(rows, torch.ones(2, 5))
    with pytest.raises(ModelError, match=r"of shape \(N, 5\)"):
        loss(rows, torch.ones(3, 8))
    with pytest.raises(ModelError, match="row 1 is NaN"):
        loss(rows, torch.ones(3, 5).index_fill(0, torch.tensor([1]), torch.nan))
    with pytest.raises(ConfigError, match="teacher_dimension"):
        kind(8, 0)


def test_zero_vectors_have_no_direction_but_a_place() -> None:
    zeros, teacher = torch.zeros(2, 4), torch.ones(2, 4)
    assert MseDistillation(4, 4)(zeros, teacher).item() == 1
    for pair in ((zeros, teacher), (teacher, zeros)):
        with pytest.raises(ModelError, match="row 0 is a zero vector"):
            CosineDistillation(4, 4)(*pair)


def unexplained(student: Any, targets: Any) -> float:
    return float(np.square(student - targets).sum() / np.square(targets - targets.mean(axis=0)).sum())


def moments() -> tuple[Any, Any, Any]:
    random = np.random.default_rng(0)
    student, teacher = (random.standard_normal((3, 4, 6)).astype(np.float32) for _ in range(2))
    own = np.arange(6) < np.array([6, 4, 3])[:, None]
    return student, teacher, own


def test_moments_are_compared_by_the_share_that_is_left_unexplained() -> None:
    student, teacher, own = moments()
    targets, found = (one.transpose(0, 2, 1)[own].astype(np.float64) for one in (teacher, student))
    loss, args = losses.build("moment-distillation"), (torch.from_numpy(teacher), torch.from_numpy(own))
    assert float(loss(torch.from_numpy(student), *args)) == pytest.approx(unexplained(found, targets), rel=1e-5)
    mean = torch.from_numpy(np.broadcast_to(targets.mean(axis=0)[None, :, None], teacher.shape).astype(np.float32))
    assert float(loss(mean, *args)) == pytest.approx(1.0, rel=1e-5)


def test_statistics_are_those_of_the_moments_that_the_teacher_knows() -> None:
    student, teacher, own = moments()
    own[2, 1:] = False  # one moment has no deviation
    expected = []
    for statistic in (np.mean, np.std):
        pooled = [
            np.stack(
                [statistic(clip[:, known].astype(np.float64), axis=1) for clip, known in zip(one, own, strict=True)]
            )
            for one in (student, teacher)
        ]
        expected.append(unexplained(pooled[0][:2], pooled[1][:2]))
    loss = losses.build("statistics-distillation")
    value = loss(*(torch.from_numpy(one) for one in (student, teacher, own)))
    assert float(value) == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize("name", BY_MOMENTS)
def test_losses_by_moments_look_at_what_the_teacher_knows(name: str) -> None:
    student, *rest = (torch.from_numpy(one) for one in moments())
    teacher, own = rest
    loss = losses.build(name)
    student.requires_grad_()
    loss(student, teacher, own).backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()
    assert not student.grad.transpose(1, 2)[~own].any()
    assert student.grad.any()
    assert float(loss(teacher, teacher, own)) == 0.0
    constant = torch.ones_like(teacher)
    assert float(loss(constant, constant, own)) == 0.0
    for wrong in ((teacher[:, :3], own), (teacher, own[:, :2]), (teacher, torch.zeros_like(own))):
        with pytest.raises(ModelError):
            loss(student, *wrong)


@pytest.mark.parametrize("others", [None, 7], ids=["the batch's own", "others"])
def test_similarity_distillation_equals_numpy(others: int | None) -> None:
    torch.manual_seed(0)
    loss = SimilarityDistillation(4, 6, scale=5.0)
    random = np.random.default_rng(3)
    rows, teacher = random.standard_normal((5, 4)), random.standard_normal((5, 6))
    anchors = teacher if others is None else random.standard_normal((others, 6))
    weight = next(loss.parameters()).detach().double().numpy()

    def softmax(vector: np.ndarray) -> np.ndarray:
        raised: np.ndarray = np.exp([5.0 * cosine(vector, anchor) for anchor in anchors])
        shares: np.ndarray = raised / raised.sum()
        return shares

    def oracle(at: np.ndarray) -> float:
        pairs = [(softmax(one), softmax(other)) for one, other in zip(teacher, at @ weight.T, strict=True)]
        return float(np.mean([np.sum(wanted * np.log(wanted / found)) for wanted, found in pairs]))

    embeddings = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
    given = [] if others is None else [torch.tensor(anchors, dtype=torch.float32)]
    found = loss(embeddings, torch.tensor(teacher, dtype=torch.float32), *given)
    found.backward()
    assert found.item() == pytest.approx(oracle(rows), abs=1e-5)
    assert embeddings.grad is not None
    np.testing.assert_allclose(embeddings.grad.numpy(), gradient(oracle, rows), atol=1e-5)


def test_who_sounds_like_the_teacher_costs_nothing() -> None:
    loss = SimilarityDistillation(8, 8)
    rows = torch.randn(5, 8, generator=torch.Generator().manual_seed(4))
    assert loss(3 * rows, rows, torch.randn(9, 8)).item() == pytest.approx(0, abs=1e-5)
    with pytest.raises(ConfigError, match="scale"):
        SimilarityDistillation(8, 8, scale=0)
    with pytest.raises(ModelError):
        loss(rows, rows, torch.randn(9, 7))
