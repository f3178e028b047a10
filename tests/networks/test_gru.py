from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)

from samevoice.networks.gru import GruNet  # noqa: E402

MARGIN = 0.1


def test_seed_gru_net_counts() -> None:
    network = make.outline("gru")
    assert isinstance(network, GruNet)
    assert make.trainable(network) == 22_555_904
    assert [make.trainable(layer) for layer in network.recurrence] == [9_440_256, 6_294_528, 6_294_528]
    assert make.trainable(network.affine) == 524_800


def test_seed_gru_net_shapes() -> None:
    network = make.outline("gru").eval()
    assert network(torch.empty(2, 160, 64, device="meta")).shape == (2, 512)
    small = make.embedder("gru")
    with torch.no_grad():
        torch.testing.assert_close(small(make.features(small, frames=16)).norm(dim=1), torch.ones(2))


@pytest.mark.slow
def test_seed_gru_net_learns_a_toy_set_below_collapse() -> None:
    """Two speakers, each heard over two channels that are louder than they are.

    At first an anchor is more like the other speaker over its own channel than like its own speaker over the other,
    so the loss exceeds the margin of 0.1, which a network that ever answers the same would have.
    """
    generator = torch.Generator().manual_seed(4)
    speakers, channels = torch.randn(2, 2, 16, 64, generator=generator)
    rows = {(who, over): 0.5 * speakers[who] + channels[over] for who in (0, 1) for over in (0, 1)}
    anchors = list(rows)
    triplets = [*anchors, *((who, 1 - over) for who, over in anchors), *((1 - who, over) for who, over in anchors)]
    features = torch.stack([rows[key] for key in triplets])
    network = make.embedder("gru").train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    losses = []
    for _ in range(8):
        anchor, positive, negative = network(features).chunk(3)
        loss = ((anchor * negative).sum(dim=1) - (anchor * positive).sum(dim=1) + MARGIN).clamp(min=0).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[0] > MARGIN
    assert losses[-1] < 0.2 * MARGIN
