"""Models that lie in the package: used without a pull, without a folder of models, without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commandline import samevoice

from samevoice.loading import load_model
from samevoice.models import shipped, store, zoo
from samevoice.models.card import fingerprint_of
from samevoice.models.encoder import read_model


@pytest.fixture(autouse=True)
def nothing_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAMEVOICE_CACHE", str(tmp_path / "empty"))
    return tmp_path / "empty"


@pytest.mark.parametrize("name", shipped.NAMES)
def test_they_are_whole_and_open(name: str) -> None:
    card, graph = store.load(name)
    assert card.name == name
    assert card.fingerprint == fingerprint_of(graph, card)
    assert read_model(shipped.path_of(name)) == (card, graph)
    assert store.load_file(shipped.path_of(name)) == (card, graph)
    assert store.status(name).state == "installed"
    assert store.card_of(name) == card
    assert name not in zoo.names()


def test_they_are_small() -> None:
    assert shipped.path_of("small").stat().st_size <= 6_000_000
    assert shipped.path_of("vad").stat().st_size <= 150_000


def test_their_cards_name_data_and_licences() -> None:
    told = store.card_of("small")
    for words in ("LibriSpeech", "CAM++"):
        assert words in told.training_data
    for words in ("CC BY 4.0", "Apache-2.0"):
        assert words in told.licences.data
    assert told.calibration is not None


def test_pulling_them_brings_nothing(nothing_pulled: Path) -> None:
    done = samevoice("models", "pull", "small")
    assert done.returncode == 0
    assert str(shipped.path_of("small")) in done.stdout
    assert not nothing_pulled.exists()


def test_two_recordings_are_compared_with_nothing_pulled(samples: Path, nothing_pulled: Path) -> None:
    same = samevoice("verify", samples / "philippe_1.flac", samples / "philippe_2.flac", "--model", "small")
    assert same.returncode == 0, same.stderr
    assert same.stdout.startswith("Same person")
    other = samevoice("verify", samples / "philippe_1.flac", samples / "librispeech_1255_a.flac", "--model", "small")
    assert other.returncode == 1, other.stderr
    assert not nothing_pulled.exists()


def test_where_the_default_model_is_missing_the_one_at_hand_is_named(samples: Path) -> None:
    told = samevoice("verify", samples / "sample_1a.mp3", samples / "sample_1b.mp3")
    assert told.returncode == 2
    assert "samevoice models pull" in told.stderr
    assert "--model small" in told.stderr


def test_it_describes_moments() -> None:
    describer = load_model("small", threads=1).describer
    assert describer.stride == 320
    found = describer.sequence(np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32))
    assert found.shape == (512, 49)
    assert np.isfinite(found).all()
