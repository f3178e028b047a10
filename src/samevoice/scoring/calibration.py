"""From a cosine to evidence: a log-likelihood ratio that knows how much speech it stands on.

A cosine of 0.4 means much between two recordings of ten seconds and little between two of one second. The
calibration is a logistic regression on the cosine, the logarithm of the shorter duration and their product;
beside it stands a table of thresholds at stated false-accept rates, bounded for other people than those of the
development trials (`bounds`), and the cosines that most target trials reach.

Knows: scores, durations, false-accept rates. Does not know: audio, models, verdicts.
Source: Brummer and du Preez, "Application-independent evaluation of speaker detection", Computer Speech and
Language 20, 2006 (the llr as the argument of a logistic regression trained at equal priors).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ConfigError, ModelError
from samevoice.scoring.bounds import Speakers, bounded_thresholds, count_pairs, least_rate, pairs_needed

Array = NDArray[np.float64]

MAX_LLR = 50.0  # beyond what any number of trials could show
MOST = 0.9  # of the target trials


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted calibration; plain numbers, stored in a model's card.

    Args:
        weights: of 1, cosine, ln(seconds), cosine x ln(seconds); the sum is the llr (natural logarithm).
        max_llr: evidence is never claimed beyond this, since the trials could not have shown it.
        durations: seconds of speech on the shorter side for the columns of `thresholds`, ascending.
        rates: false-accept rates for the rows of `thresholds`, descending, as fractions.
        thresholds: lowest cosine accepted, by rate and duration.
        reached: cosine that nine of ten target trials reach, by duration; empty where that was not measured.
        speaker_pairs: pairs of different speakers in the trials: the independent evidence on false accepts.
        trials: (target, non-target) trials fitted on.
        source: where the trials came from and what they cannot tell, for people.

    Raises:
        ValueError: a number is not finite or out of range, the table does not fit its rates and durations, or the
            llr would not grow with the cosine.
    """

    weights: tuple[float, float, float, float]
    max_llr: float
    durations: tuple[float, ...]
    rates: tuple[float, ...]
    thresholds: tuple[tuple[float, ...], ...]
    speaker_pairs: int
    trials: tuple[int, int]
    source: str
    reached: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse tables that no fit could have made."""
        table = [*np.ravel(self.thresholds), *self.reached]
        numbers = np.array([*self.weights, self.max_llr, *self.durations, *self.rates, *table])
        if not np.isfinite(numbers).all() or not 0 < self.max_llr <= MAX_LLR:
            raise ValueError("a number is not finite, or max_llr is out of range")
        if not self.durations or self.durations[0] <= 0 or (np.diff(self.durations) <= 0).any():
            raise ValueError("the durations are not positive and ascending")
        if not self.rates or not 0 < self.rates[-1] <= self.rates[0] <= 1 or (np.diff(self.rates) >= 0).any():
            raise ValueError("the rates are not fractions in descending order")
        if [len(row) for row in self.thresholds] != [len(self.durations)] * len(self.rates):
            raise ValueError("the table of thresholds does not fit the rates and durations")
        if len(self.reached) not in (0, len(self.durations)):
            raise ValueError("the cosines reached do not fit the durations")
        if (self.weights[1] + self.weights[3] * np.log(self.durations) <= 0).any():
            raise ValueError("the llr does not grow with the cosine; the scores do not separate same from different")

    @property
    def digest(self) -> str:
        """Twelve digits that tell this calibration from any other."""
        return _digest(self)

    def llr(self, score: float, seconds: float) -> float:
        """Evidence for one speaker against two, natural logarithm, within +-`max_llr`.

        Args:
            score: cosine, in [-1, 1].
            seconds: of speech on the shorter side; clipped to the durations that were calibrated.
        """
        return float(self.llrs(np.array([score]), seconds)[0])

    def llrs(self, scores: Array, seconds: float | Array) -> Array:
        """The same for many scores, shape (n,) to (n,).

        Args:
            scores: cosines, shape (n,).
            seconds: of all, or of each, shape (n,).
        """
        terms = _terms(scores, np.broadcast_to(np.clip(seconds, self.durations[0], self.durations[-1]), scores.shape))
        found: Array = np.clip(terms @ np.array(self.weights), -self.max_llr, self.max_llr)
        return found

    def threshold(self, rate: float, seconds: float) -> float:
        """The lowest cosine to accept if at most a fraction `rate` of impostors may pass.

        Args:
            rate: false-accept rate, as a fraction.
            seconds: of speech on the shorter side.

        Raises:
            ConfigError: the calibration trials cannot support so low a rate, or the rate is too high to mean anything.
        """
        if not 0 < rate <= 1:
            raise ConfigError(f"a false-accept rate of {rate:g} is none; give a fraction such as 0.01")
        if not self.rates[-1] <= rate <= self.rates[0]:
            raise ConfigError(
                f"a false-accept rate of {rate:g} is outside {self.rates[-1]:g} to {self.rates[0]:g}: this model was "
                f"calibrated on {self.speaker_pairs:,} speaker pairs"
                + (f", and {rate:g} needs at least {pairs_needed(rate):,}" if rate < self.rates[-1] else "")
                + f"; give one from {self.rates[-1]:g} to {self.rates[0]:g}"
            )
        by_rate = [np.interp(np.log(self._clip(seconds)), np.log(self.durations), row) for row in self.thresholds]
        return float(np.interp(-math.log(rate), -np.log(self.rates), by_rate))

    def crossing(self, llr: float, seconds: float) -> float:
        """The cosine at which the llr reaches a value, for so many seconds of speech."""
        bias, slope, log_bias, log_slope = self.weights
        log = math.log(self._clip(seconds))
        return (llr - bias - log_bias * log) / (slope + log_slope * log)

    def lasting(self, rate: float, llr: float) -> float | None:
        """Seconds of speech from which on nine of ten target trials are accepted; None where no duration does.

        Args:
            rate: false-accept rate that is tolerated, as for `threshold`.
            llr: evidence that is asked for beside it.
        """
        for seconds, cosine in zip(self.durations, self.reached, strict=False):  # nothing is reached where unmeasured
            if cosine >= max(self.threshold(rate, seconds), self.crossing(llr, seconds)):
                return seconds
        return None

    def _clip(self, seconds: float) -> float:
        """Durations beyond the calibrated ones are treated like the nearest."""
        return min(max(seconds, self.durations[0]), self.durations[-1])

    def to_json(self) -> dict[str, object]:
        """Plain data for a card."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, object]) -> Calibration:
        """Read what `to_json` wrote.

        Raises:
            ModelError: a field is missing, unknown or not of its type.
        """
        names = {field.name for field in fields(Calibration)}
        if set(data) != names:
            wrong = ", ".join(sorted(names ^ set(data)))
            raise ModelError(f"the card's calibration has missing or unknown fields: {wrong}; pull the model again")
        try:
            weights = tuple(float(value) for value in cast("Sequence[float]", data["weights"]))
            trials = tuple(int(value) for value in cast("Sequence[int]", data["trials"]))
            bias, slope, log_bias, log_slope = weights
            targets, non_targets = trials
            return Calibration(
                weights=(bias, slope, log_bias, log_slope),
                max_llr=float(cast("float", data["max_llr"])),
                durations=tuple(float(value) for value in cast("Sequence[float]", data["durations"])),
                rates=tuple(float(value) for value in cast("Sequence[float]", data["rates"])),
                thresholds=tuple(
                    tuple(float(value) for value in row)
                    for row in cast("Sequence[Sequence[float]]", data["thresholds"])
                ),
                speaker_pairs=int(cast("int", data["speaker_pairs"])),
                trials=(targets, non_targets),
                source=str(data["source"]),
                reached=tuple(float(value) for value in cast("Sequence[float]", data["reached"])),
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise ModelError(f"the card's calibration cannot be read ({error}); pull the model again") from error


@lru_cache(maxsize=16)
def _digest(calibration: Calibration) -> str:
    """Of all its numbers and its source."""
    text = json.dumps(calibration.to_json(), sort_keys=True)
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:12]


def fit(
    scores: Array,
    seconds: Array,
    is_target: NDArray[np.bool_],
    speakers: tuple[Speakers, Speakers],
    *,
    rates: Sequence[float],
    source: str,
) -> Calibration:
    """Fit a calibration on development trials at several durations.

    Every duration counts the same, and so do targets and non-targets within it.

    Args:
        scores: cosines, shape (n,).
        seconds: of speech on the shorter side, shape (n,), few distinct values.
        is_target: whether one speaker spoke both, shape (n,).
        speakers: number of the speaker on either side, each shape (n,).
        rates: false-accept rates to tabulate, as fractions; those that the pairs of speakers cannot support (rule of
            three) are left out.
        source: what the card should say about the trials.

    Raises:
        ValueError: a duration lacks targets or non-targets, a value is not finite, no rate is supported, or the
            scores do not separate anything (the llr would not grow with the cosine).
    """
    if not (np.isfinite(scores).all() and np.isfinite(seconds).all() and (seconds > 0).all()):
        raise ValueError("scores and seconds must be finite, seconds positive")
    durations = np.unique(seconds)
    importance = np.zeros(len(scores))
    for duration in durations:
        for side in (is_target, ~is_target):
            chosen = side & (seconds == duration)
            if not chosen.any():
                raise ValueError(f"no {'target' if side is is_target else 'non-target'} trials at {duration:g} s")
            importance[chosen] = 1.0 / chosen.sum()
    weights = logistic_regression(_terms(scores, seconds), is_target, importance / importance.sum())
    first, second = speakers
    pairs = count_pairs(first[~is_target], second[~is_target])
    supported = sorted((rate for rate in rates if rate >= least_rate(pairs)), reverse=True)
    if not supported:
        raise ValueError(f"{pairs} speaker pairs support none of the rates; take more speakers, or higher rates")
    columns = []
    for duration in durations:
        chosen = ~is_target & (seconds == duration)
        columns.append(bounded_thresholds(scores[chosen], first[chosen], second[chosen], supported))
    reached = [np.quantile(scores[is_target & (seconds == duration)], 1 - MOST) for duration in durations]
    return Calibration(
        weights=(float(weights[0]), float(weights[1]), float(weights[2]), float(weights[3])),
        max_llr=math.log(pairs),
        durations=tuple(durations.tolist()),
        rates=tuple(supported),
        thresholds=tuple(zip(*columns, strict=True)),
        speaker_pairs=pairs,
        trials=(int(is_target.sum()), int((~is_target).sum())),
        source=source,
        reached=tuple(float(one) for one in reached),
    )


def logistic_regression(terms: Array, labels: NDArray[np.bool_], importance: Array, ridge: float = 1e-6) -> Array:
    """Weights w that minimise the weighted log loss of sigmoid(terms @ w), by Newton's method.

    Args:
        terms: shape (n, k).
        labels: shape (n,).
        importance: weight of each row, shape (n,), summing to 1.
        ridge: strength of the quadratic penalty that keeps separable data finite.

    Returns:
        Shape (k,).
    """
    weights = np.zeros(terms.shape[1])
    penalty = ridge * np.eye(terms.shape[1])
    for _ in range(100):
        predicted = sigmoid(terms @ weights)
        gradient = terms.T @ (importance * (predicted - labels)) + penalty @ weights
        curvature = (terms * (importance * predicted * (1 - predicted))[:, None]).T @ terms + penalty
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, 10.0 / max(float(np.abs(step).max()), 1e-300))
        weights -= step
        if float(np.abs(step).max()) < 1e-10:
            break
    return weights


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    result: Array = 0.5 * (1.0 + np.tanh(0.5 * values))
    return result


def _terms(scores: Array, seconds: Array) -> Array:
    """The columns 1, s, ln d, s ln d."""
    logs = np.log(seconds)
    return np.stack([np.ones_like(scores), scores, logs, scores * logs], axis=1)
