"""What holds for every loss: the registry, float32, no NaN out, bad input refused in one sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from samevoice.errors import ConfigError, ModelError
from samevoice.losses import LOSSES, build

DIMENSION, ROWS = 8, 12
OPTIONS: dict[str, dict[str, float | str | bool]] = {
    "siamese": {"dimension": DIMENSION},
    **{
        name: {"dimension": DIMENSION, "speakers": 4}
        for name in ("softmax", "am-softmax", "aam-softmax", "subcentre-aam")
    },
    **{
        name: {"dimension": DIMENSION, "teacher_dimension": DIMENSION}
        for name in ("cosine-distillation", "mse-distillation")
    },
}
LABELS = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 1, 2, 3, 0])  # four triplets, six pairs, three rows of each speaker
EUCLIDEAN = {"semi-hard-triplet", "contrastive", "siamese", "softmax", "mse-distillation"}
every = pytest.mark.parametrize("name", LOSSES)


def second(name: str) -> Tensor:
    """What the loss takes beside the embeddings."""
    return torch.ones(ROWS, DIMENSION) if "distillation" in name else LABELS


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build(name, OPTIONS.get(name))


@every
@given(seed=st.integers(0, 1000), power=st.integers(-4, 10), rank=st.sampled_from([1, DIMENSION]))
@settings(max_examples=15, deadline=None)
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


def test_unknown_names_and_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="loss 'hinge' is unknown; use one of aam-softmax, am-softmax"):
        build("hinge")
    with pytest.raises(ConfigError, match="loss 'contrastive' takes margin; got an unexpected keyword argument 'size'"):
        build("contrastive", {"size": 3})
    with pytest.raises(ConfigError, match="takes dimension, speakers, margin, scale; missing a required argument"):
        build("aam-softmax", {"dimension": 3})
    with pytest.raises(ConfigError, match="margin must be a number above 0"):
        build("contrastive", {"margin": "wide"})


def test_the_list_of_losses_needs_no_torch() -> None:
    code = "import sys, samevoice.losses as s; print(len(s.LOSSES), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(LOSSES)), "False"]
