"""How should ONNX Runtime be opened? Threads, spinning, arena and batch, for clips of 3 s of one model.

Each way has processes of its own. *Call*: the median time of a call for each of its clips. *Processor*: time of all
threads for each clip where every call is followed by 20 ms of something else, as decoding or waiting would be. *Peak*:
resident memory of the process after clips of forty lengths, the longest 20 s.

Run: python -m benchmarks.session_options [--model campplus]   (four minutes)
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

import samevoice as sv
from benchmarks.embed_speed import three_seconds
from benchmarks.rescnn_step import cpu
from samevoice.measuring.stages import medians
from samevoice.measuring.worker import peak_mb
from samevoice.models import store
from samevoice.runtime import cores

LENGTHS = np.linspace(100, 2_000, 40).astype(int)  # frames
PAUSE, CALLS = 0.02, 20


@dataclass(frozen=True, slots=True)
class Way:
    """How a session is opened and fed.

    Args:
        threads: of one call.
        spinning: whether threads look for work for a while before they sleep.
        arena: whether memory is kept for the next call.
        batch: clips in a call.
    """

    threads: int
    spinning: bool
    arena: bool
    batch: int

    def opened(self, graph: bytes) -> Any:
        """A session for a graph."""
        import onnxruntime as ort  # after `samevoice.runtime`, which turns its telemetry off

        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.enable_cpu_mem_arena = self.arena
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(self.spinning)))
        return ort.InferenceSession(graph, sess_options=options, providers=["CPUExecutionProvider"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each way")
    parser.add_argument("--rounds", type=int, default=3, help="of all ways; the middle one counts")
    parser.add_argument("--way", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measured(asked.model, Way(*asked.way), asked.seconds)))
        return
    flags = (False, True)
    every = itertools.starmap(Way, itertools.product(sorted({1, 2, cores()}), flags, flags, (1, 4)))
    ways = [way for way in every if way.threads > 1 or not way.spinning]  # one thread has nobody to wait for
    rounds = [[told(asked.model, way, asked.seconds) for way in ways] for _ in range(asked.rounds)]
    print(f"{cpu()}, {cores()} cores; {asked.model}, clips of 3 s\n")
    head = ["threads", "spinning", "arena", "batch", "call, ms", "processor, ms", "peak MB"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for way, found in zip(ways, zip(*rounds, strict=True), strict=True):
        call, busy, peak = np.median(np.array(found), axis=0)
        flagged = " | ".join("on" if flag else "off" for flag in (way.spinning, way.arena))
        print(f"| {way.threads} | {flagged} | {way.batch} | {call:.1f} | {busy:.1f} | {peak:.0f} |")


def told(model: str, way: Way, seconds: float) -> list[float]:
    """What a process of its own measures: threads that spin are not to take time from others."""
    line = [sys.executable, "-m", "benchmarks.session_options", "--model", model, "--seconds", str(seconds)]
    done = subprocess.run([*line, "--way", json.dumps(astuple(way))], capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def measured(model: str, way: Way, seconds: float) -> list[float]:
    """Milliseconds of a call and of processor time with a pause behind it, for each clip; peak memory in 10^6 bytes."""
    clip = sv.load_model(model, threads=1).frontend(three_seconds().samples)
    session = way.opened(store.load(model)[1])
    name = session.get_inputs()[0].name
    features = {name: np.stack([clip] * way.batch)}
    call = medians({"call": lambda: session.run(None, features)}, seconds)["call"]
    began = time.process_time()
    for _ in range(CALLS):
        session.run(None, features)
        time.sleep(PAUSE)
    busy = 1000 * (time.process_time() - began) / CALLS
    for length in LENGTHS:
        session.run(None, {name: np.zeros((1, length, clip.shape[1]), np.float32)})
    return [call / way.batch, busy / way.batch, peak_mb() or 0.0]


if __name__ == "__main__":
    main()
