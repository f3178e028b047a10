"""Losses on pairs, by hand and against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_oracles import contrastive, cross_entropy, gradient, linear

from samevoice.errors import ConfigError, ModelError
from samevoice.losses import build
from samevoice.losses.contrastive import Contrastive, SiameseCrossEntropy
from samevoice.networks import build as build_network
from samevoice.networks.spectrogramnet import SpectrogramNet

LABELS = [0, 1, 2, 3, 4, 0, 1, 0, 5, 6]  # pairs 0 and 1 are the same, pairs 2 to 4 are not


@pytest.mark.parametrize(
    ("apart", "same", "expected"),
    [(0, True, 0), (0.5, True, 0.25), (3, True, 9), (0, False, 4), (0.5, False, 2.25), (2, False, 0), (5, False, 0)],
)
def test_seed_contrastive_by_hand(apart: float, same: bool, expected: float) -> None:
    rows = torch.tensor([[1.0, 1.0], [1.0, 1.0 + apart]], requires_grad=True)
    loss = Contrastive()(rows, torch.tensor([3, 3 if same else 8]))
    loss.backward()
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    assert rows.grad is not None
    assert rows.grad.isfinite().all()


@pytest.mark.parametrize("seed", range(4))
def test_seed_contrastive_equals_its_definition(seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((10, 3)) / 2
    embeddings = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
    loss = Contrastive()(embeddings, torch.tensor(LABELS))
    loss.backward()
    assert loss.item() == pytest.approx(contrastive(rows, LABELS, 2.0), abs=1e-5)
    assert embeddings.grad is not None
    expected = gradient(lambda at: contrastive(at, LABELS, 2.0), rows)
    np.testing.assert_allclose(embeddings.grad.numpy(), expected, atol=1e-5)


def test_siamese_equals_its_definition() -> None:
    torch.manual_seed(0)
    loss = SiameseCrossEntropy(3)
    rows = np.random.default_rng(1).standard_normal((10, 3))
    weight, bias = (item.detach().double().numpy() for item in loss.head.parameters())

    def oracle(at: np.ndarray) -> float:
        return cross_entropy(linear(abs(at[:5] - at[5:]), weight, bias), [1, 1, 0, 0, 0])

    embeddings = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
    found = loss(embeddings, torch.tensor(LABELS))
    found.backward()
    assert found.item() == pytest.approx(oracle(rows), abs=1e-5)
    assert embeddings.grad is not None
    np.testing.assert_allclose(embeddings.grad.numpy(), gradient(oracle, rows), atol=1e-5)


def test_seed_siamese_does_not_know_the_sides_and_has_the_seeds_size() -> None:
    loss = SiameseCrossEntropy(512)
    assert sum(item.numel() for item in loss.parameters()) == 1_026
    first, second = torch.randn(2, 6, 512, generator=torch.Generator().manual_seed(2))
    assert torch.equal(loss.logits(first, second), loss.logits(second, first))


def test_siamese_trains_the_head_it_is_given_and_does_not_own_it() -> None:
    head = torch.nn.Linear(4, 2)
    loss = SiameseCrossEntropy(4, head)
    loss(torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 1])).backward()
    assert head.weight.grad is not None
    assert head.weight.grad.any()
    assert list(loss.parameters()) == []  # an optimiser over network and loss meets each weight once
    assert loss.state_dict() == {}
    with pytest.raises(ConfigError, match="head must lead from 5 numbers to 2, this one leads from 4 to 2"):
        SiameseCrossEntropy(5, head)
    for wrong in (5, True, torch.nn.Conv1d(4, 2, 1)):
        with pytest.raises(ConfigError, match=r"head must be a torch.nn.Linear from 4 numbers to 2, got"):
            build("siamese", {"dimension": 4, "head": wrong})  # type: ignore[dict-item]


def test_seed_siamese_trains_what_spectrogramnet_compares_with() -> None:
    torch.manual_seed(0)
    network = build_network("spectrogramnet-pooled")
    loss = build("siamese", network=network)
    assert isinstance(loss, SiameseCrossEntropy)
    assert loss.head is network.head
    first, second = torch.randn(2, 6, 512)
    assert isinstance(network, SpectrogramNet)
    before = network.compare(first, second)
    assert torch.equal(loss.logits(first, second), before)
    optimiser = torch.optim.SGD([*network.parameters(), *loss.parameters()], lr=0.1)
    loss(torch.cat([first, second]), torch.zeros(12, dtype=torch.int64)).backward()
    optimiser.step()
    gained = network.compare(first, second) - before
    assert (gained[:, 1] > gained[:, 0]).all()  # all pairs were the same


@pytest.mark.parametrize("name", ["bilstm", "campplus"])
def test_siamese_brings_a_head_for_networks_that_have_none(name: str) -> None:
    network = build_network(name)
    loss = build("siamese", network=network)
    assert isinstance(loss, SiameseCrossEntropy)
    assert loss.head.in_features == network.dimension
    assert sorted(loss.state_dict()) == ["head.bias", "head.weight"]


def test_siamese_learns_to_tell_pairs() -> None:
    """Same pairs lie close together, different pairs far apart: the second output must win for the first kind."""
    random = torch.Generator().manual_seed(3)
    first = torch.randn(64, 8, generator=random)
    same = torch.arange(64) % 2 == 0
    second = torch.where(same[:, None], first + 0.1 * torch.randn(64, 8, generator=random), -first)
    rows, labels = torch.cat([first, second]), torch.cat([torch.zeros(64), (~same).float()]).long()
    loss = SiameseCrossEntropy(8)
    optimiser = torch.optim.SGD(loss.parameters(), lr=0.5)
    for _ in range(50):
        optimiser.zero_grad()
        loss(rows, labels).backward()
        optimiser.step()
    assert torch.equal(loss.logits(first, second).argmax(dim=1).bool(), same)


@pytest.mark.parametrize("loss", [Contrastive(), SiameseCrossEntropy(4)], ids=["contrastive", "siamese"])
def test_a_pair_needs_two_rows(loss: torch.nn.Module) -> None:
    with pytest.raises(ModelError, match=r"first sides, second sides must have shape \(2 B, ...\), got \(5, 4\)"):
        loss(torch.ones(5, 4), torch.zeros(5, dtype=torch.int64))
    zeros = torch.zeros(2, 4, requires_grad=True)
    value = loss(zeros, torch.tensor([0, 1]))
    value.backward()
    assert value.isfinite()
    assert zeros.grad is not None
    assert zeros.grad.isfinite().all()


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="margin"):
        Contrastive(-1)
    with pytest.raises(ConfigError, match="dimension must be a whole number of at least 1, got 0"):
        SiameseCrossEntropy(0)
