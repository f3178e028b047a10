from __future__ import annotations

import pytest

from samevoice.errors import ModelError

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)

from samevoice.networks.spectrogramnet import ContrastiveSpectrogramNet, SpectrogramNet, Spectrum  # noqa: E402


def test_seed_spectrogramnet_counts() -> None:
    network = make.outline("spectrogramnet")
    assert isinstance(network, SpectrogramNet)
    assert make.trainable(network) == 211_064_682
    assert make.trainable(network.maps) == 48 + 312
    assert make.trainable(network.stack) == 211_063_296
    assert make.trainable(network.head) == 1_026
    assert network.eval()(torch.empty(1, 227, 227, device="meta")).shape == (1, 512)


def test_seed_spectrogramnet_contrastive_counts() -> None:
    with torch.device("meta"):
        network = ContrastiveSpectrogramNet().eval()
        assert make.trainable(network) == 206_370_465
        assert network(torch.empty(1, 227, 227)).shape == (1, network.dimension) == (1, 5)


def test_seed_spectrogramnet_is_small_unless_asked() -> None:
    network = SpectrogramNet()
    assert make.trainable(network) == make.trainable(make.outline("spectrogramnet-pooled")) == 235_370


def test_seed_spectrogramnet_is_symmetric_under_swapping() -> None:
    network = make.embedder("spectrogramnet-pooled")
    assert isinstance(network, SpectrogramNet)
    with torch.no_grad():
        first, second = network(make.features(network, batch=4)).chunk(2)
        forth, back = network.compare(first, second), network.compare(second, first)
        assert forth.shape == (2, 2)
        torch.testing.assert_close(forth, back, atol=0, rtol=0)
        torch.testing.assert_close(network.compare(first, first), network.head.bias.expand(2, 2))


def test_seed_spectrogramnet_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    network = SpectrogramNet(dropout=0.3).eval()
    pictures = make.features(network, batch=8)
    with torch.no_grad():
        whole = network(pictures)
        network.get_submodule("stack.4").train()
        dropped = network(pictures)
    awake = whole > 0
    lost = dropped[awake] == 0
    assert float(lost.float().mean()) == pytest.approx(0.3, abs=0.05)
    torch.testing.assert_close(dropped[awake][~lost], whole[awake][~lost] / 0.7)


def test_normalisation_follows_the_activation() -> None:
    kinds = [type(layer).__name__ for layer in make.outline("spectrogramnet").get_submodule("maps.0").children()]
    assert kinds == ["ReflectionPad2d", "Conv2d", "ReLU", "BatchNorm2d"]


def test_the_pooled_build_does_not_care_when_something_is_said() -> None:
    maps = torch.randn(1, 8, 227, 227)
    found = Spectrum()(maps)
    assert found.shape == (1, 8, 57)
    torch.testing.assert_close(found, Spectrum()(maps.roll(50, dims=2)))
    torch.testing.assert_close(found[..., 0], maps[..., :3].mean(dim=(2, 3)))
    torch.testing.assert_close(found[..., 56], maps[..., 223:].mean(dim=(2, 3)))


def test_embeddings_of_other_sizes_are_not_compared() -> None:
    network = make.outline("spectrogramnet-pooled")
    assert isinstance(network, SpectrogramNet)
    for first, second in (((2, 512), (3, 512)), ((2, 511), (2, 511)), ((512,), (512,))):
        with pytest.raises(ModelError, match=r"compares embeddings \(batch, 512\)"):
            network.compare(torch.zeros(first), torch.zeros(second))
