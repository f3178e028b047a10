"""A teacher's answers: kept, gone on with, and never those to another question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelmakers import card, graph
from runmakers import DISTIL, parted, recipe, rows_of, run, voices

from samevoice.audio.waveform import Waveform
from samevoice.corpora.manifest import Manifest
from samevoice.corpora.sounds import Sounds
from samevoice.effects.speed import change_speed
from samevoice.embedder import Model
from samevoice.models.encoder import write_model
from samevoice.speech.vad import everything
from samevoice.training import teaching
from samevoice.training.items import Item, items_of
from samevoice.training.recipe import Data
from samevoice.training.teaching import teacher_answers

Answers = Any


class Counted(Model):
    """A teacher that counts what it hears, and that can be killed."""

    heard = 0
    most = 10**9

    def embed_each(self, audios: Iterable[Any], **options: Any) -> Iterator[Any]:
        for outcome in super().embed_each(audios, **options):
            if self.heard == self.most:
                raise KeyboardInterrupt
            self.heard += 1
            yield outcome


@pytest.fixture
def corpus(tmp_path: Path) -> Manifest:
    return parted(voices(tmp_path / "voices", 4, 3, 1.2))


def teacher(scale: float = 1.0) -> Counted:
    bytes_ = graph(scale=scale)
    return Counted(card(bytes_), bytes_, detector=everything)


Ask = Callable[..., Answers]


@pytest.fixture
def ask(corpus: Manifest, tmp_path: Path) -> Ask:
    def asked(by: Model, items: tuple[Item, ...], identity: str = "data") -> Answers:
        sounds = Sounds(corpus.root, 16_000)
        return teacher_answers(items, by, sounds, tmp_path / "teacher.npz", identity=identity)

    return asked


def test_each_item_gets_what_the_model_says_of_its_utterance(corpus: Manifest, ask: Ask) -> None:
    items = items_of(corpus, Data(pieces=0.6, speeds=(1.0, 1.1))).items
    by = teacher()
    found = ask(by, items)
    assert found.shape == (48, 3)
    assert by.heard == 24  # two pieces share an answer, two speeds do not
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    sounds = Sounds(corpus.root, 16_000)
    heard = {one.id: sounds.read(one) for one in corpus}
    asked = [(name, speed) for speed in (1.0, 1.1) for name in heard]
    spoken = [change_speed(heard[name], 16_000, speed) if speed != 1.0 else heard[name] for name, speed in asked]
    vectors = [one.vector for one in by.embed_many([Waveform(one, 16_000) for one in spoken])]
    expected = dict(zip(asked, vectors, strict=True))
    assert len({one.tobytes() for one in vectors}) == 24
    for item, row in zip(items, found, strict=True):
        np.testing.assert_array_equal(row, expected[item.piece.utterance.id, item.speed])


def test_answers_are_kept_and_only_those_to_the_same_question(corpus: Manifest, ask: Ask, tmp_path: Path) -> None:
    items = items_of(corpus, Data(speeds=(1.0, 1.1))).items
    first = ask(teacher(), items)
    again = teacher()
    np.testing.assert_array_equal(ask(again, items), first)
    assert again.heard == 0
    others: list[tuple[Model, tuple[Item, ...], str]] = [
        (teacher(2.0), items, "data"),
        (teacher(), items, "other data"),
        (teacher(), items_of(corpus, Data(speeds=(1.0, 0.9))).items, "data"),
        (teacher(), items[::-1], "data"),
    ]
    for by, asked, identity in others:
        ask(teacher(), items)
        ask(by, asked, identity)
        assert isinstance(by, Counted)
        assert by.heard == 24
    path = tmp_path / "teacher.npz"
    for content in (b"", b"PK\3\4", path.read_bytes()[:300], path.read_bytes()[:-30]):
        path.write_bytes(content)
        np.testing.assert_array_equal(ask(by := teacher(), items), first)
        assert by.heard == 24


def test_an_interrupted_teacher_goes_on(
    corpus: Manifest, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = items_of(corpus, Data(speeds=(1.0, 1.1))).items
    monkeypatch.setattr(teaching, "CHUNK", 4)
    monkeypatch.setattr(teaching, "SAVE_SECONDS", 0.0)
    by = teacher()
    by.most = 10
    with pytest.raises(KeyboardInterrupt):
        ask(by, items)
    rest = teacher()
    found = ask(rest, items)
    assert rest.heard == 24 - 8
    (tmp_path / "teacher.npz").unlink()
    np.testing.assert_array_equal(ask(teacher(), items), found)


def test_what_cannot_be_heard_has_no_answer(corpus: Manifest, ask: Ask) -> None:
    (corpus.root / corpus.utterances[1].path).write_bytes(b"RIFF....WAVE")
    found = ask(teacher(), items_of(corpus, Data()).items)
    assert np.flatnonzero(~found.any(axis=1)).tolist() == [1]


@pytest.mark.slow
def test_distillation_learns_from_nameless_voices_and_not_where_there_is_no_answer(tmp_path: Path) -> None:
    corpus = parted(voices(tmp_path / "voices", 10, 3), dev=2, test=2, nameless=2)
    nameless = [one for one in corpus if one.speaker is None]
    (corpus.root / nameless[0].path).write_bytes(b"RIFF....WAVE")
    (tmp_path / "model").mkdir()
    write_model(tmp_path / "model" / "tiny.onnx", graph(), card())
    told = recipe(tmp_path, DISTIL, changes=(f'teacher = "{tmp_path}/model/tiny.onnx"', "stage.teacher.steps = 30"))
    said: list[str] = []
    done = run(told, corpus, tmp_path / "run", say=said.append)()
    rows = [row for row in rows_of(tmp_path / "run") if "loss" in row]
    parts = [(row["cosine-distillation"], row["am-softmax"]) for row in rows]
    assert [row["loss"] for row in rows] == pytest.approx([one + 0.1 * other for one, other in parts], rel=1e-5)
    assert parts[-1][0] < parts[0][0]
    assert any("no answer for 1 of 18 items" in line for line in said)
    assert not done.bad  # the silent one never joins a batch
    none = parted(voices(tmp_path / "named", 8, 3), dev=2, test=2)
    run(told, none, tmp_path / "named run")()  # learns from what there is
