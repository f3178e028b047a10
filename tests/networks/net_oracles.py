"""The networks once more, as plain functions of their tensors in float64, written from the papers and the seeds.

Nothing here calls the package; only the names of the tensors are its own. Features are (B, T, bands).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor

State = Mapping[str, Tensor]
KERAS, TORCH = 1e-3, 1e-5  # epsilons of batch normalisation


def under(state: State, prefix: str) -> State:
    """The tensors of one layer."""
    return {name.removeprefix(f"{prefix}."): item for name, item in state.items() if name.startswith(f"{prefix}.")}


def normalised(values: Tensor, state: State, name: str, epsilon: float = TORCH) -> Tensor:
    """Batch normalisation with what training has seen."""
    layer = under(state, name)
    mean, variance, scale, shift = (
        layer[key].view(1, -1, *[1] * (values.ndim - 2)) for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (values - mean) / torch.sqrt(variance + epsilon) * scale + shift


def dense(values: Tensor, state: State, name: str) -> Tensor:
    """x W' + b."""
    return values @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def same(image: Tensor, state: State, name: str, stride: int = 1) -> Tensor:
    """A convolution that pads as TensorFlow defines "same": as little as is needed, the odd point behind."""
    weight = state[f"{name}.weight"]
    padding = []
    for size, kernel in ((image.shape[3], weight.shape[3]), (image.shape[2], weight.shape[2])):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        padding += [total // 2, total - total // 2]
    return F.conv2d(F.pad(image, padding), weight, state[f"{name}.bias"], stride=stride)


def keras_rows(image: Tensor) -> Tensor:
    """(B, C, T, F) -> (B, T, F C), the channel fastest."""
    return torch.cat([band.transpose(1, 2) for band in image.unbind(dim=3)], dim=2)


def unit(vectors: Tensor) -> Tensor:
    """x / sqrt(max(sum x^2, 1e-12))."""
    return vectors / torch.sqrt((vectors**2).sum(dim=1, keepdim=True).clamp(min=1e-12))


def rescnn(features: Tensor, state: State, *, stages: int, convolutions: int, clips: bool, limit: float) -> Tensor:
    """Deep Speaker: stages of a halving convolution and 3 blocks of so many convolutions, mean over time, affine."""
    image = features[:, None]
    for stage in range(stages):
        part = under(state, f"stages.{stage}")
        image = normalised(same(image, part, "conv", 2), part, "bn", KERAS).clamp(0, limit)
        for number in range(3):
            block, branch = under(part, f"blocks.{number}"), image
            for index in range(1, convolutions + 1):
                branch = normalised(same(branch, block, f"conv{index}"), block, f"bn{index}", KERAS)
                if clips or index < convolutions:
                    branch = branch.clamp(0, limit)
            image = (image + branch).clamp(0, limit)
    return unit(dense(keras_rows(image).mean(dim=1), state, "affine"))


def hard_sigmoid(values: Tensor) -> Tensor:
    """Keras 2.2: max(0, min(1, 0.2 x + 0.5))."""
    return (0.2 * values + 0.5).clamp(0, 1)


def gru(sequence: Tensor, state: State, gate: Callable[[Tensor], Tensor] = hard_sigmoid) -> Tensor:
    """Keras' GRU with `reset_after=False`: (B, T, inputs) -> (B, T, units)."""
    (wz, wr, wh), (uz, ur, uh), (bz, br, bh) = (
        state[name].chunk(3) for name in ("weight_input", "weight_state", "bias")
    )
    memory = sequence.new_zeros(len(sequence), uz.shape[1])
    outputs = []
    for frame in sequence.unbind(dim=1):
        update, reset = gate(frame @ wz.T + memory @ uz.T + bz), gate(frame @ wr.T + memory @ ur.T + br)
        memory = update * memory + (1 - update) * torch.tanh(frame @ wh.T + (reset * memory) @ uh.T + bh)
        outputs.append(memory)
    return torch.stack(outputs, dim=1)


def gru_net(features: Tensor, state: State, *, limit: float) -> Tensor:
    """Deep Speaker's other network: a halving convolution, three GRU layers, mean over time, affine."""
    image = normalised(same(features[:, None], state, "conv", 2), state, "bn", KERAS).clamp(0, limit)
    sequence = keras_rows(image)
    for layer in range(3):
        sequence = gru(sequence, under(state, f"recurrence.{layer}"))
    return unit(dense(sequence.mean(dim=1), state, "affine"))


def fbanknet(features: Tensor, state: State) -> tuple[Tensor, Tensor]:
    """You-Only-Speak-Once: the pooled vector and the class scores."""
    image = features[:, None]
    for stage in range(4):
        entry, block = under(state, f"stages.{2 * stage}"), under(state, f"stages.{2 * stage + 1}")
        image = F.conv2d(image, entry["weight"], entry["bias"], stride=2, padding=2)
        branch = F.conv2d(image, block["conv1.weight"], block["conv1.bias"], padding=1)
        branch = F.relu(normalised(branch, block, "bn1"))
        branch = F.conv2d(branch, block["conv2.weight"], block["conv2.bias"], padding=1)
        image = F.relu(image + normalised(branch, block, "bn2"))
    pooled = F.avg_pool2d(image, 4)[:, :, 0, 0]
    return pooled, dense(pooled, state, "classifier")


def picture_maps(pictures: Tensor, state: State, layers: int) -> Tensor:
    """SpectrogramNet's convolutions: reflection, 3x3, ReLU, and then normalisation; (B, layer, T, F)."""
    image = pictures[:, None]
    for index in range(layers):
        rows = torch.cat([image[:, :, 1:2], image, image[:, :, -2:-1]], dim=2)
        padded = torch.cat([rows[..., 1:2], rows, rows[..., -2:-1]], dim=3)
        layer = under(state, f"maps.{index}")
        image = normalised(F.relu(F.conv2d(padded, layer["1.weight"], layer["1.bias"])), layer, "3")
    return image


def picture_embedding(pictures: Tensor, state: State, *, pooled: bool) -> Tensor:
    """The cross-entropy version's embedding, from all of the maps or from what pooling leaves of them."""
    maps = picture_maps(pictures, state, 2)
    if pooled:  # the mean over time and over bands 0-2, 3-6, 7-10, ...
        spectrum = maps.mean(dim=2)
        groups = [spectrum[..., max(0, start) : start + 4] for start in range(-1, spectrum.shape[-1] - 2, 4)]
        maps = torch.stack([group.mean(dim=-1) for group in groups], dim=-1)
    return F.relu(dense(maps.flatten(1), state, "stack.2"))


def contrastive_embedding(pictures: Tensor, state: State) -> Tensor:
    """The contrastive version's embedding: three convolutions, dense layers of 500, 500 and 5."""
    hidden = F.relu(dense(picture_maps(pictures, state, 3).flatten(1), state, "stack.1.0"))
    return dense(F.relu(dense(hidden, state, "stack.1.2")), state, "stack.2")


def delayed(sequence: Tensor, state: State, name: str, dilation: int = 1) -> Tensor:
    """ECAPA's convolution over time, then ReLU, then batch normalisation."""
    layer = under(state, name)
    padding = layer["conv.weight"].shape[-1] // 2 * dilation
    convolved = F.conv1d(sequence, layer["conv.weight"], layer["conv.bias"], dilation=dilation, padding=padding)
    return normalised(F.relu(convolved), layer, "bn")


def se_res2(sequence: Tensor, state: State, dilation: int) -> Tensor:
    """ECAPA's block: dense, Res2 of scale 8, dense, squeeze-excitation, and the input added."""
    groups = delayed(sequence, state, "branch.0").chunk(8, dim=1)
    done = [groups[0], delayed(groups[1], state, "branch.1.groups.0", dilation)]
    for index in range(2, 8):
        done.append(delayed(groups[index] + done[-1], state, f"branch.1.groups.{index - 1}", dilation))
    branch = delayed(torch.cat(done, dim=1), state, "branch.2")
    squeezed = F.relu(dense(branch.mean(dim=2), state, "branch.3.squeeze"))
    return sequence + branch * torch.sigmoid(dense(squeezed, state, "branch.3.excite"))[:, :, None]


def ecapa(features: Tensor, state: State) -> Tensor:
    """ECAPA-TDNN: every block sees the sum of all before it, and pooling sees all blocks."""
    outputs = [delayed(features.transpose(1, 2), state, "entry")]
    for block, dilation in enumerate((2, 3, 4)):
        outputs.append(se_res2(torch.stack(outputs).sum(dim=0), under(state, f"blocks.{block}"), dilation))
    sequence = F.relu(F.conv1d(torch.cat(outputs[1:], dim=1), state["aggregate.weight"], state["aggregate.bias"]))
    context = [value[:, :, None].expand_as(sequence) for value in (sequence.mean(dim=2), sequence.std(dim=2))]
    seen, layer = torch.cat([sequence, *context], dim=1), under(state, "pooling")
    shared = torch.tanh(F.conv1d(seen, layer["shared.weight"], layer["shared.bias"]))
    weights = torch.exp(F.conv1d(shared, layer["weights.weight"], layer["weights.bias"]))
    weights = weights / weights.sum(dim=2, keepdim=True)
    mean = (weights * sequence).sum(dim=2)
    spread = torch.sqrt(((weights * sequence**2).sum(dim=2) - mean**2).clamp(min=1e-12))
    pooled = normalised(torch.cat([mean, spread], dim=1), state, "bn_pooled")
    return normalised(dense(pooled, state, "dense"), state, "bn")


def basic_block(image: Tensor, state: State, stride: int) -> Tensor:
    """ResNet's block: two 3x3 convolutions and a shortcut, itself a convolution where the shape changes."""
    branch = F.relu(normalised(F.conv2d(image, state["conv1.weight"], stride=stride, padding=1), state, "bn1"))
    branch = normalised(F.conv2d(branch, state["conv2.weight"], padding=1), state, "bn2")
    if stride > 1:
        image = normalised(F.conv2d(image, state["shortcut.0.weight"], stride=stride), state, "shortcut.1")
    return F.relu(branch + image)


def resnet34(features: Tensor, state: State) -> Tensor:
    """ResNet34 of 3, 4, 6, 3 blocks, mean and deviation over time, dense."""
    image = features.transpose(1, 2)[:, None]
    image = F.relu(normalised(F.conv2d(image, state["conv.weight"], padding=1), state, "bn"))
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            image = basic_block(image, under(state, f"stages.{stage}.{block}"), 2 if stage and not block else 1)
    flat = image.flatten(1, 2)
    return dense(torch.cat([flat.mean(dim=2), flat.std(dim=2).clamp(min=1e-6)], dim=1), state, "dense")
