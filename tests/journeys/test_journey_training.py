"""Journey of a student: own voices to a trained, evaluated, calibrated, exported and served model.

docs/tutorials/training.md is run as it stands, on a few seconds of real speech. To be quick, the test adds to
the page's `samevoice train` what `QUICK` holds and nothing else: fewer steps, smaller batches for the few recordings
there are, and one thread, so that other work on the machine does not slow it down.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commandline import samevoice
from pagefiles import prepare
from pages import ROOT, Walk
from quickly import stages, train
from sockets import free_port

QUICK = dict(
    [
        train(
            "fbanknet-20k",
            *("stage.cross-entropy.steps=40", "stage.cross-entropy.validate_every=20"),
            "stage.cross-entropy.sampler_options.batch=8",
            *("stage.triplet.steps=10", "stage.triplet.validate_every=5", "stage.triplet.sampler_options.triplets=4"),
        ),
        train("small-further", *stages("batch=4", voices=3), "validation.seconds=1.5"),
    ]
)
DETAILS = "docs/training.md"


def refused(walk: Walk) -> None:
    """A model that began with nothing and heard four people cannot be calibrated, as the page says."""
    with walk.here():
        done = samevoice("calibrate", "people/", "--model", "first.onnx", "-o", "refused.onnx")
    assert done.returncode == 2
    assert "these clips cannot calibrate the model: " in done.stderr
    assert not (walk.folder / "refused.onnx").exists()


@pytest.mark.slow
def test_a_student_serves_a_model_of_own_voices(tmp_path: Path) -> None:
    prepare(tmp_path, "voices/ people/")
    port = free_port()
    with Walk("docs/tutorials/training.md", tmp_path, {"8750": port}, QUICK, figures=False) as walk:
        walk.run(until="samevoice calibrate")
        refused(walk)
        walk.run()
        said = walk.said("samevoice verify --model first.onnx")
        assert re.match(r"(Same person|Different people): .*threshold", said)
        said = walk.said("samevoice verify --model mine-calibrated.onnx")
        assert re.match("(Same person|Cannot tell): ", said)  # of a second and a half
        served = json.loads(walk.said("curl"))
        assert served["model"].startswith("mine-calibrated@")
        assert served["calibration"]
    assert sorted(one.name for one in (tmp_path / "parts").iterdir()) == ["dev.jsonl", "test.jsonl", "train.jsonl"]
    evaluated = walk.said("samevoice evaluate")
    assert "EER %" in evaluated
    assert "other speakers" in evaluated

    run = tmp_path / "runs" / "mine"
    text = (ROOT / DETAILS).read_text(encoding="utf-8")
    listed = set(re.findall(r"`([\w./]+)`", text.split("## What lies in")[1].split("\n## ")[0]))
    there = {f"{one.name}/" if one.is_dir() else one.name for one in run.iterdir()}
    assert there <= listed
    assert listed - there == {"teacher.npz", "last.pt"}  # no teacher here
    stages = json.loads((run / "result.json").read_text(encoding="utf-8"))["training"]
    assert [stages[name]["steps"] for name in stages] == [40, 10]
