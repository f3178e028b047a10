"""Two processes do what one does with the joined batch."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from runmakers import (
    AUGMENT,
    MINED_NEXT,
    SOFTMAX,
    TRIPLETS,
    command,
    in_two_processes,
    parted,
    recipe_file,
    rows_of,
    run,
    voices,
)
from torch import nn

from samevoice.corpora.storage import save_manifest
from samevoice.models.encoder import read_model
from samevoice.training.cookbook import load_recipe
from samevoice.training.parallel import SharedBatchNorm, share_batch_norm

WORKER = """
import sys, torch, torch.distributed as dist
from accelerate import Accelerator
from torch import nn
from samevoice.training.parallel import agreed, average_gradients, gathered, share_batch_norm, united
accelerator = Accelerator(cpu=True)
rank = accelerator.process_index
images = torch.load(sys.argv[1])
network = torch.load(sys.argv[2], weights_only=False)
share_batch_norm(network)
mine = images[3 * rank : 3 * rank + 3].clone().requires_grad_()
for _ in range(2):  # statistics move twice
    answers = gathered(network(mine))
loss = (answers.sum(dim=(2, 3)).softmax(dim=0) ** 2).sum()  # rows of both shares meet
loss.backward()
average_gradients(list(network.parameters()), accelerator)
assert agreed(float(rank), accelerator) == 0.0
assert united({str(rank): "x"}, accelerator) == {"0": "x", "1": "x"}
state = network.state_dict()
gradients = {name: one.grad for name, one in network.named_parameters()}
found = {"answers": answers.detach(), "state": state, "gradients": gradients, "mine": mine.grad}
torch.save(found, f"{sys.argv[3]}{rank}")
dist.destroy_process_group()
"""


def network() -> nn.Module:
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Sequential(nn.BatchNorm2d(4, 1e-3, momentum=0.3, affine=False)),
    )
    norm = plain[1]
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, 1.0, -2.0, 1.5]))
        norm.bias.copy_(torch.tensor([0.1, -0.2, 0.3, 0.0]))
    return plain


@pytest.mark.slow
def test_batch_normalisation_and_gradients_are_those_of_the_joined_batch(tmp_path: Path) -> None:
    torch.manual_seed(1)
    images = 3 * torch.randn(6, 2, 8, 7) + torch.arange(6).reshape(6, 1, 1, 1)
    torch.save(images, tmp_path / "images")
    torch.save(network(), tmp_path / "network")
    places = [str(tmp_path / name) for name in ("images", "network", "found")]
    for done in in_two_processes([sys.executable, "-c", WORKER, *places]):
        assert done.returncode == 0, done.stderr
    alone, joined = network(), images.clone().requires_grad_()
    for _ in range(2):
        answers = alone(joined)
    (answers.sum(dim=(2, 3)).softmax(dim=0) ** 2).sum().backward()
    assert joined.grad is not None
    gradients = {name: one.grad for name, one in alone.named_parameters() if one.grad is not None}
    assert float(gradients["0.weight"].abs().max()) > 1e-3
    small = 1e-4 * float(joined.grad.abs().max())
    for rank in (0, 1):
        found = torch.load(tmp_path / f"found{rank}")
        torch.testing.assert_close(found["answers"], answers.detach(), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found["state"], alone.state_dict(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found["gradients"], gradients, rtol=1e-4, atol=1e-5)
        # what a row's owner gets is the sum over both copies of the loss; averaging the weights' gradients undoes it
        torch.testing.assert_close(found["mine"] / 2, joined.grad[3 * rank : 3 * rank + 3], rtol=1e-4, atol=small)


def test_the_shared_one_takes_over_names_and_answers() -> None:
    shared = network()
    share_batch_norm(shared)
    assert [type(one) for one in shared.modules()].count(SharedBatchNorm) == 2
    assert list(shared.state_dict()) == list(network().state_dict())
    images = torch.randn(3, 2, 8, 7)
    assert torch.equal(shared.eval()(images), network().eval()(images))


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    corpus = parted(voices(tmp_path / "voices"), dev=2, test=2)
    save_manifest(corpus, tmp_path / "voices" / "manifest.jsonl")
    text = (path := recipe_file(tmp_path, SOFTMAX, TRIPLETS, MINED_NEXT, AUGMENT)).read_text()
    text = re.sub(r"\nsteps = \d+", "\nsteps = 8", text).replace("validate_every = ", "validate_every = 10")
    # Hinges let the last digits of a sum grow from step to step; slow steps leave them small enough to compare.
    path.write_text(text.replace("lr = 1e-3", "lr = 1e-4").replace("lr = 1e-2", "lr = 1e-3"))
    line = command(path, "--data", tmp_path / "voices", "--out", tmp_path / "two")
    first, second = in_two_processes(line)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert second.stdout == ""
    assert "model.onnx" in first.stdout
    run(load_recipe(str(path)), corpus, tmp_path / "one")()
    one, two = ([row for row in rows_of(tmp_path / name) if "loss" in row] for name in ("one", "two"))
    assert [(row["stage"], row["step"]) for row in one] == [(row["stage"], row["step"]) for row in two]
    losses = [row["loss"] for row in one]
    assert len(set(losses)) == len(losses) == 3 * 8
    assert [row["loss"] for row in two] == pytest.approx(losses, abs=1e-4)
    card, _ = read_model(tmp_path / "two" / "model.onnx")
    assert card.name == "tiny"


@pytest.mark.slow
def test_when_one_of_two_processes_is_refused_the_other_says_so(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "model.onnx").write_text("somebody's")
    line = command(recipe_file(tmp_path, TRIPLETS), "--data", voices(tmp_path / "voices"), "--out", tmp_path / "two")
    first, second = in_two_processes(line)
    assert (first.returncode, second.returncode) == (2, 2)
    assert "holds files of something else" in first.stderr
    assert "another process of this training has stopped" in second.stderr
