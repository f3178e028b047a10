"""The small network: its size, its likeness to CAM++ at the end, and what it keeps of lengths."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import netmakers as make  # noqa: E402
import numpy as np  # noqa: E402

from samevoice.export.graph import trace  # noqa: E402
from samevoice.models.frames import LEAST, SEQUENCE, split  # noqa: E402
from samevoice.networks.campplus import CamPlusPlus  # noqa: E402
from samevoice.networks.facts import count  # noqa: E402
from samevoice.networks.small import Small  # noqa: E402
from samevoice.runtime import open_session  # noqa: E402


def random_small() -> Small:
    torch.manual_seed(0)
    network = Small().eval()
    with torch.no_grad():
        for one in network.modules():
            if isinstance(one, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                one.running_mean.normal_(0, 0.1)
                one.running_var.uniform_(0.5, 2.0)
    return network


def test_it_is_small() -> None:
    told = count("small")
    assert told.parameters == make.trainable(make.outline("small")) == 1_439_472
    assert told.parameters <= 1_500_000
    assert told.gflop_3s <= 0.7
    assert len(trace(Small().eval(), keeps_names=True).SerializeToString()) <= 6_000_000


def test_its_exit_is_that_of_campplus_name_by_name() -> None:
    with torch.device("meta"):
        ours, theirs = Small().state_dict(), CamPlusPlus().state_dict()
    for beginning in ("xvector.out_nonlinear.", "xvector.dense."):
        own = {name: one.shape for name, one in ours.items() if name.startswith(beginning)}
        assert own == {name: one.shape for name, one in theirs.items() if name.startswith(beginning)} != {}


@pytest.mark.parametrize("frames", [3, 4, 99, 200, 201, 333])
def test_moments_come_every_two_frames_and_pool_to_the_embedding(frames: int) -> None:
    network, features = random_small(), torch.randn(2, frames, 80)
    with torch.no_grad():
        moments = network.moments(features)
        assert moments.shape == (2, 512, -(-frames // 2))
        torch.testing.assert_close(network.pool(moments), network(features))


def test_a_served_one_pools_chosen_moments() -> None:
    network, features = random_small(), torch.randn(1, 300, 80)
    whole = split(trace(network, keeps_names=True).SerializeToString())
    assert whole is not None
    graph, pooling = whole
    session = open_session(graph, "small", threads=1)
    moments, embedding = session.run([SEQUENCE, "embedding"], {"features": features.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(moments, network.moments(features).numpy(), atol=2e-4)
    chosen = np.ones((1, moments.shape[2]), dtype=np.bool_)
    assert chosen.sum() >= LEAST
    np.testing.assert_allclose(pooling(moments[0], chosen), embedding, rtol=1e-3, atol=1e-3)
