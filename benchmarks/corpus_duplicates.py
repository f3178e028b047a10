"""How fast are all voices of a corpus compared with all others, and in how much memory?

The voices are random unit vectors, of which some are planted twice with a little noise. They lie in a file, as
`samevoice batch duplicates` puts them there. The floor is numpy's matrix product on blocks of the same size that are
in memory. A million voices make 500 thousand million pairs; by default only the first blocks of them are compared, and
the whole is computed from that.

Run: python -m benchmarks.corpus_duplicates   (a minute; all of it: --share 1)
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samevoice.batch import strangers
from samevoice.batch.pairs import ROWS, count, sample, similar

DIMENSION = 192
NOISE = 0.05  # length of what is added to a voice that is there twice
CHUNK = 100_000


def voices(folder: Path, size: int, twice: int) -> NDArray[np.float32]:
    """Unit vectors in a file; the last `twice` are those of the first once more, with noise."""
    path = folder / "voices.npy"
    generator = np.random.default_rng(1)
    table = np.lib.format.open_memmap(path, "w+", np.float32, (size, DIMENSION))
    for start in range(0, size, CHUNK):
        chunk = generator.standard_normal((min(CHUNK, size - start), DIMENSION), dtype=np.float32)
        table[start : start + len(chunk)] = chunk / np.linalg.norm(chunk, axis=1, keepdims=True)
    noise = generator.standard_normal((twice, DIMENSION), dtype=np.float32)
    again = table[:twice] + NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    table[size - twice :] = again / np.linalg.norm(again, axis=1, keepdims=True)
    table.flush()
    found: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return found


def floor_rate() -> float:
    """Pairs a second of nothing but the matrix product of two blocks."""
    block = np.random.default_rng(2).standard_normal((ROWS, DIMENSION), dtype=np.float32)
    times = []
    for _ in range(8):
        began = time.perf_counter()
        block @ block.T
        times.append(time.perf_counter() - began)
    return ROWS * ROWS / min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voices", type=int, default=1_000_000)
    parser.add_argument("--share", type=float, default=0.02, help="of the pairs that are compared")
    options = parser.parse_args()
    size = round(options.voices * options.share**0.5)
    twice = size // 100
    with tempfile.TemporaryDirectory() as place:
        table = voices(Path(place), size, twice)
        began = time.perf_counter()
        tail = strangers.fit(sample(table))
        if tail is None:
            raise SystemExit("too few voices")
        threshold = tail.threshold(1 / count(size))
        fitted = time.perf_counter() - began
        began = time.perf_counter()
        found = similar(table, threshold)
        took = time.perf_counter() - began
    right = int(((found.second - found.first) == size - twice).sum())
    rate, floor = count(size) / took, floor_rate()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("| voices | pairs | s | million pairs/s | of the bare product | peak MB | found | false |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {size:,} | {count(size):,} | {took:.1f} | {rate / 1e6:.0f} | {100 * rate / floor:.0f} % | {peak:.0f} "
        f"| {right} of {twice} | {len(found) - right} |"
    )
    print(f"\nThreshold {threshold:.3f} for one false pair, fitted in {fitted:.1f} s.")
    hours = count(options.voices) / rate / 3600
    print(f"All {count(options.voices):,} pairs of {options.voices:,} voices at this rate: {hours:.1f} hours.")


if __name__ == "__main__":
    main()
