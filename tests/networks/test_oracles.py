"""What the networks compute, against functions written from the papers and the seeds (`net_oracles`)."""

from __future__ import annotations

import math
from functools import partial

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import net_oracles as oracle  # noqa: E402 (torch first)
import netmakers as make  # noqa: E402
from torch import Tensor  # noqa: E402

from samevoice.networks import build  # noqa: E402
from samevoice.networks.ecapa import EcapaTdnn, SeRes2Block  # noqa: E402
from samevoice.networks.embedding import EmbeddingNetwork  # noqa: E402
from samevoice.networks.fbanknet import FBankNet  # noqa: E402
from samevoice.networks.resnet import BasicBlock  # noqa: E402
from samevoice.networks.spectrogramnet import ContrastiveSpectrogramNet, SpectrogramNet  # noqa: E402

RESCNN = {
    "rescnn": partial(oracle.rescnn, stages=4, convolutions=2, clips=False),
    "rescnn-simple": partial(oracle.rescnn, stages=3, convolutions=3, clips=False),
    "rescnn-clipped": partial(oracle.rescnn, stages=4, convolutions=2, clips=True),
}
LOUD = 30.0  # of features, so that some activations pass the clip at 20


def worn(name: str, options: dict[str, float | str | bool] | None = None) -> EmbeddingNetwork:
    """A network of the list in float64, with no trivial weights."""
    torch.manual_seed(0)
    network = build(name, options)
    assert isinstance(network, EmbeddingNetwork)
    return make.worn(network)


def given(network: EmbeddingNetwork, frames: int = 40, batch: int = 2) -> Tensor:
    """Random features in float64."""
    return make.features(network, batch=batch, frames=frames).double()


def same(found: Tensor, expected: Tensor) -> None:
    """Equal but for rounding, and not because nothing is there."""
    assert float(expected.abs().max()) > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("name", RESCNN)
@pytest.mark.parametrize("frames", [16, 21])
def test_seed_rescnn_computes_what_the_paper_says(name: str, frames: int) -> None:
    network = worn(name)
    features = LOUD * given(network, frames)
    with torch.no_grad():
        found = network(features)
        same(found, RESCNN[name](features, network.state_dict(), limit=20.0))
        unclipped = RESCNN[name](features, network.state_dict(), limit=math.inf)
    assert not torch.allclose(found, unclipped, atol=1e-3)


def test_seed_gru_net_computes_what_the_paper_says() -> None:
    network = worn("gru")
    features = LOUD * given(network, 9)
    with torch.no_grad():
        found = network(features)
        same(found, oracle.gru_net(features, network.state_dict(), limit=20.0))
        assert not torch.allclose(found, oracle.gru_net(features, network.state_dict(), limit=math.inf), atol=1e-3)


@pytest.mark.parametrize("name", ["fbanknet", "fbanknet-20k"])
def test_seed_fbanknet_computes_what_the_seed_says(name: str) -> None:
    by_scores, by_pooling = worn(name), worn(name, {"embedding": "pooled"})
    by_pooling.load_state_dict(by_scores.state_dict())
    assert isinstance(by_pooling, FBankNet)
    features = given(by_scores)
    with torch.no_grad():
        pooled, scores = oracle.fbanknet(features, by_scores.state_dict())
        same(by_scores(features), scores)
        same(by_pooling(features), pooled)
        same(by_pooling.scores(features), scores)


def test_seed_spectrogramnet_pooled_computes_what_it_says() -> None:
    network = worn("spectrogramnet-pooled")
    pictures = given(network)
    with torch.no_grad():
        found = network(pictures)
        same(found, oracle.picture_embedding(pictures, network.state_dict(), pooled=True))
    assert bool((found == 0).any())  # the ReLU had something to do


@pytest.mark.parametrize("faithful", [True, False])
def test_seed_spectrogramnet_computes_what_the_seed_says(faithful: bool) -> None:
    torch.manual_seed(0)
    network = make.worn(SpectrogramNet(15, faithful=faithful))
    state = network.state_dict()
    with torch.no_grad():
        first, second = embeddings = network(given(network)).split(1)
        same(torch.cat(embeddings), oracle.picture_embedding(given(network), state, pooled=not faithful))
        same(network.compare(first, second), oracle.dense((first - second).abs(), state, "head"))


def test_seed_spectrogramnet_contrastive_computes_what_the_seed_says() -> None:
    torch.manual_seed(0)
    network = make.worn(ContrastiveSpectrogramNet(15))
    pictures = given(network)
    with torch.no_grad():
        same(network(pictures), oracle.contrastive_embedding(pictures, network.state_dict()))


@pytest.mark.parametrize("dilation", [2, 3, 4])
def test_one_block_of_ecapa_computes_what_the_paper_says(dilation: int) -> None:
    torch.manual_seed(0)
    block = make.worn(SeRes2Block(16, dilation))
    sequence = torch.randn(2, 16, 23, dtype=torch.float64)
    with torch.no_grad():
        same(block(sequence), oracle.se_res2(sequence, block.state_dict(), dilation))


def test_ecapa_computes_what_the_paper_says() -> None:
    torch.manual_seed(0)
    network = make.worn(EcapaTdnn(24, bands=10, dimension=7))
    features = given(network, 23)
    with torch.no_grad():
        same(network(features), oracle.ecapa(features, network.state_dict()))


@pytest.mark.parametrize(("out", "stride"), [(4, 1), (6, 2)])
def test_one_block_of_resnet_computes_what_the_paper_says(out: int, stride: int) -> None:
    torch.manual_seed(0)
    block = make.worn(BasicBlock(4, out, stride))
    image = torch.randn(2, 4, 9, 8, dtype=torch.float64)
    with torch.no_grad():
        same(block(image), oracle.basic_block(image, block.state_dict(), stride))


def test_resnet34_computes_what_the_paper_says() -> None:
    network = worn("resnet34", {"bands": 20})
    features = given(network, 19)
    with torch.no_grad():
        same(network(features), oracle.resnet34(features, network.state_dict()))
