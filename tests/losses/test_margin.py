"""Softmax with margins against pytorch-metric-learning, numpy and the shape of their curves."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning import losses as peers

from samevoice.errors import ConfigError, ModelError
from samevoice.losses.margin import AamSoftmax, AmSoftmax, SubcentreAam
from samevoice.losses.softmax import Softmax

DIMENSION, SPEAKERS = 16, 7


def batch(seed: int, rows: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(SPEAKERS, (rows,), generator=random)
    return torch.randn(rows, DIMENSION, generator=random) * 3, labels


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("kind", ["am", "aam", "aam wide", "sub-centre", "one centre"])
def test_margins_equal_pytorch_metric_learning(kind: str, scale: float) -> None:
    torch.manual_seed(1)
    size = {"num_classes": SPEAKERS, "embedding_size": DIMENSION, "scale": scale}
    ours: AmSoftmax
    if kind == "am":
        ours, theirs = AmSoftmax(DIMENSION, SPEAKERS, 0.35, scale), peers.CosFaceLoss(**size, margin=0.35)
    elif kind.startswith("aam"):
        margin = 0.2 if kind == "aam" else 1.5  # so wide that many angles lie beyond pi - m
        ours = AamSoftmax(DIMENSION, SPEAKERS, margin, scale)
        theirs = peers.ArcFaceLoss(**size, margin=math.degrees(margin))
    else:
        centres = 3 if kind == "sub-centre" else 1
        ours = SubcentreAam(DIMENSION, SPEAKERS, 0.2, scale, centres)
        theirs = peers.SubCenterArcFaceLoss(**size, margin=math.degrees(0.2), sub_centers=centres)
    with torch.no_grad():
        theirs.W.copy_(ours.weight.T)
    embeddings, labels = batch(3)
    mine, peer = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    found, expected = ours(mine, labels), theirs(peer, labels)
    found.backward()
    expected.backward()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-6)
    torch.testing.assert_close(mine.grad, peer.grad, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.weight.grad, theirs.W.grad.T, atol=1e-5, rtol=1e-5)


def test_without_margin_all_three_are_one_loss() -> None:
    embeddings, labels = batch(4)
    losses = [
        AmSoftmax(DIMENSION, SPEAKERS, 0),
        AamSoftmax(DIMENSION, SPEAKERS, 0),
        SubcentreAam(DIMENSION, SPEAKERS, 0, centres=1),
    ]
    for loss in losses:
        loss.load_state_dict(losses[0].state_dict())
    first, *others = [loss(embeddings, labels) for loss in losses]
    for other in others:
        torch.testing.assert_close(other, first, atol=1e-5, rtol=0)


@pytest.mark.parametrize("margin", [0.05, 0.2, 0.5, 1.5])
def test_the_angular_margin_never_rewards_a_worse_angle(margin: float) -> None:
    cosines = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    penalised = AamSoftmax(2, 2, margin).penalised(cosines)
    assert (penalised.diff() > 0).all()
    assert (penalised < cosines).all()
    inside = cosines > math.cos(math.pi - margin)
    torch.testing.assert_close(penalised[inside], (cosines[inside].acos() + margin).cos(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", [AmSoftmax, AamSoftmax, SubcentreAam])
def test_an_embedding_on_or_against_its_centre_has_finite_slopes(kind: type[AmSoftmax], sign: int) -> None:
    loss = kind(DIMENSION, SPEAKERS)
    rows = (sign * loss.weight.detach()[:SPEAKERS] * 5).requires_grad_()
    value = loss(rows, torch.arange(SPEAKERS))
    value.backward()
    assert value.isfinite()
    assert rows.grad is not None
    assert rows.grad.isfinite().all()
    assert loss.weight.grad is not None
    assert loss.weight.grad.isfinite().all()


def test_the_closest_centre_counts() -> None:
    loss = SubcentreAam(2, 2, centres=2)
    with torch.no_grad():
        loss.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]))
    axes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.6, -0.8]])
    torch.testing.assert_close(loss.cosines(axes), torch.tensor([[1.0, 0], [1, 0], [0, 1], [0.6, 0.8]]))
    assert loss.speakers == 2


@pytest.mark.parametrize("kind", [Softmax, AmSoftmax, AamSoftmax, SubcentreAam])
def test_labels_and_sizes_out_of_range_are_refused(kind: type[torch.nn.Module]) -> None:
    loss = kind(4, 3)
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(ModelError, match=r"labels of shape \(2,\) must lie in 0..2, got"):
            loss(torch.ones(2, 4), torch.tensor(labels))
    with pytest.raises(
        ModelError, match=r"of shape \(N, 4\) with one row per clip, got torch.float32 of shape \(2, 5\)"
    ):
        loss(torch.ones(2, 5), torch.tensor([0, 1]))
    with pytest.raises(ConfigError, match="speakers must be a whole number of at least 2, got 1"):
        kind(4, 1)
    with pytest.raises(ConfigError, match="dimension"):
        kind(0, 3)


def test_margins_and_scales_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="margin must be a number at least 0 and at most 1, got 2"):
        AmSoftmax(4, 3, 2)
    with pytest.raises(ConfigError, match="margin"):
        AamSoftmax(4, 3, 28.6)  # degrees, where radians are meant
    with pytest.raises(ConfigError, match="scale must be a number above 0"):
        AamSoftmax(4, 3, scale=0)
    with pytest.raises(ConfigError, match="centres"):
        SubcentreAam(4, 3, centres=0)
