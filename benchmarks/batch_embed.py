"""How many files a minute does `samevoice batch embed` embed, and how much of the processor does it use?

The files are 3 s pieces of LibriSpeech, as 16-bit FLAC, in a folder that the system has just written and so need not
read from the disk. Timed is the whole command in a process of its own, from start to finished dataset: listing,
starting the workers, loading the models. The floor is the bare network on as many processes, for the same number of
clips of 3 s. Processor use is the processor time of the command and its workers, by the time that passed and the
number of workers.

Run: python -m benchmarks.batch_embed --data DIR   (about two minutes)
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.corpus import data_folder, librispeech
from samevoice.models import store
from samevoice.models.encoder import Encoder
from samevoice.runtime import cores

SECONDS = 3
RATE = 16_000
FRAMES = 298  # of 3 s
FLOOR_CLIPS = 100


def pieces(data: Path, folder: Path, count: int) -> int:
    """Write so many clips of LibriSpeech into a folder for each speaker."""
    made = 0
    for one in librispeech(data):
        sound, rate = soundfile.read(one.path, dtype="int16")
        size = SECONDS * rate
        (folder / one.speaker).mkdir(exist_ok=True)
        for start in range(0, len(sound) - size + 1, size):
            if made == count:
                return made
            soundfile.write(folder / one.speaker / f"{made:06d}.flac", sound[start : start + size], rate)
            made += 1
    return made


def command(folder: Path, out: Path, *options: str) -> tuple[float, float]:
    """Seconds that the command takes, and seconds of processor time of it and all its workers."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    line = [sys.executable, "-m", "samevoice", "batch", "embed", str(folder), "-o", str(out), *options]
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def network_seconds(model: str) -> float:
    """Seconds that the bare network takes for a clip of 3 s, on one thread."""
    card, graph = store.load(model)
    encoder = Encoder(card, graph, 1)
    clip = np.random.default_rng(0).standard_normal((1, FRAMES, 80)).astype(np.float32)
    encoder(clip)
    times = []
    for _ in range(FLOOR_CLIPS):
        began = time.perf_counter()
        encoder(clip)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--workers", type=int, nargs="*", default=sorted({1, cores()}))
    parser.add_argument("--ray", action="store_true", help="measure a local Ray cluster too")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    floor = network_seconds(options.model)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "clips"
        folder.mkdir()
        count = pieces(data_folder(options.data), folder, options.files)
        print(f"{count:,} files of {SECONDS} s, {options.model}; bare network {1000 * floor:.1f} ms for each\n")
        print("| how | workers | s | files/min | processor use | of the floor |\n|---|---|---|---|---|---|")
        reference: dict[str, bytes] = {}
        ways = [("processes", workers) for workers in options.workers]
        ways += [("local Ray", workers) for workers in options.workers[-1:] if options.ray]
        for name, workers in ways:
            extra = ("--ray", "local") if name == "local Ray" else ()
            out = Path(place) / f"{name}-{workers}"
            took, busy = command(folder, out, "--model", options.model, "--workers", str(workers), *extra)
            used = "" if extra else f"{100 * busy / took / workers:.0f} %"  # Ray's workers are not our children
            share = f"{100 * count * floor / workers / took:.0f} %"
            print(f"| {name} | {workers} | {took:.1f} | {60 * count / took:,.0f} | {used} | {share} |", flush=True)
            found = {path.name: path.read_bytes() for path in sorted(out.rglob("*.parquet"))}
            if reference and found != reference:
                raise SystemExit("two ways gave different bytes")
            reference = found


if __name__ == "__main__":
    main()
