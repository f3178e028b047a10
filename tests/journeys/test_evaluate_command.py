"""`samevoice evaluate` as a person meets it: a folder of real voices, a real model."""

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

SAMPLES = Path(__file__).parents[2] / "samples"
VOICES = {
    "anna": ("sample_1a.mp3", "sample_1b.mp3"),
    "bert": ("sample_2.mp3",),
    "philippe": ("philippe_1.flac", "philippe_2.flac"),
    "l1255": ("librispeech_1255_a.flac",),
}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command and refuse tracebacks whatever happens."""
    command = [sys.executable, "-m", "samevoice", "evaluate", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    return result


def folder(root: Path, *names: str) -> Path:
    """A folder per speaker."""
    for name in names:
        (root / name).mkdir(parents=True)
        for recording in VOICES[name]:
            shutil.copy(SAMPLES / recording, root / name / recording)
    return root


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two speakers with two recordings each, two with one."""
    return folder(tmp_path_factory.mktemp("voices"), *VOICES)


def document(*arguments: object) -> dict[str, Any]:
    """What --json prints."""
    result = samevoice("evaluate", *arguments, "--json")
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.slow
def test_a_folder_of_voices_is_measured(corpus: Path) -> None:
    result = run("campplus", "--data", corpus, "--seconds", "1.5")
    assert result.returncode == 0, result.stderr
    assert "4 speakers" in result.stdout
    assert "EER %" in result.stdout
    assert "95 % interval over speakers" in result.stdout
    assert "easier than two recordings of life" in result.stdout  # pieces of one recording
    assert "no threshold: positives and negatives are left out" in result.stdout


def test_json_counts_what_was_compared(corpus: Path) -> None:
    found = document("campplus", "--data", corpus, "--seconds", "0")
    # Whole recordings: two targets, and all pairs of six but those.
    assert (found["speakers"], found["pieces"], found["targets"], found["non_targets"]) == (4, 6, 2, 13)
    assert found["eer"]["value"] == 0
    assert found["seconds"] is None
    assert found["positive_accuracy"] is None
    assert found["threshold"] is None
    assert found["sessions"] == {"one": 0, "two": 0, "unknown": 2}
    assert found["left_out"] == []
    assert found["model"].startswith("campplus@")


def test_a_given_threshold_is_judged(corpus: Path) -> None:
    strict = document("campplus", "--data", corpus, "--seconds", "0", "--threshold", "1")
    assert strict["threshold"] == {"value": 1.0, "rule": "fixed"}
    assert (strict["positive_accuracy"]["value"], strict["negative_accuracy"]["value"]) == (0, 1)


def test_a_threshold_is_fitted_on_other_speakers(corpus: Path, tmp_path: Path) -> None:
    tested = folder(tmp_path / "tested", "anna", "bert")
    others = folder(tmp_path / "others", "philippe", "l1255")
    found = document(
        "campplus", "--data", tested, "--calibrate-on", others, "--seconds", "1.5", "--rule", "three-sigma"
    )
    assert found["threshold"]["rule"] == "three-sigma"
    assert found["calibration"]["speakers"] == 2
    assert 0 <= found["positive_accuracy"]["value"] <= 1
    cheapest = document(
        *("campplus", "--data", tested, "--calibrate-on", others, "--seconds", "1.5"),
        *("--rule", "min-dcf", "--prior", "0.5"),
    )
    assert cheapest["threshold"]["rule"] == "min-dcf"
    leak = samevoice("evaluate", "campplus", "--data", corpus, "--calibrate-on", others, "--seconds", "1.5")
    assert leak.returncode == 2
    assert "l1255, philippe: on both sides" in leak.stderr


def test_pictures_are_drawn(corpus: Path, tmp_path: Path) -> None:
    result = samevoice("evaluate", "campplus", "--data", corpus, "--seconds", "1.5", "--plots", tmp_path)
    assert result.returncode == 0, result.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == ["det.png", "distances.png"]


def test_few_pieces_of_each_can_be_asked_for(corpus: Path) -> None:
    found = document("campplus", "--data", corpus, "--seconds", "1.5", "--per-speaker", "2")
    assert (found["speakers"], found["pieces"], found["targets"]) == (4, 8, 4)


def test_a_damaged_recording_and_too_little_speech_are_named_and_left_out(corpus: Path, tmp_path: Path) -> None:
    voices = tmp_path / "voices"
    shutil.copytree(corpus, voices)
    sound, rate = soundfile.read(voices / "philippe" / "philippe_1.flac")
    soundfile.write(voices / "philippe" / "silence.wav", 0 * sound, rate)
    (voices / "anna" / "broken.wav").write_bytes(b"RIFF....WAVEnothing")
    result = samevoice("evaluate", "campplus", "--data", voices, "--seconds", "0", "--speech-only", "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["pieces"] == 6
    assert [(one["name"], one["code"]) for one in found["left_out"]] == [("philippe/silence.wav", "short-speech")]
    assert "broken.wav" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--threshold", "0.5", "--rule", "eer"], "already a threshold"),
        (["--rule", "far"], "--calibrate-on"),
        (["--far", "0.1"], "--calibrate-on"),
        (["--threshold", "2"], "threshold must be"),
        (["--seconds", "-1"], "seconds must be"),
        (["--seconds", "nan"], "seconds must be"),
        (["--seconds", "100"], "0 of 0 speakers have two pieces"),
        (["--split", "dev"], "no utterance with a named speaker"),
        (["--plots", "nowhere"], "nowhere: no such folder"),
        (["--calibrate-on", ".", "--rule", "eer", "--far", "0.1"], "--far belongs to --rule far"),
        (["--calibrate-on", ".", "--rule", "far", "--prior", "0.1"], "--prior belongs to --rule min-dcf"),
        (["--prior", "0.1"], "--calibrate-on"),
        (["--calibrate-on", ".", "--rule", "fixed"], "give --threshold"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(corpus: Path, options: list[str], words: str) -> None:
    result = samevoice("evaluate", "campplus", "--data", corpus, *options)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_one_speaker_or_one_recording_each_is_not_enough(tmp_path: Path) -> None:
    alone = samevoice("evaluate", "campplus", "--data", folder(tmp_path / "alone", "anna"), "--seconds", "0")
    assert alone.returncode == 2
    assert "1 of 1 speakers have two pieces, two speakers are needed" in alone.stderr
    single = samevoice("evaluate", "campplus", "--data", folder(tmp_path / "single", "bert", "l1255"), "--seconds", "0")
    assert single.returncode == 2
    assert "0 of 2 speakers have two pieces" in single.stderr
