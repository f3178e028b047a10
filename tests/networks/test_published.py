"""The modern networks against the sizes and costs that their authors and toolkits publish.

Costs are multiply-adds, as those sources count them. Sources:
  [E] Desplanques et al., "ECAPA-TDNN", Interspeech 2020, table 1
  [W] WeSpeaker, examples/voxceleb/v2/README.md: parameters and operations for 200 frames of 80 bands
  [C] Wang et al., "CAM++", arXiv 2303.00332, table 1: for 3 s, 300 frames
"""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)
from torch import Tensor, nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from samevoice.networks.campplus import PUBLISHED as CAMPPLUS  # noqa: E402
from samevoice.networks.campplus import CamPlusPlus  # noqa: E402
from samevoice.networks.ecapa import Res2  # noqa: E402
from samevoice.networks.embedding import EmbeddingNetwork  # noqa: E402

PUBLISHED = [
    ("ecapa-512", 6.19, 200, 1.04, "[W], [E] says 6.2"),
    ("ecapa-1024", 14.65, 200, 2.65, "[W], [E] says 14.7"),
    ("ecapa-1024", 14.66, 300, 3.96, "[C]"),
    ("resnet34", 6.63, 200, 4.55, "[W]"),
]


def multiply_adds(network: EmbeddingNetwork, frames: int) -> float:
    """How many multiply-adds one utterance takes."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.empty(1, frames, 80, device="meta"))
    return float(counter.get_total_flops()) / 2


@pytest.mark.parametrize(("name", "millions", "frames", "billions", "source"), PUBLISHED)
def test_sizes_and_costs_are_the_published_ones(
    name: str, millions: float, frames: int, billions: float, source: str
) -> None:
    network = make.outline(name)
    assert make.trainable(network) / 1e6 == pytest.approx(millions, abs=0.01), source
    assert multiply_adds(network, frames) / 1e9 == pytest.approx(billions, rel=0.005), source


def test_campplus_has_the_published_size_and_cost() -> None:
    """[C]: 7.18 million and 1.72 billion, with embeddings of 512; ours computes a mask per segment, not per frame."""
    with torch.device("meta"):
        network = CamPlusPlus(dimension=512)
    assert make.trainable(network) / 1e6 == pytest.approx(7.18, abs=0.01)
    layers, frames = sum(count for count, _ in CAMPPLUS.blocks), 150
    mask = CAMPPLUS.bottleneck * CAMPPLUS.bottleneck // 2 + CAMPPLUS.bottleneck // 2 * CAMPPLUS.growth
    segments = -(-frames // 100)
    saved = layers * (frames - segments) * mask
    added = (
        layers * frames * segments * (CAMPPLUS.bottleneck + CAMPPLUS.growth)
    )  # gathering contexts and spreading masks
    as_published = multiply_adds(network, 300) + saved - added
    assert as_published / 1e9 == pytest.approx(1.72, rel=0.02)


def test_ecapa_adds_up_what_came_before() -> None:
    """Each block is given the sum of the entry's output and of all blocks before it (section 3.3 of [E])."""
    network = make.embedder("ecapa-512")
    seen: list[Tensor] = []
    answers: list[Tensor] = []

    def remember(_layer: nn.Module, given: tuple[Tensor], answer: Tensor) -> None:
        seen.append(given[0])
        answers.append(answer)

    for name in ("entry", "blocks.0", "blocks.1", "blocks.2"):
        network.get_submodule(name).register_forward_hook(remember)
    with torch.no_grad():
        network(make.features(network, batch=1))
    for index in (1, 2, 3):
        torch.testing.assert_close(seen[index], torch.stack(answers[:index]).sum(dim=0))


def test_res2_passes_the_first_group_and_chains_the_others() -> None:
    torch.manual_seed(0)
    layer = Res2(16, dilation=2).eval()
    sequence = torch.randn(1, 16, 30)
    changed = sequence.clone()
    changed[:, 4:6] += 1.0  # the third of eight groups of two channels
    with torch.no_grad():
        before, after = layer(sequence), layer(changed)
    assert torch.equal(before[:, :2], sequence[:, :2])
    moved = (before - after).abs().amax(dim=(0, 2)) > 0
    assert moved.tolist() == [False] * 4 + [True] * 12
