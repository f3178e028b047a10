"""A teacher's moments: those of its describer, wherever a crop begins; kept and gone on with; and learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from modelmakers import card as plain_card
from modelmakers import graph as plain_graph
from runmakers import parted, raw_teacher, recipe, rows_of, run, voices

from samevoice.corpora.manifest import Manifest
from samevoice.corpora.sounds import Sounds
from samevoice.effects.speed import change_speed
from samevoice.embedder import Model
from samevoice.errors import ConfigError, ModelError
from samevoice.export import export_model
from samevoice.loading import load_model
from samevoice.models import zoo
from samevoice.models.describer import Pooled
from samevoice.models.onnxfile import read_tensors
from samevoice.networks.small import Small
from samevoice.speech.vad import everything
from samevoice.training import moments as module
from samevoice.training.inheriting import inherit, terms_of
from samevoice.training.items import Item, items_of
from samevoice.training.moments import Moments, teacher_moments
from samevoice.training.recipe import Data
from samevoice.training.trainee import Trainee

HOP = 0.02  # seconds from moment to moment
HINTS = """
[stage.hints]
steps = 14
validate_every = 7
sampler = "buffer"
sampler_options = { batch = 6, buffer = 1000 }
unlabelled = 4
objectives = [
  { loss = "moment-distillation" },
  { loss = "statistics-distillation" },
  { loss = "cosine-distillation", weight = 0.5 },
]
optimiser = { kind = "adamw", lr = 1e-3 }
"""
EXIT = "xvector.dense"
NETWORK = (
    f'network = {{ name = "small", inherit = ["xvector.out_nonlinear", "{EXIT}"], frozen = ["{EXIT}"] }}',
    "crop.frames = 50",
)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw_teacher(tmp_path_factory.mktemp("teacher") / "teacher.onnx")


@pytest.fixture
def corpus(tmp_path: Path) -> Manifest:
    return parted(voices(tmp_path / "voices", 3, 2, 1.3))


class Killed(Pooled):
    """Hears so many utterances, and then no more."""

    left = 10**9

    def sequence(self, samples: Any, /) -> Any:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().sequence(samples)


def teacher(path: Path, most: int = 10**9) -> tuple[Model, Killed]:
    model = load_model(path, threads=1, detector=everything)
    found = model.describer
    assert isinstance(found, Pooled)
    found.__class__ = Killed
    assert isinstance(found, Killed)
    found.left = most

    class Fixed(Model):
        describer = found

    model.__class__ = Fixed
    return model, found


def ask(model: Model, corpus: Manifest, items: tuple[Item, ...], path: Path) -> tuple[Any, Moments]:
    return teacher_moments(items, model, Sounds(corpus.root, 16_000), path, identity="data")


def test_windows_are_the_describers_own_moments(taught: Path, corpus: Manifest, tmp_path: Path) -> None:
    items = items_of(corpus, Data(pieces=0.6, speeds=(1.0, 0.8))).items
    model, describer = teacher(taught)
    vectors, moments = ask(model, corpus, items, tmp_path / "teacher.npz")
    for row, one in enumerate(items):
        samples = Sounds(corpus.root, 16_000).read(one.piece.utterance)
        sequence = describer.sequence(change_speed(samples, 16_000, one.speed) if one.speed != 1.0 else samples)
        count = sequence.shape[1]
        found, known = moments.window(row, 7 * HOP, 20)
        assert known.all()
        np.testing.assert_allclose(found, sequence.T[7:27], rtol=1e-3, atol=1e-3)
        between, _ = moments.window(row, 7.25 * HOP, 20)
        np.testing.assert_allclose(between, 0.75 * sequence.T[7:27] + 0.25 * sequence.T[8:28], rtol=2e-3, atol=2e-3)
        late, known = moments.window(row, (count - 4.99) * HOP, 20)
        assert known.tolist() == [True] * 4 + [False] * 16  # the last lies between two only where it begins
        assert not late[4:].any()
        assert not moments.window(row, 100.0, 3)[1].any()
        whole = describer.embed(sequence, np.ones((1, count), dtype=np.bool_))[0]
        np.testing.assert_allclose(vectors[row], whole, atol=1e-6)


def test_a_killed_teacher_goes_on_and_gives_the_same(
    taught: Path, corpus: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    items = items_of(corpus, Data(speeds=(1.0, 1.1))).items
    whole, _ = ask(teacher(taught)[0], corpus, items, tmp_path / "whole.npz")
    path = tmp_path / "teacher.npz"
    with pytest.raises(KeyboardInterrupt):
        ask(teacher(taught, most=5)[0], corpus, items, path)
    with path.with_suffix(".moments").open("ab") as stream:
        stream.write(b"half a row")
    model, describer = teacher(taught, most=8)
    again, _ = ask(model, corpus, items, path)
    assert describer.left == 0  # four were kept
    np.testing.assert_array_equal(again, whole)
    assert path.with_suffix(".moments").read_bytes() == (tmp_path / "whole.moments").read_bytes()
    path.with_suffix(".moments").write_bytes(b"")  # what belongs together is made together
    lost, _ = ask(teacher(taught)[0], corpus, items, path)
    np.testing.assert_array_equal(lost, whole)
    assert path.with_suffix(".moments").read_bytes() == (tmp_path / "whole.moments").read_bytes()


def test_what_cannot_be_heard_has_no_moments(taught: Path, corpus: Manifest, tmp_path: Path) -> None:
    (corpus.root / corpus.utterances[1].path).write_bytes(b"RIFF....WAVE")
    vectors, moments = ask(teacher(taught)[0], corpus, items_of(corpus, Data()).items, tmp_path / "teacher.npz")
    assert np.flatnonzero(~vectors.any(axis=1)).tolist() == [1]
    assert not moments.window(1, 0.0, 5)[1].any()
    assert moments.window(2, 0.0, 5)[1].all()


def test_a_teacher_without_moments_is_refused(corpus: Manifest, tmp_path: Path) -> None:
    model = Model(plain_card(), plain_graph(), detector=everything)
    with pytest.raises(ConfigError, match="describes no moments"):
        ask(model, corpus, items_of(corpus, Data()).items, tmp_path / "teacher.npz")


@pytest.mark.slow
def test_a_student_learns_moments(taught: Path, tmp_path: Path) -> None:
    corpus = parted(voices(tmp_path / "voices", 8, 2, 1.3), dev=2, test=2, nameless=1)
    told = recipe(tmp_path, HINTS, changes=(*NETWORK, f'teacher = "{taught}"'))
    done = run(told, corpus, tmp_path / "run")()
    rows = [row for row in rows_of(tmp_path / "run") if "loss" in row]
    for row in rows:
        parts = row["moment-distillation"] + row["statistics-distillation"] + 0.5 * row["cosine-distillation"]
        assert row["loss"] == pytest.approx(parts, rel=1e-5)
    assert np.mean([row["moment-distillation"] for row in rows[-3:]]) < rows[0]["moment-distillation"] / 1.5
    theirs, own = read_tensors(taught.read_bytes()), done.network.state_dict()
    for name in (name for name in own if name.startswith(EXIT) and not name.endswith("tracked")):
        np.testing.assert_array_equal(own[name].numpy(), theirs[name])  # which nothing has moved
    other = recipe(tmp_path, HINTS, changes=("crop.frames = 64", f'teacher = "{taught}"'))
    with pytest.raises(ModelError, match="no moments to compare"):
        run(other, corpus, tmp_path / "other")()


def test_tensors_are_inherited_by_name(taught: Path) -> None:
    torch.manual_seed(1)
    network, before = Small(), Small().state_dict()
    names = inherit(network, str(taught), [EXIT])
    torch.manual_seed(7)
    original = Small()
    original(torch.randn(8, 60, 80))
    theirs = original.state_dict()
    assert sorted(names) == sorted(
        f"xvector.dense.{name}"
        for name in ("linear.weight", "nonlinear.batchnorm.running_mean", "nonlinear.batchnorm.running_var")
    )
    for name in names:
        torch.testing.assert_close(network.state_dict()[name], theirs[name])
    assert before.keys() == network.state_dict().keys()
    with pytest.raises(ConfigError, match="no tensor that begins with 'nowhere'"):
        inherit(network, str(taught), ["nowhere"])
    with pytest.raises(ConfigError, match=r"has no tensor 'dense\.0\.weight' of shape"):
        inherit(torch.nn.ModuleDict({"dense": torch.nn.Sequential(torch.nn.Linear(2, 3))}), str(taught), ["dense"])


def test_all_of_a_model_can_be_inherited(tmp_path: Path) -> None:
    """Also what an export keeps once, because two normalisations hold the same."""
    torch.manual_seed(11)
    whole = Small()
    whole(torch.randn(4, 60, 80))
    path = tmp_path / "whole.onnx"
    export_model(whole.eval(), zoo.entry("campplus").card, path)
    other = Small()
    names = inherit(other, str(path), [""])
    theirs, own = whole.state_dict(), other.state_dict()
    assert {*names} == {name for name in own if not name.endswith("num_batches_tracked")}
    for name in names:
        torch.testing.assert_close(own[name], theirs[name])
    assert terms_of(str(path)) == f"{zoo.entry('campplus').card.licences.weights} (weights of campplus)"


def test_inheriting_needs_a_teacher(tmp_path: Path) -> None:
    stage = HINTS[: HINTS.index("unlabelled")] + 'objectives = [{ loss = "am-softmax" }]'
    with pytest.raises(ConfigError, match="takes from a teacher, but no stage has one"):
        recipe(tmp_path, stage, changes=NETWORK)


def test_what_is_frozen_must_be_there() -> None:
    with pytest.raises(ConfigError, match="no tensor that begins with 'nowhere'"):
        Trainee(Small(), 50, ["nowhere"])
