"""Harder, fairer or finer sets of trials, taken from others such as all pairs.

Knows: trials, what is told of each row. Does not know: sound, models, lists in files (see `triallist`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samevoice.evaluation.trials import Indices, Trials


def same_gender(trials: Trials, genders: Sequence[str]) -> Trials:
    """Without the non-targets that gender alone gives away; these make error rates look low.

    Args:
        trials: any.
        genders: of every row; "" where unknown, whose non-targets are left out too.

    Raises:
        ValueError: there is not one gender for each row.
    """
    _check(trials, genders)
    told = np.array(genders)
    first, second = told[trials.first], told[trials.second]
    return trials.where(trials.is_target | ((first == second) & (first != "")))


def per_speaker(trials: Trials, targets: int, non_targets: int, seed: int = 0) -> Trials:
    """So few of each speaker, drawn at random, that nobody with many recordings decides the result.

    A non-target trial belongs to one of its two speakers, whom chance names.

    Args:
        trials: any; their order is kept.
        targets: most target trials of one speaker, at least 0.
        non_targets: most non-target trials that belong to one speaker, at least 0.
        seed: of the draws.

    Raises:
        ValueError: a number is below 0.
    """
    if targets < 0 or non_targets < 0:
        raise ValueError(f"at least 0 trials of a kind are taken of a speaker, got {targets} and {non_targets}")
    draw = np.random.default_rng(seed)
    side = np.where(draw.random(len(trials)) < 0.5, trials.first, trials.second)
    group = 2 * trials.voices[side] + trials.is_target
    shuffled = draw.permutation(len(trials))
    ordered = shuffled[np.argsort(group[shuffled], kind="stable")]
    groups, starts, sizes = np.unique(group[ordered], return_index=True, return_counts=True)
    place = np.arange(len(trials)) - np.repeat(starts, sizes)  # of a trial in its group
    most = np.repeat(np.where(groups % 2 == 1, targets, non_targets), sizes)
    return trials.where(np.sort(ordered[place < most]))


def by_duration(trials: Trials, seconds: Sequence[float], edges: Sequence[float]) -> list[Trials]:
    """Sorted by how much speech the shorter side has, which is what limits the evidence.

    Args:
        trials: any.
        seconds: of every row.
        edges: ascending; a trial of exactly that long belongs to the longer ones.

    Returns:
        One more set than edges: below the first, from it to below the second, ..., from the last on; some may be
        empty.

    Raises:
        ValueError: there are not seconds for each row, or the edges do not ascend.
    """
    _check(trials, seconds)
    length = np.array(seconds, dtype=np.float64)
    if (np.diff(edges) <= 0).any():
        raise ValueError(f"edges ascend, got {list(edges)}")
    group: Indices = np.digitize(np.minimum(length[trials.first], length[trials.second]), edges)
    masks: list[NDArray[np.bool_]] = [group == number for number in range(len(edges) + 1)]
    return [trials.where(mask) for mask in masks]


def _check(trials: Trials, told: Sequence[object]) -> None:
    """Refuse what is not told of every row."""
    if len(told) != len(trials.voices):
        raise ValueError(f"{len(trials.voices)} rows need one value each, got {len(told)}")
