"""The habits of Keras that differ from torch's, so that the seeds' networks are what their authors trained.

Knows: padding, normalisation, flattening, clipping, unit length, recurrence and initialisation as Keras does them.
Does not know: any network.
Source: Keras 2.2 and TensorFlow 2.7 layers, as the seeds use them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.networks.precision import at_least_single

CLIP = 20.0
EPSILON = 1e-12
SLOPE, MIDDLE = 0.2, 0.5  # of the hard sigmoid


class HalvingConvolution(nn.Conv2d):
    """A convolution of odd kernel and stride 2 with "same" padding: n points become ceil(n / 2).

    Keras pads just enough, and the odd point behind: an even axis gets one point less in front than torch's
    `padding=kernel // 2` would give it, which shifts the whole grid.
    """

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        """Lay out the kernel; padding happens in `forward`."""
        super().__init__(channels, out, kernel, stride=2)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the name torch gives it)
        """(B, C, T, F) -> (B, out, ceil(T / 2), ceil(F / 2))."""
        half = self.kernel_size[0] // 2
        rows, columns = input.shape[2], input.shape[3]
        padded = F.pad(input, (half - 1 + columns % 2, half, half - 1 + rows % 2, half))
        return super().forward(padded)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with Keras' defaults (its momentum 0.99 is torch's 0.01)."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def clipped_relu(values: Tensor) -> Tensor:
    """min(max(x, 0), 20), written over its input, which nothing else may need any more."""
    return F.hardtanh(values, 0.0, CLIP, inplace=True)


def rows(image: Tensor) -> Tensor:
    """(B, C, T, F) -> (B, T, F x C), channels fastest, as a channels-last image is flattened."""
    return image.permute(0, 2, 3, 1).flatten(2)


@at_least_single
def unit_length(vectors: Tensor) -> Tensor:
    """Divide each row by its length; a row of zeros stays zero."""
    return vectors / vectors.square().sum(dim=-1, keepdim=True).clamp(min=EPSILON).sqrt()


def initialise(network: nn.Module) -> None:
    """Glorot-uniform kernels and zero biases for every convolution and dense layer."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def initialise_lstm(lstm: nn.LSTM) -> None:
    """One bias per gate, as in Keras, and its start: forget gates open.

    torch adds a second bias per gate, which changes nothing but the count; it is frozen at zero.
    """
    for name, tensor in lstm.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(tensor)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(tensor)
        else:
            nn.init.zeros_(tensor)
            if name.startswith("bias_hh"):
                tensor.requires_grad = False
            else:
                with torch.no_grad():
                    tensor[lstm.hidden_size : 2 * lstm.hidden_size] = 1.0


class Gru(nn.Module):
    """A gated recurrent layer whose reset gate acts *before* the recurrent product, with one bias per gate.

    torch's own acts behind the product and has two biases: a near variant, not the same function. Nor are the gates
    logistic: the default was `recurrent_activation="hard_sigmoid"` until TensorFlow 2.0 changed it together with
    `reset_after`. What the seed's own call says is not on record, so both are taken as Keras had them then.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014, equations 5 to 8;
    Keras' `GRU(reset_after=False)`, whose order of gates (update, reset, candidate) the tensors keep.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        """Lay out the weights: Glorot-uniform for the input, orthogonal for the state, biases zero."""
        super().__init__()
        self.hidden = hidden
        self.weight_input = nn.Parameter(torch.empty(3 * hidden, inputs))
        self.weight_state = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(3 * hidden))
        nn.init.xavier_uniform_(self.weight_input)
        nn.init.orthogonal_(self.weight_state)

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, T, inputs) -> (B, T, hidden), from a state of zeros."""
        if torch.onnx.is_in_onnx_export():
            weights = (self.weight_input, self.weight_state, self.bias)
            found: Tensor = _TracedGru.apply(sequence, *weights)  # type: ignore[no-untyped-call]
            return found
        return _recur(sequence, self.weight_input, self.weight_state, self.bias)


def hard_sigmoid(values: Tensor) -> Tensor:
    """Keras' straight line for the logistic function: 0.2 x + 0.5, between 0 and 1 (torch's own has another slope)."""
    return (SLOPE * values + MIDDLE).clamp(0.0, 1.0)


def _recur(sequence: Tensor, weight_input: Tensor, weight_state: Tensor, bias: Tensor) -> Tensor:
    """The recurrence, one frame after the other."""
    hidden = weight_state.shape[1]
    gates, candidate = weight_state[: 2 * hidden], weight_state[2 * hidden :]
    state = bias.new_zeros(len(sequence), hidden)
    states = []
    # Every frame's input in one product; under autocast only products are in half precision, the state is not.
    for given in F.linear(sequence, weight_input, bias).to(state.dtype).unbind(dim=1):
        update, reset = hard_sigmoid(given[:, : 2 * hidden] + F.linear(state, gates)).chunk(2, dim=1)
        proposed = torch.tanh(given[:, 2 * hidden :] + F.linear(reset * state, candidate))
        state = torch.lerp(proposed, state, update)
        states.append(state)
    return torch.stack(states, dim=1)


class _TracedGru(torch.autograd.Function):
    """The same as one ONNX operator, which has exactly this cell and takes any number of frames."""

    @staticmethod
    def forward(ctx: object, sequence: Tensor, weight_input: Tensor, weight_state: Tensor, bias: Tensor) -> Tensor:
        """As `_recur`."""
        del ctx
        return _recur(sequence, weight_input, weight_state, bias)

    @staticmethod
    def symbolic(g, sequence, weight_input, weight_state, bias):  # type: ignore[no-untyped-def]
        """ONNX's GRU wants time first, a direction axis, and a second bias, here zero."""
        first, second = (g.op("Constant", value_t=torch.tensor([axis])) for axis in (0, 1))
        biases = g.op("Concat", bias, g.op("Sub", bias, bias), axis_i=0)
        states, _ = g.op(
            "GRU",
            g.op("Transpose", sequence, perm_i=[1, 0, 2]),
            g.op("Unsqueeze", weight_input, first),
            g.op("Unsqueeze", weight_state, first),
            g.op("Unsqueeze", biases, first),
            activations_s=["HardSigmoid", "Tanh"],
            activation_alpha_f=[SLOPE],
            activation_beta_f=[MIDDLE],
            hidden_size_i=weight_state.type().sizes()[1],
            outputs=2,
        )
        return g.op("Transpose", g.op("Squeeze", states, second), perm_i=[1, 0, 2])
