"""A lesson goes on with the batch after the last one that was used, whatever was made ahead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from trainmakers import crops_of, joined, spoil, voices

from samevoice import networks
from samevoice.corpora.manifest import Manifest
from samevoice.errors import ConfigError
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.training import SAMPLERS, build_sampler
from samevoice.training.lessons import Lesson
from samevoice.training.loading import Batch, Loader
from samevoice.training.stages import Objective, Stage
from samevoice.training.trainee import Trainee

OPTIONS: dict[str, tuple[Mapping[str, Any], str]] = {
    "random-triplets": ({"triplets": 4}, "cosine-triplet"),
    "mined-triplets": ({"triplets": 4, "speakers": 4, "history": 12}, "cosine-triplet"),
    "pxk": ({"speakers": 3, "clips": 2}, "semi-hard-triplet"),
    "pairs": ({"pairs": 3}, "contrastive"),
    "buffer": ({"batch": 5, "buffer": 6}, "softmax"),
}
DIMENSION = 16


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return voices(tmp_path_factory.mktemp("voices"), (4, 4, 4, 4, 1), unlabelled=6)


def trainee() -> Trainee:
    torch.manual_seed(3)
    network = networks.build("fbanknet-20k")
    assert isinstance(network, EmbeddingNetwork)
    return Trainee(network.eval(), 64)


@contextmanager
def lesson(
    corpus: Manifest, stage: Stage, teacher: NDArray[np.float32] | None = None, pupil: Trainee | None = None
) -> Iterator[Lesson]:
    items, labelled = joined(corpus)
    loader = Loader(items, crops_of(corpus, frames=64, cache=1 << 24), workers=2)
    with closing(loader):
        yield Lesson("one", stage, items, labelled, pupil or trainee(), teacher, loader, 0)


def stage_of(sampler: str, **known: Any) -> Stage:
    options, loss = OPTIONS[sampler]
    return Stage(
        **{"steps": 10, "sampler": sampler, "sampler_options": options, "objectives": (Objective(loss),), **known}
    )


def told(batch: Batch) -> tuple[bytes, bytes]:
    return batch.rows.tobytes(), batch.sound.tobytes()


def embedder(pupil: Trainee) -> Any:
    def embed(batch: Batch) -> NDArray[np.float32]:
        with torch.no_grad():
            found = pupil(*pupil.features(torch.from_numpy(batch.sound), torch.from_numpy(batch.lengths)))
        return np.asarray(found.numpy())

    return embed


def drift(pupil: Trainee, step: int) -> None:
    """The network as it is after so many steps."""
    torch.manual_seed(step)
    with torch.no_grad():
        for one in pupil.parameters():
            one.add_(0.05 * torch.randn_like(one))


def test_every_sampler_is_tried() -> None:
    assert set(OPTIONS) == set(SAMPLERS)


@pytest.mark.parametrize("unlabelled", [0, 3])
@pytest.mark.parametrize("sampler", sorted(OPTIONS))
def test_taken_up_anywhere_it_goes_on_as_it_would_have(corpus: Manifest, sampler: str, unlabelled: int) -> None:
    objectives = (Objective(OPTIONS[sampler][1]), Objective("cosine-distillation"))
    stage = stage_of(sampler, unlabelled=unlabelled, objectives=objectives)
    teacher = np.ones((len(corpus), DIMENSION), dtype=np.float32)
    pupil = trainee()
    states, weights, batches = [], [], []
    with lesson(corpus, stage, teacher, pupil) as one:
        for step, batch in enumerate(islice(one.batches(embedder(pupil)), 7)):
            batches.append(told(batch))
            drift(pupil, step)
            states.append(one.state())
            weights.append({key: value.clone() for key, value in pupil.state_dict().items()})
            assert json.loads(states[-1])["batch"] == one.used == step + 1
    assert len(set(batches)) == 7
    for stop in (0, 3):
        again = trainee()
        again.load_state_dict(weights[stop])
        with lesson(corpus, stage, teacher, again) as one:
            one.restore(states[stop])
            found = []
            for step, batch in enumerate(islice(one.batches(embedder(again)), 6 - stop), start=stop + 1):
                found.append(told(batch))
                drift(again, step)
        assert found == batches[stop + 1 :]


def test_a_state_of_other_data_is_refused(corpus: Manifest) -> None:
    with lesson(corpus, stage_of("pxk")) as one, lesson(corpus, stage_of("pairs")) as other:
        with pytest.raises(ConfigError, match="saved state of the sampler"):
            one.restore(other.state())
        assert one.used == 0


def test_speakers_with_one_item_are_named(corpus: Manifest) -> None:
    for sampler in ("random-triplets", "mined-triplets", "pxk", "pairs"):
        with lesson(corpus, stage_of(sampler)) as one:
            assert one.excluded == ["s4"]
            batch = next(iter(one.batches(embedder(trainee()))))
            assert 16 not in batch.rows[: len(batch.rows) // 3]  # never an anchor
    with lesson(corpus, stage_of("buffer")) as one:
        assert one.excluded == []


def test_nobody_with_two_items(tmp_path: Path) -> None:
    corpus = voices(tmp_path, (1, 1, 1))
    with pytest.raises(ConfigError, match="no speaker has two utterances"), lesson(corpus, stage_of("random-triplets")):
        pass


def test_unlabelled_rows_follow_the_labelled_ones(corpus: Manifest) -> None:
    distilled = (Objective("cosine-distillation"),)
    teacher = np.random.default_rng(0).standard_normal((23, DIMENSION)).astype(np.float32)
    teacher[[18, 20]] = 0  # the teacher heard too little
    with lesson(corpus, stage_of("buffer", unlabelled=3, objectives=distilled), teacher) as one:
        seen = set()
        alone = build_sampler("buffer", joined(corpus)[1].index, OPTIONS["buffer"][0])
        for batch in islice(one.batches(embedder(trainee())), 12):
            np.testing.assert_array_equal(batch.rows[:5], next(alone))
            assert len(batch.rows) == 8
            assert len(set(batch.rows[5:].tolist())) == 3
            seen |= set(batch.rows[5:].tolist())
        assert seen == {17, 19, 21, 22}
        targets, known = one.targets(torch.tensor([0, 18, 22]))
        np.testing.assert_array_equal(targets.numpy(), teacher[[0, 18, 22]])
        assert known.tolist() == [True, False, True]
    with lesson(corpus, stage_of("buffer", unlabelled=30, objectives=distilled), teacher) as one:
        batch = next(iter(one.batches(embedder(trainee()))))
        assert set(batch.rows[5:].tolist()) <= {17, 19, 21, 22}  # fewer than asked for: some come twice


def test_unlabelled_rows_that_are_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = voices(tmp_path, (2, 2, 2))
    stage = stage_of("buffer", unlabelled=3, objectives=(Objective("cosine-distillation"),))
    teacher = np.ones((6, DIMENSION), dtype=np.float32)
    with caplog.at_level("WARNING"), lesson(corpus, stage, teacher) as one:
        batch = next(iter(one.batches(embedder(trainee()))))
    assert one.unlabelled == 0
    assert len(batch.rows) == stage.sampler_options["batch"]
    assert "the data hold none" in caplog.text


def test_a_loss_that_would_misread_the_batches_is_refused(corpus: Manifest) -> None:
    stage = stage_of("pxk", objectives=(Objective("cosine-triplet"),))
    with pytest.raises(ConfigError, match="needs batches of triplets"), lesson(corpus, stage):
        pass


def test_losses_are_answered_by_data_network_and_teacher(corpus: Manifest) -> None:
    objectives = (Objective("softmax"), Objective("mse-distillation", 0.5))
    teacher = np.ones((23, DIMENSION), dtype=np.float32)
    with lesson(corpus, stage_of("buffer", objectives=objectives), teacher) as one:
        shapes = [tuple(weight.shape) for loss in one.losses for weight in loss.parameters() if weight.ndim == 2]
    assert (5, trainee().network.dimension) in shapes
    assert (DIMENSION, trainee().network.dimension) in shapes


def test_a_bad_recording_does_not_move_the_others(tmp_path: Path) -> None:
    corpus = voices(tmp_path, (4, 4, 4, 4))
    found = []
    for bad in ((), (6,)):
        spoil(corpus, *bad)
        with lesson(corpus, stage_of("pxk")) as one:
            found.append([batch.rows for batch in islice(one.batches(embedder(trainee())), 8)])
    for before, after in zip(*found, strict=True):
        np.testing.assert_array_equal(before[before != 6], after[before != 6])
        assert 6 not in after
        np.testing.assert_array_equal(before // 4, after // 4)
    assert any((before == 6).any() for before in found[0])
