"""What holds for every loss: float32, no NaN out, bad input refused in one sentence."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lossmakers import DIMENSION, LABELS, ROWS, every, made, second
from torch import Tensor

from samevoice.errors import ModelError
from samevoice.losses import LOSSES, build
from samevoice.losses.margin import AmSoftmax

EUCLIDEAN = {"semi-hard-triplet", "contrastive", "siamese", "cross-entropy", "softmax", "mse-distillation"}


@every
@given(seed=st.integers(0, 1000), power=st.integers(-4, 10), rank=st.sampled_from([1, DIMENSION]))
@settings(max_examples=15)
def test_every_loss_is_one_finite_float32_with_finite_slopes(name: str, seed: int, power: int, rank: int) -> None:
    """Short and long embeddings, also all on one line through the origin."""
    random = torch.Generator().manual_seed(seed)
    rows = torch.randn(ROWS, rank, generator=random)
    rows += 0.1 * rows.sign()  # none is a zero vector
    embeddings = (rows.expand(ROWS, DIMENSION) * 10.0**power).requires_grad_()
    loss = made(name)
    value = loss(embeddings, second(name))
    value.backward()
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert value >= -1e-6
    for learnt in (embeddings, *loss.parameters()):
        assert learnt.grad is not None
        assert learnt.grad.isfinite().all()


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_loss_works_in_float32(name: str, dtype: torch.dtype) -> None:
    rows = torch.randn(ROWS, DIMENSION, generator=torch.Generator().manual_seed(1)).to(dtype)
    loss = made(name)
    value = loss(rows, second(name))
    assert value.dtype == torch.float32
    assert torch.equal(value, loss(rows.float(), second(name)))


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("autocast", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_changes_nothing(name: str, autocast: torch.dtype, dtype: torch.dtype) -> None:
    """Embeddings beside their own weight vectors, where 1 - cos^2 is small."""
    loss = made(name)
    rows = torch.randn(ROWS, DIMENSION, generator=torch.Generator().manual_seed(4))
    if isinstance(loss, AmSoftmax):
        rows = loss.weight.detach()[LABELS * len(loss.weight) // 4] + 1e-3 * rows
    results = []
    for enabled in (False, True):
        embeddings = rows.to(dtype).requires_grad_()
        loss.zero_grad()
        with torch.autocast("cpu", autocast, enabled=enabled):
            value = loss(embeddings, second(name))
        value.backward()
        results.append([value, embeddings.grad, *(item.grad for item in loss.parameters())])
    for plain, mixed in zip(*results, strict=True):
        assert plain is not None
        assert mixed is not None
        assert plain.isfinite().all()
        assert plain.dtype == mixed.dtype
        assert torch.equal(plain, mixed)


@every
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 1e13])
def test_every_loss_refuses_what_is_not_finite(name: str, bad: float) -> None:
    rows = torch.ones(ROWS, DIMENSION)
    rows[5, 2] = bad
    with pytest.raises(ModelError, match=r"must be finite, but row 5 is NaN, infinite or longer than 1e\+12"):
        made(name)(rows, second(name))


@every
def test_every_loss_refuses_zero_vectors_or_takes_them_as_points(name: str) -> None:
    rows = torch.randn(ROWS, DIMENSION, generator=torch.Generator().manual_seed(2))
    rows[[3, 7]] = 0
    rows.requires_grad_()
    loss = made(name)
    if name not in EUCLIDEAN:
        with pytest.raises(ModelError, match="need a direction, but row 3 is a zero vector"):
            loss(rows, second(name))
        return
    value = loss(rows, second(name))
    value.backward()
    assert value.isfinite()
    assert rows.grad is not None
    assert rows.grad.isfinite().all()


@every
@pytest.mark.parametrize(
    "wrong",
    [torch.ones(ROWS), torch.ones(ROWS, DIMENSION, 1), torch.ones(0, DIMENSION), torch.ones(ROWS, DIMENSION).int()],
    ids=["no rows", "three axes", "empty", "integers"],
)
def test_every_loss_names_the_shape_it_needs(name: str, wrong: Tensor) -> None:
    with pytest.raises(
        ModelError, match=r"embeddings must be floating-point of shape \(N, (d|8)\) with one row per clip, got"
    ):
        made(name)(wrong, second(name))


@pytest.mark.parametrize("name", [name for name in LOSSES if "distillation" not in name])
def test_every_loss_checks_its_labels(name: str) -> None:
    rows = torch.ones(ROWS, DIMENSION)
    for wrong in (LABELS[:-1], LABELS[:, None], LABELS.float(), LABELS.bool()):
        with pytest.raises(
            ModelError, match=r"labels must be integers of shape \(12,\), one per row of the embeddings"
        ):
            made(name)(rows, wrong)


@every
def test_every_loss_names_the_type_it_needs(name: str) -> None:
    loss, rows = made(name), torch.randn(ROWS, DIMENSION)
    with pytest.raises(ModelError, match="embeddings must be a torch tensor of floating-point numbers, got ndarray"):
        loss(rows.numpy(), second(name))
    what = "the teacher's embeddings" if "distillation" in name else "labels"
    for wrong in (second(name).tolist(), second(name).numpy(), None):
        if name != "cosine-triplet" or wrong is not None:  # where labels only serve to refuse a wrong order
            with pytest.raises(ModelError, match=f"{what} must be a torch tensor of .*, got {type(wrong).__name__}"):
                loss(rows, wrong)


def test_values_are_not_looked_at_while_compiling() -> None:
    """A look at them would break the graph, which `fullgraph` refuses."""
    loss = made("aam-softmax")
    rows = torch.randn(ROWS, DIMENSION)
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(rows, LABELS), loss(rows, LABELS))


def test_messages_are_one_sentence() -> None:
    for wrong, labels in (
        (torch.ones(3), LABELS),
        (torch.full((12, 8), torch.nan), LABELS),
        (torch.zeros(12, 8), LABELS),
    ):
        with pytest.raises(ModelError) as caught:
            build("ge2e")(wrong, labels)
        message = str(caught.value)
        assert "\n" not in message
        assert ". " not in message
        assert not message.endswith(".")
