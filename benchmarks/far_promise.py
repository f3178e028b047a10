"""Is a stated false-accept rate kept by other people? Many calibrations, each judged on speakers it never saw.

In each run half of the LibriSpeech speakers, drawn anew, calibrate as the product does, and the others are compared at
the thresholds found: as they were recorded, and with one side in simulated other conditions. Beside it the rule that
every toolkit uses, the quantile of the calibration scores themselves.

Run: python -m benchmarks.far_promise --data DIR [--runs 200]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import samevoice as sv
from benchmarks.conditions import Conditions, here_and_elsewhere
from benchmarks.corpus import LENGTHS, data_folder, librispeech, speech_pieces
from samevoice.evaluation.thresholds import far_threshold
from samevoice.scoring.bounds import bounded_thresholds, least_rate
from samevoice.speech.vad import everything

RATES = (0.05, 0.01, 0.001)
PIECES = 2  # of a speaker
SEED = 3


@dataclass(frozen=True, slots=True)
class Scores:
    """Non-target trials: their scores, and who is on either side."""

    values: NDArray[np.float64]
    first: NDArray[np.intp]
    second: NDArray[np.intp]

    def among(self, people: NDArray[np.intp]) -> Scores:
        """Those between some of the people."""
        kept = np.isin(self.first, people) & np.isin(self.second, people)
        return Scores(self.values[kept], self.first[kept], self.second[kept])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    folder = data_folder(options.data)
    model = sv.load_model(options.model, options.threads, detector=everything)
    detector = sv.load_detector()
    utterances = librispeech(folder)
    print(f"{model.card.fingerprint}, {len(utterances)} speakers, {options.runs} runs\n")
    print("| speech | sides | stated | kept by the bound | median rate | kept by the quantile | median rate |")
    print("|---|---|---|---|---|---|---|")
    for label, seconds in LENGTHS:
        pieces, names = speech_pieces(utterances, seconds, detector, PIECES)
        elsewhere = Conditions(folder, np.random.default_rng(SEED))
        clean, other = here_and_elsewhere(model, pieces, elsewhere)
        _, numbers = np.unique(names, return_inverse=True)
        rows, columns = np.nonzero(numbers[:, None] < numbers)
        for sides, second in (("as recorded", clean), ("one elsewhere", other)):
            values = (clean @ second.T)[rows, columns].astype(np.float64)
            scores = Scores(values, numbers[rows], numbers[columns])
            for cells in judged(scores, options.runs):
                print(f"| {label} | {sides} | {' | '.join(cells)} |", flush=True)


def judged(scores: Scores, runs: int) -> list[list[str]]:
    """For each rate how many runs kept it, and the median of what was found: by the bound and by the quantile."""
    people = np.unique(np.concatenate([scores.first, scores.second]))
    half = len(people) // 2
    rates = [rate for rate in RATES if rate >= least_rate(half * (half - 1) // 2)]
    found = np.empty((runs, 2, len(rates)))
    for run in range(runs):
        order = np.random.default_rng([SEED, run]).permutation(people)
        known, others = scores.among(order[:half]), scores.among(order[half:])
        bounded = bounded_thresholds(known.values, known.first, known.second, rates, seed=run)
        plain = [far_threshold(known.values, rate).value for rate in rates]
        found[run] = [[np.mean(others.values >= cut) for cut in cuts] for cuts in (bounded, plain)]
    rows = []
    for place, rate in enumerate(rates):
        cells = [f"{100 * rate:g} %"]
        for way in range(2):
            seen = found[:, way, place]
            cells += [f"{100 * np.mean(seen <= rate):.1f} % of runs", f"{100 * np.median(seen):.3g} %"]
        rows.append(cells)
    return rows


if __name__ == "__main__":
    main()
