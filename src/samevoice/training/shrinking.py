"""The body of a small network out of a large one's: some layers are left out, the others fitted to make up for it.

Nothing is learnt by steps here. Layer after layer, in the order in which sound passes them, the small network is given
the weights that come closest, by least squares, to what the large one computes at the same place from the same sound;
what it is fitted on is what it really sees there, so that each layer mends what those before it have missed. The large
network knows how thousands of voices differ. Little of that can be learnt anew from a few hours of speech, but much of
it can be taken over.

Shapes: B crops, t moments; C channels of the large network at some place, c of the small one.

Knows: dense blocks, least squares. Does not know: files, sound.
Source: He, Zhang and Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017 (layer by layer, on
the small network's own input); Hassibi and Stork, "Second Order Derivatives for Network Pruning: Optimal Brain
Surgeon", NIPS 1992, equation 5 (which channels go).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.errors import ConfigError
from samevoice.networks.campplus import DenselyConnected, Transit
from samevoice.networks.dtdnn import DenseBlock, DenseLayer, MaskedConvolution, segment_maps

Layers = Sequence[Sequence[int]]

RIDGE = 1e-3  # of the mean square of the inputs
RIDGE_CONTEXT = 1e-2  # of contexts there are few: one a segment
RIDGE_EXIT = 0.1  # it has been learnt for already
TAPS = 3  # of a masked convolution
THINNED = 4  # every fourth moment is enough to choose channels by


def fit_body(student: DenselyConnected, teacher: DenselyConnected, entry: Tensor, aim: Tensor, layers: Layers) -> float:
    """Give everything behind the entry of a network the weights that come closest to a larger one's.

    Args:
        student: changed in place; its exit must have the teacher's shape.
        teacher: of the same plan.
        entry: what the student's entry makes of some crops, (B, width, t).
        aim: what the teacher's entry makes of them, likewise.
        layers: for each block of the teacher the numbers, from 1 and rising, of the layers that are kept.

    Returns:
        The mean cosine of both networks' embeddings of these crops.

    Raises:
        ConfigError: as `check_layers`.
    """
    check_layers(student, teacher, layers)
    theirs, own = teacher.xvector, student.xvector
    with torch.inference_mode():
        place = Place(aim, entry, torch.arange(aim.shape[1]), aim.new_zeros(aim.shape[1]))
        for number, kept in enumerate(layers, start=1):
            blocks = [cast("DenseBlock", one.get_submodule(f"block{number}")) for one in (theirs, own)]
            place.through_block(blocks[0], blocks[1], kept)
            following = list(theirs.get_submodule(f"block{number + 1}").children()) if number < len(layers) else []
            readers = [cast("DenseLayer", following[one - 1]) for one in layers[number]] if following else []
            transits = [cast("Transit", one.get_submodule(f"transit{number}")) for one in (theirs, own)]
            place.through_transit(transits[0], transits[1], readers)
        copy_normalisation(theirs.out_nonlinear, own.out_nonlinear, place.kept, place.offset)
        own.dense.load_state_dict(theirs.dense.state_dict())
        wanted = theirs.pool(theirs.out_nonlinear(place.teacher))
        return float(F.cosine_similarity(own.pool(own.out_nonlinear(place.student)), wanted).mean())


def fit_exit(student: DenselyConnected, pooled: Tensor, answers: Tensor) -> None:
    """Move the exit of a network to where its embeddings come closest to a teacher's.

    It moves no further than the crops demand: what is added to its weights is what a ridge keeps small.

    Args:
        student: changed in place.
        pooled: the statistics that it pools from crops, (n, 2 pooled).
        answers: the teacher's unit vectors for them, (n, dimension).
    """
    exit_, norm = student.xvector.dense, cast("nn.BatchNorm1d", student.xvector.dense.nonlinear.batchnorm)
    mean, variance = (cast("Tensor", one) for one in (norm.running_mean, norm.running_var))
    with torch.inference_mode():
        along = (exit_.nonlinear(exit_.linear(pooled.unsqueeze(-1))).squeeze(-1) * answers).sum(dim=1).mean()
        aim = answers * along * (variance + norm.eps).sqrt() + mean
        weight = exit_.linear.weight[:, :, 0]
        more, offset = least_squares(pooled, aim - pooled @ weight.T, ridge=RIDGE_EXIT)
        put(exit_.linear, weight + more, offset)
        mean.sub_(offset)


def check_layers(student: DenselyConnected, teacher: DenselyConnected, layers: Layers) -> None:
    """Refuse a plan that does not fit the networks.

    Raises:
        ConfigError: with the reason.
    """
    large, small = teacher.xvector, student.xvector
    ends = [(one.tdnn.linear.out_channels, *one.dense.linear.weight.shape) for one in (large, small)]
    if ends[0] != ends[1]:
        raise ConfigError("a network can only be shrunk into one with the same widths of entry and exit")
    depths = [
        [len(list(one.children())) for one in body.children() if isinstance(one, DenseBlock)] for body in (large, small)
    ]
    if not len(layers) == len(depths[0]) == len(depths[1]):
        raise ConfigError(f"shrink.layers must name the layers of {len(depths[1])} blocks, got {len(layers)}")
    for kept, there, wanted in zip(layers, *depths, strict=True):
        if len(kept) != wanted or list(kept) != sorted(set(kept) & set(range(1, there + 1))):
            raise ConfigError(
                f"shrink.layers must name {wanted} of {there} layers, from 1 and rising; got {list(kept)}"
            )


class Place:
    """How far both networks have come with the crops.

    Args:
        teacher: what the large network holds there, (B, C, t).
        student: what the small one holds, (B, c, t).
        kept: which of the teacher's channels each of the student's stands for, (c,).
        offset: what each of them lacks on the average, (c,); the next normalisation sees to it.
    """

    def __init__(self, teacher: Tensor, student: Tensor, kept: Tensor, offset: Tensor) -> None:
        self.teacher, self.student, self.kept, self.offset = teacher, student, kept, offset
        self._gather, self._spread = segment_maps(teacher)

    def through_block(self, teacher: DenseBlock, student: DenseBlock, kept: Sequence[int]) -> None:
        """Past a dense block, of which the student has the layers with these numbers."""
        places = dict(zip(kept, student.children(), strict=True))
        for number, layer in enumerate(teacher.children(), start=1):
            if number in places:
                self._past_layer(cast("DenseLayer", layer), cast("DenseLayer", places[number]))
            else:
                self.teacher = layer(self.teacher, self._gather, self._spread)

    def through_transit(self, teacher: Transit, student: Transit, readers: Sequence[DenseLayer]) -> None:
        """Past a transit; of its channels those are kept that the teacher's kept layers behind it make most of."""
        copy_normalisation(teacher.nonlinear, student.nonlinear, self.kept, self.offset)
        self.teacher = teacher(self.teacher)
        count, kept = student.linear.out_channels, torch.arange(self.teacher.shape[1])
        if count < len(kept):
            worth = torch.stack([influence(self.teacher, one) for one in readers]).sum(dim=0)
            kept = worth.topk(count).indices.sort().values
        weight, self.offset = least_squares(columns(student.nonlinear(self.student)), columns(self.teacher[:, kept]))
        put(student.linear, weight, self.offset)
        self.student, self.kept = student(self.student), kept

    def _past_layer(self, teacher: DenseLayer, student: DenseLayer) -> None:
        """Past a layer that both have."""
        inner = teacher.linear1(teacher.nonlinear1(self.teacher))
        masked, local = teacher.cam_layer, teacher.cam_layer.linear_local
        wanted = teacher.nonlinear2(inner)
        taps = columns(unfolded(wanted, masked)[:, :, ::THINNED])
        groups = torch.arange(taps.shape[1]).reshape(-1, TAPS)
        units = least_missed(taps, local.weight.flatten(1), groups, student.linear1.out_channels)

        copy_normalisation(teacher.nonlinear1, student.nonlinear1, self.kept, self.offset)
        weight, offset = least_squares(columns(student.nonlinear1(self.student)), columns(inner[:, units]))
        put(student.linear1, weight, offset)
        copy_normalisation(teacher.nonlinear2, student.nonlinear2, units, offset)

        seen = student.nonlinear2(student.linear1(student.nonlinear1(self.student)))
        self._fit_masked(masked, student.cam_layer, wanted, seen)
        new = student.cam_layer(seen, self._gather, self._spread)
        aim = masked(wanted, self._gather, self._spread)
        first = self.teacher.shape[1]
        self.kept = torch.cat([self.kept, torch.arange(first, first + aim.shape[1])])
        self.offset = torch.cat([self.offset, (aim - new).mean(dim=(0, 2))])
        self.teacher = torch.cat([self.teacher, aim], dim=1)
        self.student = torch.cat([self.student, new], dim=1)

    def _fit_masked(self, teacher: MaskedConvolution, student: MaskedConvolution, wanted: Tensor, seen: Tensor) -> None:
        """The convolution and its mask: `wanted` is what the teacher's sees, `seen` what the student's sees."""
        local = columns(teacher.linear_local(wanted))
        # It has no bias, and a mean that is missing cannot be added behind the mask: fitted through zero.
        weight, _ = least_squares(columns(unfolded(seen, student)), local, centred=False)
        student.linear_local.weight.copy_(weight.reshape(student.linear_local.weight.shape))

        hidden = columns(teacher.linear1(wanted @ self._gather))
        active, outputs = F.relu(hidden), teacher.linear2.weight[:, :, 0]
        groups = torch.arange(active.shape[1]).reshape(-1, 1)
        units = least_missed(active, outputs, groups, student.linear1.out_channels)
        context = columns(seen @ self._gather)
        put(student.linear1, *least_squares(context, hidden[:, units], ridge=RIDGE_CONTEXT))
        mine = F.relu(columns(student.linear1(seen @ self._gather)))
        aim = active @ outputs.T + cast("Tensor", teacher.linear2.bias)
        put(student.linear2, *least_squares(mine, aim, ridge=RIDGE_CONTEXT))


def least_squares(
    inputs: Tensor, outputs: Tensor, *, ridge: float = RIDGE, centred: bool = True
) -> tuple[Tensor, Tensor]:
    """The linear map that comes closest to outputs.

    Args:
        inputs: (n, c).
        outputs: (n, k).
        ridge: what is added to the diagonal of the inputs' second moments, as a share of its mean.
        centred: whether it may have a bias.

    Returns:
        Weight (k, c) and bias (k,), zeros where there may be none.
    """
    x, y = inputs.double(), outputs.double()
    mean_x, mean_y = (x.mean(dim=0), y.mean(dim=0)) if centred else (x.new_zeros(x.shape[1]), y.new_zeros(y.shape[1]))
    x, y = x - mean_x, y - mean_y
    weight = torch.linalg.solve(_ridged(x.T @ x / len(x), ridge), x.T @ y / len(x)).T
    return weight.float(), (mean_y - weight @ mean_x).float()


def least_missed(inputs: Tensor, weight: Tensor, groups: Tensor, count: int) -> Tensor:
    """Which inputs of a linear map to keep, if the others' part is taken over by those that stay.

    They are left out one by one: always the one whose loss changes the outputs least, in mean square, after the
    remaining weights were fitted anew.

    Args:
        inputs: (n, c).
        weight: of the map, (k, c).
        groups: inputs that stay or go together, (g, m).
        count: groups to keep.

    Returns:
        Their numbers, rising, (count,).
    """
    x, weight = inputs.double(), weight.double().clone()
    inverse = torch.linalg.inv(_ridged(x.T @ x / len(x), RIDGE))
    alive = list(range(len(groups)))
    while len(alive) > count:
        places = groups[alive]
        within = inverse[places[:, :, None], places[:, None, :]]
        parts = weight[:, places].permute(1, 2, 0)
        loss = (parts * torch.linalg.solve(within, parts)).sum(dim=(1, 2))
        goes = places[int(loss.argmin())]
        column = inverse[:, goes]
        passed_on = torch.linalg.solve(column[goes], column.T)  # column[goes] is symmetric
        weight -= weight[:, goes] @ passed_on
        inverse -= column @ passed_on
        alive.pop(int(loss.argmin()))
    return torch.tensor(alive)


def influence(sequence: Tensor, reader: DenseLayer) -> Tensor:
    """How much of what a dense layer makes of its first channels comes from each: (B, C, t) -> (C,)."""
    count, norm = sequence.shape[1], cast("nn.BatchNorm1d", reader.nonlinear1.batchnorm)
    parts = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    mean, variance, weight, bias = (cast("Tensor", one)[:count] for one in parts)
    active = F.relu(F.batch_norm(sequence, mean, variance, weight, bias, eps=norm.eps))
    return reader.linear1.weight[:, :count, 0].square().sum(dim=0) * active.var(dim=(0, 2))


def copy_normalisation(source: nn.Sequential, target: nn.Sequential, kept: Tensor, offset: Tensor) -> None:
    """Of a batch normalisation those channels that are kept, for inputs that lack an offset."""
    theirs, own = cast("nn.BatchNorm1d", source.batchnorm), cast("nn.BatchNorm1d", target.batchnorm)
    for name, value in theirs.state_dict().items():
        if value.ndim:  # the count of batches is neither
            own.state_dict()[name].copy_(value[kept])
    cast("Tensor", own.running_mean).sub_(offset)


def put(layer: nn.Conv1d, weight: Tensor, bias: Tensor) -> None:
    """Give a convolution of width 1 its weights, and its bias if it has one."""
    layer.weight.copy_(weight.unsqueeze(-1))
    if layer.bias is not None:
        layer.bias.copy_(bias)


def columns(sequence: Tensor) -> Tensor:
    """Every moment of every crop as a row: (B, C, t) -> (B t, C)."""
    return sequence.transpose(1, 2).flatten(0, 1)


def unfolded(sequence: Tensor, convolution: MaskedConvolution) -> Tensor:
    """What a masked convolution sees at each moment, its taps beside each other: (B, N, t) -> (B, 3 N, t)."""
    (dilation,), count = convolution.linear_local.dilation, sequence.shape[2]
    padded = F.pad(sequence, (dilation, dilation))
    taps = [padded[:, :, tap * dilation : tap * dilation + count] for tap in range(TAPS)]
    return torch.stack(taps, dim=2).flatten(1, 2)


def _ridged(moments: Tensor, ridge: float) -> Tensor:
    """Second moments (c, c) that can be inverted."""
    return moments + ridge * moments.diagonal().mean() * torch.eye(len(moments), dtype=moments.dtype)
