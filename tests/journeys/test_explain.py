"""`samevoice verify --explain`: a picture and plain words beside the verdict."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from samevoice.cli import verify as command
from samevoice.cli.main import app
from samevoice.evaluation.explained import NO_SLICES

SAMPLES = Path(__file__).parents[2] / "samples"
PAIR = str(SAMPLES / "sample_1a.mp3"), str(SAMPLES / "sample_1b.mp3")


def invoke(*arguments: object) -> tuple[int, str, str]:
    """Exit code, output and errors of a command in this process."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--threads", "1"])
    return done.exit_code, done.stdout, done.stderr if done.exception is None else f"{done.stderr}{done.exception!r}"


@pytest.mark.slow
def test_words_and_picture(tmp_path: Path) -> None:
    code, plain, _ = invoke("verify", *PAIR)
    assert code == 0
    code, said, _ = invoke("verify", *PAIR, "--explain", tmp_path / "why.png")
    assert code == 0
    assert said.startswith(plain)
    rest = said.removeprefix(plain)
    assert "Slices: 2 of 1.5 s against 4 of 1.5 s" in rest
    assert all(f"{name}: speech " in rest for name in PAIR)
    picture = (tmp_path / "why.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["why.png"]


def test_the_picture_tells_the_verdict_the_names_and_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")
    sound, rate = soundfile.read(SAMPLES / "philippe_1.flac", dtype="float32")
    other, _ = soundfile.read(SAMPLES / "librispeech_1255_a.flac", dtype="float32")
    sound[2 * rate : 2 * rate + rate * 3 // 2] = other[round(3.8 * rate) :][: rate * 3 // 2]
    path = tmp_path / "$a^$ 1.wav"  # no formula
    soundfile.write(path, sound, rate)
    code, said, _ = invoke("verify", path, SAMPLES / "philippe_2.flac", "--explain", tmp_path / "why.svg")
    assert code == 0
    drawn = (tmp_path / "why.svg").read_text(encoding="utf-8")
    for words in ("Same person: the evidence is", "$a^$ 1.wav, s", "philippe_2.flac, s", "hurts most", "cosine of two"):
        assert words in drawn, words
    assert "hurts most; without it the cosine would be" in said


def test_json_has_the_explanation(tmp_path: Path) -> None:
    picture = tmp_path / "why.png"
    (_, plain, _), (code, more, _) = (
        invoke("verify", *PAIR, "--json"),
        invoke("verify", *PAIR, "--json", "--explain", picture),
    )
    told = json.loads(more)
    explanation = told.pop("explanation")
    assert code == 0
    assert told == json.loads(plain)
    assert np.shape(explanation["similarities"]) == tuple(len(side["slices"]) for side in explanation["sides"])
    assert picture.exists()


def test_silence_cannot_tell_and_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")
    soundfile.write(tmp_path / "silence.wav", np.zeros(48_000), 16_000)
    code, said, _ = invoke("verify", PAIR[0], tmp_path / "silence.wav", "--explain", tmp_path / "why.svg")
    assert code == 3
    assert said.startswith("Cannot tell: ")
    assert NO_SLICES in (tmp_path / "why.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "words"), [("why.txt", "suffix"), ("nowhere/why.png", "no such folder")])
def test_a_picture_that_cannot_be_drawn(name: str, words: str, tmp_path: Path) -> None:
    code, said, complaint = invoke("verify", "nowhere.wav", "nowhere.wav", "--explain", tmp_path / name)
    assert (code != 0, said) == (True, "")
    assert words in complaint


def test_without_matplotlib_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    def never(*_: object) -> None:
        raise AssertionError("a model was opened")

    monkeypatch.setattr(command, "load_model", never)
    code, _, complaint = invoke("verify", *PAIR, "--explain", tmp_path / "why.png")
    assert code != 0
    assert "pip install 'samevoice[plots]'" in complaint


def test_standard_input_is_refused(tmp_path: Path) -> None:
    code, said, complaint = invoke("verify", "-", PAIR[0], "--explain", tmp_path / "why.png")
    assert (code != 0, said) == (True, "")
    assert "only once" in complaint
