"""A model calibrated on known people: the fit, what it is worth for other people, and what looks wrong in the clips.

Knows: embedded clips, calibrations. Does not know: files, sound, pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from samevoice.errors import DataError
from samevoice.evaluation.bootstrap import Interval, Statistic, by_speaker
from samevoice.evaluation.clips import Clips
from samevoice.evaluation.curves import Array, Curve
from samevoice.evaluation.trials import Trials, all_pairs
from samevoice.evaluation.wizard import RATES, fit, hold_out
from samevoice.scoring.bounds import count_pairs, least_rate, people_needed
from samevoice.scoring.calibration import MAX_LLR, Calibration
from samevoice.scoring.decision import DEFAULT_FAR, DIFFERENT_LLR, SAME_LLR, odds

FEW_PEOPLE = 10  # fewer say little about others
OWN = "people of the user"
RARE = 0.001  # the false-accept rate that people ask for next
PRIOR = 0.5
OF_LLRS: Mapping[str, Statistic] = {
    "eer": Curve.eer,
    "act_dcf": partial(Curve.act_dcf, prior=PRIOR),
    "min_dcf": partial(Curve.min_dcf, prior=PRIOR),
    "cllr": Curve.cllr,
    "cllr_min": Curve.cllr_min,
}
OF_VERDICTS: Mapping[str, Statistic] = {
    "accepted": lambda curve: curve.positive_accuracy(1.0),
    "false_accepts": lambda curve: 1 - curve.negative_accuracy(1.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A calibration and what is known of it.

    Args:
        calibration: fitted on everybody.
        people: how many.
        clips: how many.
        seconds: of speech in the median clip.
        rate: false-accept rate that `verify` tolerates unless told otherwise.
        threshold: lowest cosine that is "same" at that rate and so much speech.
        measured: by name, with 95 % intervals over people; of trials between people whom the calibration judging them
            was not fitted on.
        trials: cosines of all pairs.
        held_out: the same pairs with the log-likelihood ratios that were measured.
        warnings: what looks wrong, in sentences.
    """

    calibration: Calibration
    people: int
    clips: int
    seconds: float
    rate: float
    threshold: float
    measured: Mapping[str, Interval]
    trials: Trials
    held_out: Trials
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """The result in one sentence."""
        lowest = self.calibration.rates[-1]
        further = (
            f"for {100 * RARE:g} % you need {people_needed(RARE)} people"
            if lowest > RARE
            else f"they support rates down to {100 * lowest:g} %"
        )
        return (
            f"With these {self.people} people, at most {100 * self.rate:g} % of strangers pass at threshold "
            f"{self.threshold:.3f}, and {100 * self.measured['accepted'].value:.1f} % of true speakers are accepted; "
            f"{further}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the trials."""
        return {
            "people": self.people,
            "clips": self.clips,
            "seconds": self.seconds,
            "far": self.rate,
            "threshold": self.threshold,
            "measured": {name: asdict(one) for name, one in self.measured.items()},
            "calibration": self.calibration.to_json(),
            "people_needed": {f"{rate:g}": people_needed(rate) for rate in RATES},
            "warnings": list(self.warnings),
        }


def calibrate(clips: Clips, start: Calibration | None) -> Calibrated:
    """Calibrate on known people.

    Args:
        clips: of seven people with two clips, at least.
        start: the model's calibration; None if it has none.

    Raises:
        DataError: the clips do not tell people apart.
    """
    trials = all_pairs(clips.vectors, clips.people)
    others = ~trials.is_target
    pairs = count_pairs(trials.voices[trials.first][others], trials.voices[trials.second][others])
    rate = max(DEFAULT_FAR, min(rate for rate in RATES if rate >= least_rate(pairs)))
    people, seconds = len(trials.names), float(np.median(clips.seconds))
    try:
        fitted = fit(trials, clips.seconds, start, source=_source(people, clips, start))
        judged = hold_out(trials, clips.seconds, start, rate)
    except ValueError as error:
        raise DataError(
            f"these clips cannot calibrate the model: {error}; check that each folder holds the clips of one person"
        ) from error
    threshold = max(fitted.threshold(rate, seconds), fitted.crossing(SAME_LLR, seconds))
    # By the model's own evidence, which folders that hold one person twice have not moved.
    shorter = np.minimum(clips.seconds[trials.first], clips.seconds[trials.second])
    llrs = replace(start or fitted, max_llr=MAX_LLR).llrs(trials.scores, shorter)
    alike = _alike(trials, llrs)
    if threshold >= 1:
        raise DataError(
            f"these clips cannot calibrate the model: even a cosine of 1 would let {100 * rate:g} % of strangers pass; "
            + (alike[0] if alike else "add people, or check that each folder holds the clips of one person")
        )
    return Calibrated(
        calibration=fitted,
        people=people,
        clips=len(clips.files),
        seconds=seconds,
        rate=rate,
        threshold=threshold,
        measured={**by_speaker(judged.accepted, OF_VERDICTS), **by_speaker(judged.llrs, OF_LLRS)},
        trials=trials,
        held_out=judged.llrs,
        warnings=(*_too_few(people), *alike, *_odd(clips, trials, llrs)),
    )


def _source(people: int, clips: Clips, start: Calibration | None) -> str:
    """What the card says of the trials."""
    least, most = clips.seconds.min(), clips.seconds.max()
    own = f"{people} {OWN}, {len(clips.files)} clips with {least:.1f} to {most:.1f} s of speech, all pairs"
    return own if start is None else f"{own}; on top of: {start.source}"


def is_own(calibration: Calibration | None) -> bool:
    """Whether a calibration was made here, on somebody's own people."""
    return calibration is not None and OWN in calibration.source


def _too_few(people: int) -> list[str]:
    """A warning where the figures say little."""
    if people >= FEW_PEOPLE:
        return []
    return [f"{people} people say little about others; add people until there are {FEW_PEOPLE}, better 20 or more"]


def _alike(trials: Trials, llrs: Array) -> list[str]:
    """Two names that sound like one person."""
    one, two = trials.voices[trials.first], trials.voices[trials.second]
    keys = np.minimum(one, two) * len(trials.names) + np.maximum(one, two)
    counts = np.bincount(keys[~trials.is_target])
    sums = np.bincount(keys[~trials.is_target], llrs[~trials.is_target])
    found = []
    for key in np.flatnonzero(sums >= SAME_LLR * np.maximum(counts, 1)):
        first, second = (trials.names[voice] for voice in divmod(int(key), len(trials.names)))
        evidence = odds(float(sums[key] / counts[key]))
        found.append(
            f"{first} and {second} sound like one person ({evidence} on average); if they are, put the clips of both "
            "into one folder"
        )
    return found


def _odd(clips: Clips, trials: Trials, llrs: Array) -> list[str]:
    """Clips that sound like somebody else than their folder says."""
    own = trials.is_target
    rows = np.concatenate([trials.first[own], trials.second[own]])
    size = len(clips.files)
    counts, sums = np.bincount(rows, minlength=size), np.bincount(rows, np.tile(llrs[own], 2), minlength=size)
    return [
        f"{clips.files[row]}: sounds unlike the other clips of {clips.people[row]}; check who speaks there"
        for row in np.flatnonzero((counts > 0) & (sums <= DIFFERENT_LLR * counts))
    ]
