from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import nn  # noqa: E402 (torch first)

from samevoice.networks.pooling import AttentiveStatisticsPooling, StatisticsPooling, TemporalMean  # noqa: E402


def test_the_mean_equals_numpy() -> None:
    sequence = np.random.default_rng(3).standard_normal((2, 4, 9))
    np.testing.assert_allclose(TemporalMean()(torch.from_numpy(sequence)), sequence.mean(axis=-1))


def test_statistics_equal_numpy() -> None:
    sequence = np.random.default_rng(3).standard_normal((2, 4, 9))
    expected = np.concatenate([sequence.mean(axis=-1), sequence.std(axis=-1, ddof=1)], axis=-1)
    np.testing.assert_allclose(StatisticsPooling()(torch.from_numpy(sequence)), expected)


def test_attentive_statistics_equal_the_equations_in_numpy() -> None:
    torch.manual_seed(0)
    pooling = AttentiveStatisticsPooling(4, bottleneck=3).double()
    sequence = np.random.default_rng(3).standard_normal((4, 9))
    state = {name: item.squeeze(-1).numpy() for name, item in pooling.state_dict().items()}
    mean, deviation = sequence.mean(axis=1), sequence.std(axis=1, ddof=1)
    scores = np.empty_like(sequence)
    for frame in range(9):
        seen = np.concatenate([sequence[:, frame], mean, deviation])
        shared = np.tanh(state["shared.weight"] @ seen + state["shared.bias"])
        scores[:, frame] = state["weights.weight"] @ shared + state["weights.bias"]
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    weighted = (weights * sequence).sum(axis=1)
    variance = (weights * sequence**2).sum(axis=1) - weighted**2
    found = pooling(torch.from_numpy(sequence[None]))[0].detach()
    np.testing.assert_allclose(found, np.concatenate([weighted, np.sqrt(variance)]), atol=1e-12)


@pytest.mark.parametrize("pooling", [StatisticsPooling(), AttentiveStatisticsPooling(3)], ids=["plain", "attentive"])
def test_a_constant_channel_has_no_deviation_and_a_finite_gradient(pooling: nn.Module) -> None:
    sequence = torch.full((1, 3, 5), 2.0, requires_grad=True)
    pooled = pooling(sequence)
    np.testing.assert_allclose(pooled.detach(), [[2.0] * 3 + [0.0] * 3], atol=2e-6)
    pooled.sum().backward()
    assert sequence.grad is not None
    assert sequence.grad.isfinite().all()


@pytest.mark.parametrize("pooling", [StatisticsPooling(), AttentiveStatisticsPooling(3)], ids=["plain", "attentive"])
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_overflows_nowhere(pooling: nn.Module, half: str) -> None:
    """Squares of 300 overflow float16, and the floor of a variance is 0 in it."""
    kind = getattr(torch, half)
    torch.manual_seed(0)
    pooling = copy.deepcopy(pooling).to(kind)
    sequence = torch.full((1, 3, 5), 2.0, dtype=kind)
    sequence[:, 1] = torch.tensor([-300.0, 300.0, -300.0, 300.0, 0.0])
    sequence.requires_grad_()
    pooled = pooling(sequence)
    values = pooled.detach().float()
    assert pooled.dtype == kind
    assert bool(values.isfinite().all())
    assert float(values[0, 4]) > 200
    torch.testing.assert_close(values[0, [0, 2, 3, 5]], torch.tensor([2.0, 2.0, 0.0, 0.0]), atol=0.02, rtol=0)
    pooled.sum().backward()
    assert sequence.grad is not None
    assert bool(sequence.grad.isfinite().all())
