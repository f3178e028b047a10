"""A large network's body fitted into a small one: exact where nothing is left out, and optimal where something is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from samevoice.errors import ConfigError
from samevoice.networks.campplus import Backbone, DenselyConnected, Shape
from samevoice.networks.small import Head
from samevoice.training.shrinking import fit_body, fit_exit, least_missed, least_squares

WIDTH, CROPS, MOMENTS = 16, 24, 130  # moments of two segments


def network(*layers: int, bottleneck: int = 8, pooled: int = 12) -> DenselyConnected:
    """A CAM++ of a few channels; its head is never asked."""
    shape = Shape(width=WIDTH, blocks=tuple((one, 2) for one in layers), growth=6, bottleneck=bottleneck, pooled=pooled)
    torch.manual_seed(sum(layers))
    built = DenselyConnected(Head(), Backbone(320, 10, shape), dimension=10, bands=80)
    with torch.no_grad():
        for name, tensor in built.state_dict().items():
            if name.endswith(("bias", "running_mean")):
                tensor.normal_(std=0.2)
            elif tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5)
    return built.eval()


def entries(seed: int = 3) -> Tensor:
    """What an entry might give: not negative, its channels mixed."""
    random = torch.Generator().manual_seed(seed)
    mixed = torch.randn(WIDTH, WIDTH, generator=random) @ torch.randn(CROPS, WIDTH, MOMENTS, generator=random)
    return torch.relu(mixed + 2 * torch.randn(CROPS, WIDTH, 1, generator=random))


def embeddings(one: DenselyConnected, entry: Tensor) -> Tensor:
    """Of crops whose entries are known."""
    with torch.inference_mode():
        one.xvector.tdnn = torch.nn.Identity()  # type: ignore[assignment]
        found: Tensor = one.xvector(entry)
        return found


def test_what_leaves_nothing_out_changes_nothing() -> None:
    teacher, student = network(3, 2), network(3, 2)
    torch.manual_seed(0)
    for one in student.parameters():
        torch.nn.init.normal_(one, std=0.3)
    entry = entries()
    cosine = fit_body(student, teacher, entry, entry, [(1, 2, 3), (1, 2)])
    assert cosine > 0.999
    other = entries(seed=4)
    unlike = torch.nn.functional.cosine_similarity(embeddings(student, other), embeddings(teacher, other))
    assert unlike.min() > 0.99


def test_a_smaller_network_comes_close_to_crops_it_was_not_fitted_on() -> None:
    teacher, student = network(4, 4), network(2, 3, bottleneck=6)
    cosine = fit_body(student, teacher, entries(), entries(), [(2, 4), (1, 3, 4)])
    other = entries(seed=4)
    theirs = embeddings(teacher, other)
    told = torch.nn.functional.cosine_similarity(embeddings(student, other), theirs).mean()
    strangers = torch.nn.functional.cosine_similarity(embeddings(network(2, 3, bottleneck=6), other), theirs).mean()
    assert cosine > 0.8
    assert told > 0.8
    assert strangers < 0.5  # and it is the fit that does it


def test_an_entry_that_differs_is_made_up_for() -> None:
    """Channels that the student's entry swaps and scales: a fit to its own input undoes that where copies cannot."""
    teacher, student = network(2, 2), network(2, 2)
    entry = entries()
    off = 0.8 * entry + 0.1
    fitted = fit_body(student, teacher, off, entry, [(1, 2), (1, 2)])
    copied = torch.nn.functional.cosine_similarity(embeddings(teacher, off), embeddings(teacher, entry)).mean()
    assert fitted > copied


@pytest.mark.parametrize(
    "layers", [[(1,), (1, 2)], [(1, 2, 3), (1, 2)], [(2, 1), (1, 2)], [(0, 1), (1, 2)], [(1, 4), (1, 2)]]
)
def test_layers_that_there_are_not(layers: list[tuple[int, ...]]) -> None:
    with pytest.raises(ConfigError, match=r"shrink\.layers must name 2 of 3 layers"):
        fit_body(network(2, 2), network(3, 2), entries(), entries(), layers)


def test_blocks_and_layers_are_as_many() -> None:
    with pytest.raises(ConfigError, match="layers of 2 blocks"):
        fit_body(network(2, 2), network(3, 2), entries(), entries(), [(1, 2)])


def test_another_exit_is_refused() -> None:
    with pytest.raises(ConfigError, match="widths of entry and exit"):
        fit_body(network(2, pooled=6), network(2, pooled=12), entries(), entries(), [(1, 2)])


def test_an_exit_moves_to_where_the_teacher_is_and_stays_where_it_is_right() -> None:
    teacher, student = network(2, 2), network(2, 2)
    random = torch.Generator().manual_seed(9)
    pooled = torch.randn(600, 24, generator=random) @ torch.randn(24, 24, generator=random)

    def answers(one: DenselyConnected) -> Tensor:
        with torch.inference_mode():
            return torch.nn.functional.normalize(one.xvector.dense(pooled), dim=1)

    wanted = answers(teacher)
    student.xvector.dense.linear.weight.data += 0.5 * torch.randn(10, 24, 1, generator=random)
    before = (answers(student) * wanted).sum(dim=1).mean()
    fit_exit(student, pooled[:400], wanted[:400])
    fitted = (answers(student) * wanted).sum(dim=1)
    assert before < 0.9
    assert fitted[400:].mean() > before + 0.05  # of crops that it was not fitted on
    right = answers(student)
    fit_exit(student, pooled[:400], right[:400])
    assert (answers(student) * right).sum(dim=1).min() > 0.97


def test_least_squares_are_numpys() -> None:
    random = np.random.default_rng(5)
    inputs = random.normal(size=(200, 5)) @ random.normal(size=(5, 5)) + 3
    outputs = inputs @ random.normal(size=(5, 3)) + 0.5 * random.normal(size=(200, 3)) - 7
    x, y = torch.from_numpy(inputs), torch.from_numpy(outputs)
    wanted, *_ = np.linalg.lstsq(np.column_stack([inputs, np.ones(200)]), outputs)
    weight, bias = least_squares(x, y, ridge=0)
    np.testing.assert_allclose(weight.numpy(), wanted[:5].T, rtol=1e-4)
    np.testing.assert_allclose(bias.numpy(), wanted[5], rtol=1e-4)
    through, nothing = least_squares(x, y, ridge=0, centred=False)
    np.testing.assert_allclose(through.numpy(), np.linalg.lstsq(inputs, outputs)[0].T, rtol=1e-4)
    assert not nothing.any()
    assert least_squares(x, y, ridge=1.0)[0].norm() < weight.norm()


def test_the_inputs_that_are_kept_are_the_best_to_leave_out_one_by_one() -> None:
    """Against refitting after each group that could go, by numpy."""
    random = np.random.default_rng(6)
    inputs = random.normal(size=(400, 8)) @ random.normal(size=(8, 8))
    weight = random.normal(size=(3, 8))
    groups = np.arange(8).reshape(4, 2)
    outputs = inputs @ weight.T

    def missed(kept: tuple[int, ...]) -> float:
        seen = inputs[:, groups[list(kept)].ravel()]
        return float(np.square(outputs - seen @ np.linalg.lstsq(seen, outputs)[0]).sum())

    best: tuple[int, ...] = (0, 1, 2, 3)
    for count in (3, 2, 1):
        best = min(itertools.combinations(best, count), key=missed)
        found = least_missed(torch.from_numpy(inputs), torch.from_numpy(weight), torch.from_numpy(groups), count)
        assert tuple(found.tolist()) == best


def test_of_twins_one_can_go() -> None:
    random = torch.Generator().manual_seed(8)
    inputs = torch.randn(300, 4, generator=random)
    twins = torch.cat([inputs, inputs[:, :1] + 1e-3 * torch.randn(300, 1, generator=random)], dim=1)
    kept = least_missed(twins, torch.ones(2, 5), torch.arange(5).reshape(-1, 1), 4).tolist()
    assert {1, 2, 3} < set(kept)
