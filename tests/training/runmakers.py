"""Voices that a tiny network learns to tell apart in seconds, recipes that do it, and runs of the command."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from samevoice.corpora.manifest import Manifest
from samevoice.corpora.opening import open_corpus
from samevoice.export import export_model
from samevoice.models import zoo
from samevoice.networks.small import Small
from samevoice.training.cookbook import load_recipe
from samevoice.training.journal import read_journal
from samevoice.training.recipe import Recipe
from samevoice.training.runs import Run, Sources, Watcher

RATE = 16_000


def voice(speaker: int, take: int, seconds: float = 2.2) -> NDArray[np.float32]:
    """Harmonics of a speaker's own pitch under a speaker's own two formants, with some noise that differs by take."""
    own, random = np.random.default_rng([1, speaker]), np.random.default_rng([2, speaker, take])
    pitch = own.uniform(90, 160)
    formants = np.sort(own.uniform(300, 3500, 2))
    times = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.03 * np.sin(2 * np.pi * random.uniform(2, 5) * times))) / RATE
    sound = random.uniform(0.1, 0.6) * random.standard_normal(len(times))
    for harmonic in range(1, 25):
        strength = sum(np.exp(-(((harmonic * pitch - formant) / 250) ** 2)) for formant in formants) + 0.01
        sound += strength * np.sin(harmonic * phase + random.uniform(0, 6))
    scaled: NDArray[np.float32] = (0.3 * sound / np.abs(sound).max()).astype(np.float32)
    return scaled


def voices(root: Path, speakers: int = 8, takes: int = 4, seconds: float = 2.2) -> Path:
    """A folder per speaker."""
    for speaker in range(speakers):
        (root / f"s{speaker}").mkdir(parents=True)
        for take in range(takes):
            soundfile.write(root / f"s{speaker}/{take}.wav", voice(speaker, take, seconds), RATE)
    return root


def parted(root: Path, dev: int = 0, test: int = 0, nameless: int = 0) -> Manifest:
    """The corpus of a folder; its last speakers are nameless, those before them its test and its dev speakers."""
    found = open_corpus(root, checksums=False).manifest
    names = list(found.speakers)
    ends = np.cumsum([len(names) - dev - test - nameless, dev, test])
    splits = ["train"] * ends[0] + ["dev"] * dev + ["test"] * test + ["train"] * nameless
    splits_of = dict(zip(names, splits, strict=True))
    hidden = set(names[ends[2] :])
    told = [replace(one, split=splits_of[str(one.speaker)]) for one in found]
    return found.only(replace(one, speaker=None) if one.speaker in hidden else one for one in told)


HEAD = """\
name = "tiny"
summary = "A network for tests."
source = "made by a test"
needs = "nothing"
network = { name = "fbanknet-20k" }
crop = { frames = 64 }
validation = { seconds = 0.7 }
data = { valid = 0.3 }
"""
TRIPLETS = """
[stage.triplet]
steps = 24
validate_every = 10
sampler = "random-triplets"
sampler_options = { triplets = 4 }
objectives = [{ loss = "cosine-triplet", options = { margin = 0.2 } }]
optimiser = { lr = 1e-3, clip = 5.0 }
collapse = 0.2
"""
MINED = """
[stage.triplet]
steps = 16
validate_every = 6
sampler = "mined-triplets"
sampler_options = { triplets = 4, speakers = 4, history = 20 }
objectives = [{ loss = "cosine-triplet", options = { margin = 0.2 } }]
optimiser = { kind = "sgd", lr = 1e-2, momentum = 0.9, schedule = "plateau", patience = 1 }
"""
MINED_NEXT = MINED.replace("stage.triplet", "stage.mined")  # beside TRIPLETS
SOFTMAX = """
[stage.softmax]
steps = 16
validate_every = 5
sampler = "buffer"
sampler_options = { batch = 12, buffer = 1000 }
objectives = [{ loss = "am-softmax" }]
optimiser = { kind = "adamw", lr = 3e-3, weight_decay = 0.01, schedule = "cosine", warmup = 3 }
"""
AUGMENT = """
[augment]
noise = { chance = 0.7, snr = [5, 20] }
gain = {}
[mask]
time_width = 6
"""
DISTIL = """
[stage.teacher]
steps = 12
validate_every = 6
sampler = "buffer"
sampler_options = { batch = 6, buffer = 1000 }
unlabelled = 4
objectives = [{ loss = "cosine-distillation" }, { loss = "am-softmax", weight = 0.1 }]
optimiser = { lr = 1e-3 }
"""


def raw_teacher(path: Path) -> Path:
    """A teacher of the small plan that nobody taught."""
    torch.manual_seed(7)
    network = Small()
    network(torch.randn(8, 60, 80))  # its statistics are those of something
    export_model(network.eval(), zoo.entry("campplus").card, path)
    return path


def recipe_file(root: Path, *parts: str) -> Path:
    """A recipe of parts."""
    path = root / "tiny.toml"
    path.write_text(HEAD + "".join(parts))
    return path


def recipe(root: Path, *parts: str, changes: tuple[str, ...] = ()) -> tuple[Recipe, dict[str, Any]]:
    """The same, read, and its table."""
    return load_recipe(str(recipe_file(root, *parts)), changes=changes)


def run(
    told: tuple[Recipe, dict[str, Any]], corpus: Manifest, out: Path, *, save_seconds: float = 60.0, **watched: Any
) -> Run:
    """A run in this process, on one thread, in float32."""
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    watcher = Watcher(**{"say": lambda _: None, **watched})
    return Run(*told, Sources(corpus), out, accelerator, watcher=watcher, save_seconds=save_seconds)


def rows_of(out: Path) -> list[dict[str, Any]]:
    """The journal of a run without what the clock says."""
    return [{key: row[key] for key in row.keys() - {"seconds", "wait"}} for row in read_journal(out)]


def command(*arguments: str | Path) -> list[str]:
    """The command line that trains on one thread, in float32."""
    given = [*map(str, arguments), "--threads", "1", "--precision", "no", "--device", "cpu"]
    return [sys.executable, "-m", "samevoice", "train", *given]


def in_two_processes(line: list[str]) -> list[subprocess.CompletedProcess[str]]:
    """The same command twice, as a launcher of processes starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    started = []
    for rank in ("0", "1"):
        environment = {**os.environ, **places, "RANK": rank, "LOCAL_RANK": rank, "ACCELERATE_USE_CPU": "true"}
        started.append(
            subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    told = [one.communicate(timeout=120) for one in started]
    return [subprocess.CompletedProcess(line, one.returncode, *texts) for one, texts in zip(started, told, strict=True)]
