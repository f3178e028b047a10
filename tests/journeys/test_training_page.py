"""docs/training.md does what it says: its five-minute part is run command by command, on a few seconds of real speech.

To be quick, the test adds to the page's `samevoice train` what `QUICK` holds and nothing else: fewer steps, smaller
batches for the few recordings there are, and one thread, so that other work on the machine does not slow it down.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from typer.testing import CliRunner

from samevoice.cli.main import app
from samevoice.training.cookbook import load_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
RATE, PIECE = 16_000, 3 * 16_000
PEOPLE = {
    "anna": ("sample_1a.mp3", "sample_1b.mp3"),
    "bert": ("philippe_1.flac", "philippe_2.flac"),
    "cara": ("librispeech_1255_a.flac",),
}
SPEEDS = {"": 1.0, "-slow": 0.9, "-slower": 0.8}  # a voice at another speed passes for another person
QUICK = (
    "stage.cross-entropy.steps=40",
    "stage.cross-entropy.validate_every=20",
    "stage.cross-entropy.sampler_options.batch=8",
    "stage.triplet.steps=10",
    "stage.triplet.validate_every=5",
    "stage.triplet.sampler_options.triplets=4",
)


def five_minutes() -> list[list[str]]:
    """The commands of the five-minute part, in order."""
    part = PAGE.split("## Train your own in five minutes")[1].split("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", part, re.DOTALL)
    return [shlex.split(line[2:]) for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def voices(root: Path, samples: Path) -> None:
    """A folder per person: `1.wav`, `2.wav`, ... of three seconds."""
    for person, files in PEOPLE.items():
        for name, speed in SPEEDS.items():
            (root / f"{person}{name}").mkdir(parents=True)
            parts = []
            for file in files:
                sound, rate = soundfile.read(samples / file, dtype="float32", always_2d=True)
                parts.append(soxr.resample(sound.mean(axis=1), rate, RATE / speed))
            whole = np.concatenate(parts)
            for number in range(len(whole) // PIECE):
                piece = whole[number * PIECE : (number + 1) * PIECE]
                soundfile.write(root / f"{person}{name}" / f"{number + 1}.wav", piece, RATE)


@pytest.mark.slow
def test_the_five_minutes_are_as_described(tmp_path: Path, samples: Path) -> None:
    voices(tmp_path / "voices", samples)
    commands = five_minutes()
    said: dict[str, str] = {}
    for command in commands:
        assert command[0] == "samevoice"
        name = " ".join(command[1:3]) if command[1] == "data" else command[1]
        quick = ["--threads", "1", *(part for one in QUICK for part in ("--set", one))] if name == "train" else []
        done = subprocess.run(
            [sys.executable, "-m", *command, *quick],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode in ({0, 1} if name == "verify" else {0}), f"{command}: {done.stderr}"
        said[name] = done.stdout
    assert list(said) == ["data scan", "data show", "data split", "train", "evaluate", "export", "verify"]
    assert "speakers    9" in said["data scan"]
    assert "cara-slower" in said["data show"]
    assert sorted(one.name for one in (tmp_path / "parts").iterdir()) == ["dev.jsonl", "test.jsonl", "train.jsonl"]
    assert "EER %" in said["evaluate"]
    assert "other speakers" in said["evaluate"]
    assert re.match(r"(Same person|Different people): .*threshold", said["verify"])

    listed = set(re.findall(r"`([\w./]+)`", PAGE.split("## What lies in")[1].split("\n## ")[0]))
    run = tmp_path / "runs" / "mine"
    there = {f"{one.name}/" if one.is_dir() else one.name for one in run.iterdir()}
    assert there | {"teacher.npz", "last.pt"} == listed  # no teacher here
    stages = json.loads((run / "result.json").read_text(encoding="utf-8"))["training"]
    assert [stages[name]["steps"] for name in stages] == [40, 10]


def test_the_recipe_on_the_page_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    assert load_recipe(str(file))[0].stage["margin"].steps == 5_000
    changes = re.findall(r"`--set ((?:network|seed)[^`]*)`", PAGE)
    assert len(changes) == 2
    recipe, _ = load_recipe("fbanknet", changes=tuple(changes))
    assert (recipe.network.options, recipe.seed) == ({"embedding": "pooled"}, 1)


def test_every_other_command_on_the_page_has_the_options_it_uses() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    spans = [one.split("-m ")[-1] for one in re.findall(r"`((?:accelerate launch .*?-m )?samevoice .*?)`", PAGE)]
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) >= 4
    for line in [*lines, *spans]:
        command = shlex.split(line)
        assert command[0] == "samevoice"
        # --help answers only once all other options are understood
        done = CliRunner().invoke(app, [*command[1:], "--help"])
        assert done.exit_code == 0, f"{line}: {done.output}"
