"""Keras' habits against their definitions, written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import nn  # noqa: E402 (torch first)

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


@settings(deadline=None, max_examples=40)
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


def test_weights_start_as_in_keras() -> None:
    convolution, dense = nn.Conv2d(4, 8, 3), nn.Linear(30, 50)
    keras.initialise(nn.Sequential(convolution, dense))
    for layer, fans in ((convolution, (4 * 9, 8 * 9)), (dense, (30, 50))):
        limit = np.sqrt(6.0 / sum(fans))
        largest = float(layer.weight.detach().abs().max())
        assert 0.95 * limit <= largest <= limit
        assert layer.bias is not None
        assert not layer.bias.any()


def sigmoid(values: Array) -> Array:
    """The logistic function."""
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def gru(sequence: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    """Keras' GRU with `reset_after=False`, for one sequence (T, inputs)."""
    z, r, h = (slice(i * len(recurrent.T), (i + 1) * len(recurrent.T)) for i in range(3))
    state, states = np.zeros(recurrent.shape[1]), []
    for given_frame in sequence:
        update = sigmoid(kernel[z] @ given_frame + recurrent[z] @ state + bias[z])
        reset = sigmoid(kernel[r] @ given_frame + recurrent[r] @ state + bias[r])
        proposed = np.tanh(kernel[h] @ given_frame + recurrent[h] @ (reset * state) + bias[h])
        state = update * state + (1.0 - update) * proposed
        states.append(state)
    return np.stack(states)


@settings(deadline=None, max_examples=20)
@given(frames=st.integers(1, 6), inputs=st.integers(1, 5), hidden=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_gru_is_keras_own(frames: int, inputs: int, hidden: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer = keras.Gru(inputs, hidden).double()
    nn.init.normal_(layer.bias)
    sequence = torch.randn(2, frames, inputs, dtype=torch.float64)
    weights = [tensor.detach().numpy() for tensor in (layer.weight_input, layer.weight_state, layer.bias)]
    expected = np.stack([gru(one.numpy(), *weights) for one in sequence])
    np.testing.assert_allclose(layer(sequence).detach(), expected, atol=1e-12)


def test_torchs_gru_is_another_function() -> None:
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
