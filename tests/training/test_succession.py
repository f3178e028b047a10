"""A run that begins with what is left of its teacher: told, kept, taken up where it stopped, and refused in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from runmakers import parted, raw_teacher, recipe, run, voices

from samevoice.corpora.manifest import Manifest
from samevoice.errors import ConfigError
from samevoice.networks.small import Small
from samevoice.training import succession
from samevoice.training.checkpoint import load_checkpoint
from samevoice.training.inheriting import inherit

STEPS = 6
PLAN = f"""
[shrink]
layers = [{list(range(1, 7))}, {list(range(1, 11))}, {list(range(1, 8))}]
network = "small"
steps = {STEPS}
batch = 4
crops = 10
exit_crops = 12
"""
STAGE = """
[stage.crops]
steps = 1
sampler = "buffer"
sampler_options = { batch = 3, buffer = 1000 }
objectives = [{ loss = "cosine-distillation" }]
"""
CHANGES = (
    'network = { name = "small", frozen = ["xvector.dense"] }',
    "crop = { frames = 50 }",
    'teacher_hears = "crops"',
    "data.speeds = [1.0]",
)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw_teacher(tmp_path_factory.mktemp("teacher") / "teacher.onnx")


@pytest.fixture
def corpus(tmp_path: Path) -> Manifest:
    return parted(voices(tmp_path / "voices", 5, 2, 1.3))


@pytest.fixture
def begin(tmp_path: Path, corpus: Manifest, taught: Path) -> Callable[..., Path]:
    def started(out: str, changes: tuple[str, ...] = (), **watched: Any) -> Path:
        told = recipe(tmp_path, PLAN, STAGE, changes=(*CHANGES, f'teacher = "{taught}"', *changes))
        run(told, corpus, tmp_path / out, **watched)()
        return tmp_path / out / "checkpoints" / "shrunk.pt"

    return started


@pytest.mark.slow
def test_a_run_begins_with_its_teachers_body(begin: Callable[..., Path], taught: Path) -> None:
    said: list[str] = []
    steps: list[float] = []
    kept = begin("run", say=said.append, shrink=lambda done, _: steps.append(done))
    assert steps == list(range(1, STEPS + 1))
    assert sum(one.startswith("shrunk: cosine to the teacher") for one in said) == 1
    found, teacher = load_checkpoint(kept)["network"], Small()
    inherit(teacher, str(taught), [""])
    theirs = teacher.state_dict()
    name = "xvector.dense.linear.weight"
    assert torch.equal(found[name], theirs[name])  # the exit is the teacher's
    scale = "xvector.block2.tdnnd3.nonlinear1.batchnorm.weight"
    assert torch.equal(found[scale], theirs[scale])
    assert not torch.equal(found["head.conv1.weight"], theirs["head.conv1.weight"])  # the entry has learnt anew


@pytest.mark.slow
def test_one_that_was_killed_goes_on_and_ends_the_same(
    begin: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_checkpoint(begin("whole"))
    monkeypatch.setattr(succession, "SAVE_SECONDS", 0.0)

    def stop(done: float, _: float) -> None:
        if done == STEPS - 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin("cut", shrink=stop)
    steps: list[float] = []
    again = load_checkpoint(begin("cut", shrink=lambda done, _: steps.append(done)))
    assert steps == [STEPS - 1, STEPS]
    for name, tensor in whole["network"].items():
        torch.testing.assert_close(again["network"][name], tensor, msg=name)


@pytest.mark.slow
def test_the_exit_is_fitted_once_when_all_stages_are_done(begin: Callable[..., Path], taught: Path) -> None:
    def stop(*_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin("run", fit=stop)
    heard: list[float] = []
    path = begin("run", fit=lambda done, _: heard.append(done)).with_name("best-crops.pt")
    assert heard == [4, 8, 12]
    kept, teacher = load_checkpoint(path), Small()
    inherit(teacher, str(taught), [""])
    assert kept["fitted"]
    name = "xvector.dense.linear.weight"
    assert not torch.allclose(kept["network"][name], teacher.state_dict()[name])
    begin("run", fit=stop)  # nothing is left to do
    assert torch.equal(load_checkpoint(path)["network"][name], kept["network"][name])
    untouched = begin("other", ("shrink.exit_crops = 0",), fit=stop).with_name("best-crops.pt")
    assert torch.equal(load_checkpoint(untouched)["network"][name], teacher.state_dict()[name])


def test_what_another_recipe_kept_is_refused(begin: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "SAVE_SECONDS", 0.0)

    def stop(*_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin("run", shrink=stop)
    with pytest.raises(ConfigError, match="choose another --out"):
        begin("run", ("seed = 5",))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (('shrink.network = "gru"',), "shrink.network: shrink is for networks of the plan of CAM"),
        (('network = { name = "rescnn" }',), "network: shrink is for networks of the plan of CAM"),
        (('shrink.network = "campplus"',), "has no tensor"),
        (("shrink.layers = [[1], [1], [1]]",), "must name 6 of 6 layers"),
        (('network.inherit = [""]',), "shrink needs a teacher"),
        (('stage.crops.objectives = [{ loss = "am-softmax" }]',), "shrink needs a teacher"),
        (("shrink.steps = 0",), "shrink.steps must be a whole number"),
    ],
)
def test_what_cannot_be_shrunk(begin: Callable[..., Path], changes: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        begin("run", changes)
