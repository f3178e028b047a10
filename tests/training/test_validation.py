"""Validation: error rate over all pairs of pieces of unseen speakers, against loops."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import eer as loop_eer
from runmakers import parted, voices

from samevoice.corpora.sounds import Sounds
from samevoice.errors import ConfigError, DataError, ModelError
from samevoice.training import validation
from samevoice.training.recipe import Validation
from samevoice.training.trained import built
from samevoice.training.trainee import Trainee
from samevoice.training.validation import Validator


def trainee() -> Trainee:
    torch.manual_seed(1)
    return Trainee(built("fbanknet-20k", {"speakers": 6}), 64)


def test_it_is_what_loops_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, heard = parted(voices(tmp_path / "voices", 3, 2, 1.5)), trainee()
    monkeypatch.setattr(validation, "BATCH_FRAMES", 200)  # several batches
    found = Validator(corpus, Sounds(corpus.root, 16_000), heard, Validation(seconds=0.7))(heard)
    assert heard.training
    vectors, speakers = [], []
    heard.eval()
    for one in corpus:
        samples = Sounds(corpus.root, 16_000).read(one)
        for start in (0, 11_200):
            features = torch.from_numpy(heard.frontend(samples[start : start + 11_200]))[None, :64]
            with torch.no_grad():
                vector = heard.network(features)[0].double().numpy()
            vectors.append(vector / np.linalg.norm(vector))
            speakers.append(one.speaker)
    targets: list[float] = []
    others: list[float] = []
    for left, right in itertools.combinations(range(12), 2):
        (targets if speakers[left] == speakers[right] else others).append(float(vectors[left] @ vectors[right]))
    np.testing.assert_allclose(sorted(found.targets), sorted(targets), atol=1e-6)
    np.testing.assert_allclose(sorted(found.non_targets), sorted(others), atol=1e-6)
    assert found.eer == pytest.approx(loop_eer(list(found.targets), list(found.non_targets)), abs=1e-9)


def test_at_most_so_many_speakers_and_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, heard = parted(voices(tmp_path / "voices", 5, 2, 1.5)), trainee()
    monkeypatch.setattr(validation, "PIECES_EACH", 3)
    settings = Validation(seconds=0.7, speakers_at_most=3)
    found = Validator(corpus, Sounds(corpus.root, 16_000), heard, settings)
    assert found.speakers == ["s0"] * 3 + ["s1"] * 3 + ["s3"] * 3


def test_what_cannot_be_heard_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus, heard = parted(voices(tmp_path / "voices", 3, 2, 1.5)), trainee()
    (corpus.root / "s0" / "1.wav").write_bytes(b"")
    found = Validator(corpus, Sounds(corpus.root, 16_000), heard, Validation(seconds=0.7))
    assert found.speakers.count("s0") == 2
    assert "left out of the validation" in caplog.text
    for speaker in ("s1", "s2"):
        for take in (0, 1):
            (corpus.root / speaker / f"{take}.wav").write_bytes(b"")
    with pytest.raises(DataError, match="fewer than two of 3 validation speakers"):
        Validator(corpus, Sounds(corpus.root, 16_000), heard, Validation(seconds=0.7))
    with pytest.raises(ConfigError, match="at least 64; make it longer"):
        Validator(corpus, Sounds(corpus.root, 16_000), heard, Validation(seconds=0.64))


def test_answers_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    corpus, heard = parted(voices(tmp_path / "voices", 2, 2, 1.0)), trainee()
    found = Validator(corpus, Sounds(corpus.root, 16_000), heard, Validation(seconds=0.7))
    with torch.no_grad():
        next(heard.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="answers NaN"):
        found(heard)
    assert heard.training
