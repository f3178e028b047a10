"""Cross-entropy on a network's own scores, and on those of a linear head."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_oracles import cross_entropy, gradient, linear

from samevoice.errors import ModelError
from samevoice.losses import build
from samevoice.losses.softmax import CrossEntropy, Softmax
from samevoice.networks import build as build_network


@pytest.mark.parametrize("normalise", [False, True])
def test_softmax_equals_its_definition(normalise: bool) -> None:
    torch.manual_seed(0)
    loss = Softmax(4, 3, normalise)
    weight, bias = (item.detach().double().numpy() for item in loss.head.parameters())
    rows, labels = np.random.default_rng(2).standard_normal((5, 4)), [0, 2, 1, 1, 0]

    def oracle(at: np.ndarray) -> float:
        unit = at / np.linalg.norm(at, axis=1, keepdims=True)
        return cross_entropy(linear(unit if normalise else at, weight, bias), labels)

    embeddings = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
    found = loss(embeddings, torch.tensor(labels))
    found.backward()
    assert found.item() == pytest.approx(oracle(rows), abs=1e-5)
    assert embeddings.grad is not None
    np.testing.assert_allclose(embeddings.grad.numpy(), gradient(oracle, rows), atol=1e-5)


def test_seed_softmax_head_of_251_speakers_has_the_seeds_size() -> None:
    """24,301,051 parameters of the classifier less 24,172,288 of the network."""
    assert sum(item.numel() for item in Softmax(512, 251).parameters()) == 24_301_051 - 24_172_288


def test_seed_softmax_head_starts_as_in_keras() -> None:
    torch.manual_seed(0)
    head = Softmax(512, 251).head
    limit = (6 / (512 + 251)) ** 0.5
    assert 0.99 * limit < head.weight.abs().max().item() <= limit
    assert not head.bias.any()


def test_seed_cross_entropy_trains_the_scores_of_the_network() -> None:
    rows, labels = np.random.default_rng(5).standard_normal((6, 4)), [0, 3, 1, 1, 2, 0]
    scores = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
    loss = build("cross-entropy")
    found = loss(scores, torch.tensor(labels))
    found.backward()
    assert list(loss.parameters()) == []
    assert found.item() == pytest.approx(cross_entropy(rows.tolist(), labels), abs=1e-5)
    assert scores.grad is not None
    expected = gradient(lambda at: cross_entropy(at.tolist(), labels), rows)
    np.testing.assert_allclose(scores.grad.numpy(), expected, atol=1e-5)


def test_seed_fbanknet_learns_its_own_250_scores() -> None:
    torch.manual_seed(0)
    network = build_network("fbanknet-20k")
    loss = build("cross-entropy", network=network)
    pictures, labels = torch.randn(4, 64, 64), torch.tensor([249, 0, 7, 7])
    loss(network(pictures), labels).backward()
    for item in network.parameters():
        assert item.grad is not None
        assert item.grad.isfinite().all()


def test_scores_that_are_none_are_refused() -> None:
    loss = CrossEntropy()
    with pytest.raises(ModelError, match=r"scores must have shape \(N, S\) with S at least 2 speakers, got \(3, 1\)"):
        loss(torch.ones(3, 1), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ModelError, match=r"labels of shape \(2,\) must lie in 0..299, got 0..300; build what makes"):
        loss(torch.ones(2, 300), torch.tensor([0, 300]))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_labels_may_be_integers_of_any_size(dtype: torch.dtype) -> None:
    scores, labels = torch.randn(4, 300, generator=torch.Generator().manual_seed(6)), torch.tensor([3, 100, 250, 0])
    loss = CrossEntropy()
    assert torch.equal(loss(scores, labels.to(dtype)), loss(scores, labels))
