"""The tiny voice activity network: what it sees, and that its graph answers as it does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from samevoice.networks.voicing import AHEAD, BANDS, PAST, Voicing
from samevoice.runtime import Session, open_session
from samevoice.speech import tinyvad
from samevoice.training.voicing import graph_of


@pytest.fixture(scope="module")
def network() -> Voicing:
    """Random weights, and running means that are not those of a new network."""
    torch.manual_seed(1)
    network = Voicing()
    with torch.no_grad():
        for _ in range(3):
            network(8 * torch.randn(4, 100, BANDS) - 8)
    return network.eval()


@pytest.fixture(scope="module")
def session(network: Voicing) -> Session:
    return open_session(graph_of(network), "voicing", threads=1)


def test_it_is_tiny(network: Voicing) -> None:
    assert sum(one.numel() for one in network.parameters()) == 33_025


@given(frames=st.integers(1, 400), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_the_graph_answers_as_the_network(
    network: Voicing, session: Session, frames: int, batch: int, seed: int
) -> None:
    features = np.random.default_rng(seed).normal(-8, 4, (batch, frames, BANDS)).astype(np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(features)).numpy()
    (found,) = session.run(None, {"features": features})
    assert found.shape == (batch, -(-frames // 2))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.ptp(wanted) > 0 or wanted.size < 4  # an answer that never changes would agree with anything


@pytest.mark.parametrize("place", [0, 100, 101, 180, 299])
def test_an_answer_hangs_on_so_many_frames_and_no_more(network: Voicing, place: int) -> None:
    """In double precision, so that what arrives at all is seen; ReLUs may swallow a change, so many are tried."""
    double = Voicing().double().eval()
    double.load_state_dict(network.state_dict())
    generator = torch.Generator().manual_seed(place)
    changed = torch.zeros(150, dtype=torch.bool)
    for _ in range(40):
        features = torch.randn(1, 300, BANDS, generator=generator, dtype=torch.float64) * 4 - 8
        other = features.clone()
        other[0, place] += 10 * torch.randn(BANDS, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            changed |= (double(features) != double(other))[0]
    places = torch.nonzero(changed).ravel().tolist()
    first, last = -(-(place - AHEAD) // 2), (place + PAST) // 2  # 2 j + AHEAD >= place, 2 j - PAST <= place
    assert (places[0], places[-1]) == (max(first, 0), min(last, 149))


def test_the_detector_overlaps_its_pieces_by_as_much() -> None:
    assert (tinyvad.PAST, tinyvad.AHEAD) == (PAST, AHEAD)
