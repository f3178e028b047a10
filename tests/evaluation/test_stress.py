"""Stress: what is changed is the second side, by what it says, and the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import samevoice as sv
from samevoice.audio.waveform import Samples, Waveform
from samevoice.embedder import Model
from samevoice.evaluation.stress import crop, stress
from samevoice.evaluation.triallist import TrialList
from samevoice.evaluation.trialrun import Embedded, embed_all, score
from samevoice.speech.timeline import Segment, Timeline
from samevoice.verification import calibration_of

NAMES = ("sample_1a.mp3", "sample_1b.mp3", "sample_2.mp3")
LISTED = TrialList(NAMES, np.array([0, 0]), np.array([1, 2]), np.array([True, False]))


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model."""
    return sv.load_model("campplus", threads=1)


@pytest.fixture(scope="module")
def paths(samples: Path) -> list[Path]:
    """Of the recordings."""
    return [samples / name for name in NAMES]


@pytest.fixture(scope="module")
def first(model: Model, paths: list[Path]) -> Embedded:
    """The recordings as they are."""
    return embed_all(model, paths)


def as_it_is(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
    """No change."""
    del rate, random
    return samples


def noisy(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
    """Some noise."""
    del rate
    return (samples + 0.005 * random.standard_normal(len(samples))).astype(np.float32)


def silent(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
    """Nothing is left."""
    del rate, random
    return np.zeros_like(samples)


def test_only_what_is_changed_changes(model: Model, paths: list[Path], first: Embedded) -> None:
    done: list[float] = []
    changes = {"none": as_it_is, "noise": noisy, "again": noisy, "silence": silent}
    found = stress(LISTED, paths, model, first, changes, crops=(1.0, 1000.0), progress=done.append)
    assert [one.name for one in found] == [*changes, "1 s of speech", "1000 s of speech"]
    clean = score(LISTED, calibration_of(model), first)
    same, noise, again, nothing, short, long = (one.run for one in found)
    assert same is not None
    assert noise is not None
    assert again is not None
    assert short is not None
    assert long is not None
    np.testing.assert_allclose(same.trials.scores, clean.trials.scores, atol=1e-4)
    np.testing.assert_allclose(long.trials.scores, clean.trials.scores, atol=1e-4)
    assert (noise.trials.scores < clean.trials.scores).any()
    assert not np.array_equal(noise.trials.scores, again.trials.scores)  # each draws its own
    assert nothing is None  # no trial is left
    assert np.all((short.seconds > 0.8) & (short.seconds < 1.2))
    assert done[-1] == pytest.approx(1)
    (repeated,) = stress(LISTED, paths, model, first, {"noise": noisy}, crops=())
    assert repeated.run is not None
    np.testing.assert_array_equal(repeated.run.trials.scores, noise.trials.scores)


def test_lost_recordings_stay_lost(model: Model, paths: list[Path], tmp_path: Path) -> None:
    listed = TrialList(
        (*NAMES, "missing.wav"), np.array([0, 0, 0]), np.array([1, 2, 3]), np.array([True, False, False])
    )
    found = embed_all(model, [*paths, tmp_path / "missing.wav"])
    (one,) = stress(listed, [*paths, tmp_path / "missing.wav"], model, found, {"none": as_it_is}, crops=())
    assert one.run is not None
    assert one.run.left_out == 1


@pytest.mark.parametrize(("seconds", "end"), [(0.5, 1.5), (1.0, 2.0), (1.5, 3.5), (2.5, 4.5), (9.0, 5.0)])
def test_a_crop_ends_when_so_much_was_said(seconds: float, end: float) -> None:
    rate = 8_000
    sound = Waveform(np.arange(5 * rate, dtype=np.float32) / (5 * rate), rate)
    speech = Timeline([Segment(1.0, 2.0), Segment(3.0, 4.5), Segment(6.0, 9.0)], 10.0)  # some of it behind the end
    found = crop(sound, speech, seconds)
    assert found.samples[0] == 0
    assert found.duration == pytest.approx(end)


def test_a_crop_of_silence_is_all_of_it() -> None:
    sound = Waveform(np.zeros(8_000, dtype=np.float32), 8_000)
    assert crop(sound, Timeline([], 1.0), 1.0).duration == 1.0
