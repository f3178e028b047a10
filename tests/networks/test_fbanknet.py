from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)

from samevoice.networks.fbanknet import FBankNet  # noqa: E402

LAYERS = [832, 18_624, 51_264, 74_112, 204_928, 295_680, 819_456, 1_181_184]


def test_seed_fbanknet_counts() -> None:
    network = make.outline("fbanknet")
    assert isinstance(network, FBankNet)
    assert [make.trainable(layer) for layer in network.stages] == LAYERS
    assert make.trainable(network.classifier) == 64_250
    assert make.trainable(network) == 2_710_330


def test_seed_fbanknet_embedding_choice() -> None:
    torch.manual_seed(0)
    by_scores, by_pooling = FBankNet().eval(), FBankNet(embedding="pooled").eval()
    by_pooling.load_state_dict(by_scores.state_dict())  # the choice changes no weight
    assert make.trainable(by_pooling) == 2_710_330
    slices = make.features(by_scores, batch=3)
    with torch.no_grad():
        scores, pooled = by_scores(slices), by_pooling(slices)
        assert scores.shape == (3, by_scores.dimension) == (3, 250)
        assert pooled.shape == (3, by_pooling.dimension) == (3, 256)
        torch.testing.assert_close(by_pooling.classifier(pooled), scores)
        torch.testing.assert_close(by_pooling.scores(slices), scores)


def test_seed_fbanknet_stages_halve_both_axes() -> None:
    network = make.embedder("fbanknet")
    assert isinstance(network, FBankNet)
    image = make.features(network, batch=1).unsqueeze(1)
    shapes = []
    with torch.no_grad():
        for layer in network.stages:
            image = layer(image)
            shapes.append(tuple(image.shape[1:]))
    expected = [(32, 32, 32), (64, 16, 16), (128, 8, 8), (256, 4, 4)]
    assert shapes == [shape for shape in expected for _ in range(2)]


def test_seed_fbanknet_of_20890_parameters() -> None:
    network = make.embedder("fbanknet-20k")
    assert make.trainable(network) == 20_890
    with torch.no_grad():
        assert network(make.features(network, batch=2)).shape == (2, 250)
