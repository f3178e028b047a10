"""How far a measure, or the difference of two systems, may be trusted: 95 % intervals over speakers.

Trials of one speaker resemble each other, so speakers are drawn anew, not trials. A speaker drawn twice counts as two
people with the same recordings: trials within a copy count, trials between the two copies do not, since they would
compare recordings with themselves. A target trial therefore counts as often as its speaker was drawn, a non-target
trial as often as the product of both.

Knows: trials, their speakers. Does not know: which measures there are.
Not for: fewer than about 10 speakers; the interval is then too narrow.
Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 (percentile intervals) and 15 (the
level at which such an interval just leaves out zero).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.evaluation.curves import Array, Curve, RankedScores
from samevoice.evaluation.trials import Trials

__all__ = ["Difference", "Interval", "Statistic", "bounds_of", "by_speaker", "compare_systems", "speaker_draws"]

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


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher a measure is for one system than for another, on the same trials.

    Args:
        value: over all trials.
        low: lower bound of the 95 % interval.
        high: upper bound.
        p: twice the share of draws of speakers in which the difference is zero or on the other side of it, from
            1 / draws to 1.
    """

    value: float
    low: float
    high: float
    p: float


def by_speaker(
    trials: Trials, statistics: Mapping[str, Statistic], draws: int = DRAWS, seed: int = 0
) -> dict[str, Interval]:
    """Percentile intervals of several measures over the same draws of speakers.

    Args:
        trials: with targets and non-targets.
        statistics: measures of a curve by name, such as `{"eer": Curve.eer, "cllr": Curve.cllr}`; those that need
            llrs need trials whose scores are.
        draws: how many, at least 2; by default 1,000.
        seed: of the draws.

    Raises:
        ValueError: there are no target or no non-target trials, a score is not finite, or `draws` is below 2.
    """
    ranked = _ranked(trials)
    found = {name: np.empty(draws) for name in statistics}
    for draw, weights in enumerate(speaker_draws(trials, draws, seed)):
        curve = ranked.curve(*weights)
        for name, statistic in statistics.items():
            found[name][draw] = statistic(curve)
    whole = ranked.curve()
    return {name: Interval(statistic(whole), *bounds_of(found[name])) for name, statistic in statistics.items()}


def compare_systems(
    trials_a: Trials, trials_b: Trials, statistics: Mapping[str, Statistic], draws: int = DRAWS, seed: int = 0
) -> dict[str, Difference]:
    """A paired test: what one system has more of a measure than another, over the same draws of speakers.

    Args:
        trials_a: with targets and non-targets.
        trials_b: the same pairs in the same order, scored by the other system.
        statistics: measures of a curve by name.
        draws: how many, at least 2; by default 1,000.
        seed: of the draws.

    Raises:
        ValueError: the trials differ; or as for `by_speaker`.
    """
    for column in ("first", "second", "voices"):
        if not np.array_equal(getattr(trials_a, column), getattr(trials_b, column)):
            raise ValueError("two systems are compared on the same trials in the same order")
    one, other = _ranked(trials_a), _ranked(trials_b)
    found = {name: np.empty(draws) for name in statistics}
    for draw, weights in enumerate(speaker_draws(trials_a, draws, seed)):
        curve, against = one.curve(*weights), other.curve(*weights)
        for name, statistic in statistics.items():
            found[name][draw] = statistic(curve) - statistic(against)
    whole = one.curve(), other.curve()
    return {
        name: Difference(
            statistic(whole[0]) - statistic(whole[1]),
            *bounds_of(found[name]),
            p=float(np.clip(2 * min(np.mean(found[name] <= 0), np.mean(found[name] >= 0)), 1 / draws, 1)),
        )
        for name, statistic in statistics.items()
    }


def speaker_draws(trials: Trials, draws: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """How often each target and each non-target trial counts, for many draws of speakers.

    Draws in which no target or no non-target trial is left say nothing and are repeated.

    Args:
        trials: with targets and non-targets.
        draws: how many, at least 2; by default 1,000.
        seed: of the draws.

    Raises:
        ValueError: there are no target or no non-target trials, or `draws` is below 2.
    """
    if draws < 2:
        raise ValueError(f"an interval needs at least 2 draws, got {draws}")
    generator = np.random.default_rng(seed)
    people = np.unique(trials.voices[np.concatenate([trials.first, trials.second])])  # who has no trials adds nothing
    counts = np.zeros(len(trials.names))
    sides = Sides.of(trials)
    if not (len(sides.targets) and len(sides.first)):
        raise ValueError("target and non-target trials are needed")
    done = 0
    while done < draws:
        counts[people] = np.bincount(generator.integers(0, len(people), len(people)), minlength=len(people))
        weights = sides.weights(counts)
        if all(side.any() for side in weights):
            done += 1
            yield weights


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

    def weights(self, counts: Array) -> tuple[Array, Array]:
        """How often each target and each non-target trial counts when speaker i was drawn `counts[i]` times."""
        return counts[self.targets], counts[self.first] * counts[self.second]


def _ranked(trials: Trials) -> RankedScores:
    """The scores, sorted once for all draws."""
    return RankedScores(trials.targets, trials.non_targets)


def bounds_of(values: Array) -> tuple[float, float]:
    """Of the percentile interval.

    Args:
        values: of the draws, shape (k,).
    """
    low, high = np.quantile(values, TAILS)
    return float(low), float(high)
