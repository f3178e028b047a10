"""What are twenty people worth? The calibration wizard against the best threshold on other people.

Speakers are drawn, three clips of 3 s of speech from each; a calibration is fitted on them as `samevoice calibrate`
does, and judged on all pairs of clips of all other speakers: the cost at its own threshold over that of the oracle,
the best threshold for these very trials. Beside it: the calibration that the model ships with, the wizard for a model
without one, and the threshold of equal error rate on the drawn speakers.

The speakers are those whom the shipped calibration never saw. Each was recorded once, so "as recorded" compares clips
of one room and minute, where hardly an error is left and the ratio of two tiny costs says little; "elsewhere" passes
every clip through simulated conditions of its own (`conditions`).

Run: python -m benchmarks.wizard_draws --data DIR [--models campplus ge2e] [--people 20] [--draws 50] [--threads 1]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import samevoice as sv
from benchmarks.conditions import Conditions
from benchmarks.corpus import data_folder, librispeech, speech_pieces
from samevoice.evaluation.curves import Curve, curve_of
from samevoice.evaluation.thresholds import eer_threshold
from samevoice.evaluation.trials import Trials, all_pairs
from samevoice.evaluation.wizard import fit
from samevoice.scoring.calibration import Calibration
from samevoice.speech.vad import everything
from samevoice.verification import calibration_of

SECONDS, CLIPS, SEED = 3.0, 3, 4
PRIORS = (0.05, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--models", nargs="+", default=["campplus", "ge2e"])
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    folder = data_folder(options.data)
    pieces, names = speech_pieces(librispeech(folder, "train"), SECONDS, sv.load_detector())
    elsewhere = Conditions(folder, np.random.default_rng(SEED))
    sounds = {"as recorded": pieces, "elsewhere": [elsewhere(piece) for piece in pieces]}
    print(f"{options.people} of {len(set(names))} speakers, {CLIPS} clips of {SECONDS:g} s, {options.draws} draws")
    print("| model | clips | prior | oracle cost | system | actDCF / oracle: median | quartiles | cost above oracle |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.models:
        model = sv.load_model(name, options.threads, detector=everything)
        for kind, clips in sounds.items():
            vectors = np.stack([one.vector for one in model.embed_many(clips)])
            began = time.perf_counter()
            trials = all_pairs(vectors, names)
            draws = [
                drawn(trials, options.people, calibration_of(model), np.random.default_rng([SEED, number]))
                for number in range(options.draws)
            ]
            for line in lines(draws):
                print(f"| {name} | {kind} | {line} |", flush=True)
            print(f"{name}, {kind}: {(time.perf_counter() - began) / options.draws:.2f} s per draw", flush=True)


def drawn(
    trials: Trials, people: int, shipped: Calibration | None, rng: np.random.Generator
) -> dict[tuple[float, str], tuple[float, float]]:
    """One draw: (cost, cost of the oracle) by prior and system."""
    few, others = parted(trials, people, rng)
    seconds = np.full(len(trials.voices), SECONDS)
    fitted = {"wizard, no calibration before": fit(few, seconds, None, source="")}
    if shipped is not None:
        fitted |= {"wizard": fit(few, seconds, shipped, source=""), "shipped": shipped}
    is_target = others.is_target
    found: dict[tuple[float, str], tuple[float, float]] = {}
    for system, one in fitted.items():
        llrs = one.llrs(others.scores, SECONDS)
        curve = curve_of(llrs[is_target], llrs[~is_target])
        found |= {(prior, system): (curve.act_dcf(prior), 0.0) for prior in PRIORS}
    oracle = curve_of(others.targets, others.non_targets)
    equal = eer_threshold(few.targets, few.non_targets).value
    found |= {(prior, "EER threshold"): (cost_at(oracle, equal, prior), 0.0) for prior in PRIORS}
    return {key: (cost, oracle.min_dcf(key[0])) for key, (cost, _) in found.items()}


def parted(trials: Trials, people: int, rng: np.random.Generator) -> tuple[Trials, Trials]:
    """The trials among a few clips of people drawn, and those among all others."""
    counts = np.bincount(trials.voices)
    chosen = rng.choice(np.flatnonzero(counts >= CLIPS), people, replace=False)
    few: NDArray[np.bool_] = np.zeros(len(trials.voices), dtype=bool)
    for voice in chosen:
        few[rng.choice(np.flatnonzero(trials.voices == voice), CLIPS, replace=False)] = True
    others = ~np.isin(trials.voices, chosen)
    both = [trials.where(side[trials.first] & side[trials.second]) for side in (few, others)]
    return both[0], both[1]


def cost_at(curve: Curve, threshold: float, prior: float) -> float:
    """Detection cost of a threshold, normalised as `min_dcf` is."""
    misses, alarms = 1 - curve.positive_accuracy(threshold), 1 - curve.negative_accuracy(threshold)
    return (prior * misses + (1 - prior) * alarms) / min(prior, 1 - prior)


def lines(draws: list[dict[tuple[float, str], tuple[float, float]]]) -> list[str]:
    """The rest of each row of the table."""
    table: dict[tuple[float, str], list[tuple[float, float]]] = defaultdict(list)
    for draw in draws:
        for key, costs in draw.items():
            table[key].append(costs)
    told = []
    for (prior, system), both in sorted(table.items()):
        cost, oracle = np.array(both).T
        low, middle, high = np.quantile(cost / oracle, (0.25, 0.5, 0.75))
        above = np.median(cost - oracle)
        told.append(
            f"{prior:g} | {np.median(oracle):.4f} | {system} | {middle:.3f} | {low:.3f} to {high:.3f} | {above:.4f}"
        )
    return told


if __name__ == "__main__":
    main()
