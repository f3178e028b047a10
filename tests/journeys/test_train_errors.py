"""`samevoice train` with what is wrong in practice: a plain sentence, or a training that goes on without it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from commandline import samevoice

from samevoice.corpora.opening import open_corpus
from samevoice.corpora.storage import save_manifest

PEOPLE = ("anna", "bo", "carl", "dora", "emil", "finn", "gus")
RECIPE = """
name = "tiny"
summary = "For tests."
source = "none"
needs = "nothing"
network = { name = "fbanknet-20k" }
crop = { frames = 64 }
data = { valid = 0.3 }
validation = { seconds = 0.7 }
stage.triplet = { steps = 6, sampler = "random-triplets", sampler_options = { triplets = 4 }, validate_every = 3, \
objectives = [{ loss = "cosine-triplet" }] }
"""


def train(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command and refuse tracebacks whatever happens."""
    command = [sys.executable, "-m", "samevoice", "train", *map(str, arguments), "--device", "cpu", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in done.stderr, done.stderr
    assert "unexpected" not in done.stderr, done.stderr
    return done


def refused(*arguments: object) -> str:
    """The one sentence with which it ends."""
    done = samevoice("train", *arguments, "--device", "cpu", "--threads", "1", "--precision", "no")
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("samevoice: ")
    return last


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def people(root: Path, samples: Path, names: tuple[str, ...] = PEOPLE, each: int = 3, source: str = "1255") -> Path:
    """A folder per speaker with recordings of 0.8 s."""
    speech, rate = soundfile.read(samples / f"librispeech_{source}_a.flac", dtype="int16")
    for place, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for take in range(each):
            begin = 3_000 * (each * place + take) % (len(speech) - 13_000)
            soundfile.write(root / name / f"{take}.flac", speech[begin : begin + 12_800], rate)
    return root


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    return people(tmp_path / "voices", samples)


def test_an_unknown_key_is_named_with_the_known_ones(folder: Path, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    told = refused(recipe, "--data", folder, "--out", out, "--set", "stage.triplet.learning_rate = 0.1")
    assert "unknown key 'learning_rate'" in told
    assert all(name in told for name in ("steps", "sampler", "objectives", "optimiser"))
    assert "is unknown; use one of" in refused("fbanknett", "--data", folder, "--out", out)
    assert not out.exists()


def test_an_empty_corpus(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no recording found" in refused(recipe, "--data", tmp_path / "empty", "--out", tmp_path / "run")
    assert "nowhere" in refused(recipe, "--data", tmp_path / "nowhere", "--out", tmp_path / "run")


def test_a_speaker_on_two_sides_is_named(folder: Path, recipe: Path, samples: Path, tmp_path: Path) -> None:
    other = people(tmp_path / "others", samples, ("zoe", "carl", "emil"))
    told = refused(recipe, "--data", folder, "--out", tmp_path / "run", "--valid", other)
    assert "2 speakers are in both train and valid: carl, emil" in told


def test_a_teacher_that_is_not_there(folder: Path, recipe: Path, tmp_path: Path) -> None:
    text = recipe.read_text(encoding="utf-8").replace("cosine-triplet", "cosine-distillation")
    recipe.write_text(text.replace("validate_every", "unlabelled = 5, validate_every"), encoding="utf-8")
    told = refused(recipe, "--data", folder, "--out", tmp_path / "run", "--set", "teacher=nobody")
    assert "nobody" in told  # the teacher is what is missing, not the unlabelled utterances


def test_nobody_with_two_recordings(recipe: Path, samples: Path, tmp_path: Path) -> None:
    folder = people(tmp_path / "voices", samples, each=1)
    valid = people(tmp_path / "valid", samples, ("x", "y", "z"), source="19")
    told = refused(recipe, "--data", folder, "--valid", valid, "--out", tmp_path / "run")
    assert "no speaker has two utterances" in told


@pytest.mark.slow
def test_it_goes_on_without_what_cannot_be_used(folder: Path, recipe: Path, samples: Path, tmp_path: Path) -> None:
    """A recording that got lost after the corpus was listed, and a speaker with one of them."""
    valid = people(tmp_path / "valid", samples, ("x", "y", "z"), source="19")
    for take in (1, 2):
        (folder / "gus" / f"{take}.flac").unlink()
    save_manifest(open_corpus(folder).manifest, folder / "manifest.jsonl")
    for name in ("anna/0.flac", "carl/1.flac"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:2000])
    out = tmp_path / "run"
    arguments = (recipe, "--data", folder / "manifest.jsonl", "--valid", valid, "--out", out, "--set")
    done = train(*arguments, "stage.triplet.steps = 40", "--workers", 2)
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert sorted(result["skipped"]) == ["anna/0.flac", "carl/1.flac"]
    assert all(name in why for name, why in result["skipped"].items())
    assert result["speakers_of_one_item"] == ["gus"]
    assert "2 utterances could not be heard and were skipped" in done.stderr
    for name in ("anna/0", "carl/1", "gus"):
        assert name in done.stderr
    assert (out / "model.onnx").is_file()


def test_too_many_lost_recordings_stop_it(folder: Path, recipe: Path, samples: Path, tmp_path: Path) -> None:
    valid = people(tmp_path / "valid", samples, ("x", "y", "z"), source="19")
    save_manifest(open_corpus(folder).manifest, folder / "manifest.jsonl")
    for name in PEOPLE:
        shutil.copy(recipe, folder / name / "0.flac")
    data = ("--data", folder / "manifest.jsonl", "--valid", valid, "--out", tmp_path / "run")
    told = refused(recipe, *data, "--set", "stage.triplet.steps = 200")
    assert "of 21 recordings cannot be read" in told
    assert "samevoice data scan" in told
