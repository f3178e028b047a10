"""How much memory does a long recording take? Embeds a file of one hour (or more) in a process of its own.

The file is made of the shipped samples, over and over. Printed: peak resident memory and wall time of
`samevoice embed`.

Run: python -m benchmarks.memory_long_file [--hours 1]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

import samevoice as sv
from samevoice.audio.resample import mix, waveforms

SAMPLES = Path(__file__).parents[1] / "samples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--model", default="campplus")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.flac"
        write_long(path, options.hours * 3600)
        began = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "samevoice",
            "embed",
            str(path),
            "-o",
            f"{folder}/out.npz",
            "-m",
            options.model,
        ]
        subprocess.run(command, check=True)
        took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"| {options.hours:g} h | {options.model} | peak {peak:.0f} MB | {took:.0f} s |")


def write_long(path: Path, seconds: float) -> None:
    """A FLAC file of the shipped samples in turn, with a second of near silence between them."""
    parts = []
    for sample in sorted([*SAMPLES.glob("*.flac"), *SAMPLES.glob("*.mp3")]):
        recording = sv.open_recording(sample)
        mono = (mix(block) for block in recording.blocks())
        parts += [block.samples for block in waveforms(mono, recording.info.rate, 16_000)]
        parts.append(np.full(16_000, 1e-4, dtype=np.float32))
    turn = np.concatenate(parts)
    with soundfile.SoundFile(path, "w", samplerate=16_000, channels=1) as file:
        left = round(seconds * 16_000)
        while left > 0:
            file.write(turn[:left])
            left -= len(turn)


if __name__ == "__main__":
    main()
