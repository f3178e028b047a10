"""`samevoice models`, on a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import modelmakers as make
import pytest
from commandline import samevoice

from samevoice.models import store, zoo
from samevoice.models.encoder import write_model


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command, with standard error that is no terminal."""
    return samevoice("models", *arguments)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a sound model, a damaged one, and one that is missing."""
    pulled = {name: store.model_path(name) for name in ("silero", "ge2e")}
    monkeypatch.setenv("SAMEVOICE_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    shutil.copy(pulled["silero"], tmp_path / "models")
    (tmp_path / "models" / "ge2e.onnx").write_bytes(pulled["ge2e"].read_bytes()[:100_000])
    return tmp_path


def test_the_list_says_what_can_be_used(cache: Path) -> None:
    words = run("list").stdout
    assert f"{zoo.entry('silero').card.fingerprint}  (" in words
    assert " MB)" in words
    assert f"{zoo.entry('ge2e').card.fingerprint}  (damaged, pull it again)" in words
    assert f"{zoo.entry('campplus').card.fingerprint}  (not pulled)" in words
    found = {model["name"]: model for model in json.loads(run("list", "--json").stdout)}
    assert [(name, found[name]["state"], found[name]["installed"], found[name]["bytes"]) for name in sorted(found)] == [
        ("campplus", "missing", False, None),
        ("ge2e", "damaged", False, 100_000),
        ("segmentation", "missing", False, None),
        ("silero", "installed", True, (cache / "models" / "silero.onnx").stat().st_size),
        ("small", "installed", True, store.model_path("small").stat().st_size),
        ("vad", "installed", True, store.model_path("vad").stat().st_size),
    ]
    assert words.count("MB, part of samevoice)") == 2
    assert found["campplus"]["path"] == str(cache / "models" / "campplus.onnx")


def test_info_tells_damage(cache: Path) -> None:
    assert cache.is_dir()
    assert "damaged, pull it again" in run("info", "ge2e").stdout
    assert json.loads(run("info", "ge2e", "--json").stdout)["state"] == "damaged"


def test_info_prints_the_card_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    write_model(path, make.graph(), make.card())
    content = json.loads(run("info", path, "--json").stdout)
    assert content["fingerprint"] == make.card().fingerprint
    assert (content["state"], content["bytes"], content["path"]) == ("installed", path.stat().st_size, str(path))
    assert "A model for tests." in run("info", path).stdout
    missing = run("info", tmp_path / "gone.onnx")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "gone.onnx: cannot be read (No such file or directory)" in missing.stderr


def test_a_path_is_no_name_to_pull(tmp_path: Path) -> None:
    result = run("pull", tmp_path / "own.onnx")
    assert result.returncode == 2
    assert f"run: samevoice models pull NAME --from {tmp_path / 'own.onnx'}" in result.stderr
    assert ", or give" not in run("pull", "nobody").stderr
    assert "or give the path of an .onnx file" in run("info", "nobody").stderr


def test_a_cache_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEVOICE_CACHE", "x" * 5_000)
    result = run("list")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("(cannot be read, check the folder)") == len(zoo.names())


def test_pull_is_quiet_where_a_bar_cannot_move(cache: Path) -> None:
    assert cache.is_dir()
    result = run("pull", "silero")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
