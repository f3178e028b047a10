from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samevoice.errors import ModelError

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)

from samevoice.networks.bilstm import BiLstm  # noqa: E402

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def network() -> BiLstm:
    """The network with random weights."""
    found = make.embedder("bilstm")
    assert isinstance(found, BiLstm)
    return found


def test_seed_bilstm_counts_with_single_bias(network: BiLstm) -> None:
    assert make.trainable(network) == 641_152
    frozen = {name: item for name, item in network.named_parameters() if not item.requires_grad}
    assert len(frozen) == 4
    assert all("bias_hh" in name and not item.any() for name, item in frozen.items())
    by_layer = [
        sum(p.numel() for n, p in network.lstm.named_parameters() if p.requires_grad and f"_l{i}" in n) for i in (0, 1)
    ]
    assert by_layer == [214_016, 394_240]
    assert make.trainable(network.dense) == 32_896


def test_seed_bilstm_forget_gates_start_open(network: BiLstm) -> None:
    for name, bias in network.lstm.named_parameters():
        if "bias_ih" in name:
            assert bias.tolist() == [0.0] * 128 + [1.0] * 128 + [0.0] * 256


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    padding=st.integers(0, 9),
    filler=st.sampled_from([0.0, -13.8, 1e3, float("nan")]),
    seed=st.integers(0, 99),
)
def test_seed_bilstm_padding_changes_nothing(lengths: list[int], padding: int, filler: float, seed: int) -> None:
    network = make.embedder("bilstm")
    utterances = [torch.randn(n, 80, generator=torch.Generator().manual_seed(seed + n)) for n in lengths]
    batch = torch.full((len(lengths), max(lengths) + padding, 80), filler)
    for row, utterance in zip(batch, utterances, strict=True):
        row[: len(utterance)] = utterance
    with torch.no_grad():
        together = network(batch, torch.tensor(lengths))
        alone = torch.cat([network(one[None]) for one in utterances])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)


def test_seed_bilstm_embedding_has_unit_length(network: BiLstm) -> None:
    with torch.no_grad():
        found = network(make.features(network, batch=3, frames=20))
    assert found.shape == (3, 128)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def sigmoid(values: Array) -> Array:
    """The logistic function."""
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def lstm(sequence: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    """Keras' LSTM (input, forget, candidate, output) for one sequence, by its definition."""
    size = recurrent.shape[1]
    state, memory, states = np.zeros(size), np.zeros(size), []
    for frame in sequence:
        gate, forget, proposed, output = np.split(kernel @ frame + recurrent @ state + bias, 4)
        memory = sigmoid(forget) * memory + sigmoid(gate) * np.tanh(proposed)
        state = sigmoid(output) * np.tanh(memory)
        states.append(state)
    return np.stack(states)


def test_seed_bilstm_reads_both_ways_from_the_right_ends(network: BiLstm) -> None:
    features = make.features(network, batch=1, frames=7)
    weights = {name: item.detach().double().numpy() for name, item in network.named_parameters()}
    sequence: Array = features[0].double().numpy()
    for layer in (0, 1):
        forth, back = (
            [weights[f"lstm.{kind}_l{layer}{way}"] for kind in ("weight_ih", "weight_hh", "bias_ih")]
            for way in ("", "_reverse")
        )
        sequence = np.concatenate([lstm(sequence, *forth), lstm(sequence[::-1], *back)[::-1]], axis=1)
    # Forwards the last frame's state, backwards that of the first frame, which is read last.
    last = weights["dense.weight"] @ np.concatenate([sequence[-1, :128], sequence[0, 128:]]) + weights["dense.bias"]
    with torch.no_grad():
        np.testing.assert_allclose(network(features)[0], last / np.linalg.norm(last), atol=1e-6)


@pytest.mark.parametrize(
    "lengths",
    [[3], [3, 3, 3], [0, 3], [3, 11], [-1, 3], [1.0, 2.0], [True, False], [[3, 3]]],
    ids=str,
)
def test_lengths_that_do_not_fit_are_refused(network: BiLstm, lengths: list[object]) -> None:
    features = make.features(network, batch=2, frames=10)
    with pytest.raises(ModelError, match=r"takes lengths \(2,\), whole numbers from 1 to 10"):
        network(features, torch.tensor(lengths))


def test_lengths_must_be_a_tensor(network: BiLstm) -> None:
    with pytest.raises(ModelError, match=r"takes lengths \(2,\), whole numbers from 1 to 10, as a tensor, got list"):
        network(make.features(network, batch=2, frames=10), [10, 3])


def test_features_are_checked_with_lengths_too(network: BiLstm) -> None:
    features = make.features(network, batch=2, frames=10)
    with pytest.raises(ModelError, match="got NaN"):
        network(features.index_fill(1, torch.tensor([2]), float("nan")), torch.tensor([10, 3]))
    for wrong in (features[0], features[..., 1:]):
        with pytest.raises(ModelError, match=r"takes features \(batch, frames, 80\)"):
            network(wrong, torch.tensor([10, 3]))
