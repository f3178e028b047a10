"""One step against the same step written out in plain torch."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from accelerate import Accelerator
from runmakers import SOFTMAX, TRIPLETS, parted, recipe, voices

from samevoice.corpora.sounds import Sounds
from samevoice.errors import ModelError
from samevoice.training.augment.spec import SpecAugment
from samevoice.training.crops import Crops
from samevoice.training.items import Items, items_of
from samevoice.training.learning import Learning
from samevoice.training.lessons import Lesson
from samevoice.training.loading import Batch, Loader
from samevoice.training.trained import built
from samevoice.training.trainee import Trainee


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return voices(tmp_path_factory.mktemp("voices"), 5, 3, 0.9)


def learning(
    folder: Path, tmp_path: Path, stage: str, *changes: str, mask: Any = None, teacher: Any = None
) -> tuple[Learning, Batch, Items]:
    """A stage before its first step, and its first batch."""
    torch.set_num_threads(1)
    plan, _ = recipe(tmp_path, stage, changes=changes)
    corpus = parted(folder)
    items = items_of(corpus, plan.data)
    torch.manual_seed(3)
    trainee = Trainee(built("fbanknet-20k", {"speakers": len(items.names)}), 64)
    crops = Crops(Sounds(corpus.root, 16_000), trainee.frontend, plan.crop)
    loader = Loader(items, crops, prepare=trainee.prepare)
    (name,) = plan.stage
    lesson = Lesson(name, plan.stage[name], items, items, trainee, teacher, loader, 0)
    found = Learning(trainee, lesson, Accelerator(cpu=True, mixed_precision="no"), mask, 0)
    batch = next(lesson.batches(found.embed))
    loader.close()
    return found, batch, items


def test_a_triplet_step_is_that_of_plain_torch(folder: Path, tmp_path: Path) -> None:
    change = 'stage.triplet.optimiser = { kind = "sgd", lr = 0.5, momentum = 0.9, clip = 0.01, kernel_penalty = 0.003 }'
    found, batch, _ = learning(folder, tmp_path, TRIPLETS, change)
    trainee = copy.deepcopy(found.trainee)
    optimiser = torch.optim.SGD(trainee.parameters(), 0.5, momentum=0.9)
    for step in range(3):
        told = found.learn(batch)
        features, _ = trainee.features(torch.from_numpy(batch.sound), torch.from_numpy(batch.lengths))
        anchors, positives, negatives = F.normalize(trainee.network(features)).chunk(3)
        triplet = F.relu((anchors * negatives).sum(1) - (anchors * positives).sum(1) + 0.2).mean()
        penalty = 0.003 * sum((one**2).sum() for one in trainee.parameters() if one.ndim == 4)
        optimiser.zero_grad()
        (triplet + penalty).backward()  # type: ignore[no-untyped-call]
        norm = torch.sqrt(sum((one.grad**2).sum() for one in trainee.parameters() if one.grad is not None))  # type: ignore[arg-type]
        for one in trainee.parameters():
            if one.grad is not None:
                one.grad *= min(1.0, 0.01 / float(norm))
        optimiser.step()
        assert told["cosine-triplet"] == pytest.approx(float(triplet.detach()), rel=1e-4)
        assert told["loss"] == pytest.approx(float((triplet + penalty).detach()), rel=1e-4)
        assert told["norm"] == pytest.approx(float(norm), rel=1e-3)
        assert (told["lr"], found.step) == (0.5, step + 1)
    for name, value in trainee.state_dict().items():
        torch.testing.assert_close(found.trainee.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_a_softmax_sees_the_speakers_of_its_rows_and_learns_its_own_weights(folder: Path, tmp_path: Path) -> None:
    found, batch, items = learning(folder, tmp_path, SOFTMAX)
    (loss,) = found.lesson.losses
    before = [one.detach().clone() for one in loss.parameters()]
    assert before
    features, _ = found.trainee.features(torch.from_numpy(batch.sound), torch.from_numpy(batch.lengths))
    labels = torch.tensor([items.names.index(str(items.items[row].speaker)) for row in batch.rows])
    with torch.no_grad():
        expected = float(copy.deepcopy(loss)(copy.deepcopy(found.trainee.network)(features), labels))
    assert found.learn(batch)["loss"] == pytest.approx(expected, rel=1e-4)
    assert all(not torch.equal(one, old) for one, old in zip(loss.parameters(), before, strict=True))


def test_a_borrowed_head_is_stepped_once(folder: Path, tmp_path: Path) -> None:
    found, _, _ = learning(folder, tmp_path, SOFTMAX.replace("am-softmax", "cross-entropy"))
    ids = [id(one) for group in found._optimiser.param_groups for one in group["params"]]
    assert len(ids) == len(set(ids)) == len(list(found.trainee.parameters()))


def test_rows_without_an_answer_are_left_out_of_distillation(folder: Path, tmp_path: Path) -> None:
    stage = SOFTMAX.replace('[{ loss = "am-softmax" }]', '[{ loss = "cosine-distillation" }]')
    answers = np.random.default_rng(0).standard_normal((15, 4)).astype(np.float32)
    answers[::2] = 0
    found, batch, _ = learning(folder, tmp_path, stage, teacher=answers)
    known = np.any(answers[batch.rows] != 0, axis=1)
    assert 0 < int(known.sum()) < len(batch.rows)
    (loss,) = found.lesson.losses
    features, _ = found.trainee.features(torch.from_numpy(batch.sound), torch.from_numpy(batch.lengths))
    with torch.no_grad():
        embeddings = copy.deepcopy(found.trainee.network)(features)
        expected = float(loss(embeddings[torch.from_numpy(known)], torch.from_numpy(answers[batch.rows][known])))
    assert found.learn(batch)["loss"] == pytest.approx(expected, rel=1e-4)
    silent, batch, _ = learning(folder, tmp_path, stage, teacher=np.zeros((15, 4), dtype=np.float32))
    told = silent.learn(batch)
    assert (told["loss"], told["norm"]) == (0.0, 0.0)


def test_masks_differ_from_step_to_step_and_not_from_run_to_run(folder: Path, tmp_path: Path) -> None:
    def losses() -> list[float]:
        found, batch, _ = learning(folder, tmp_path, TRIPLETS, "stage.triplet.optimiser.lr = 1e-12", mask=SpecAugment())
        return [found.learn(batch)["loss"] for _ in range(3)]

    assert losses() == losses()
    assert len(set(losses())) == 3


def test_embeddings_are_those_of_evaluation_and_change_nothing(folder: Path, tmp_path: Path) -> None:
    found, batch, _ = learning(folder, tmp_path, TRIPLETS)
    before = copy.deepcopy(found.trainee.state_dict())
    vectors = found.embed(batch)
    assert found.trainee.training
    torch.testing.assert_close(dict(found.trainee.state_dict()), dict(before), rtol=0, atol=0)
    still = copy.deepcopy(found.trainee).eval()
    with torch.no_grad():
        features, lengths = still.features(torch.from_numpy(batch.sound), torch.from_numpy(batch.lengths))
        np.testing.assert_allclose(vectors, still(features, lengths).numpy(), rtol=1e-5, atol=1e-6)


def test_the_state_holds_all_that_the_next_steps_need(folder: Path, tmp_path: Path) -> None:
    found, batch, _ = learning(folder, tmp_path, SOFTMAX)
    found.learn(batch)
    state, network = copy.deepcopy(found.state()), copy.deepcopy(found.trainee.network.state_dict())
    expected = [found.learn(batch) for _ in range(3)]
    drawn = torch.rand(1)
    other, _, _ = learning(folder, tmp_path, SOFTMAX)
    torch.rand(5)
    other.trainee.network.load_state_dict(network)
    other.restore(state)
    assert [other.learn(batch) for _ in range(3)] == expected
    assert other.step == 4
    assert torch.equal(torch.rand(1), drawn)


def test_what_is_no_number_stops_before_the_weights(folder: Path, tmp_path: Path) -> None:
    found, batch, _ = learning(folder, tmp_path, SOFTMAX)
    before = [one.detach().clone() for one in found.trainee.parameters()]
    (loss,) = found.lesson.losses
    kept = [one.detach().clone() for one in loss.parameters()]
    with torch.no_grad():
        next(loss.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(ModelError, match=r"stage 'softmax', step 1: .*nan.*stage\.softmax\.optimiser\.lr"):
        found.learn(batch)
    with torch.no_grad():
        for one, value in zip(loss.parameters(), kept, strict=True):
            one.copy_(value)
    assert all(torch.equal(one, value) for one, value in zip(found.trainee.parameters(), before, strict=True))
    assert found.finite()
    with torch.no_grad():
        next(found.trainee.parameters()).view(-1)[0] = float("inf")
    assert not found.finite()
    with pytest.raises(ModelError, match=r"stage 'softmax', step 1: "):
        found.learn(batch)
