"""Networks by name and options, as a recipe holds them."""

from __future__ import annotations

import pytest

from samevoice.errors import ConfigError

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)
from torch import nn  # noqa: E402

from samevoice.networks import NETWORKS, ZOO, build  # noqa: E402
from samevoice.networks.ecapa import EcapaTdnn  # noqa: E402
from samevoice.networks.fbanknet import FBankNet  # noqa: E402

Options = dict[str, float | str | bool]

REACHABLE: list[tuple[str, Options, int, int]] = [
    ("fbanknet", {"embedding": "pooled"}, 256, 2_710_330),
    ("fbanknet", {"embedding": "scores", "speakers": 251}, 251, 2_710_330 + 257),
    ("fbanknet", {"embedding": "pooled", "speakers": 921}, 256, 2_710_330 + 671 * 257),
    ("fbanknet-20k", {"embedding": "pooled"}, 4, 20_890),
    ("fbanknet-20k", {"speakers": 1251}, 1251, 20_890 + 1001 * 5),
    ("spectrogramnet", {"head": "cross-entropy"}, 512, 211_064_682),
    ("spectrogramnet", {"head": "contrastive"}, 5, 206_370_465),
    ("spectrogramnet-pooled", {"dropout": 0.3}, 512, 235_370),
    ("campplus", {"dimension": 512}, 512, 6_848_544 + 320 * 1024),
    ("ecapa-512", {"dimension": 256, "bands": 40}, 256, 6_191_104 + 64 * 3075 - 40 * 512 * 5),
    ("resnet34", {"dimension": 512}, 512, 6_634_336 + 256 * 5121),
]


@pytest.mark.parametrize(("name", "options", "dimension", "parameters"), REACHABLE)
def test_options_make_the_network_they_name(name: str, options: Options, dimension: int, parameters: int) -> None:
    network = make.outline(name, options).eval()
    shape = (2, network.frames or 40, network.bands)
    assert network(torch.empty(shape, device="meta")).shape == (2, dimension)
    assert network.dimension == dimension
    assert make.trainable(network) == parameters


@pytest.mark.parametrize("name", ["spectrogramnet", "spectrogramnet-pooled"])
def test_seed_spectrogramnet_takes_its_dropout_by_name(name: str) -> None:
    for share in (0, 0.3):
        network = make.outline(name, {"dropout": share})
        assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [share]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rescnn", {"colour": 1}, "network 'rescnn' takes bands; got 'colour'"),
        ("rescnn", {"channels": 64}, "network 'rescnn' takes bands; got 'channels'"),
        ("ecapa-512", {"channels": 64}, "network 'ecapa-512' takes bands, dimension; got 'channels'"),
        ("spectrogramnet-pooled", {"head": "contrastive"}, "takes dropout; got 'head'"),
        ("spectrogramnet-pooled", {"faithful": True}, "takes dropout; got 'faithful'"),
        ("ge2e", {"bands": 40}, "network 'ge2e' takes no options; got 'bands'"),
        ("fbanknet", {"embedding": "score"}, "embedding must be scores or pooled, got 'score'"),
        ("fbanknet", {"embedding": True}, "embedding must be scores or pooled, got True"),
        ("fbanknet", {"speakers": 1}, "speakers must be a whole number from 2 to 10000000, got 1"),
        ("fbanknet", {"speakers": 250.0}, "speakers must be a whole number from 2 to 10000000, got 250.0"),
        ("spectrogramnet", {"head": "siamese"}, "head must be cross-entropy or contrastive, got 'siamese'"),
        ("spectrogramnet", {"head": "contrastive", "dropout": 0.3}, "dropout must be 0 with the contrastive head"),
        *(
            ("spectrogramnet-pooled", {"dropout": value}, f"at least 0 and below 1, got {value!r}")
            for value in (1.5, 1, -0.1, "0.3", True, float("nan"))
        ),
        *(
            (name, {"dimension": value}, f"dimension must be a whole number from 1 to 65536, got {value!r}")
            for name in ("campplus", "ecapa-512", "ecapa-1024", "resnet34")
            for value in (0, 65_537, 192.0, "192", True)
        ),
    ],
)
def test_other_options_are_refused_in_one_sentence(name: str, options: Options, message: str) -> None:
    with torch.device("meta"), pytest.raises(ConfigError) as caught:
        build(name, options)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", [*NETWORKS, *ZOO])
def test_no_options_are_the_defaults(name: str) -> None:
    with torch.device("meta"):
        assert make.trainable(build(name, {})) == make.trainable(build(name))


def test_classes_refuse_wrong_options_too() -> None:
    with pytest.raises(ConfigError, match="embedding must be scores or pooled, got 'score'"):
        FBankNet(embedding="score")
    for channels in (0, 100):
        with pytest.raises(ConfigError, match=f"channels must be a multiple of 8, got {channels}"):
            EcapaTdnn(channels)
