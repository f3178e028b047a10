from __future__ import annotations

import json
from pathlib import Path

import pytest

from samevoice.errors import ModelError

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)

from samevoice.networks import NETWORKS, facts  # noqa: E402

ROOT = Path(__file__).parents[2]
AGAIN = "run: python -m samevoice.networks.facts"


@pytest.mark.slow
def test_the_committed_facts_are_those_counted_now() -> None:
    counted = [facts.count(name) for name in NETWORKS]
    assert facts.FACTS.read_text(encoding="utf-8") == facts.as_json(counted), AGAIN
    assert (ROOT / "docs" / "networks.md").read_text(encoding="utf-8") == facts.as_markdown(counted), AGAIN


def test_seed_networks_have_their_parameters() -> None:
    listed = {one["name"]: one["parameters"] for one in json.loads(facts.FACTS.read_text(encoding="utf-8"))}
    assert listed["rescnn"] == listed["rescnn-clipped"] == 24_172_288
    assert listed["rescnn-simple"] == 4_926_656
    assert listed["gru"] == 22_555_904
    assert listed["fbanknet"] == 2_710_330
    assert listed["fbanknet-20k"] == 20_890
    assert listed["spectrogramnet"] == 211_064_682
    assert 100_000 < listed["spectrogramnet-pooled"] < 1_000_000
    assert listed["bilstm"] == 641_152


def test_operations_are_two_per_multiply_add() -> None:
    """FBankNet by hand: output points x kernel x input channels x output channels of every convolution, 3 slices."""
    points = {32: 32 * 32, 64: 16 * 16, 128: 8 * 8, 256: 4 * 4}
    inputs = {32: 1, 64: 32, 128: 64, 256: 128}
    convolutions = sum(size * (25 * inputs[c] * c + 2 * 9 * c * c) for c, size in points.items())
    expected = 3 * 2 * (convolutions + 256 * 250) / 1e9
    assert facts.count("fbanknet").gflop_3s == pytest.approx(expected, rel=0.002)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("rescnn", (1, 299, 64)),
        ("fbanknet", (3, 64, 64)),
        ("campplus", (1, 298, 80)),
        ("bilstm", (1, 563, 80)),
        ("spectrogramnet", (1, 227, 227)),
    ],
)
def test_three_seconds_are_what_each_front_end_makes_of_them(name: str, shape: tuple[int, int, int]) -> None:
    assert facts.three_seconds(make.outline(name)) == shape


def test_what_makes_no_embeddings_is_not_counted() -> None:
    with pytest.raises(ModelError, match="makes no embeddings"):
        facts.count("silero")
