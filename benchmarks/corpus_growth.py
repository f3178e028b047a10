"""What does `samevoice batch embed` cost beside the network, and how does that grow with the number of recordings?

The network is nearly nothing here, a mean of features times a matrix, and the clips are short, so that what is left
shows: listing, decoding, detector, features, blocks to the workers and back, writing. The same few clips of LibriSpeech
stand in the folder under as many names as wanted. Then the same command runs once more on the finished dataset, which
lists everything and finds nothing to do.

Run: python -m benchmarks.corpus_growth --data DIR [--counts 10000 30000 100000]   (about five minutes)
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import soundfile
from onnx import helper, numpy_helper

from benchmarks.corpus import data_folder, librispeech
from benchmarks.rescnn_step import cpu
from samevoice.models import store
from samevoice.models.card import fingerprint_of
from samevoice.models.encoder import write_model

SECONDS = 1.0
CLIPS = 500
BANDS, DIMENSION = 80, 192
FOLDERS = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run of the command.

    Args:
        seconds: that passed.
        busy: seconds of processor time, of the command and its workers.
        megabytes: memory of its largest process.
    """

    seconds: float
    busy: float
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"{cpu()}; clips of {SECONDS:g} s, a network of one product\n")
    columns = ["recordings", "s", "recordings/s", "core-ms each", "peak MB", "MB on disk", "once more, s"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for count in options.counts:
        with tempfile.TemporaryDirectory() as place:
            model, folder, out = Path(place, "product.onnx"), Path(place, "clips"), Path(place, "dataset")
            write_product(model)
            named(clips(data_folder(options.data), Path(place)), folder, count)
            first, again = run(folder, out, model), run(folder, out, model)
            size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
            cells = [f"{first.seconds:.1f}", f"{count / first.seconds:,.0f}", f"{1000 * first.busy / count:.2f}"]
            cells += [f"{first.megabytes:.0f}", f"{size / 1e6:.0f}", f"{again.seconds:.1f}"]
            print(f"| {count:,} | {' | '.join(cells)} |", flush=True)


def write_product(path: Path) -> None:
    """A model that multiplies the mean of the features with a matrix, with the card of `small`."""
    weights = np.random.default_rng(0).standard_normal((BANDS, DIMENSION), dtype=np.float32)
    sides: list[tuple[str, list[str | int]]] = [
        ("features", ["batch", "frames", BANDS]),
        ("embedding", ["batch", DIMENSION]),
    ]
    given, answered = ([helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, axes)] for name, axes in sides)
    axis = np.array([1], dtype=np.int64)
    content = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["features", "axis"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["embedding"]),
        ],
        "product",
        given,
        answered,
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(axis, "axis")],
    )
    graph = helper.make_model(content, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    card = replace(store.load("small")[0], name=path.stem, calibration=None)
    write_model(path, graph, replace(card, fingerprint=fingerprint_of(graph, card)))


def clips(data: Path, place: Path) -> list[Path]:
    """A few clips, a file each."""
    made = []
    for number, one in enumerate(librispeech(data)[:CLIPS]):
        rate = soundfile.info(one.path).samplerate
        sound, _ = soundfile.read(one.path, round(SECONDS * rate), rate, dtype="int16")  # from its second second
        made.append(place / f"{number}.flac")
        soundfile.write(made[-1], sound, rate)
    return made


def named(sounds: list[Path], folder: Path, count: int) -> None:
    """The clips under so many names, evenly in folders."""
    for speaker in range(FOLDERS):
        (folder / f"speaker-{speaker:03d}").mkdir(parents=True)
    for number in range(count):
        (folder / f"speaker-{number % FOLDERS:03d}" / f"{number:09d}.flac").hardlink_to(sounds[number % len(sounds)])


def run(folder: Path, out: Path, model: Path) -> Cost:
    """The command, from start to end."""
    line = [sys.executable, "-m", "samevoice", "batch", "embed", str(folder), "-o", str(out), "--model", str(model)]
    began = time.perf_counter()
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 3):  # 3: some clips hold too little speech
        raise SystemExit(f"batch embed ended with {child.returncode}")
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
