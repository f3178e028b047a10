"""Evidence that knows how good the recordings are: a calibration with quality measures.

The measures of a trial are three numbers that are 0 for clean, wide-band sound and one second of speech: ln of the
shorter duration, and how far the lower signal-to-noise ratio and the lower bandwidth of both sides lie under a cap
beyond which more tells nothing. Two methods:

    logistic  llr = w (1, s, m): logistic regression on the score and the measures; their products with the score join
              where they lower the loss by more than chance would (BIC)
    gaussian  scores ~ normal, with means linear in the measures for targets and for non-targets, and a standard
              deviation, shared by both, whose logarithm is linear in them; llr = log ratio of both densities

Both are lines in the score, so that each is monotone where its slope is positive at every corner of the measures it was
fitted on. That is why the gaussian method shares its deviation: with two, the llr of a very high score would fall.

Knows: scores, three measures. Does not know: audio, models, verdicts.
Source: Mandasari et al., "Quality measure functions for calibration of speaker recognition systems in various duration
conditions", IEEE TASLP 21, 2013 (measures as terms of the regression); van Leeuwen and Brummer, "The distribution of
calibrated likelihood-ratios in speaker recognition", Interspeech 2013 (normal scores of one variance).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product
from typing import Literal, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samevoice.errors import ModelError
from samevoice.scoring.calibration import MAX_LLR, Array, logistic_regression
from samevoice.scoring.fusion import even_importance

__all__ = ["QualityCalibration", "measures"]

Method = Literal["logistic", "gaussian"]
Number = TypeVar("Number", int, float)
Known = ArrayLike | Sequence[float | None]

MAX_SNR_DB = 40.0
MAX_BANDWIDTH_KHZ = 8.0
MEASURES = 3
WEIGHTS: dict[Method, int] = {"logistic": 2 * (1 + MEASURES), "gaussian": 3 * (1 + MEASURES)}
ROUNDS = 200
RIDGE = 1e-9  # so that a measure that never varies gets no weight instead of any


def measures(seconds: ArrayLike, snr_db: Known, bandwidth_khz: Known) -> Array:
    """The quality measures of trials.

    Args:
        seconds: of speech on the shorter side, above 0, shape (n,).
        snr_db: signal-to-noise ratio of the noisier side, counted as 0 below and as 40 above that, shape (n,). None or
            NaN where unknown, which counts as 40: no noise was heard. Of two sides, `np.fmin` takes what is known.
        bandwidth_khz: of the narrower side, counted as 8 above that. None or NaN where unknown, which counts as 8.

    Returns:
        ln(seconds), (snr - 40) / 40 and (bandwidth - 8) / 8, shape (n, 3).

    Raises:
        ValueError: the shapes differ, or the seconds are not positive and finite.
    """
    duration = np.asarray(seconds, dtype=np.float64)
    if not (np.isfinite(duration).all() and (duration > 0).all()):
        raise ValueError("seconds of speech must be positive and finite")
    noise, band = (
        np.nan_to_num(np.clip(np.asarray(values, dtype=np.float64), 0.0, cap), nan=cap) / cap - 1
        for values, cap in ((snr_db, MAX_SNR_DB), (bandwidth_khz, MAX_BANDWIDTH_KHZ))
    )
    return np.stack([np.log(duration), noise, band], axis=1)


@dataclass(frozen=True, slots=True)
class QualityCalibration:
    """A fitted calibration; plain numbers.

    Args:
        method: "logistic" or "gaussian".
        weights: logistic: of 1, the measures, then of the score and its products with them. gaussian: of 1 and the
            measures in the targets' mean, the non-targets' mean, and the logarithm of the standard deviation.
        lows: lowest measures of the trials fitted on; lower ones count as these.
        highs: highest measures, likewise.
        speaker_pairs: pairs of different speakers among the non-targets; no llr goes beyond +-ln of it.
        trials: (target, non-target) trials fitted on.
        source: where the trials came from and what they cannot tell, for people.

    Raises:
        ValueError: a number is not finite or out of range, or the llr would not grow with the score everywhere.
    """

    method: Method
    weights: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    speaker_pairs: int
    trials: tuple[int, int]
    source: str

    def __post_init__(self) -> None:
        """Refuse what no fit could have made."""
        if self.method not in WEIGHTS or len(self.weights) != WEIGHTS[self.method]:
            raise ValueError(f"the method must be one of {', '.join(WEIGHTS)}, with as many weights as it has")
        if not len(self.lows) == len(self.highs) == MEASURES or np.greater(self.lows, self.highs).any():
            raise ValueError(f"{MEASURES} measures need a lowest and a highest value each")
        if not np.isfinite([*self.weights, *self.lows, *self.highs]).all():
            raise ValueError("a number is not finite")
        if self.speaker_pairs < 2 or len(self.trials) != 2 or min(self.trials) < 1:
            raise ValueError("two speaker pairs and one trial of each kind are needed")
        with np.errstate(over="ignore", invalid="ignore"):
            bias, slope = self._line(_corners(self.lows, self.highs))
        if not (np.isfinite(bias).all() and np.isfinite(slope).all() and (slope > 0).all()):
            raise ValueError("the llr does not grow with the score; the scores do not separate same from different")

    @property
    def max_llr(self) -> float:
        """Evidence is never claimed beyond this, since the trials could not have shown it."""
        return min(math.log(self.speaker_pairs), MAX_LLR)

    def llrs(self, scores: Array, measured: Array) -> Array:
        """Evidence for one speaker, natural logarithm, within +-`max_llr`.

        Args:
            scores: of the system fitted on, shape (n,).
            measured: what `measures` says about the trials, shape (n, 3).

        Returns:
            Shape (n,).

        Raises:
            ValueError: the shapes do not fit, or a number is not finite.
        """
        _check(scores, measured)
        bias, slope = self._line(np.clip(measured, self.lows, self.highs))
        found: Array = np.clip(bias + slope * scores, -self.max_llr, self.max_llr)
        return found

    def _line(self, measured: Array) -> tuple[Array, Array]:
        """Value at a score of 0 and slope of the llr, for each row of measures."""
        terms = _with_one(measured)
        parts = [terms @ part for part in np.split(np.array(self.weights), len(self.weights) // terms.shape[1])]
        if self.method == "logistic":
            return parts[0], parts[1]
        target, other, log_sd = parts
        slope = (target - other) * np.exp(-2 * log_sd)
        return -slope * (target + other) / 2, slope

    @staticmethod
    def fit(
        scores: Array,
        measured: Array,
        is_target: NDArray[np.bool_],
        *,
        method: Method = "logistic",
        speaker_pairs: int,
        source: str,
    ) -> QualityCalibration:
        """Fit on development trials under all conditions to come; targets and non-targets count the same.

        Args:
            scores: higher means more alike, of any scale, shape (n,).
            measured: what `measures` says about the trials, shape (n, 3).
            is_target: whether one speaker spoke both, shape (n,).
            method: "logistic" or "gaussian".
            speaker_pairs: pairs of different speakers among the non-targets.
            source: what to say about the trials, for people.

        Raises:
            ValueError: the shapes do not fit, a number is not finite, a side is empty, the scores never vary, or they
                do not separate same from different under all conditions.
        """
        _check(scores, measured)
        if is_target.shape != scores.shape:
            raise ValueError(f"{scores.shape} scores need as many labels, got {is_target.shape}")
        importance = even_importance(is_target)
        centre, spread = float(scores.mean()), float(scores.std())
        if spread <= 1e-12 * abs(centre):
            raise ValueError("the scores never vary")
        # On one scale, since the penalties and the first step must not depend on the unit of the scores.
        scaled, terms = (scores - centre) / spread, _with_one(measured)
        lows, highs = measured.min(axis=0), measured.max(axis=0)
        if method == "logistic":
            independent = max(2, min(len(scores), speaker_pairs))
            bias, slope = _fit_logistic(scaled, terms, is_target, importance, independent, _corners(lows, highs))
            weights = np.concatenate([bias - slope * centre / spread, slope / spread])
        else:
            weights = spread * _fit_gaussian(scaled, terms, is_target, importance)
            weights[2] /= spread
            weights[:, 0] += [centre, centre, math.log(spread)]
        return QualityCalibration(
            method=method,
            weights=tuple(weights.ravel().tolist()),
            lows=tuple(lows.tolist()),
            highs=tuple(highs.tolist()),
            speaker_pairs=speaker_pairs,
            trials=(int(is_target.sum()), int((~is_target).sum())),
            source=source,
        )

    def to_json(self) -> dict[str, object]:
        """Plain data for a card."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, object]) -> QualityCalibration:
        """Read what `to_json` wrote.

        Args:
            data: plain values.

        Raises:
            ModelError: a field is missing, unknown or not of its type.
        """
        names = {field.name for field in fields(QualityCalibration)}
        if set(data) != names:
            wrong = ", ".join(sorted(map(str, names ^ set(data))))
            raise ModelError(f"the quality calibration has missing or unknown fields: {wrong}; fit it again")
        try:
            targets, others = _plain(data["trials"], int)
            (speaker_pairs,) = _plain([data["speaker_pairs"]], int)
            return QualityCalibration(
                method=cast("Method", data["method"]),
                weights=_plain(data["weights"], float),
                lows=_plain(data["lows"], float),
                highs=_plain(data["highs"], float),
                speaker_pairs=speaker_pairs,
                trials=(targets, others),
                source=str(data["source"]),
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise ModelError(f"the quality calibration cannot be read ({error}); fit it again") from error


def _fit_logistic(
    scores: Array, terms: Array, is_target: NDArray[np.bool_], importance: Array, independent: int, corners: Array
) -> tuple[Array, Array]:
    """Weights of `terms` in the bias and in the slope; the latter of 1 only, unless the products pay.

    The products must lower the loss by more than BIC asks of so many `independent` trials, and leave the slope positive
    at all `corners` of the measures.
    """

    def fitted(columns: int) -> tuple[float, Array, Array]:
        table = np.column_stack([terms, scores[:, None] * terms[:, :columns]])
        weights = logistic_regression(table, is_target, importance)
        loss = float(importance @ np.logaddexp(0.0, np.where(is_target, -1.0, 1.0) * (table @ weights)))
        bias, slope = np.split(np.pad(weights, (0, terms.shape[1] - columns)), 2)
        return loss, bias, slope

    plain, bias, slope = fitted(1)
    loss, *both = fitted(terms.shape[1])
    if plain - loss > MEASURES * math.log(independent) / (2 * independent) and (_with_one(corners) @ both[1] > 0).all():
        bias, slope = both
    return bias, slope


def _fit_gaussian(scores: Array, terms: Array, is_target: NDArray[np.bool_], importance: Array) -> Array:
    """Weights of `terms` in both means and in ln(sd), shape (3, 4): maximum likelihood by Fisher scoring."""
    means, log_sd = np.zeros((2, terms.shape[1])), np.zeros(terms.shape[1])
    for _ in range(ROUNDS):
        precise = np.exp(-2 * (terms @ log_sd))
        for row, side in enumerate((is_target, ~is_target)):
            means[row] = _least_squares(terms[side], scores[side], (importance * precise)[side])
        rest = scores - np.where(is_target, terms @ means[0], terms @ means[1])
        step = _least_squares(terms, (rest**2 * precise - 1) / 2, importance)
        step *= min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-300))
        log_sd += step
        if float(np.abs(step).max()) < 1e-10:
            break
    return np.stack([*means, log_sd])


def _least_squares(terms: Array, values: Array, importance: Array) -> Array:
    """Weights of `terms` whose weighted sum comes nearest to `values`."""
    weighted = terms * (importance / importance.sum())[:, None]
    found: Array = np.linalg.solve(weighted.T @ terms + RIDGE * np.eye(terms.shape[1]), weighted.T @ values)
    return found


def _with_one(measured: Array) -> Array:
    """The columns 1 and the measures."""
    return np.column_stack([np.ones(len(measured)), measured])


def _corners(lows: ArrayLike, highs: ArrayLike) -> Array:
    """All combinations of lowest and highest measures, shape (8, 3)."""
    return np.array(list(product(*np.stack([lows, highs], axis=1))))


def _check(scores: Array, measured: Array) -> None:
    """Refuse shapes that do not fit and numbers that are none."""
    if scores.ndim != 1 or measured.shape != (len(scores), MEASURES):
        raise ValueError(f"scores (n,) and measures (n, {MEASURES}) are needed, got {scores.shape}, {measured.shape}")
    if not (np.isfinite(scores).all() and np.isfinite(measured).all()):
        raise ValueError("scores and measures must be finite")


def _plain(values: object, kind: type[Number]) -> tuple[Number, ...]:
    """A list of numbers from JSON, nothing else."""
    if not isinstance(values, list | tuple) or any(type(value) not in (int, kind) for value in values):
        raise ValueError(f"{values!r:.40} is no list of numbers")
    return tuple(kind(value) for value in values)  # JSON writes 2.0 as 2
