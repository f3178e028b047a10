"""`run.json`: what a run is, written before its first step and read by whoever wants its network.

Knows: recipe, data, machine, versions. Does not know: what came of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from accelerate import Accelerator

from samevoice.errors import ConfigError
from samevoice.training.checkpoint import last_path
from samevoice.training.items import Parts
from samevoice.training.journal import NAME, write_json

RUN = "run.json"
OURS = (RUN, NAME, "model.onnx", "result.json", "teacher.npz")
fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # not on Windows; two trainings in one folder are then not noticed
    fcntl = None

LIBRARIES = ("samevoice", "torch", "accelerate", "numpy", "onnxruntime")


@contextmanager
def claimed(folder: Path, identity: str) -> Iterator[None]:
    """Hold the folder of a run, so that no other training writes there, and nothing of anybody else is overwritten.

    Args:
        folder: is there and can be written.
        identity: of the run; see `identity_of`.

    Raises:
        ConfigError: another training holds it, or it holds files that are not of this run.
    """
    found = [name for name in OURS if (folder / name).exists()]
    if found and not last_path(folder).exists():
        try:
            known = json.loads((folder / RUN).read_text(encoding="utf-8"))["identity"]
        except (OSError, ValueError, KeyError, TypeError):
            known = None
        began = found != [RUN]  # else it was refused before its first step, and another may take its place
        if known is None or (began and known != _digest(identity)):
            raise ConfigError(f"{folder}: holds files of something else, such as {found[0]}; choose another --out")
    with (folder / ".lock").open("w") as lock:
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"{folder}: another training is at work there; wait for it, or stop it") from error
        try:
            yield
        finally:
            (folder / ".lock").unlink(missing_ok=True)


def identity_of(table: dict[str, Any], digest: str, files: Mapping[str, Path | None]) -> str:
    """What a run is: its checkpoint is gone on from only by the same.

    Args:
        table: the recipe as TOML decoded it.
        digest: of the data.
        files: what else decides the result: name -> file, folder, or None.
    """
    others = {name: _listed(path) for name, path in files.items() if path is not None}
    return json.dumps([table, digest, *([others] if others else [])], sort_keys=True)


def inherited_licences(start: Path | None, teacher: tuple[str, str] | None) -> set[str]:
    """Under which terms a run stands beside those of its own data.

    Args:
        start: folder of the run whose weights it starts from.
        teacher: name of the teacher and the licence of its weights.
    """
    found = {f"{teacher[1]} (teacher {teacher[0]})"} if teacher else set()
    if start is not None:
        try:
            found |= set(json.loads((start / RUN).read_text(encoding="utf-8"))["licences"])
        except (OSError, ValueError, KeyError, TypeError):
            found.add(f"unknown ({start.name})")
    return found


def describe_run(
    folder: Path,
    table: dict[str, Any],
    network: dict[str, Any],
    digest: str,
    taken: Parts,
    accelerator: Accelerator,
    *,
    identity: str,
    licences: Sequence[str],
) -> None:
    """Write it.

    Args:
        folder: of the run.
        table: the recipe as TOML decoded it.
        network: its "name" and "options", those that the data answered included.
        digest: of the data.
        taken: who is heard, and who is not.
        accelerator: device, processes, precision.
        identity: see `identity_of`.
        licences: of all that the weights come from.

    Raises:
        ModelError: it cannot be written.
    """
    sides = {"train": taken.train, "unlabelled": taken.unlabelled, "valid": taken.valid, "test": taken.test}
    counts = {
        name: {
            "utterances": len(side),
            "speakers": len(side.speakers),
            "hours": round(side.seconds / 3600, 4),
            "licences": sorted({one.licence or "unknown" for one in side}),
        }
        for name, side in sides.items()
    }
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "device": str(accelerator.device),
        "processes": accelerator.num_processes,
        "precision": accelerator.mixed_precision,
    }
    content = {
        "identity": _digest(identity),
        "recipe": table,
        "network": network,
        "licences": list(licences),
        "data": {"digest": digest, **counts},
        "machine": machine,
        "versions": {name: version(name) for name in LIBRARIES},
    }
    write_json(folder / RUN, content)


def described_run(folder: Path) -> tuple[list[str], str, dict[str, Any]]:
    """Names of the stages, name and options of the network.

    Raises:
        ConfigError: the folder holds no run.
    """
    try:
        told = json.loads((folder / RUN).read_text(encoding="utf-8"))
        return list(told["recipe"]["stage"]), str(told["network"]["name"]), dict(told["network"]["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder}: holds no run; name the folder given to train --out") from error


def _digest(identity: str) -> str:
    """Short name of an identity."""
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _listed(path: Path) -> list[Any]:
    """Names and sizes of the files below a folder, or of one file."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [[one.relative_to(path).as_posix(), one.stat().st_size] for one in files if one.is_file()]
