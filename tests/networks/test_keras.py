"""Keras' habits against their definitions, written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import net_oracles as oracle  # noqa: E402 (torch first)
from torch import nn  # noqa: E402

from samevoice.networks import keras  # noqa: E402

Array = NDArray[np.float64]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Points before and behind, as TensorFlow's documentation defines "same"."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def convolve(image: Array, weight: Array, bias: Array, stride: int) -> Array:
    """A "same" convolution by loops: (C, T, F) and (out, C, k, k) -> (out, ceil(T / s), ceil(F / s))."""
    kernel = weight.shape[-1]
    padded = np.pad(image, [(0, 0), *(same_padding(size, kernel, stride) for size in image.shape[1:])])
    rows, columns = (-(-size // stride) for size in image.shape[1:])
    found = np.empty((len(weight), rows, columns))
    for row in range(rows):
        for column in range(columns):
            patch = padded[:, row * stride : row * stride + kernel, column * stride : column * stride + kernel]
            found[:, row, column] = (weight * patch).sum(axis=(1, 2, 3)) + bias
    return found


@settings(max_examples=40)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), kernel=st.sampled_from([3, 5, 7]), seed=st.integers(0, 99))
def test_padding_is_keras_same(rows: int, columns: int, kernel: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer = keras.HalvingConvolution(2, 3, kernel).double()
    image = torch.randn(2, rows, columns, dtype=torch.float64)
    assert layer.bias is not None
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(image[None])[0].detach(), convolve(image.numpy(), weight, bias, 2), atol=1e-12)


def test_an_even_axis_is_padded_by_one_before_and_two_behind() -> None:
    assert same_padding(64, 5, 2) == (1, 2)
    layer = keras.HalvingConvolution(1, 1, 5)
    image = torch.randn(1, 1, 64, 64)
    shifted = nn.functional.conv2d(image, layer.weight, layer.bias, stride=2, padding=2)  # what torch would do
    assert shifted.shape == layer(image).shape
    assert not torch.allclose(shifted, layer(image), atol=0.1)


def test_normalisation_has_keras_defaults() -> None:
    layer = keras.batch_norm(3)
    values = torch.randn(4, 3, 5, 5) * 2 + 1
    found = layer(values)
    mean, variance = values.mean(dim=(0, 2, 3)), values.var(dim=(0, 2, 3), unbiased=False)
    expected = (values - mean[:, None, None]) / (variance[:, None, None] + 1e-3).sqrt()
    torch.testing.assert_close(found, expected)
    assert layer.running_mean is not None
    torch.testing.assert_close(layer.running_mean, 0.01 * mean)  # 0.99 of the zeros it began with


def test_clipping_ends_at_twenty() -> None:
    values = torch.tensor([-1.0, 0.0, 3.0, 20.0, 25.0])
    assert keras.clipped_relu(values).tolist() == [0.0, 0.0, 3.0, 20.0, 20.0]


def test_rows_have_channels_fastest() -> None:
    image = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # (N, C, T, F)
    expected = np.transpose(image.numpy(), (0, 2, 3, 1)).reshape(2, 4, 15)  # Keras keeps (N, T, F, C)
    np.testing.assert_array_equal(keras.rows(image), expected)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3))
def test_unit_length_is_one_or_the_vector_is_nearly_nothing(values: list[float]) -> None:
    vector = torch.tensor([values], dtype=torch.float32)
    length = float(keras.unit_length(vector).norm())
    assert length == pytest.approx(min(1.0, float(vector.double().norm()) * 1e6), abs=1e-4)


def test_zeros_stay_zeros() -> None:
    vector = torch.zeros(1, 4, requires_grad=True)
    found = keras.unit_length(vector)
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert found.tolist() == [[0.0] * 4]
    assert vector.grad is not None
    assert vector.grad.isfinite().all()


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_unit_length_holds_in_half_precision(half: str) -> None:
    """Squares of 300 overflow float16, and 1e-12 is 0 in it."""
    kind = getattr(torch, half)
    vectors = torch.tensor([[0.0, 0.0, 0.0], [300.0, 400.0, 0.0], [0.003, 0.0, -0.004]], dtype=kind, requires_grad=True)
    found = keras.unit_length(vectors)
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert found.dtype == kind
    expected = torch.tensor([[0.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.6, 0.0, -0.8]], dtype=kind)
    torch.testing.assert_close(found, expected, atol=2e-3 if half == "float16" else 1e-2, rtol=0)
    assert vectors.grad is not None
    assert bool(vectors.grad[1:].isfinite().all())


def test_weights_start_as_in_keras() -> None:
    convolution, dense = nn.Conv2d(4, 8, 3), nn.Linear(30, 50)
    keras.initialise(nn.Sequential(convolution, dense))
    for layer, fans in ((convolution, (4 * 9, 8 * 9)), (dense, (30, 50))):
        limit = np.sqrt(6.0 / sum(fans))
        largest = float(layer.weight.detach().abs().max())
        assert 0.95 * limit <= largest <= limit
        assert layer.bias is not None
        assert not layer.bias.any()


@settings(max_examples=20)
@given(frames=st.integers(1, 6), inputs=st.integers(1, 5), hidden=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_gru_is_keras_own(frames: int, inputs: int, hidden: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer = keras.Gru(inputs, hidden).double()
    nn.init.normal_(layer.bias)
    sequence = torch.randn(2, frames, inputs, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(layer(sequence), oracle.gru(sequence, layer.state_dict()), atol=1e-12, rtol=0)


def test_the_gates_are_a_straight_line_between_two_floors() -> None:
    """By hand: one unit, all weights 1, biases 0. The logistic function would give 0.1149 for the first state."""
    layer = keras.Gru(1, 1).double()
    with torch.no_grad():
        for weight in (layer.weight_input, layer.weight_state):
            weight.fill_(1.0)
        states = layer(torch.tensor([[[2.0], [3.0], [-1.0], [-4.0]]], dtype=torch.float64)).flatten()
    # update 0.9 of the state 0: 0.1 tanh(2)
    assert float(states[0]) == pytest.approx(0.096402758, abs=1e-9)
    # 0.2 x 3.0964 + 0.5 > 1: nothing of the proposal
    assert float(states[1]) == pytest.approx(0.096402758, abs=1e-9)
    # update = reset = 0.2 x (-0.903597) + 0.5 = 0.319281; 0.319281 x 0.096403 + 0.680719 tanh(-1 + 0.030780)
    assert float(states[2]) == pytest.approx(-0.478644723, abs=1e-9)
    # 0.2 x (-4.48) + 0.5 < 0: nothing but the proposal, and no reset state in it
    assert float(states[3]) == pytest.approx(-0.999329300, abs=1e-9)  # tanh(-4)


def test_the_gru_keeps_its_state_in_float32_under_autocast() -> None:
    torch.manual_seed(0)
    layer = keras.Gru(4, 6)
    sequence = torch.randn(2, 30, 4)
    for frames in (sequence, sequence.bfloat16()):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = layer(frames)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, layer(sequence), atol=0.02, rtol=0.02)
        found.sum().backward()
    assert layer.weight_state.grad is not None
    assert bool(layer.weight_state.grad.isfinite().all())


def test_torchs_gru_is_another_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with torch's gates: the reset gate acts elsewhere."""
    monkeypatch.setattr(keras, "hard_sigmoid", torch.sigmoid)
    torch.manual_seed(0)
    ours, theirs = keras.Gru(4, 4), nn.GRU(4, 4, batch_first=True)
    reset, update, candidate = (slice(i, i + 4) for i in (4, 0, 8))
    with torch.no_grad():  # torch has the reset gate first
        for name, weight in (("weight_ih_l0", ours.weight_input), ("weight_hh_l0", ours.weight_state)):
            theirs.get_parameter(name).copy_(torch.cat([weight[reset], weight[update], weight[candidate]]))
        for name in ("bias_ih_l0", "bias_hh_l0"):
            theirs.get_parameter(name).zero_()
    sequence = torch.randn(1, 5, 4)
    torch.testing.assert_close(ours(sequence)[:, 0], theirs(sequence)[0][:, 0])  # from a zero state they agree
    assert not torch.allclose(ours(sequence)[:, 4], theirs(sequence)[0][:, 4], atol=1e-3)
