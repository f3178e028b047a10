"""What does the way from a file to a decision add to the bare network? 3 s of real speech, one thread, several formats.

The bare network is given the features of all 3 s, as one would who has no detector. The whole way opens the file,
decodes, listens, finds speech, makes features, runs the network on what is speech, and decides against a voice known
before. Once more with a detector that does its work and then calls everything speech, so that the network does the same
in both. All of them take turns; figures are medians.

Run: python -m benchmarks.end_to_end [--models campplus small] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import soundfile

import samevoice as sv
from benchmarks.embed_speed import three_seconds
from samevoice.errors import ModelError
from samevoice.measuring.stages import THRESHOLD, Actions, Everywhere, medians
from samevoice.verification import calibration_of, judge

FORMATS: dict[str, dict[str, str]] = {
    "wav": {},
    "flac": {},
    "mp3": {},
    "ogg": {"subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["campplus", "small"])
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=["wav", "flac", "mp3"])
    parser.add_argument("--budget", type=float, default=30.0, help="seconds for all times")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    clip = three_seconds()
    actions: dict[str, Callable[[], object]] = {}
    measured: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        files = {suffix: Path(folder) / f"clip.{suffix}" for suffix in options.formats}
        for suffix, path in files.items():
            soundfile.write(path, clip.samples, clip.rate, **FORMATS[suffix])
        for name in options.models:
            try:
                model = sv.load_model(name, threads=1)
            except ModelError as error:
                print(f"{name}: not measured, {error}")
                continue
            measured.append(name)
            actions |= {f"{name} {what}": action for what, action in ways(model, clip, files).items()}
        took = medians(actions, options.budget)
    rows = [row(name, suffix, took) for name in measured for suffix in files]
    print("| model | file | bare network, ms | to a decision | adds, % | all taken for speech | adds, % |")
    print("|---|---|---|---|---|---|---|")
    for each in rows:
        print(f"| {' | '.join(cell if isinstance(cell, str) else f'{cell:.1f}' for cell in each.values())} |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def row(name: str, suffix: str, took: Mapping[str, float]) -> dict[str, str | float]:
    """The figures of one model and one format, from the times in milliseconds."""
    bare, chosen, every = (took[f"{name} {what}"] for what in ("bare", f"{suffix} chosen", f"{suffix} all"))
    return {
        "model": name,
        "file": suffix,
        "bare_ms": bare,
        "decision_ms": chosen,
        "adds_percent": 100 * (chosen / bare - 1),
        "all_speech_ms": every,
        "all_speech_adds_percent": 100 * (every / bare - 1),
    }


def ways(model: sv.Model, clip: sv.Waveform, files: Mapping[str, Path]) -> Actions:
    """The bare network, and for each file the whole way twice."""
    features = model.frontend(clip)[None]
    threshold = None if calibration_of(model) else THRESHOLD
    known = model.embed(clip)
    found: dict[str, Callable[[], object]] = {"bare": partial(model.encoder, features)}
    for kind, one in (("chosen", model), ("all", model.with_detector(Everywhere(model.detector)))):
        for suffix, path in files.items():
            found[f"{suffix} {kind}"] = partial(decide, one, path, known, threshold)
    return found


def decide(model: sv.Model, path: Path, known: sv.Embedding, threshold: float | None) -> sv.Decision:
    """From a file to a decision."""
    return judge(known, model.embed(path), model=model, threshold=threshold)


if __name__ == "__main__":
    main()
