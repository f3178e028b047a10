"""How far a measure may be trusted: 95 % intervals over speakers.

Trials of one speaker resemble each other, so speakers are drawn anew, not trials. A speaker drawn twice counts as two
people with the same recordings: trials within a copy count, trials between the two copies do not, since they would
compare recordings with themselves. A target trial therefore counts as often as its speaker was drawn, a non-target
trial as often as the product of both.

Knows: trials, their speakers. Does not know: which measures there are.
Not for: fewer than about 10 speakers; the interval is then too narrow.
Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.evaluation.metrics import Curve, RankedScores
from samevoice.evaluation.trials import Trials

Statistic = Callable[[Curve], float]
DRAWS = 1000
TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A measure and the bounds that hold it with 95 % confidence.

    Args:
        value: over all trials.
        low: lower bound.
        high: upper bound.
    """

    value: float
    low: float
    high: float


def by_speaker(
    trials: Trials, statistics: Mapping[str, Statistic], draws: int = DRAWS, seed: int = 0
) -> dict[str, Interval]:
    """Percentile intervals of several measures over the same draws of speakers.

    Draws in which no target or no non-target trial is left say nothing and are repeated.

    Args:
        trials: with targets and non-targets.
        statistics: measures of a curve by name, such as `{"eer": Curve.eer}`.
        draws: how many, at least 2.
        seed: of the draws.

    Raises:
        ValueError: there are no target or no non-target trials, a score is not finite, or `draws` is below 2.
    """
    if draws < 2:
        raise ValueError(f"an interval needs at least 2 draws, got {draws}")
    is_target = trials.is_target
    ranked = RankedScores(trials.scores[is_target], trials.scores[~is_target])
    whole = ranked.curve()
    generator = np.random.default_rng(seed)
    people = np.unique(trials.voices[np.concatenate([trials.first, trials.second])])  # who has no trials adds nothing
    counts = np.zeros(len(trials.names))
    found: dict[str, list[float]] = {name: [] for name in statistics}
    sides = Sides.of(trials)
    done = 0
    while done < draws:
        counts[people] = np.bincount(generator.integers(0, len(people), len(people)), minlength=len(people))
        target_weights, non_target_weights = sides.weights(counts)
        if not (target_weights.any() and non_target_weights.any()):
            continue
        curve = ranked.curve(target_weights, non_target_weights)
        for name, statistic in statistics.items():
            found[name].append(statistic(curve))
        done += 1
    return {
        name: Interval(statistic(whole), *(float(bound) for bound in np.quantile(found[name], TAILS)))
        for name, statistic in statistics.items()
    }


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Who speaks on which side of the trials.

    Args:
        targets: the speaker of each target trial.
        first: the speaker on the first side of each non-target trial.
        second: on the second.
    """

    targets: NDArray[np.intp]
    first: NDArray[np.intp]
    second: NDArray[np.intp]

    @classmethod
    def of(cls, trials: Trials) -> Sides:
        """Look the speakers up once, for many draws."""
        first, second, is_target = trials.voices[trials.first], trials.voices[trials.second], trials.is_target
        return cls(first[is_target], first[~is_target], second[~is_target])

    def weights(self, counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How often each target and each non-target trial counts when speaker i was drawn `counts[i]` times."""
        return counts[self.targets], counts[self.first] * counts[self.second]
