"""Learning rates against their formulas, and Keras' penalty against a loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from samevoice import networks
from samevoice.errors import ConfigError
from samevoice.training.optimising import Plateau, build_optimiser, kernel_penalty, learning_rate
from samevoice.training.stages import Optimiser


def rates(settings: Optimiser, steps: int) -> list[float]:
    return [learning_rate(settings, step, steps, Plateau()) for step in range(steps)]


def test_schedules_follow_their_formulas() -> None:
    found = rates(Optimiser(lr=0.8, final_lr=0.2, schedule="linear"), 6)
    assert found == pytest.approx([0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    found = rates(Optimiser(lr=1.0, schedule="cosine"), 4)
    assert found == pytest.approx([1.0, 0.5 + math.sqrt(0.125), 0.5, 0.5 - math.sqrt(0.125)])
    assert rates(Optimiser(lr=0.3), 3) == [0.3, 0.3, 0.3]


def test_warmup_rises_evenly_to_where_the_schedule_begins() -> None:
    found = rates(Optimiser(lr=1.0, final_lr=0.0, schedule="linear", warmup=3), 7)
    assert found == pytest.approx([0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25])
    assert rates(Optimiser(lr=1.0, warmup=9), 2) == pytest.approx([0.1, 0.2])  # longer than the stage


def test_plateau_halves_after_patience_without_gain_and_never_falls_below() -> None:
    settings, plateau = Optimiser(lr=0.8, final_lr=0.15, schedule="plateau", patience=2), Plateau()
    found = []
    for error in (0.5, 0.4, 0.4, 0.6, 0.3, 0.35, 0.3, 0.3, 0.3, 0.2):
        plateau.look(error, settings)
        found.append(learning_rate(settings, 0, 1, plateau))
    assert found == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2, 0.15, 0.15])


def test_the_penalty_is_that_of_keras() -> None:
    network = networks.build("rescnn-simple", {})
    expected = 0.0
    for name, parameter in network.named_parameters():
        if parameter.ndim in (3, 4):  # kernels of convolutions; biases and batch norms have one axis, dense layers two
            assert "weight" in name
            expected += 1e-4 * float((parameter.detach().double() ** 2).sum())
    assert expected > 0
    assert float(kernel_penalty(network, 1e-4).detach()) == pytest.approx(expected, rel=1e-5)
    one = nn.Conv1d(1, 1, 2)
    with torch.no_grad():
        one.weight.copy_(torch.tensor([[[3.0, -1.0]]]))
    assert float(kernel_penalty(one, 0.01).detach()) == pytest.approx(0.1)  # keras.regularizers.l2(0.01): no half
    with pytest.raises(ConfigError, match="set it to 0"):
        kernel_penalty(nn.Linear(2, 2), 0.1)


def test_optimisers_get_their_settings() -> None:
    weights = [nn.Parameter(torch.ones(1))]
    sgd = build_optimiser(Optimiser(kind="sgd", lr=0.1, momentum=0.5, weight_decay=0.01), weights)
    for expected in (1 - 0.1 * (1 + 0.01), None):  # lr (gradient + decay x weight)
        weights[0].grad = torch.ones(1)
        sgd.step()
        if expected:
            assert float(weights[0].detach()) == pytest.approx(expected)
    before = 1 - 0.101
    assert float(weights[0].detach()) == pytest.approx(before - 0.1 * (0.5 * 1.01 + 1 + 0.01 * before))
    assert type(build_optimiser(Optimiser(kind="adamw", eps=1e-3), weights)) is torch.optim.AdamW
    adam = build_optimiser(Optimiser(kind="adam", eps=1e-3, weight_decay=0.2), weights)
    assert type(adam) is torch.optim.Adam
    assert (adam.defaults["eps"], adam.defaults["weight_decay"]) == (1e-3, 0.2)
