"""A teacher that hears crops: what it says is true of them, at any speed, and a run learns from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from modelmakers import card as plain_card
from modelmakers import graph as plain_graph
from runmakers import parted, raw_teacher, recipe, rows_of, run, voices

from samevoice.audio.waveform import Waveform
from samevoice.corpora.manifest import Manifest
from samevoice.corpora.sounds import Sounds
from samevoice.embedder import Model
from samevoice.errors import ConfigError
from samevoice.features.frontend import build_frontend
from samevoice.features.kinds import default_spec
from samevoice.loading import load_model
from samevoice.speech.vad import everything
from samevoice.training.augment import Augmenter, augment_options
from samevoice.training.crops import Crops
from samevoice.training.items import items_of
from samevoice.training.loading import Batch, Loader
from samevoice.training.recipe import Crop, Data
from samevoice.training.tutor import Tutor

RATE, FRAMES = 16_000, 50
STAGE = """
[stage.crops]
steps = 14
validate_every = 7
sampler = "buffer"
sampler_options = { batch = 6, buffer = 1000 }
unlabelled = 4
objectives = [
  { loss = "moment-distillation" },
  { loss = "cosine-distillation", weight = 0.5 },
  { loss = "similarity-distillation", weight = 0.1 },
]
optimiser = { kind = "adamw", lr = 1e-3 }
"""
CHANGES = ('network = { name = "small" }', f"crop = {{ frames = {FRAMES}, stretch = 0.2 }}", 'teacher_hears = "crops"')


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw_teacher(tmp_path_factory.mktemp("teacher") / "teacher.onnx")


@pytest.fixture
def corpus(tmp_path: Path) -> Manifest:
    return parted(voices(tmp_path / "voices", 3, 2, 1.3))


def crops_of(corpus: Manifest, stretch: float, augment: Augmenter | None = None) -> Crops:
    frontend = build_frontend(default_spec("kaldi-fbank"))
    return Crops(Sounds(corpus.root, RATE), frontend, Crop(frames=FRAMES, stretch=stretch), augment)


def teacher(path: Path) -> Model:
    return load_model(path, threads=1, detector=everything)


def test_answers_and_moments_are_those_of_the_sound_itself(taught: Path, corpus: Manifest) -> None:
    model = teacher(taught)
    samples = Sounds(corpus.root, RATE).read(corpus.utterances[0])
    answer, moments = Tutor(model, RATE, by_moments=True)(samples)
    np.testing.assert_allclose(answer, model.embed(Waveform(samples, RATE)).vector, atol=1e-4)
    np.testing.assert_array_equal(moments, model.describer.sequence(samples))
    again, none = Tutor(model, RATE, by_moments=False)(samples)
    np.testing.assert_array_equal(again, answer)
    assert none.size == 0


def test_of_nothing_there_is_nothing_to_say(taught: Path) -> None:
    answer, _ = Tutor(teacher(taught), RATE, by_moments=True)(np.zeros(10, dtype=np.float32))
    assert not answer.any()


def test_teachers_that_cannot_hear_crops_are_refused(taught: Path) -> None:
    plain = Model(plain_card(), plain_graph(), detector=everything)
    with pytest.raises(ConfigError, match="describes no moments"):
        Tutor(plain, plain.card.rate, by_moments=True)
    with pytest.raises(ConfigError, match="hears 16000 Hz and the network 48000 Hz"):
        Tutor(teacher(taught), 48_000, by_moments=False)


def test_a_batch_brings_what_the_teacher_says_of_its_clean_crops(taught: Path, corpus: Manifest) -> None:
    tutor = Tutor(teacher(taught), RATE, by_moments=True)
    items, rows = items_of(corpus, Data(speeds=(1.0, 0.9))), np.arange(6)
    noisy = Augmenter(augment_options({"noise": {"chance": 1.0, "snr": [0, 0]}}), RATE)
    plain, loud = (
        Loader(items, crops_of(corpus, 0.2, augment), teach=tutor).load(3, rows) for augment in (None, noisy)
    )
    for batch in (plain, loud):
        assert batch.answers is not None
        assert batch.moments is not None
        assert batch.moments.shape == (6, 512, FRAMES // 2)
    assert np.abs(loud.sound - plain.sound).max() > 0.01
    np.testing.assert_array_equal(answers_of(loud), answers_of(plain))
    for sound, answer in zip(plain.sound, answers_of(plain), strict=True):
        np.testing.assert_array_equal(tutor(sound)[0], answer)
    untaught = Loader(items, crops_of(corpus, 0.2)).load(3, rows)
    assert untaught.answers is None
    assert untaught.moments is None


def answers_of(batch: Batch) -> np.ndarray:
    assert batch.answers is not None
    return batch.answers


def test_stretched_crops_are_full_and_of_many_speeds(corpus: Manifest) -> None:
    """The pitch of a voice moves with the speed: no two crops of one place are alike."""
    item, random = items_of(corpus, Data()).items[0], np.random.default_rng(5)
    crops = crops_of(corpus, 0.3)
    found = [crops.take(item, random) for _ in range(8)]
    assert {len(one.samples) for one in found} == {crops.length}
    assert {one.own for one in found} == {crops.length}
    pitches = {int(np.abs(np.fft.rfft(one.samples * np.hanning(crops.length))).argmax()) for one in found}
    assert len(pitches) > 3


@pytest.mark.slow
def test_a_run_learns_from_crops(taught: Path, tmp_path: Path) -> None:
    corpus = parted(voices(tmp_path / "voices", 8, 2, 1.3), dev=2, test=2, nameless=1)
    told = recipe(tmp_path, STAGE, changes=(*CHANGES, f'teacher = "{taught}"'))
    run(told, corpus, tmp_path / "run")()
    rows = [row for row in rows_of(tmp_path / "run") if "loss" in row]
    assert np.mean([row["moment-distillation"] for row in rows[-3:]]) < rows[0]["moment-distillation"] / 1.3
    assert all(row["similarity-distillation"] >= 0 for row in rows)
    assert not (tmp_path / "run" / "teacher.moments").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ((*CHANGES[:2], 'teacher_hears = "utterances"'), "voices that the teacher has not heard"),
        ((*CHANGES, "data.speeds = [0.55]"), "give speeds of 0.46 to 0.66; keep them within 0.5 to 2"),
        ((*CHANGES, 'crop.fill = "silence"'), 'needs full ones: crop.fill = "repeat"'),
        (('teacher_hears = "nothing"',), "teacher_hears must be one of utterances, crops"),
        (("crop.stretch = 0.4",), "crop.stretch must be a number at least 0 and at most 0.3"),
    ],
)
def test_recipes_that_cannot_be(tmp_path: Path, changes: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        recipe(tmp_path, STAGE, changes=changes)
