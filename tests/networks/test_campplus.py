from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from samevoice.features.frontend import build_frontend
from samevoice.models import store
from samevoice.models.encoder import Encoder
from samevoice.models.onnxfile import read_tensors

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from samevoice.networks import build  # noqa: E402 (torch first)
from samevoice.networks.dtdnn import segment_maps  # noqa: E402

# The published check values of librispeech_1255_a.flac (the table's row 1255-90413-0001).
NORM = 7.7184
FIRST_SIX = [-0.07563, 0.00501, -0.05403, 0.03841, -0.00676, -0.04695]
CORNERS = (-15.9424, -10.0350)


@pytest.fixture(scope="module")
def fbank(samples: Path) -> NDArray[np.float32]:
    """Features of the sample with published check values, before mean subtraction."""
    sound, rate = soundfile.read(samples / "librispeech_1255_a.flac", dtype="float32")
    spec = store.load("campplus")[0].frontend
    assert spec is not None
    assert rate == spec.rate
    return build_frontend(spec).frames(sound)


def test_campplus_has_the_published_tensors() -> None:
    state = build("campplus").state_dict()
    assert len(state) == 937
    trainable = sum(item.numel() for item in build("campplus").parameters())
    assert trainable == 6_848_544
    assert sum(item.numel() for item in state.values()) - trainable == 82_298


def test_the_front_end_gives_the_published_values(fbank: NDArray[np.float32]) -> None:
    assert fbank.shape == (647, 80)
    np.testing.assert_allclose((fbank[0, 0], fbank[100, 40]), CORNERS, atol=1e-3)


def test_campplus_gives_the_published_embedding_in_onnx_and_in_torch(fbank: NDArray[np.float32]) -> None:
    card, graph = store.load("campplus")
    features = (fbank - fbank.mean(axis=0))[None]
    network = build("campplus")
    state = network.state_dict()
    weights = {name: torch.tensor(array) for name, array in read_tensors(graph).items() if name in state}
    assert state.keys() - weights.keys() == {name for name in state if name.endswith("num_batches_tracked")}
    network.load_state_dict(weights, strict=False)
    with torch.no_grad():
        in_torch = network.eval()(torch.from_numpy(features)).numpy()
    for found in (Encoder(card, graph, threads=1)(features)[0], in_torch[0]):
        norm = np.linalg.norm(found)
        assert norm == pytest.approx(NORM, abs=1e-3)
        np.testing.assert_allclose(found[:6] / norm, FIRST_SIX, atol=1e-4)


@pytest.mark.parametrize("count", [2, 99, 100, 101, 200, 250])
def test_segments_are_averaged_over_their_own_length(count: int) -> None:
    sequence = torch.randn(2, 5, count, generator=torch.Generator().manual_seed(count))
    gather, spread = segment_maps(sequence)
    expected = torch.empty(2, 5, count)
    for start in range(0, count, 100):
        part = sequence[..., start : start + 100].mean(dim=-1, keepdim=True)
        expected[..., start : start + 100] = part + sequence.mean(dim=-1, keepdim=True)
    torch.testing.assert_close(sequence @ gather @ spread, expected)
