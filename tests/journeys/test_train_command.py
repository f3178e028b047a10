"""`samevoice train` and `samevoice export` as a person meets them: killed, started again, misused."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))

from runmakers import AUGMENT, MINED_NEXT, SOFTMAX, TRIPLETS, command, parted, recipe, recipe_file, rows_of, run, voices

from samevoice.cli.main import app
from samevoice.corpora.storage import save_manifest
from samevoice.errors import SamevoiceError
from samevoice.models.encoder import read_model
from samevoice.training.checkpoint import best_path, load_checkpoint


def invoke(*arguments: str | Path) -> Result:
    """The command in this process, because starting one takes longer than the work."""
    return CliRunner().invoke(app, [str(one) for one in arguments])


def kill_at(line: list[str], journal: Path, rows: int) -> None:
    """Start a command and kill it as soon as its journal has so many rows."""
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while not (journal.exists() and journal.read_bytes().count(b"\n") >= rows):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.002)
        process.kill()


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """Killed once in every stage."""
    corpus = parted(voices(tmp_path / "voices", 9), dev=2, test=2)
    save_manifest(corpus, tmp_path / "voices" / "manifest.jsonl")
    told = recipe(tmp_path, SOFTMAX, TRIPLETS, MINED_NEXT, AUGMENT)
    run(told, corpus, tmp_path / "whole")()
    line = command(tmp_path / "tiny.toml", "--data", tmp_path / "voices", "--out", tmp_path / "run")
    line += ["--save-seconds", "0.02"]
    rows = rows_of(tmp_path / "whole")
    for stage in told[0].stage:
        numbers = [number for number, row in enumerate(rows, 1) if row["stage"] == stage]
        kill_at(line, tmp_path / "run" / "log.jsonl", *random.sample(numbers[:-2], 1))
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert rows_of(tmp_path / "run") == rows_of(tmp_path / "whole")
    for stage in told[0].stage:
        one, other = (load_checkpoint(best_path(tmp_path / name, stage))["network"] for name in ("run", "whole"))
        assert all(bool((one[name] == value).all()) for name, value in other.items())


@pytest.mark.slow
def test_from_a_folder_to_a_served_model_and_again(tmp_path: Path) -> None:
    voices(tmp_path / "voices", 7, 3)
    path = recipe_file(tmp_path, TRIPLETS.replace("steps = 24", "steps = 4"))
    given = ("--data", tmp_path / "voices", "--out", out := tmp_path / "run", "--threads", "1", "--precision", "no")
    done = invoke("train", path, *given, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((out / "result.json").read_text())
    assert (out / "curves.png").is_file()
    before = {
        one: one.stat().st_mtime_ns for one in (out / "model.onnx", out / "result.json", out / "checkpoints/last.pt")
    }
    again = invoke("train", path, *given)
    assert again.exit_code == 0, again.output
    assert "finished already" in again.stderr
    assert {one: one.stat().st_mtime_ns for one in before} == before
    for extra, name in (((), "mine"), (("--int8",), "small")):
        exported = invoke("export", out, "-o", tmp_path / f"{name}.onnx", "--json", *extra)
        assert exported.exit_code == 0, exported.output
        card, _ = read_model(tmp_path / f"{name}.onnx")
        assert card.name == name
        assert json.loads(exported.stdout)["fingerprint"] == card.fingerprint
    assert (tmp_path / "small.onnx").stat().st_size < (tmp_path / "mine.onnx").stat().st_size
    pair = [tmp_path / "voices" / one for one in ("s0/0.wav", "s0/1.wav")]
    verified = invoke("verify", "--model", tmp_path / "mine.onnx", "--threshold", "0.5", "--json", *pair)
    assert verified.exit_code in (0, 1, 3), verified.output
    other = invoke("train", path, *given, "--set", "seed = 1")
    assert isinstance(other.exception, SamevoiceError)
    assert "another recipe" in str(other.exception)
    (out / "checkpoints" / "last.pt").write_bytes(b"PK")
    damaged = invoke("train", path, *given)
    assert isinstance(damaged.exception, SamevoiceError)
    assert "no readable checkpoint" in str(damaged.exception)


@pytest.mark.slow
def test_every_mistake_is_a_sentence(tmp_path: Path) -> None:
    good = voices(tmp_path / "voices", 5, 3, 0.9)
    path = recipe_file(tmp_path, TRIPLETS)
    (tmp_path / "file").write_text("no sound")
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.onnx").write_bytes(b"odd")
    out = ("--out", tmp_path / "run")
    data = ("--data", good)
    cases: list[tuple[tuple[str | Path, ...], str]] = [
        ((), "needs a recipe"),
        ((path, *data), "needs a recipe"),
        (("none", *data, *out), "unknown"),
        ((tmp_path / "none.toml", *data, *out), "check the path"),
        ((tmp_path, *data, *out), "unknown"),
        ((path, "--data", tmp_path / "none", *out), "none"),
        ((path, "--data", tmp_path / "file", *out), "file"),
        ((path, "--data", tmp_path / "empty", *out), "empty"),
        ((path, "--data", path, *out), "tiny.toml"),
        ((path, *data, "--out", tmp_path / "file"), "another folder"),
        ((path, *data, "--out", tmp_path / "file" / "run"), "another folder"),
        ((path, *data, *out, "--valid", tmp_path / "none"), "none"),
        ((path, *data, *out, "--set", "augment.noise.chance = 0.5", "--noise", tmp_path / "none"), "none"),
        ((path, *data, *out, "--start-from", tmp_path / "none"), "holds no run"),
        ((path, *data, *out, "--start-from", tmp_path / "file"), "holds no run"),
        ((path, *data, *out, "--small"), "small"),
        ((path, *data, *out, "--set", "no.such = 1"), "unknown key"),
        ((path, *data, *out, "--set", "steps"), "TOML"),
        ((path, *data, *out, "--device", "tpu"), "device"),
        ((path, *data, *out, "--precision", "fp64"), "precision"),
        ((path, *data, *out, "--set", 'network.name = "nonet"'), "unknown"),
        ((path, *data, *out, "--set", 'stage.triplet.sampler = "pairs"'), "takes"),
    ]
    for given, expected in cases:
        done = invoke("train", *(given if "--precision" in given else (*given, "--precision", "no")))
        assert isinstance(done.exception, SamevoiceError), (given, done.output, done.exception)
        assert done.exception.exit_code == 2
        assert expected in str(done.exception), given
        assert "\n" not in str(done.exception)
        assert not done.stdout
    for given, expected in (
        ((tmp_path / "none", "-o", tmp_path / "a.onnx"), "no finished run"),
        ((tmp_path / "file", "-o", tmp_path / "a.onnx"), "no finished run"),
        ((tmp_path / "run", "-o", tmp_path / "a.bin"), "name it like"),
    ):
        done = invoke("export", *given)
        assert isinstance(done.exception, SamevoiceError), (given, done.exception)
        assert expected in str(done.exception)


def test_a_mistake_as_json(tmp_path: Path) -> None:
    line = command("none", "--data", tmp_path, "--out", tmp_path / "run", "--json")
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "config"
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_list_is_for_people_and_programs() -> None:
    told = json.loads(invoke("train", "--list", "--json").stdout)
    shown = invoke("train", "--list").stdout
    assert len(told) >= 9
    for one in told:
        assert one["name"] in shown
        assert one["stages"]
