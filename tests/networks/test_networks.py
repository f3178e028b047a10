from __future__ import annotations

import subprocess
import sys

import pytest

from samevoice.errors import ConfigError, ModelError

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)

from samevoice.networks import NETWORKS, ZOO, build  # noqa: E402
from samevoice.networks.embedding import EmbeddingNetwork  # noqa: E402

NAMES = [
    *("rescnn", "rescnn-simple", "rescnn-clipped", "gru", "fbanknet", "fbanknet-20k", "spectrogramnet"),
    *("spectrogramnet-pooled", "bilstm", "ecapa-512", "ecapa-1024", "resnet34", "campplus", "small"),
]


def test_the_networks_are_those_of_the_list() -> None:
    assert list(NETWORKS) == NAMES
    assert list(ZOO) == ["silero", "segmentation", "ge2e"]


@pytest.mark.parametrize(
    ("name", "parameters"), [("silero", 243_585), ("segmentation", 1_473_265), ("ge2e", 1_423_616)]
)
def test_the_zoo_has_the_published_sizes(name: str, parameters: int) -> None:
    assert make.trainable(build(name)) == parameters


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ConfigError, match="use one of bilstm, campplus, ecapa-1024"):
        build("transformer")


def test_the_list_needs_no_torch() -> None:
    code = "import sys; from samevoice.networks import NETWORKS; print(len(NETWORKS), 'torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == f"{len(NAMES)} False\n"
    )


@pytest.mark.parametrize("name", make.SMALL)
def test_a_batch_equals_its_members(name: str) -> None:
    network = make.embedder(name)
    features = make.features(network, batch=3)
    with torch.no_grad():
        together = network(features)
        alone = torch.cat([network(one[None]) for one in features])
    assert together.shape == (3, network.dimension)
    assert together.dtype == torch.float32
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", make.SMALL)
def test_fresh_networks_train_and_every_weight_learns(name: str) -> None:
    torch.manual_seed(0)
    network = build(name)
    assert isinstance(network, EmbeddingNetwork)
    assert network.training
    target = torch.randn(3, network.dimension)
    ((network(make.features(network, batch=3)) - target) ** 2).sum().backward()
    idle = {key for key, item in network.named_parameters() if item.requires_grad and item.grad is None}
    # What compares two embeddings has no part in one.
    assert idle == ({"head.weight", "head.bias"} if name == "spectrogramnet-pooled" else set())
    assert all(item.grad is None or bool(item.grad.isfinite().all()) for item in network.parameters())


@pytest.mark.parametrize("name", [*make.SMALL, "ge2e"])
def test_the_fewest_frames_make_a_finite_embedding(name: str) -> None:
    network = make.embedder(name)
    features = make.features(network, batch=2, frames=network.least_frames)
    with torch.no_grad():
        assert network(features).isfinite().all()
        if network.frames is None and network.least_frames > 1:
            with pytest.raises(ModelError, match=f"with at least {network.least_frames} frames, got"):
                network(features[:, 1:])


@pytest.mark.parametrize("name", [*make.SMALL, "ge2e"])
def test_wrong_features_are_refused_with_the_shape_that_is_right(name: str) -> None:
    network = make.embedder(name)
    good = make.features(network)
    expected = rf"takes features \(batch, {network.frames or 'frames'}, {network.bands}\)"
    wrong = [good[0], good[None], good[:, :, 1:], good[:0], good[:, :0], good.double()]
    if network.frames:
        wrong.append(torch.cat([good, good], dim=1))
    for value in (float("nan"), float("inf")):
        spoiled = good.clone()
        spoiled[1, 3, 2] = value
        wrong.append(spoiled)
    for features in wrong:
        with pytest.raises(ModelError, match=expected):
            network(features)


@pytest.mark.parametrize("name", ["ecapa-512", "campplus"])
def test_one_utterance_alone_cannot_train_a_normalised_embedding(name: str) -> None:
    network = make.embedder(name).train()
    with pytest.raises(ModelError, match="a batch of at least 2 in training, got 1"):
        network(make.features(network, batch=1))


@pytest.mark.parametrize("name", make.SMALL)
def test_silence_makes_a_finite_embedding_and_finite_gradients(name: str) -> None:
    network = make.embedder(name).train()
    silence = torch.zeros(2, network.frames or 40, network.bands)
    embedding = network(silence)
    assert embedding.isfinite().all()
    embedding.square().sum().backward()
    assert all(item.grad is None or bool(item.grad.isfinite().all()) for item in network.parameters())
