"""A trained network becomes a file that answers the same, or no file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.errors import ModelError
from samevoice.models.encoder import Encoder, read_model

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)
from exportmakers import card_of  # noqa: E402
from torch import nn  # noqa: E402

from samevoice.export import export_model, model  # noqa: E402
from samevoice.export.graph import trace  # noqa: E402
from samevoice.export.int8 import rounded, with_int8_weights  # noqa: E402
from samevoice.export.model import Weights  # noqa: E402
from samevoice.export.parity import cases, parity  # noqa: E402
from samevoice.networks.embedding import EmbeddingNetwork  # noqa: E402

HEAVY = {"rescnn", "rescnn-clipped", "gru", "resnet34", "ecapa-1024"}
ALL = [pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name for name in make.SMALL]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_network_exports_and_answers_the_same(tmp_path: Path, name: str) -> None:
    network = make.embedder(name)
    exported = export_model(network, card_of(network), tmp_path / "model.onnx")
    assert exported.cosine >= 0.9999
    card, graph = read_model(tmp_path / "model.onnx")
    assert card == exported.card
    assert card.fingerprint.startswith("trained@")
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    encoder = Encoder(card, graph, threads=1)
    for frames, batch in ((network.least_frames, 2), (33, 1), (98, 3)):
        features = make.features(network, batch, frames, seed=frames)
        with torch.no_grad():
            expected = network(features).numpy()
        np.testing.assert_allclose(encoder(features.numpy()), expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["rescnn-simple", "fbanknet", "bilstm", "ecapa-512", "campplus"])
def test_int8_weights_are_a_quarter_and_nearly_the_same(name: str) -> None:
    network = make.embedder(name)
    graph = trace(network, keeps_names=False).SerializeToString()
    smaller = with_int8_weights(graph)
    onnx.checker.check_model(onnx.load_from_string(smaller), full_check=True)
    assert len(smaller) < 0.3 * len(graph)
    assert parity(network, smaller, cases(network)[::4], least=0.999) < 1.0


@pytest.mark.slow
def test_int8_says_what_it_costs(tmp_path: Path) -> None:
    network = make.embedder("fbanknet")
    whole = export_model(network, card_of(network), tmp_path / "whole.onnx")
    small = export_model(network, card_of(network), tmp_path / "small.onnx", weights="int8")
    assert 0.995 <= small.cosine < 0.999999
    assert f"cosine to the original {small.cosine:.5f}" in read_model(small.path)[0].summary
    assert "on random features" in small.card.summary
    assert "original" not in whole.card.summary
    assert small.card.fingerprint != whole.card.fingerprint
    assert small.path.stat().st_size < 0.3 * whole.path.stat().st_size


def test_the_networks_rows_and_columns_are_rounded_by_their_own_scale() -> None:
    """Channels of very different size keep their direction only with a scale each."""
    torch.manual_seed(0)

    class Scaled(EmbeddingNetwork):
        frontend, bands, dimension = "psf-64", 64, 64

        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(64, 64)

        def forward(self, features: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
            return self.dense(features.mean(dim=1))

    network = Scaled().eval()
    with torch.no_grad():
        network.dense.weight.mul_(torch.logspace(-6, 0, 64)[:, None])
        network.dense.bias.zero_()
    graph = with_int8_weights(trace(network, keeps_names=False).SerializeToString())
    levels = next(item for item in onnx.load_from_string(graph).graph.initializer if item.name.endswith(".levels"))
    assert np.abs(onnx.numpy_helper.to_array(levels)).max(axis=1).tolist() == [127] * 64


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=6, max_size=6),
    st.integers(0, 1),
)
def test_rounding_is_off_by_half_a_level_at_most(values: list[float], axis: int) -> None:
    weights = np.array(values, dtype=np.float32).reshape(2, 3)
    levels, scale = rounded(weights, axis)
    assert levels.dtype == np.int8
    assert scale.shape == (weights.shape[axis],)
    assert np.abs(levels.astype(int)).max() <= 127
    steps = np.expand_dims(scale, 1 - axis)
    assert bool((np.abs(levels * steps - weights) <= 0.5001 * steps + 1e-30).all())


def test_there_are_twenty_lengths_and_batch_sizes() -> None:
    for name in make.SMALL:
        network = make.outline(name)
        tried = cases(network)
        assert len(set(tried)) == 20
        if network.frames is None:
            assert len({frames for frames, _ in tried}) == 20
            assert min(frames for frames, _ in tried) == network.least_frames
            assert {batch for _, batch in tried} == {1, 2, 3, 4}
        else:
            assert {batch for _, batch in tried} == set(range(1, 21))


def test_the_callers_network_is_left_as_it_was(tmp_path: Path) -> None:
    network = make.embedder("spectrogramnet-pooled").train()
    before = {name: item.clone() for name, item in network.state_dict().items()}
    export_model(network, card_of(network), tmp_path / "model.onnx")
    assert network.training
    assert all(torch.equal(item, before[name]) for name, item in network.state_dict().items())


def test_a_graph_that_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, other = make.embedder("fbanknet-20k"), make.embedder("fbanknet-20k", seed=9)
    monkeypatch.setattr(model, "trace", lambda _network, keeps_names: trace(other, keeps_names=keeps_names))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # what the exporter writes meanwhile goes as well
    kinds: tuple[Weights, ...] = ("float32", "int8")
    for weights in kinds:
        with pytest.raises(ModelError, match="not written, torch and ONNX differ at 64 frames, batch 1"):
            export_model(network, card_of(network), tmp_path / "model.onnx", weights=weights)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    network = make.embedder("fbanknet-20k")
    with torch.no_grad():
        network.get_parameter("classifier.bias")[3] = float("nan")
    with pytest.raises(ModelError, match="not written, torch and ONNX differ"):
        export_model(network, card_of(network), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_rounding_that_loses_too_much_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = make.embedder("fbanknet-20k")
    assert model.MIN_INT8_COSINE == 0.995
    monkeypatch.setattr(model, "MIN_INT8_COSINE", 0.9999999)
    with pytest.raises(ModelError, match=r"need 0\.9999999"):
        export_model(network, card_of(network), tmp_path / "model.onnx", weights="int8")
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_survives_a_refusal(tmp_path: Path) -> None:
    network = make.embedder("fbanknet-20k")
    path = tmp_path / "model.onnx"
    path.write_bytes(b"older")
    with torch.no_grad():
        network.get_parameter("classifier.bias")[3] = float("inf")
    with pytest.raises(ModelError, match="not written"):
        export_model(network, card_of(network), path)
    assert path.read_bytes() == b"older"


def test_what_is_no_embedding_network_has_no_signature() -> None:
    with pytest.raises(ModelError, match="Linear is not an EmbeddingNetwork"):
        trace(nn.Linear(2, 2), keeps_names=False)
