"""Losses by name: the registry, options of every kind, and what a network answers for."""

from __future__ import annotations

import subprocess
import sys
from inspect import signature

import pytest
from lossmakers import OPTIONS, every, made
from torch import nn

from samevoice.errors import ConfigError
from samevoice.losses import LOSSES, build

WRONG: tuple[object, ...] = ("false", "4", 5, 0.5, True, [1], {})
KINDS: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}


@every
def test_every_option_is_of_its_kind(name: str) -> None:
    options = OPTIONS.get(name, {})
    for option, parameter in signature(type(made(name))).parameters.items():
        for wrong in WRONG:
            if type(wrong) not in KINDS.get(parameter.annotation, ()):
                with pytest.raises(ConfigError, match=f"{option} must "):
                    build(name, {**options, option: wrong})  # type: ignore[dict-item]


def test_the_network_answers_for_what_the_options_leave_out() -> None:
    network = nn.Linear(3, 3)
    network.dimension = 7  # type: ignore[assignment]
    softmax = build("softmax", {"speakers": 5}, network)
    assert [tuple(item.shape) for item in softmax.parameters()] == [(5, 7), (5,)]
    margins = build("am-softmax", {"speakers": 5, "dimension": 6}, network)
    assert [tuple(item.shape) for item in margins.parameters()] == [(5, 6)]
    build("contrastive", None, network)
    with pytest.raises(ConfigError, match="'dimension' is missing"):
        build("softmax", {"speakers": 5}, nn.Linear(3, 3))


def test_unknown_names_and_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="loss 'hinge' is unknown; use one of aam-softmax, am-softmax"):
        build("hinge")
    with pytest.raises(ConfigError, match="loss 'contrastive' takes margin; got 'size'"):
        build("contrastive", {"size": 3})
    with pytest.raises(ConfigError, match="takes dimension, speakers, margin, scale; 'speakers' is missing"):
        build("aam-softmax", {"dimension": 3})
    with pytest.raises(ConfigError, match="loss 'cross-entropy' takes no options; got 'size'"):
        build("cross-entropy", {"size": 3})
    with pytest.raises(ConfigError, match="margin must be a number above 0"):
        build("contrastive", {"margin": "wide"})


def test_the_list_of_losses_needs_no_torch() -> None:
    code = "import sys, samevoice.losses as s; print(len(s.LOSSES), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(LOSSES)), "False"]
