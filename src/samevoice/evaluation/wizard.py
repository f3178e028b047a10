"""A calibration from a handful of known people, with figures measured on people left out.

Twenty people with three clips give 60 target trials: too few for four free weights. So the model's own calibration is
kept and corrected by two numbers, llr' = a + b llr, fitted by logistic regression. Pseudo-trials that behave exactly as
the model's calibration says hold the two near 0 and 1; how much they count is chosen by leaving people out, so that
recordings unlike those of the model's calibration move it far, and recordings like those hardly at all. A model
without calibration starts from two normal distributions of equal variance.

Thresholds are the model's table, each rate moved as a whole to where the bound of `bounded_thresholds` lies for these
people: they tell how high, the table tells how that changes with duration. Without a table there is one column, at the
median duration.

Knows: scores, people, seconds of speech. Does not know: sound, files, pages.
Source: Brummer and du Preez, "Application-independent evaluation of speaker detection", Computer Speech and Language
20, 2006 (logistic regression of llrs); Stone, "Cross-validatory choice and assessment of statistical predictions",
Journal of the Royal Statistical Society B 36, 1974 (a strength chosen by leaving out).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from samevoice.evaluation.curves import Array, curve_of
from samevoice.evaluation.trials import Indices, Trials
from samevoice.scoring.bounds import bounded_thresholds, count_pairs, least_rate
from samevoice.scoring.calibration import MAX_LLR, MOST, Calibration, logistic_regression, sigmoid
from samevoice.scoring.decision import SAME_LLR

RATES = (0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.0025, 0.001)
BELIEVED = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])  # llrs of the pseudo-trials: where verdicts change
STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01)  # of all pseudo-trials, where all trials together count 1
FOLDS, FEW_FOLDS = 10, 5
LEAST_VARIANCE = 1e-4  # of cosines: below it nobody's voice differs from day to day


def fit(
    trials: Trials, seconds: Array, start: Calibration | None, *, source: str, rates: Sequence[float] | None = None
) -> Calibration:
    """Correct a calibration by trials of few people.

    Args:
        trials: cosines of all pairs of clips.
        seconds: of speech in each row of the trials, shape (rows,).
        start: the model's calibration; None if it has none.
        source: what the card should say about the trials.
        rates: false-accept rates to tabulate; None for all of `RATES` that the pairs of people support.

    Raises:
        ValueError: a side is empty, no rate is supported, or scores of one person are not higher than those of two.
    """
    shorter = _shorter(trials, seconds)
    is_target, scores = trials.is_target, trials.scores
    start = start or _normal(trials, float(np.median(shorter)))
    llrs = replace(start, max_llr=MAX_LLR).llrs(scores, shorter)
    shift, scale = _correction(llrs, is_target, _strength(llrs, trials))
    if scale <= 0:
        raise ValueError("recordings of one person are no more alike than those of two")
    bias, slope, log_bias, log_slope = (scale * weight for weight in start.weights)
    people = _strangers(trials)
    pairs = count_pairs(*people)
    rates = [rate for rate in RATES if rate >= least_rate(pairs)] if rates is None else rates
    rows = []
    for rate in rates:
        known = min(max(rate, start.rates[-1]), start.rates[0])
        row = np.array([start.threshold(known, duration) for duration in start.durations])
        margins = scores[~is_target] - _at(start, row, shorter[~is_target])
        rows.append(row + bounded_thresholds(margins, *people, [rate])[0])
    reached = np.array(start.reached)
    if len(reached):
        reached += np.quantile(scores[is_target] - _at(start, reached, shorter[is_target]), 1 - MOST)
    return Calibration(
        weights=(bias + shift, slope, log_bias, log_slope),
        max_llr=_most(trials),
        durations=start.durations,
        rates=tuple(rates),
        # Rows of two rates are moved by themselves, so they might cross where a clip is much longer than the others.
        thresholds=tuple(tuple(row) for row in np.maximum.accumulate(np.array(rows)).tolist()),
        reached=tuple(reached.tolist()),
        speaker_pairs=pairs,
        trials=(int(is_target.sum()), int((~is_target).sum())),
        source=source,
    )


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What calibrations say of trials between people that they were not fitted on.

    Args:
        llrs: trials with log-likelihood ratios for scores.
        accepted: the same trials with 1 where the verdict is "same", 0 elsewhere.
    """

    llrs: Trials
    accepted: Trials


def hold_out(trials: Trials, seconds: Array, start: Calibration | None, rate: float) -> HeldOut:
    """Judge every trial by a calibration fitted without either of its people.

    People are dealt into at most ten groups; for each two groups a calibration is fitted on all others.

    Args:
        trials: as for `fit`.
        seconds: of speech in each row.
        start: the model's calibration; None if it has none.
        rate: false-accept rate that is tolerated.

    Raises:
        ValueError: as for `fit`, when some people are left out.
    """
    first, second = _groups(trials, FOLDS)
    shorter = _shorter(trials, seconds)
    llrs, accepted = np.empty(len(trials)), np.empty(len(trials))
    for one in range(FOLDS):
        for two in range(one, FOLDS):
            judged = (np.minimum(first, second) == one) & (np.maximum(first, second) == two)
            if not judged.any():
                continue
            others = ~np.isin(first, (one, two)) & ~np.isin(second, (one, two))
            fitted = fit(trials.where(others), seconds, start, source="", rates=[rate])
            scores, lasts = trials.scores[judged], shorter[judged]
            llrs[judged] = replace(fitted, max_llr=MAX_LLR).llrs(scores, lasts)
            enough = scores >= _at(fitted, np.array(fitted.thresholds[0]), lasts)
            accepted[judged] = enough & (llrs[judged] >= SAME_LLR)
    most = _most(trials)  # what the calibration of everybody will claim, of which those here have fewer pairs
    return HeldOut(replace(trials, scores=np.clip(llrs, -most, most)), replace(trials, scores=accepted))


def _strangers(trials: Trials) -> tuple[Indices, Indices]:
    """Who is compared with whom in non-target trials."""
    others = ~trials.is_target
    return trials.voices[trials.first][others], trials.voices[trials.second][others]


def _most(trials: Trials) -> float:
    """The greatest evidence that so many pairs of people can show."""
    return math.log(max(count_pairs(*_strangers(trials)), 2))


def _correction(llrs: Array, is_target: NDArray[np.bool_], strength: float) -> tuple[float, float]:
    """(a, b) of a + b llr: both kinds of trials count the same, pseudo-trials as much as told."""
    importance = np.where(is_target, 0.5 / is_target.sum(), 0.5 / (~is_target).sum())
    share = sigmoid(BELIEVED)  # of pseudo-trials with so much evidence, those that are of one speaker
    every = np.concatenate([llrs, BELIEVED, BELIEVED])
    labels = np.concatenate([is_target, np.ones(len(share), bool), np.zeros(len(share), bool)])
    counts = np.concatenate([importance, *(strength / len(share) * side for side in (share, 1 - share))])
    terms = np.stack([np.ones_like(every), every], axis=1)
    shift, scale = logistic_regression(terms, labels, counts / counts.sum())
    return float(shift), float(scale)


def _strength(llrs: Array, trials: Trials) -> float:
    """The strength of the pseudo-trials with the least Cllr on people left out."""
    is_target = trials.is_target
    parts = [part for part in _parts(trials) if all(_has_both(is_target[side]) for side in part)]

    def loss(strength: float) -> float:
        total = 0.0
        for fitted, judged in parts:
            shift, scale = _correction(llrs[fitted], is_target[fitted], strength)
            found, same = shift + scale * llrs[judged], is_target[judged]
            total += curve_of(found[same], found[~same]).cllr()
        return total

    return min(STRENGTHS, key=loss)  # of equals the strongest, which also serves where nobody can be left out


def _parts(trials: Trials) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """(trials without the people of a group, trials with any of them), for each group."""
    first, second = _groups(trials, FEW_FOLDS)
    for group in range(FEW_FOLDS):
        judged = (first == group) | (second == group)
        yield ~judged, judged


def _groups(trials: Trials, count: int) -> tuple[Indices, Indices]:
    """The group of the person on either side of each trial; those with several clips are spread first, then the rest.

    Names are in alphabetical order, which may tell who belongs together: so neighbours come into different groups.
    """
    sides = trials.voices[trials.first], trials.voices[trials.second]
    people = np.unique(np.concatenate(sides))
    with_targets = np.isin(people, sides[0][trials.is_target])
    group = np.zeros(len(trials.names), dtype=np.intp)
    group[np.concatenate([people[with_targets], people[~with_targets]])] = np.arange(len(people)) % count
    return group[sides[0]], group[sides[1]]


def _normal(trials: Trials, seconds: float) -> Calibration:
    """Where a model without calibration starts: two normal distributions of equal variance, a flat table."""
    if not _has_both(trials.is_target):
        raise ValueError("target and non-target trials are needed")
    targets, others = trials.targets, trials.non_targets
    slope = float(targets.mean() - others.mean()) / max(float(targets.var() + others.var()) / 2, LEAST_VARIANCE)
    return Calibration(
        weights=(-slope * float(targets.mean() + others.mean()) / 2, slope, 0.0, 0.0),
        max_llr=MAX_LLR,
        durations=(seconds,),
        rates=(1.0,),
        thresholds=((0.0,),),
        reached=(0.0,),
        speaker_pairs=0,
        trials=(0, 0),
        source="",
    )


def _has_both(is_target: NDArray[np.bool_]) -> bool:
    """Whether there are trials of either kind."""
    return bool(is_target.any() and not is_target.all())


def _shorter(trials: Trials, seconds: Array) -> Array:
    """Seconds of speech on the shorter side of each trial."""
    found: Array = np.minimum(seconds[trials.first], seconds[trials.second])
    return found


def _at(calibration: Calibration, row: Array, seconds: Array) -> Array:
    """A row of a table at many durations, as `Calibration.threshold` reads it."""
    found: Array = np.interp(np.log(seconds), np.log(calibration.durations), row)
    return found
