"""`samevoice calibrate` as a person meets it: real voices, two of them changed, a real model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile
from commandline import samevoice

from samevoice.cli.calibrate import calibrate
from samevoice.errors import ConfigError, DataError, SamevoiceError
from samevoice.models.encoder import read_model
from samevoice.models.store import model_path

SAMPLES = Path(__file__).parents[2] / "samples"
EVIL = "<img src=x onerror=alert(1)>"
VOICES = {  # recordings of each person, each to be cut into two clips that overlap, since some are short
    EVIL: ("sample_1a.mp3", "sample_1b.mp3"),
    "bert": ("sample_2.mp3",),
    "philippe": ("philippe_1.flac", "philippe_2.flac"),
    "l1255": ("librispeech_1255_a.flac",),
    "l19": ("librispeech_19_a.flac",),
    "fast": ("librispeech_19_a.flac",),
    "slow": ("philippe_1.flac",),
}
SPEEDS = {"fast": 1.25, "slow": 0.75}  # played so, a voice is another one


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command and refuse tracebacks whatever happens."""
    command = [sys.executable, "-m", "samevoice", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    return result


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven people with two or four clips each, one of whom has besides a clip that is none."""
    root = tmp_path_factory.mktemp("people")
    for name, recordings in VOICES.items():
        (root / name).mkdir()
        for recording in recordings:
            sound, rate = soundfile.read(SAMPLES / recording)
            for half in range(2):
                part = sound[half * len(sound) // 4 :][: 3 * len(sound) // 4]
                soundfile.write(
                    root / name / f"{Path(recording).stem}_{half}.wav", part, round(rate * SPEEDS.get(name, 1))
                )
    (root / "bert" / "broken.wav").write_bytes(b"RIFF, but not really")
    return root


@pytest.fixture(scope="module")
def done(people: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """The model, the page and the JSON of one calibration."""
    folder = tmp_path_factory.mktemp("done")
    model, page = folder / "mine.onnx", folder / "mine.html"
    model.write_bytes(b"what was there before")
    result = run("calibrate", people, "-o", model, "--report", page, "--json")
    assert result.returncode == 0, result.stderr
    return model, page, json.loads(result.stdout)


def test_the_copy_carries_the_calibration_and_the_network(done: tuple[Path, Path, dict[str, Any]]) -> None:
    path, _, told = done
    card, graph = read_model(path)
    own, network = read_model(model_path("campplus"))
    assert graph == network
    assert card.calibration == told["calibration"]
    assert card.calibration != own.calibration
    assert card.name == "mine"
    assert card.fingerprint == told["model"] == f"mine@{own.fingerprint.partition('@')[2]}"


def test_the_figures_and_what_was_left_out_are_told(done: tuple[Path, Path, dict[str, Any]], people: Path) -> None:
    _, _, told = done
    assert (told["people"], told["clips"]) == (7, 18)
    assert told["far"] == 0.2
    assert told["people_needed"]["0.001"] == 78
    assert 0 <= told["measured"]["accepted"]["value"] <= 1
    (lost,) = told["left_out"]
    assert lost["name"] == str(people / "bert" / "broken.wav")
    assert any(one.startswith("7 people say little") for one in told["warnings"])


def test_verify_uses_it(done: tuple[Path, Path, dict[str, Any]]) -> None:
    path, _, told = done
    mine = samevoice("verify", SAMPLES / "sample_1a.mp3", SAMPLES / "sample_1b.mp3", "--model", path, "--json")
    usual = samevoice("verify", SAMPLES / "sample_1a.mp3", SAMPLES / "sample_1b.mp3", "--json")
    assert mine.returncode in {0, 3}, mine.stderr
    decision, other = json.loads(mine.stdout), json.loads(usual.stdout)
    assert decision["model"] == told["model"]
    assert decision["far"] == 0.2
    assert decision["calibration"] != other["calibration"]
    assert decision["score"] == other["score"]
    assert decision["llr"] != other["llr"]


def test_the_page_is_one_file_without_foreign_html(done: tuple[Path, Path, dict[str, Any]]) -> None:
    _, page, told = done
    text = page.read_text(encoding="utf-8")
    assert EVIL not in text
    assert "&lt;img src=x" in text
    assert "broken.wav" in text
    assert "With these 7 people, at most 20 % of strangers pass at threshold" in text
    assert told["model"] in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_copy_is_not_calibrated_again_and_never_overwritten_by_itself(
    done: tuple[Path, Path, dict[str, Any]], people: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first.onnx"
    shutil.copy(done[0], first)
    before = first.read_bytes()
    linked = tmp_path / "linked.onnx"
    linked.symlink_to(first)
    for same in (first, linked):
        with pytest.raises(ConfigError, match="is the model itself"):
            calibrate(people, same, model=str(first))
    with pytest.raises(ConfigError, match="calibrated on people of yours already"):
        calibrate(people, tmp_path / "second.onnx", model=str(first), threads=1)
    assert not (tmp_path / "second.onnx").exists()
    assert first.read_bytes() == before


@pytest.mark.parametrize(
    ("output", "report", "sentence"),
    [
        ("mine.txt", None, "models are .onnx files"),
        ("mi\nne.onnx", None, "named with letters"),
        ("a@b.onnx", None, "named with letters"),
        ("campplus.onnx", None, "a model of samevoice"),
        ("nowhere/mine.onnx", None, "no file can be written here"),
        ("mine.onnx", "mine.pdf", "end its name with .html"),
        ("mine.onnx", "nowhere/mine.html", "no such folder"),
    ],
)
def test_what_could_not_be_written_is_refused_before_the_work(
    output: str, report: str | None, sentence: str, people: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        calibrate(people, tmp_path / output, model="campplus", report=tmp_path / report if report else None)
    assert list(tmp_path.iterdir()) == []


def test_too_few_people_leave_the_old_model_alone(people: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.onnx"
    output.write_bytes(b"what was there before")
    (tmp_path / "loose").mkdir()
    shutil.copy(people / "bert" / "sample_2_0.wav", tmp_path / "loose")
    one_each = tmp_path / "one_each"
    for name in ("a", "b", "c", "d", "e", "f"):
        (one_each / name).mkdir(parents=True)
        shutil.copy(people / "bert" / "sample_2_0.wav", one_each / name)
    broken = tmp_path / "broken"
    shutil.copytree(people, broken)
    (broken / "bert" / "sample_2_0.wav").write_bytes(b"")
    refusals: list[tuple[Path, type[SamevoiceError], str]] = [
        (tmp_path / "loose", DataError, "a folder of their own"),
        (one_each, DataError, "0 of 6 people have 2 clips, at least 7 are needed"),
        (broken, DataError, r"2 of 19 clips cannot be used .*broken.*6 of 7 people have 2 clips"),
    ]
    for folder, kind, sentence in refusals:
        with pytest.raises(kind, match=sentence):
            calibrate(folder, output, model="campplus", threads=1)
    assert output.read_bytes() == b"what was there before"


@pytest.mark.slow
def test_a_missing_folder_ends_in_one_sentence(tmp_path: Path) -> None:
    result = run("calibrate", tmp_path / "nobody", "-o", tmp_path / "mine.onnx")
    assert result.returncode == 2
    assert result.stderr.startswith("samevoice: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_recording_counts_once_and_belongs_to_one_person(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(people, copied)
    shutil.copy(copied / "slow" / "philippe_1_0.wav", copied / "slow" / "again.wav")
    calibrate(copied, tmp_path / "mine.onnx", model="campplus", threads=1, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["clips"] == 18
    assert any("the same recording as" in one["message"] for one in told["left_out"])
    shutil.copy(copied / "slow" / "philippe_1_0.wav", copied / "bert" / "again.wav")
    with pytest.raises(DataError, match="are the same recording, under two people"):
        calibrate(copied, tmp_path / "other.onnx", model="campplus", threads=1)
