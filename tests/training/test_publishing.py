"""What a finished run leaves: a model with its card, figures, pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from runmakers import TRIPLETS, parted, recipe, run, voices

from samevoice.corpora.manifest import Manifest
from samevoice.evaluation.embedded import choose_pieces, embed_pieces
from samevoice.evaluation.metrics import eer
from samevoice.evaluation.trials import all_pairs
from samevoice.features.frontend import build_frontend
from samevoice.features.kinds import KINDS, default_spec
from samevoice.loading import load_model
from samevoice.models.encoder import read_model
from samevoice.speech.vad import everything
from samevoice.training.cards import least_seconds
from samevoice.training.launch import draw_curves
from samevoice.training.publishing import publish, published
from samevoice.training.runs import Finished


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    root = tmp_path_factory.mktemp("published")
    corpus = parted(voices(root / "voices", 14, 3), dev=6, test=3)
    changes = ("validation.seconds = 1.0",)
    return run(recipe(root, TRIPLETS, changes=changes), corpus, root / "run")()


@pytest.fixture(scope="module")
def result(finished: Finished) -> dict[str, Any]:
    assert published(finished.out, finished.parts) is None
    return publish(finished)


def pairs(finished: Finished, side: Manifest, seconds: float) -> Any:
    model = load_model(finished.out / "model.onnx", detector=everything)
    found = embed_pieces(model, side, choose_pieces(side, seconds=seconds))
    return all_pairs(found.vectors, found.speakers)


def test_figures_are_of_test_speakers_at_thresholds_of_validation_speakers(
    finished: Finished, result: dict[str, Any]
) -> None:
    assert json.loads((finished.out / "result.json").read_text()) == json.loads(json.dumps(result))
    assert published(finished.out, finished.parts) == json.loads(json.dumps(result))
    test, valid = pairs(finished, finished.parts.test, 1.0), pairs(finished, finished.parts.valid, 1.0)
    assert result["speakers"] == "test"
    for told in result["rules"].values():
        assert (told["speakers"], told["pieces"]) == (3, 18)
        assert told["eer"]["value"] == pytest.approx(eer(test.targets, test.non_targets), abs=1e-6)
        threshold = told["threshold"]["value"]
        accepted = float((test.targets >= threshold).mean())
        assert told["positive_accuracy"]["value"] == pytest.approx(accepted, abs=1e-6)
    assert set(result["rules"]) == {"far", "far-1.5", "far-2.5", "eer", "three-sigma", "median"}
    median = result["rules"]["median"]["threshold"]["value"]
    assert min(valid.non_targets) < median < max(valid.targets)
    stage = result["training"]["triplet"]
    assert (stage["steps"], stage["collapse"]) == (24, 0.2)
    assert stage["last_loss"] < 0.2
    assert result["parameters"] == sum(one.numel() for one in finished.network.parameters())
    assert (result["skipped"], result["speakers_of_one_item"]) == ({}, [])
    assert result["verify_options"] == []


def test_the_card_tells_where_it_came_from(finished: Finished, result: dict[str, Any]) -> None:
    card, _ = read_model(finished.out / "model.onnx")
    assert result["model"] == card.fingerprint
    assert card.window is not None
    assert (card.name, card.rate, card.window.frames) == ("tiny", 16_000, 64)
    assert "5 speakers" in card.training_data
    assert "unknown" in card.licences.weights
    assert card.calibration is not None
    assert card.calibration["durations"] == [card.min_speech + 0.01, 1.0]
    assert "6 validation speakers" in str(card.calibration["source"])


def test_a_second_length_is_calibrated_only_if_it_is_another(finished: Finished, tmp_path: Path) -> None:
    corpus = parted(finished.parts.train.root, dev=6, test=3)
    told = recipe(tmp_path, TRIPLETS.replace("steps = 24", "steps = 12"), changes=("validation.seconds = 0.7",))
    publish(run(told, corpus, tmp_path / "run")())
    card, _ = read_model(tmp_path / "run" / "model.onnx")
    assert card.calibration is not None
    assert card.calibration["durations"] == [0.7]


def test_pictures(finished: Finished, result: dict[str, Any]) -> None:
    draw_curves(finished.out, finished.recipe)
    for name in ("curves.png", "distances.png", "similarity.png"):
        assert (finished.out / name).read_bytes().startswith(b"\x89PNG")
    assert result


@pytest.mark.parametrize("kind", KINDS)
def test_the_least_speech_is_just_enough(kind: str) -> None:
    frontend = build_frontend(default_spec(kind))
    rate = frontend.spec.rate
    for frames in (1, 64, 227):
        least = least_seconds(frontend, frames)
        assert frontend.count(round(least * rate)) >= frames
        assert frontend.count(round((least - 0.002) * rate)) < frames or least < 0.003
    if kind == "spectrogram":
        assert 4.95 < least_seconds(frontend, 227) <= 5.0


def test_a_result_older_than_the_weights_does_not_count(finished: Finished, result: dict[str, Any]) -> None:
    path = finished.out / "result.json"
    stamp = path.stat()
    os.utime(path, ns=(0, 0))
    assert published(finished.out, finished.parts) is None
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert published(finished.out, finished.parts) == json.loads(json.dumps(result))
