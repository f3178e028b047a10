"""`samevoice evaluate --trials` as a person meets it: a list, real voices, a real model."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile
from commandline import samevoice

import samevoice as sv
from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.storage import save_manifest

SAMPLES = Path(__file__).parents[2] / "samples"
RECORDINGS = {
    "a<b>/1 & 2.wav".replace(" ", ""): "sample_1a.mp3",
    "anna.wav": "sample_1b.mp3",
    "bert.wav": "sample_2.mp3",
    "p1.wav": "philippe_1.flac",
    "p2.wav": "philippe_2.flac",
}
SAME = [("a<b>/1&2.wav", "anna.wav"), ("p1.wav", "p2.wav")]
LINES = [
    *(f"1 {one} {other}" for one, other in SAME),
    *(f"0 {one} {other}" for one in ("a<b>/1&2.wav", "bert.wav") for other in ("p1.wav", "p2.wav")),
]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command and refuse tracebacks whatever happens."""
    command = [sys.executable, "-m", "samevoice", "evaluate", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    assert "unexpected" not in result.stderr, result.stderr
    return result


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds and a half of each voice, a file that is none, and lists."""
    folder = tmp_path_factory.mktemp("voices")
    for name, source in RECORDINGS.items():
        sound, rate = soundfile.read(SAMPLES / source, dtype="float32")
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, sound[: round(2.5 * rate)], rate)
    (folder / "broken.wav").write_bytes(b"nothing")
    (folder / "list.txt").write_text("\n".join([*LINES, "0 anna.wav broken.wav", "0 bert.wav gone.wav"]) + "\n")
    (folder / "kaldi").write_text("anna.wav bert.wav nontarget\np1.wav p2.wav target\n")
    people = [
        Utterance(name, name, "", name, None, 0.0, 2.5, 16_000, "en", gender, "", "", "", "")
        for name, gender in (("anna.wav", "f"), ("p1.wav", "m"), ("p2.wav", "m"))
    ]
    save_manifest(Manifest(folder, tuple(people)), folder / "manifest.jsonl")
    return folder


@pytest.fixture(scope="module")
def told(root: Path) -> tuple[dict[str, Any], str, str]:
    """What --json prints, the page, and what is said beside it."""
    page = root / "report.html"
    given = ("--trials", root / "list.txt", "--root", root, "--manifest", root / "manifest.jsonl")
    result = run(*given, "--stress", "--report", page, "--json", "--threads", 1)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), page.read_text(encoding="utf-8"), result.stderr


def test_json_tells_everything(told: tuple[dict[str, Any], str, str], root: Path) -> None:
    found, _, stderr = told
    keys = {"eer", "min_dcf", "act_dcf", "cllr", "cllr_min", "auc", "trials", "intervals", "left_out", "priors"}
    assert "fewer than 10 speakers" in " ".join(told[0]["notes"])
    assert keys <= set(found)
    assert (found["trials"], found["targets"], found["non_targets"], found["recordings"]) == (6, 2, 4, 5)
    assert found["speakers"] == 3
    assert found["model"].startswith("campplus@")
    assert found["priors"] == {"min_dcf": 0.01, "min_dcf_05": 0.05, "act_dcf": 0.01, "act_dcf_05": 0.05}
    for name in ("eer", "min_dcf", "act_dcf", "cllr", "cllr_min", "auc"):
        low, high = found["intervals"][name]
        assert low <= found[name] <= high
    assert found["left_out"]["trials"] == 2
    assert [one["name"] for one in found["left_out"]["recordings"]] == ["broken.wav", "gone.wav"]
    assert "2 of 7 recordings left out" in stderr
    worst = found["worst"]
    assert [one["is_target"] for one in worst] == [True] * 2 + [False] * 4
    decision = sv.verify(root / worst[0]["first"], root / worst[0]["second"])
    assert worst[0]["score"] == pytest.approx(decision.score, abs=1e-4)
    assert worst[0]["llr"] == pytest.approx(decision.llr, abs=1e-3)
    assert worst[0]["verdict"] == decision.verdict
    assert worst[0]["llr"] <= worst[1]["llr"]
    assert worst[2]["llr"] >= worst[3]["llr"]


def test_the_manifest_tells_gender(told: tuple[dict[str, Any], str, str]) -> None:
    found, page, _ = told
    parts = {part["name"]: part for part in found["breakdown"] if part["by"] == "gender"}
    assert (parts["m"]["targets"], parts["m"]["non_targets"]) == (1, 0)
    assert (parts["unknown"]["targets"], parts["unknown"]["non_targets"]) == (1, 4)
    assert "By gender" in page
    assert "--manifest" not in page


def test_stress_names_its_conditions(told: tuple[dict[str, Any], str, str]) -> None:
    found, page, _ = told
    names = [one["name"] for one in found["stress"]]
    always = [
        *("noise at 20 dB", "noise at 10 dB", "noise at 0 dB", "room", "telephone band"),
        *("3 s of speech", "2 s of speech", "1 s of speech"),
    ]
    assert [name for name in names if name not in {"mp3", "opus"}] == always
    assert {"mp3", "opus"} - set(names) == set(found["not_run"])
    for one in found["stress"]:
        assert one["trials"] == 0 or one["trials"] + one["left_out"] == 8
        assert one["name"] in page


def test_the_page_is_whole(told: tuple[dict[str, Any], str, str]) -> None:
    _, page, _ = told
    assert page.startswith("<!DOCTYPE html>")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    for title in ("Measures", "Calibration", "Where it errs", "Under stress", "Worst trials", "How it was measured"):
        assert f"<h2>{title}</h2>" in page
    assert "a&lt;b&gt;/1&amp;2.wav" in page
    assert "<b>" not in page
    assert page.count("data:image/svg+xml") == 3
    sounds = re.findall(r"data:audio/wav;base64,([^\"]+)", page)
    assert len(sounds) == 2 * 6
    assert base64.b64decode(sounds[0]).startswith(b"RIFF")
    assert "broken.wav" in page


def test_words_and_the_form_of_kaldi(root: Path) -> None:
    result = samevoice("evaluate", "campplus", "--trials", root / "kaldi", "--root", root)
    assert result.returncode == 0, result.stderr
    assert "1 target and 1 non-target trials, 0 of 2 left out" in result.stdout
    assert "Of 1 trials with two people" in result.stdout
    assert "EER" in result.stdout


def test_a_model_without_calibration_gives_no_evidence(root: Path, tmp_path: Path) -> None:
    from samevoice.evaluation.triallist import read_trials
    from samevoice.evaluation.trialpage import write_page
    from samevoice.evaluation.trialreport import TrialReport
    from samevoice.evaluation.trialrun import embed_all, find_recordings, measure, score

    listed = read_trials(root / "kaldi")
    paths = find_recordings(listed.names, root)
    found = score(listed, None, embed_all(sv.load_model("campplus", threads=1), paths))
    measured, draws = measure(found)
    report = TrialReport("m@1", "kaldi", listed, found, measured, draws, {}, [], None, {}, None)
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert [document[name] for name in ("act_dcf", "cllr", "cllr_min", "verdicts", "stress")] == [None] * 5
    assert document["worst"][0]["verdict"] is None
    assert "no calibration" in str(report)
    write_page(report, dict(zip(listed.names, paths, strict=True)), tmp_path / "report.html")
    assert "no probabilities to check" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--trials", "list.txt"], "--trials needs --root"),
        (["--trials", "list.txt", "--root", ".", "--data", "."], "--data does not go with --trials"),
        (["--trials", "list.txt", "--root", ".", "--per-speaker", "3"], "--per-speaker does not go with --trials"),
        (["--data", ".", "--report", "x.html"], "--report does not go with --data"),
        ([], "nothing to evaluate"),
        (["campplus", "-m", "ge2e", "--data", "."], "given twice"),
        (["--trials", "none.txt", "--root", "."], "none.txt"),
        (["--trials", "list.txt", "--root", "nowhere"], "no such folder"),
        (["--trials", "list.txt", "--root", ".", "--report", "x.pdf"], "end its name with .html"),
        (["--trials", "list.txt", "--root", ".", "--report", "none/x.html"], "no such folder"),
        (["--trials", "out.txt", "--root", "."], "leads out of"),
        (["--trials", "self.txt", "--root", "."], "anna.wav and ./anna.wav are one file"),
        (["--trials", "list.txt", "--root", ".", "--report", "folder.html"], "is a folder"),
    ],
)
def test_errors_are_sentences(arguments: list[str], sentence: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (root / "out.txt").write_text("1 ../a.wav anna.wav\n0 anna.wav bert.wav\n")
    (root / "self.txt").write_text("1 anna.wav ./anna.wav\n0 anna.wav bert.wav\n")
    (root / "folder.html").mkdir(exist_ok=True)
    result = samevoice("evaluate", *arguments)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert result.stdout == ""
