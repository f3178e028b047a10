"""The stages that are timed are those that embed a recording."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import samevoice as sv
from samevoice.measuring.stages import Everywhere, Way, buzz, medians, write_buzz
from samevoice.speech.vad import everything


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.load_model("campplus", threads=1)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "buzz.wav"
    write_buzz(path, 3.0)
    return path


def test_the_recording_is_three_seconds_of_sound_and_always_the_same(recording: Path) -> None:
    sound, rate = soundfile.read(recording, dtype="float32")
    assert (len(sound), rate) == (48_000, 16_000)
    np.testing.assert_allclose(sound, buzz(3.0), atol=1e-4)
    assert 0.05 < np.sqrt(np.mean(sound**2)) < np.abs(sound).max() < 0.5


def test_all_of_it_is_speech_but_the_detector_did_its_work() -> None:
    asked = []

    def detector(blocks: object) -> sv.Timeline:
        asked.append(blocks)
        return sv.Timeline([], 2.0)

    (whole,) = Everywhere(detector)([sv.Waveform(buzz(2.0), 16_000)])
    assert (whole.start, whole.end) == (0.0, 2.0)
    assert len(asked) == 1


def test_the_network_is_given_what_an_embedding_is_made_of(model: sv.Model, recording: Path) -> None:
    way = Way(model, recording)
    assert way.features.shape == (1, 298, 80)
    (raw,) = model.encoder(way.features)
    expected = model.with_detector(everything).embed(recording)
    np.testing.assert_allclose(raw / np.linalg.norm(raw), expected.vector, atol=1e-5)


def test_every_stage_does_its_own_work(model: sv.Model, recording: Path) -> None:
    done = {name: action() for name, action in Way(model, recording).actions().items()}
    assert list(done) == ["end to end", "network", "decode", "audio doctor", "speech detection", "features"]
    decision = done["end to end"]
    assert isinstance(decision, sv.Decision)
    assert decision.score == pytest.approx(1.0, abs=1e-5)
    blocks, features = done["decode"], done["features"]
    assert isinstance(blocks, list)
    assert sum(map(len, blocks)) == 48_000
    assert isinstance(features, np.ndarray)
    assert features.shape == (1, 298, 80)


def test_medians_are_of_turns_and_in_milliseconds() -> None:
    turns: list[str] = []

    def slow() -> None:
        turns.append("slow")
        time.sleep(0.004)

    found = medians({"quick": lambda: turns.append("quick"), "slow": slow}, 0.0, least=3)
    assert turns == ["quick", "slow"] * 4  # the first to warm up
    assert found["slow"] >= 4.0 > found["quick"]
