"""A million trials: cosine, AS-norm with a cohort of 2,000, calibrated evidence. How long, and against a plain loop?

Random unit vectors of 192 dimensions; 4,000 recordings are compared in a million pairs. The peer is the way scripts are
usually written, one trial at a time with scipy, timed on a part.

Run: python -m benchmarks.score_speed
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cosine as scipy_cosine

import samevoice as sv
from benchmarks.rescnn_step import cpu
from samevoice.scoring.asnorm import Cohort, as_norm, statistics
from samevoice.scoring.plda import fit_plda
from samevoice.verification import calibration_of

Vectors = NDArray[np.float32]
Rows = NDArray[np.intp]
Scores = NDArray[np.float64]

TRIALS, RECORDINGS, COHORT, DIMENSION = 1_000_000, 4_000, 2_000, 192
PART = 20_000
REPEATS = 3


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    random = np.random.default_rng(0)
    vectors, others = (units(random, count) for count in (RECORDINGS, COHORT))
    first, second = random.integers(0, RECORDINGS, (2, TRIALS))
    seconds = random.uniform(0.5, 8, TRIALS)
    cohort = Cohort(others, "random@0", "drawn")
    plda = fit_plda(others, [str(place // 4) for place in range(COHORT)], model="random@0", source="drawn")
    calibration = calibration_of(sv.load_model())
    if calibration is None:
        raise SystemExit("the default model has no calibration")
    scores = cosines(vectors, first, second)
    print(f"{cpu()}; {TRIALS:,} trials of {RECORDINGS:,} recordings, the fastest of {REPEATS}\n")
    print("| what | s |\n|---|---|")
    show("cosine", lambda: cosines(vectors, first, second))
    show(f"AS-norm, cohort of {COHORT:,}", lambda: normalised(scores, vectors, cohort, first, second))
    show("evidence by the calibration", lambda: calibration.llrs(scores, seconds))

    def everything() -> object:
        found = cosines(vectors, first, second)
        normalised(found, vectors, cohort, first, second)
        return calibration.llrs(found, seconds)

    show("all three", everything)
    show("PLDA", lambda: plda.llr_matrix(vectors, vectors)[first, second])
    each = fastest(lambda: [1 - scipy_cosine(vectors[first[at]], vectors[second[at]]) for at in range(PART)]) / PART
    print(f"| cosine, one trial at a time with scipy ({PART:,} timed, times {TRIALS // PART}) | {each * TRIALS:.1f} |")


def units(random: np.random.Generator, count: int) -> Vectors:
    """Random unit vectors."""
    found = random.standard_normal((count, DIMENSION)).astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def cosines(
    vectors: Vectors,
    first: Rows,
    second: Rows,
) -> Scores:
    """Of every trial: one product of matrices, then looked up."""
    found: Scores = (vectors @ vectors.T)[first, second].astype(np.float64)
    return found


def normalised(
    scores: Scores,
    vectors: Vectors,
    cohort: Cohort,
    first: Rows,
    second: Rows,
) -> object:
    """AS-norm, the statistics of every recording included."""
    found = statistics(vectors, cohort)
    return as_norm(scores, found.of(first), found.of(second))


def show(name: str, work: Callable[[], object]) -> None:
    """Time and print."""
    print(f"| {name} | {fastest(work):.2f} |", flush=True)


def fastest(work: Callable[[], object]) -> float:
    """Seconds, the least of some repeats."""
    found = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


if __name__ == "__main__":
    main()
