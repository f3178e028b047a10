"""Lists of trials of made-up voices, and a calibration that gives all three answers."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from trialmakers import voices

from samevoice.errors import AudioError, SamevoiceError
from samevoice.evaluation.triallist import TrialList
from samevoice.evaluation.trialrun import Embedded
from samevoice.scoring.calibration import Calibration

CALIBRATION = Calibration(
    weights=(-3.0, 8.0, -2.0, 1.0),
    max_llr=6.0,
    durations=(0.5, 2.0, 6.0),
    rates=(0.1, 0.01),
    thresholds=((0.4, 0.3, 0.2), (0.7, 0.6, 0.5)),
    speaker_pairs=500,
    trials=(100, 900),
    source="made up",
)


def embedded(people: int = 8, each: int = 4, *, lost: tuple[int, ...] = ()) -> tuple[TrialList, Embedded]:
    """All pairs of made-up voices of unequal length, some of which could not be used."""
    vectors, speakers = voices(people, each, spread=1.0)
    first, second = (np.array(side) for side in zip(*combinations(range(len(vectors)), 2), strict=True))
    same = np.array(speakers)[first] == np.array(speakers)[second]
    seconds = np.random.default_rng(1).uniform(0.3, 8, len(vectors))
    vectors[list(lost)], seconds[list(lost)] = 0, 0
    errors: dict[int, SamevoiceError] = {row: AudioError("broken") for row in lost}
    names = tuple(f"r{number}.wav" for number in range(len(vectors)))
    return TrialList(names, first, second, same), Embedded(vectors, seconds, errors)
