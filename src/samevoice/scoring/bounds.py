"""Thresholds whose false-accept rate holds for other people too, not only for those it was counted on.

A share counted on few speakers is uncertain in itself: a handful of unusual voices moves it. So speakers are drawn
anew many times, and the threshold is the one that keeps the rate in nearly all draws. Non-target trials of one speaker
resemble each other; drawing speakers, not trials, is what sees that.

Knows: scores of non-target trials, who is compared. Does not know: durations, targets, verdicts.
Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile bounds); Hanley and
Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249, 1983 (the rule of three).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Speakers = NDArray[np.intp]

RULE_OF_THREE = 3.0  # no error among n independent trials bounds the rate by 3 / n with 95 % confidence
# Of draws that keep the rate. Above 95 %, because those who come later are a sample too, as uncertain as this one.
CONFIDENCE = 0.99
DRAWS = 400


def least_rate(speaker_pairs: int) -> float:
    """The lowest false-accept rate that so many pairs of different speakers can support."""
    return RULE_OF_THREE / max(speaker_pairs, 1)


def pairs_needed(rate: float) -> int:
    """How many pairs of different speakers support a false-accept rate; lower ones than 1e-12 like that."""
    return math.ceil(RULE_OF_THREE / max(rate, 1e-12) - 1e-6)


def people_needed(rate: float) -> int:
    """How many people make so many pairs."""
    return math.ceil((1 + math.sqrt(1 + 8 * pairs_needed(rate))) / 2 - 1e-9)


def count_pairs(first: Speakers, second: Speakers) -> int:
    """How many different pairs of speakers are compared, in whichever order.

    Args:
        first: the speaker on one side of each trial, shape (n,).
        second: on the other, shape (n,).
    """
    return len(np.unique(np.stack([np.minimum(first, second), np.maximum(first, second)]), axis=1).T)


def bounded_thresholds(
    scores: Array,
    first: Speakers,
    second: Speakers,
    rates: Sequence[float],
    *,
    confidence: float = CONFIDENCE,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[float]:
    """For each rate the lowest threshold that keeps the false-accept rate at or below it in nearly all draws.

    Args:
        scores: of non-target trials, shape (n,), n >= 1; a trial is accepted when its score is at least the threshold.
        first: number of the speaker on one side, shape (n,), integers from 0.
        second: of the speaker on the other side, another one, shape (n,).
        rates: false-accept rates, as fractions in (0, 1].
        confidence: share of draws in which the rate must hold.
        draws: of speakers.
        seed: of the draws.

    Returns:
        Thresholds in the order of the rates; never below the one that keeps the rate on the trials as they are.

    Raises:
        ValueError: there are no trials, a score is not finite, or a trial compares a speaker with himself.
    """
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError("a bound needs at least one score, and finite ones")
    if (first == second).any():
        raise ValueError("a trial of one speaker is no non-target trial")
    falling = np.argsort(-scores, kind="stable")
    ranked, one, two = scores[falling], first[falling], second[falling]
    people, numbers = np.unique(np.concatenate([one, two]), return_inverse=True)
    one, two = numbers[: len(one)], numbers[len(one) :]
    allowed = np.array(rates)
    generator = np.random.default_rng(seed)
    found = np.empty((draws, len(allowed)))
    for draw in range(draws):
        counts = np.bincount(generator.integers(0, len(people), len(people)), minlength=len(people))
        found[draw] = _thresholds(ranked, counts[one] * counts[two], allowed)
    plain = _thresholds(ranked, np.ones(len(ranked), dtype=np.intp), allowed)
    bounds = np.maximum(np.quantile(found, confidence, axis=0, method="higher"), plain)
    return [float(one) for one in bounds]


def _thresholds(falling: Array, weights: NDArray[np.intp], rates: Array) -> Array:
    """The lowest threshold for each rate, when each of the falling scores counts as often as its weight says."""
    accepted = np.cumsum(weights)
    # The first trial that must not be accepted any more; tied ones before it go with it.
    places = np.searchsorted(accepted, rates * accepted[-1] * (1 + 1e-12), side="right")
    refused = falling[np.minimum(places, len(falling) - 1)]
    found: Array = np.where(places < len(falling), np.nextafter(refused, np.inf), falling[-1])
    return found
