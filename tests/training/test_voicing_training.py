"""The training of the tiny voice activity network, from a folder to a file that works."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from samevoice.errors import DataError, ModelError
from samevoice.loading import load_detector
from samevoice.models.encoder import read_model
from samevoice.speech.tinyvad import TinyVad
from samevoice.training.voicescenes import SIZE, STEP, STEPS, Scenes, Taught, taught
from samevoice.training.voicing import kept_away, listed, main

NAMES = ("librispeech_1255_a.flac", "librispeech_19_a.flac", "philippe_1.flac")


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    """Three recordings of speech, two of noise, and a manifest."""
    rows = ["source\tsplit\tpath"]
    for name in NAMES:
        shutil.copy(samples / name, tmp_path / name)
        rows.append(f"speech\ttrain\t{name}")
    random = np.random.default_rng(3)
    for number in range(2):
        soundfile.write(tmp_path / f"noise{number}.wav", 0.1 * random.standard_normal(32_000), 16_000)
        rows.append(f"noise\tnoise\tnoise{number}.wav")
    rows += ["other\ttrain\tmissing.flac", "speech\tdev\talso-missing.flac"]  # neither is asked for
    (tmp_path / "manifest.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def teacher() -> object:
    try:
        return load_detector()
    except ModelError as error:
        pytest.skip(str(error))


def run(folder: Path, out: Path, *, steps: int = 4, seed: int = 1) -> None:
    assert not any(kept_away(row) for row in listed(folder) if row["path"].endswith(NAMES))
    given = ["--data", str(folder), "--out", str(out), "--sources", "speech"]
    assert main([*given, "--steps", str(steps), "--batch", "4", "--seed", str(seed)]) == 0


@pytest.mark.usefixtures("teacher")
def test_it_learns_and_writes_a_detector(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, speech: object
) -> None:
    run(folder, tmp_path / "out" / "vad.onnx", steps=40)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 recordings, ")
    first, last = (float(line.split("loss ")[1].split(",")[0]) for line in lines if "loss" in line)
    assert last < 0.9 * first
    card, _ = read_model(tmp_path / "out" / "vad.onnx")
    assert card.kind == "voice-activity"
    assert lines[-1].startswith(f"{tmp_path / 'out' / 'vad.onnx'}: {card.fingerprint}, ")
    found, _ = TinyVad((tmp_path / "out" / "vad.onnx").read_bytes()).probabilities([speech])  # type: ignore[list-item]
    assert len(found) == 149
    assert np.isfinite(found).all()


@pytest.mark.usefixtures("teacher")
def test_one_seed_gives_one_file(folder: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(folder, tmp_path / f"{name}.onnx", steps=1, seed=seed)
    same, other, third = ((tmp_path / f"{name}.onnx").read_bytes() for name in "abc")
    assert same == other != third


@pytest.mark.usefixtures("teacher")
def test_a_folder_without_speech_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"names no speech of music; name other sources"):
        main(["--data", str(folder), "--out", str(tmp_path / "x.onnx"), "--sources", "music"])
    assert not (tmp_path / "x.onnx").exists()


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest\.tsv cannot be read"):
        listed(tmp_path)
    (tmp_path / "manifest.tsv").write_text("path,source\na,b\n", encoding="utf-8")
    with pytest.raises(DataError, match="separated by tabs"):
        listed(tmp_path)


def test_the_teachers_answers_lie_where_it_gave_them(teacher: object, speech: object) -> None:
    heard = np.concatenate([np.zeros(32_000, np.float32), speech.samples])  # type: ignore[attr-defined]
    lesson = taught(heard, teacher)  # type: ignore[arg-type]
    assert lesson.answers.shape == (len(heard) // STEP,)
    assert lesson.answers[:95].max() < 0.5 < lesson.answers[100:].mean()


def scenes(answers: float, noise: bool = True) -> Scenes:
    """Of one recording of a loud tone that the teacher is sure of."""
    tone = (20_000 * np.sin(np.arange(STEP * 50) * 0.3)).astype(np.int16)
    noises = [np.random.default_rng(0).standard_normal(8_000).astype(np.float32)] if noise else []
    return Scenes([Taught(tone, np.full(50, answers, np.float32))], noises, [], np.random.default_rng(1))


def test_scenes_are_sound_of_16_bits_with_an_answer_per_step() -> None:
    drawn, random = scenes(1.0), np.random.default_rng(5)
    shares = []
    for _ in range(60):
        sound, answers = drawn(random)
        assert sound.shape == (SIZE,)
        assert sound.dtype == answers.dtype == np.float32
        assert answers.shape == (STEPS,)
        assert set(np.unique(answers)) <= {0.0, 1.0}
        assert -1 <= sound.min() <= sound.max() < 1
        assert (sound * 32_768 == np.rint(sound * 32_768)).all()
        shares.append(answers.mean())
    assert 0.1 < np.mean(np.array(shares) == 0) < 0.5  # some without a voice
    assert max(shares) > 0.6


def test_the_same_chance_draws_the_same_scene() -> None:
    first, second = (scenes(0.5)(np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_without_noises_they_are_made_up() -> None:
    sound, _ = scenes(1.0, noise=False)(np.random.default_rng(3))
    assert np.isfinite(sound).all()
