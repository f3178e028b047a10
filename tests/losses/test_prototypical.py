"""GE2E and angular prototypical loss against loops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from loss_oracles import angular_prototypical, ge2e, gradient

from samevoice.errors import ConfigError, ModelError
from samevoice.losses.prototypical import AngularPrototypical, Ge2eLoss

KINDS = {"ge2e": (Ge2eLoss, ge2e), "angular": (AngularPrototypical, angular_prototypical)}
both = pytest.mark.parametrize(("kind", "oracle"), KINDS.values(), ids=list(KINDS))
Oracle = Callable[[np.ndarray, list[int], float, float], float]
Kind = type[Ge2eLoss | AngularPrototypical]
GRIDS = [[0, 0, 1, 1, 2, 2], [5, 3, 5, 3, 5, 3, 9, 9], [1, 0, 1, 0, 0, 0, 1]]


@both
@pytest.mark.parametrize("labels", GRIDS, ids=["grouped", "mixed", "unequal"])
def test_value_and_slopes_equal_the_definition(kind: Kind, oracle: Oracle, labels: list[int]) -> None:
    rows = np.random.default_rng(len(labels)).standard_normal((len(labels), 5))
    loss = kind(3.0, -1.0)
    embeddings = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
    found = loss(embeddings, torch.tensor(labels))
    found.backward()
    assert found.item() == pytest.approx(oracle(rows, labels, 3.0, -1.0), abs=1e-5)
    assert embeddings.grad is not None
    expected = gradient(lambda at: oracle(at, labels, 3.0, -1.0), rows)
    np.testing.assert_allclose(embeddings.grad.numpy(), expected, atol=1e-5)
    # d loss / d log w = w d loss / d w
    slope = 3.0 * gradient(lambda w: oracle(rows, labels, float(w[0]), -1.0), np.array([3.0]))[0]
    assert loss.log_scale.grad is not None
    assert loss.log_scale.grad.item() == pytest.approx(slope, abs=1e-5)


@both
def test_the_default_start_is_the_papers(kind: Kind, oracle: Oracle) -> None:
    rows, labels = np.random.default_rng(4).standard_normal((6, 3)), GRIDS[0]
    loss = kind()
    assert loss.scale.item() == pytest.approx(10, abs=1e-5)
    assert loss.offset.item() == -5
    found = loss(torch.tensor(rows), torch.tensor(labels))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(oracle(rows, labels, 10.0, -5.0), abs=1e-5)


@both
def test_the_scale_stays_positive_whatever_the_step(kind: Kind, oracle: Oracle) -> None:
    """Own and other speaker swapped: the best w would be negative."""
    assert oracle is not None
    loss = kind()
    rows, labels = torch.eye(2)[[0, 1, 1, 0]], torch.tensor([0, 0, 1, 1])
    optimiser = torch.optim.SGD(loss.parameters(), lr=1.0)
    before = loss(rows, labels).item()
    for _ in range(20):
        optimiser.zero_grad()
        loss(rows, labels).backward()
        optimiser.step()
    assert 0 < loss.scale.item() < 1
    assert loss(rows, labels).item() < before


def test_ge2e_does_not_depend_on_the_order() -> None:
    random = torch.Generator().manual_seed(0)
    rows, labels = torch.randn(12, 6, generator=random), torch.arange(12) % 3
    order = torch.randperm(12, generator=random)
    loss = Ge2eLoss()
    torch.testing.assert_close(loss(rows[order], labels[order]), loss(rows, labels), atol=1e-6, rtol=0)
    torch.testing.assert_close(loss(rows * 50, labels), loss(rows, labels), atol=1e-5, rtol=0)


@both
def test_centroids_that_cancel_are_taken_as_zero(kind: Kind, oracle: Oracle) -> None:
    """Opposite rows of one speaker have a centroid of zero length; its cosines are 0, and nothing is NaN."""
    assert oracle is not None
    rows = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1], [0, 1]], requires_grad=True)
    loss = kind()(rows, torch.tensor([0, 0, 1, 1, 1]))
    loss.backward()
    assert loss.isfinite()
    assert rows.grad is not None
    assert rows.grad.isfinite().all()


@both
def test_every_speaker_needs_two_rows(kind: Kind, oracle: Oracle) -> None:
    assert oracle is not None
    with pytest.raises(
        ModelError, match="at least 2 speakers with at least 2 rows each, got 2 speakers, the rarest with 1"
    ):
        kind()(torch.ones(3, 4), torch.tensor([0, 0, 1]))
    with pytest.raises(ModelError, match="got 1 speakers, the rarest with 4; draw the batch with a P x K sampler"):
        kind()(torch.ones(4, 4), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ConfigError, match="scale must be a number above 0"):
        kind(0)
