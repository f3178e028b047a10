"""Do the decisions keep their promise on speakers the calibration never saw?

Pieces of speech of the LibriSpeech speakers outside the development split are compared, all pairs, at the default
false-accept rate: as they were recorded, and with one side in simulated other conditions.
Printed: how often each verdict is right, wrong or withheld, and the cost of the evidence.

Run: python -m benchmarks.decision_quality --data DIR [--model campplus]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import samevoice as sv
from benchmarks.conditions import Conditions
from benchmarks.corpus import data_folder, librispeech, pair_scores, speech_pieces
from samevoice.evaluation.metrics import Array, cllr
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import DEFAULT_FAR, DIFFERENT_LLR, SAME_LLR
from samevoice.speech.vad import everything
from samevoice.verification import calibration_of

SEED = 2  # not that of the fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="campplus")
    options = parser.parse_args()
    folder = data_folder(options.data)
    utterances = librispeech(folder, "train")
    elsewhere = Conditions(folder, np.random.default_rng(SEED))
    detector = sv.load_detector()
    model = sv.load_model(options.model, detector=everything)
    calibration = calibration_of(model)
    if calibration is None:
        raise SystemExit(f"{options.model} has no calibration")
    print(f"{model.card.fingerprint}, {len(utterances)} speakers, false-accept rate {DEFAULT_FAR:g}")
    print("| sides | seconds | target: same | unsure | different | non-target: same | unsure | different | Cllr |")
    print("|---|---|---|---|---|---|---|---|---|")
    for seconds in (1.0, 1.5, 2.0, 3.0, 5.0):
        pieces, names = speech_pieces(utterances, seconds, detector)
        clean = np.stack([one.vector for one in model.embed_many(pieces)])
        other = np.stack([one.vector for one in model.embed_many(map(elsewhere, pieces))])
        for label, sides in (("as recorded", (clean, clean)), ("one elsewhere", (clean, other))):
            scores, is_target = pair_scores(*sides, names)
            cells = row(calibration, seconds, scores[is_target], scores[~is_target])
            print(f"| {label} | {' | '.join(cells)} |", flush=True)


def row(calibration: Calibration, seconds: float, targets: Array, non_targets: Array) -> list[str]:
    """The figures of one line, by the rule of `decide`."""
    accept = max(calibration.threshold(DEFAULT_FAR, seconds), calibration.crossing(SAME_LLR, seconds))
    reject = calibration.crossing(DIFFERENT_LLR, seconds)
    cells = [f"{seconds:g}"]
    for scores in (targets, non_targets):
        same, different = np.mean(scores >= accept), np.mean(scores <= reject)
        cells += [f"{100 * share:.2f} %" for share in (same, 1 - same - different, different)]
    llrs = [calibration.llrs(scores, seconds) for scores in (targets, non_targets)]
    return [*cells, f"{cllr(llrs[0], llrs[1]):.3f}"]


if __name__ == "__main__":
    main()
