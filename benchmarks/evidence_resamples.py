"""What is the evidence worth to people the calibration never saw? Many calibrations, each judged on other speakers.

In each run half of the LibriSpeech speakers, drawn anew, calibrate, and the trials among the others are judged: by what
the evidence costs beyond the least that any calibration of those very scores could reach (Cllr - Cllr_min), and by
actDCF, the cost of deciding by the evidence, over minDCF, the cost at the cosine that is best on those very trials.
Beside it how a cosine fares that is best on the half that calibrates: so much of the ratio is chance, since no rule can
know the best cosine of other people.

Run: python -m benchmarks.evidence_resamples --data DIR [--runs 200]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import samevoice as sv
from benchmarks.conditions import Conditions, here_and_elsewhere
from benchmarks.corpus import LENGTHS, data_folder, librispeech, speech_pieces
from samevoice.evaluation.curves import Array, curve_of
from samevoice.evaluation.thresholds import min_dcf_threshold
from samevoice.scoring.calibration import fit
from samevoice.speech.vad import everything

PRIORS = (0.5, 0.05)
PIECES = 4  # of a speaker
SEED = 4


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
    print(f"{model.card.fingerprint}, {len(utterances)} speakers, {options.runs} runs, medians\n")
    print("| speech | sides | Cllr - least ", end="")
    print("".join(f"| minDCF {prior} | evidence / least | fitted cosine / least " for prior in PRIORS) + "|")
    print(f"|{'---|' * (3 + 3 * len(PRIORS))}")
    for label, seconds in LENGTHS:
        pieces, names = speech_pieces(utterances, seconds, detector, PIECES)
        elsewhere = Conditions(folder, np.random.default_rng(SEED))
        clean, other = here_and_elsewhere(model, pieces, elsewhere)
        _, speakers = np.unique(names, return_inverse=True)
        rows, columns = np.triu_indices(len(speakers), k=1)
        for sides, tables in (
            ("as recorded", [clean @ clean.T]),
            ("one elsewhere", [clean @ other.T, other @ clean.T]),
        ):
            scores = np.concatenate([table[rows, columns] for table in tables]).astype(np.float64)
            first, second = (np.tile(speakers[side], len(tables)) for side in (rows, columns))
            runs = [judged(scores, first, second, run) for run in range(options.runs)]
            cells = [f"{value:.4f}" for value in np.median(runs, axis=0)]
            print(f"| {label} | {sides} | {' | '.join(cells)} |", flush=True)


def judged(scores: Array, first: NDArray[np.intp], second: NDArray[np.intp], run: int) -> list[float]:
    """The figures of one run: Cllr beyond the least; for each prior minDCF, and what both rules cost relative to it."""
    people = np.random.default_rng([SEED, run]).permutation(int(max(first.max(), second.max())) + 1)
    known = np.isin(np.arange(len(people)), people[: len(people) // 2])
    same, ours, theirs = first == second, known[first] & known[second], ~known[first] & ~known[second]
    calibration = fit(
        scores[ours],
        np.ones(int(ours.sum())),  # one length a row, so that no duration is to be learned
        same[ours],
        (first[ours], second[ours]),
        rates=(0.3,),
        source="half of the speakers",
    )
    llrs = calibration.llrs(scores[theirs], 1.0)
    of_evidence = curve_of(llrs[same[theirs]], llrs[~same[theirs]])
    of_scores = curve_of(scores[theirs & same], scores[theirs & ~same])
    figures = [of_evidence.cllr() - of_scores.cllr_min()]
    for prior in PRIORS:
        least = of_scores.min_dcf(prior)
        cut = min_dcf_threshold(scores[ours & same], scores[ours & ~same], prior).value
        fitted = of_scores.costs(prior)[np.searchsorted(of_scores.cuts, cut)]
        figures += [least, of_evidence.act_dcf(prior) / max(least, 1e-9), fitted / max(least, 1e-9)]
    return figures


if __name__ == "__main__":
    main()
