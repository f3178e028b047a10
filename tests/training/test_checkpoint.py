"""Checkpoints appear whole or not at all, and run nobody's code."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from samevoice.errors import ConfigError, ModelError
from samevoice.training.checkpoint import best_path, last_path, load_checkpoint, resume, save_checkpoint


@contextmanager
def small_disk(most: int) -> Iterator[None]:
    """No file can grow beyond so many bytes: what a full disk looks like to a program."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def content(seed: int, size: int = 1000) -> dict[str, Any]:
    return {"weights": torch.randn(size, generator=torch.Generator().manual_seed(seed)), "step": seed, "names": ["a"]}


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "one.pt"
    save_checkpoint(path, content(1))
    found = load_checkpoint(path)
    assert torch.equal(found.pop("weights"), content(1)["weights"])
    assert found == {"step": 1, "names": ["a"]}


def test_a_full_disk_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "one.pt"
    save_checkpoint(path, content(1))
    before = path.read_bytes()
    with small_disk(100_000), pytest.raises(ModelError, match=r"one before it is intact.*make room"):
        save_checkpoint(path, content(2, 200_000))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["one.pt"]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("owned",)


def test_strangers_run_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 1, "network": Evil()}, tmp_path / "zip.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"format": 1, "network": Evil()}))
    for name in ("zip.pt", "plain.pt"):
        with pytest.raises(ModelError, match="no readable checkpoint"):
            load_checkpoint(tmp_path / name)
    assert not (tmp_path / "owned").exists()


def test_damaged_ones_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "one.pt"
    save_checkpoint(path, content(1))
    whole = path.read_bytes()
    for size in (0, 1, 10, 500, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError, match="no readable checkpoint"):
            load_checkpoint(path)
    for other in ({"format": 2}, {"weights": torch.ones(1)}, [1, 2]):
        torch.save(other, path)
        with pytest.raises(ModelError, match="another format"):
            load_checkpoint(path)
    with pytest.raises(ModelError, match="no readable checkpoint"):
        load_checkpoint(tmp_path / "none.pt")


def test_only_the_same_run_is_gone_on_from(tmp_path: Path) -> None:
    assert resume(tmp_path, "a") is None
    save_checkpoint(last_path(tmp_path), {"identity": "a", "step": 3})
    assert resume(tmp_path, "a") == {"identity": "a", "step": 3}
    with pytest.raises(ModelError, match=r"another recipe or of other data.*another --out"):
        resume(tmp_path, "b")


def test_a_stage_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    assert best_path(tmp_path, "soft-max_2").parent == tmp_path / "checkpoints"
    for name in ("../x", "a/b", "", "a\n"):
        with pytest.raises(ConfigError, match="letters, digits and hyphens"):
            best_path(tmp_path, name)


WRITER = """
import sys, torch
from pathlib import Path
from samevoice.training.checkpoint import save_checkpoint
path = Path(sys.argv[1])
for number in range(1_000_000):
    save_checkpoint(path, {"weights": torch.full((50_000,), float(number))})
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_kill_leaves_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "one.pt"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = [next(process.stdout) for _ in range(5)]
        process.kill()
        told += process.stdout.readlines()
    last = int([line for line in told if line.endswith("\n")][-1])
    found = load_checkpoint(path)["weights"]
    assert float(found[0]) in (last, last + 1)
    assert bool((found == found[0]).all())
