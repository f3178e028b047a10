"""Do the decisions keep their promise on speakers the calibration never saw?

Pieces of speech of the LibriSpeech speakers outside the development split are compared, all pairs, at the default
false-accept rate: as they were recorded, and with one side in simulated other conditions.
Printed: how often each verdict is right, wrong or withheld; the cost of the evidence (Cllr) beside the least that any
calibration of these scores could reach; and actDCF, what decisions by the evidence cost, beside minDCF, the cost at the
threshold that is best on this very test.

Run: python -m benchmarks.decision_quality --data DIR [--model campplus]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import samevoice as sv
from benchmarks.conditions import Conditions, here_and_elsewhere
from benchmarks.corpus import LENGTHS, data_folder, librispeech, pair_scores, speech_pieces
from samevoice.evaluation.curves import Array, curve_of
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import DEFAULT_FAR, DIFFERENT_LLR, SAME_LLR
from samevoice.speech.vad import everything
from samevoice.verification import calibration_of

SEED = 2  # not that of the fit
PRIORS = (0.5, 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    folder = data_folder(options.data)
    utterances = librispeech(folder, "train")
    elsewhere = Conditions(folder, np.random.default_rng(SEED))
    detector = sv.load_detector()
    model = sv.load_model(options.model, options.threads, detector=everything)
    calibration = calibration_of(model)
    if calibration is None:
        raise SystemExit(f"{options.model} has no calibration")
    print(f"{model.card.fingerprint}, {len(utterances)} speakers, false-accept rate {DEFAULT_FAR:g}")
    print("| speech | sides | target: same | unsure | different | non-target: same | unsure | different ", end="")
    print("| Cllr | least | actDCF 0.5 | least | actDCF 0.05 | least |")
    print(f"|{'---|' * 14}")
    for length, seconds in LENGTHS:
        pieces, names = speech_pieces(utterances, seconds, detector)
        spoken = np.array([len(one.samples) / one.rate for one in pieces])
        rows, columns = np.triu_indices(len(pieces), k=1)
        shorter = np.minimum(spoken[rows], spoken[columns])
        clean, other = here_and_elsewhere(model, pieces, elsewhere)
        for label, sides in (("as recorded", (clean, clean)), ("one elsewhere", (clean, other))):
            scores, is_target = pair_scores(*sides, names)
            cells = row(calibration, scores, shorter, is_target)
            print(f"| {length} | {label} | {' | '.join(cells)} |", flush=True)


def row(calibration: Calibration, scores: Array, seconds: Array, is_target: NDArray[np.bool_]) -> list[str]:
    """The figures of one line, by the rule of `decide`."""
    lengths, places = np.unique(seconds, return_inverse=True)
    cuts = [max(calibration.threshold(DEFAULT_FAR, one), calibration.crossing(SAME_LLR, one)) for one in lengths]
    llrs = calibration.llrs(scores, seconds)
    same, different = scores >= np.array(cuts)[places], llrs <= DIFFERENT_LLR
    verdicts = (same, ~same & ~different, different)
    cells = [f"{100 * np.mean(one[side]):.2f} %" for side in (is_target, ~is_target) for one in verdicts]
    curve = curve_of(llrs[is_target], llrs[~is_target])
    costs = [curve.cllr(), curve.cllr_min()]
    for prior in PRIORS:
        costs += [curve.act_dcf(prior), curve.min_dcf(prior)]
    return [*cells, *(f"{cost:.4f}" for cost in costs)]


if __name__ == "__main__":
    main()
