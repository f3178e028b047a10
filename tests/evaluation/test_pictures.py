"""Pictures for a page: whole SVG files, the same every time, and a reliability that counts right."""

from __future__ import annotations

import math
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.evaluation.pictures import BINS, det_picture, reliability, reliability_picture, score_picture

DRAW = np.random.default_rng(1)
SIDES = DRAW.normal(2, 1.5, 80), DRAW.normal(-2, 1.5, 400)
LLRS = st.lists(st.floats(-8, 8), min_size=1, max_size=30)
PICTURES: dict[str, Callable[[], bytes]] = {
    "det": lambda: det_picture(*SIDES),
    "scores": lambda: score_picture(*SIDES, 0.3),
    "reliability": lambda: reliability_picture(*SIDES),
    "one trial of a kind": lambda: reliability_picture(np.array([9.0]), np.array([-9.0])),
}


@pytest.mark.parametrize("name", PICTURES)
def test_each_is_the_same_svg_every_time(name: str) -> None:
    one = PICTURES[name]()
    assert ElementTree.fromstring(one).tag.endswith("svg")  # noqa: S314 - our own
    assert one == PICTURES[name]()


@given(LLRS, LLRS)
def test_reliability_is_what_a_loop_counts(targets: list[float], non_targets: list[float]) -> None:
    found = reliability(np.array(targets), np.array(non_targets))
    stated, shares, hits, others = [], [], [], []
    for step in range(BINS):
        sides = []
        for llrs in (targets, non_targets):
            chances = [1 / (1 + math.exp(-llr)) for llr in llrs]
            sides.append([chance for chance in chances if min(int(BINS * chance), BINS - 1) == step])
        mine, theirs = sides
        hits.append(len(mine))
        others.append(len(theirs))
        mass = len(mine) / len(targets) + len(theirs) / len(non_targets)
        if mass:
            stated.append((sum(mine) / len(targets) + sum(theirs) / len(non_targets)) / mass)
            shares.append(len(mine) / len(targets) / mass)
    if sum(abs(BINS / (1 + math.exp(-llr)) % 1) < 1e-9 for llr in targets + non_targets) == 0:  # rounding at an edge
        assert found.targets.tolist() == hits
        assert found.non_targets.tolist() == others
        np.testing.assert_allclose(found.stated, stated, atol=1e-9)
        np.testing.assert_allclose(found.found, shares, atol=1e-9)


def test_true_probabilities_lie_on_the_line() -> None:
    draw = np.random.default_rng(0)
    targets, others = draw.normal(2, 2, 100_000), draw.normal(-2, 2, 200_000)  # calibrated: variance is twice the mean
    found = reliability(targets, others)
    np.testing.assert_allclose(found.found, found.stated, atol=0.02)


def test_certainty_belongs_to_the_last_step() -> None:
    found = reliability(np.array([50.0]), np.array([-50.0]))
    assert found.targets.tolist() == [*[0] * (BINS - 1), 1]
    assert found.non_targets.tolist() == [1, *[0] * (BINS - 1)]
