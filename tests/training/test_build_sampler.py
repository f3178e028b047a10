"""Samplers by name, and whether a loss can read their batches."""

from __future__ import annotations

import subprocess
import sys
from inspect import signature

import numpy as np
import pytest
from samplermakers import KINDS, corpus, places, step

from samevoice.errors import ConfigError
from samevoice.losses import LOSSES
from samevoice.losses import build as build_loss
from samevoice.options import registered
from samevoice.training import SAMPLERS, build_sampler, check_layouts

INDEX = corpus(4, 7, 2, 5, 3, 9, 2)
OPTIONS: dict[str, dict[str, int | bool]] = {
    "random-triplets": {"triplets": 6, "distinct": True},
    "mined-triplets": {"triplets": 8, "speakers": 6, "history": 20},
    "pxk": {"speakers": 4, "clips": 3},
    "pairs": {"pairs": 7},
    "buffer": {"batch": 8, "buffer": 12},
}
SAME = {"random-triplets": "triplets, distinct", "mined-triplets": "mined", "pxk": "p x k"}
every = pytest.mark.parametrize("name", SAMPLERS)
LOSS_OPTIONS: dict[str, float | str | bool] = {"dimension": 4, "speakers": 3, "teacher_dimension": 4}


@every
def test_a_sampler_by_name_is_the_class_with_these_options(name: str) -> None:
    found, expected = build_sampler(name, INDEX, OPTIONS[name], 5), KINDS[SAME.get(name, name)](INDEX, 5)
    assert type(found) is type(expected)
    assert found.kind == name
    assert found.state() == expected.state()
    np.testing.assert_array_equal(step(found, places(INDEX)), step(expected, places(INDEX)))


def test_unknown_names_and_options_are_refused() -> None:
    with pytest.raises(
        ConfigError, match="sampler 'all' is unknown; use one of buffer, mined-triplets, pairs, pxk, ran"
    ):
        build_sampler("all", INDEX)
    for option in ("seed", "index", "size"):
        with pytest.raises(ConfigError, match=f"sampler 'pxk' takes speakers, clips; got '{option}'"):
            build_sampler("pxk", INDEX, {option: 3})
    with pytest.raises(ConfigError, match="seed must be a whole number of at least 0, got -1"):
        build_sampler("pairs", INDEX, {"pairs": 2}, -1)


@every
def test_every_option_is_of_its_kind(name: str) -> None:
    for option, parameter in signature(type(build_sampler(name, INDEX, OPTIONS[name]))).parameters.items():
        wrong: object
        for wrong in ("false", "4", 0.5, [1], None, 1 if parameter.annotation == "bool" else True):
            if option not in {"index", "seed"}:
                with pytest.raises(ConfigError, match=f"{option} must be"):
                    build_sampler(name, INDEX, {**OPTIONS[name], option: wrong})  # type: ignore[dict-item]


@every
@pytest.mark.parametrize("loss", LOSSES)
def test_layouts_that_do_not_fit_are_refused(name: str, loss: str) -> None:
    """Triplet losses take triplets, pair losses pairs; all others take every batch."""
    needs = {"cosine-triplet": "triplets", "contrastive": "pairs", "siamese": "pairs"}.get(loss)
    yields = {"random-triplets": "triplets", "mined-triplets": "triplets", "pairs": "pairs"}.get(name, "any")
    sampler = build_sampler(name, INDEX, OPTIONS[name])
    parameters = signature(registered("loss", loss, LOSSES)).parameters
    built = build_loss(loss, {key: value for key, value in LOSS_OPTIONS.items() if key in parameters})
    assert (sampler.layout, built.layout) == (yields, needs or "any")
    if needs in {None, yields}:
        check_layouts(sampler, built)
        return
    with pytest.raises(
        ConfigError, match=f"needs batches of {needs}, but sampler '{name}' yields rows of layout '{yields}'"
    ):
        check_layouts(sampler, built)


def test_samplers_need_no_torch() -> None:
    code = (
        "import sys, numpy as np; from samevoice.training import build_sampler, SAMPLERS;"
        "from samevoice.training.index import UtteranceIndex; index = UtteranceIndex(np.arange(900) % 350);"
        "[build_sampler(name, index, {}) for name in SAMPLERS if name != 'buffer'];"
        "build_sampler('buffer', index); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
