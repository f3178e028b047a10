"""`run.json`: what a run is, written before its first step and read by whoever wants its network.

Knows: recipe, data, machine, versions. Does not know: what came of it.
"""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from samevoice.errors import ConfigError
from samevoice.training.items import Parts
from samevoice.training.journal import write_json

RUN = "run.json"
LIBRARIES = ("samevoice", "torch", "accelerate", "numpy", "onnxruntime")


def describe_run(
    folder: Path, table: dict[str, Any], network: dict[str, Any], digest: str, taken: Parts, accelerator: Accelerator
) -> None:
    """Write it.

    Args:
        folder: of the run.
        table: the recipe as TOML decoded it.
        network: its "name" and "options", those that the data answered included.
        digest: of the data.
        taken: who is heard, and who is not.
        accelerator: device, processes, precision.

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
        "recipe": table,
        "network": network,
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
