"""What an identification is decided by: a rate split over people and looks, thresholds beyond the calibration's table.

Every person enrolled is another chance for a stranger to pass. So the tolerated share of strangers that pass for
anybody (FPIR) is split evenly: with n people each comparison has FPIR / n (union bound: it holds however the scores
hang together).

The table of a calibration ends at the lowest rate that its pairs of speakers support. Beyond it the threshold is a
straight line in the normal quantile of the rate, as if the tail of cosines between strangers were that of a normal
distribution. Chosen on halves of the development speakers: from a table that ends at 1 % it kept 0.1 % among the other
half in 31 of 36 cases and missed it by a factor of 2.2 at most; a line in the logarithm of the rate always kept it, but
soon asks for cosines above 1. Checked with the shipped table on 201 other speakers: at 0.1, 0.05 and 0.01 % no more
than half of the stated rate was found, at 1 to 6 s, as recorded and elsewhere.

Knows: calibrations, rates, seconds. Does not know: scores, people, verdicts.
Source: ISO/IEC 19795-1:2021 (FPIR); Bonferroni's inequality.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from samevoice.errors import ConfigError
from samevoice.scoring.calibration import MOST, Calibration
from samevoice.scoring.decision import DEFAULT_PRIOR, SAME_LLR, SHORT_SECONDS

DEFAULT_FPIR = 0.01
LEAST_FPIR = 1e-12
TAIL = 4  # lowest tabulated rates that the extrapolation stands on


def check_fpir(fpir: float) -> None:
    """Refuse what is no rate.

    Raises:
        ConfigError: it is not between 0 and 1, or lower than any evidence could show.
    """
    if not 0 < fpir < 1:
        raise ConfigError(f"a false-positive rate of {fpir:g} is none; give a fraction such as 0.01")
    if fpir < LEAST_FPIR:
        raise ConfigError(f"no evidence shows a false-positive rate of {fpir:g}; give {LEAST_FPIR:g} or more")


@dataclass(frozen=True, slots=True)
class Rules:
    """What an identification is decided by.

    Args:
        calibration: the model's; see `required`.
        model: fingerprint to put on record.
        fpir: share of strangers tolerated to pass for anybody enrolled, in (0, 1).
        prior: probability of being enrolled before listening, in (0, 1).
        share: of the tolerated rate that this look may spend, in (0, 1]; below 1 where the same probe is judged again.

    Raises:
        ConfigError: an option is out of range.
    """

    calibration: Calibration
    model: str
    fpir: float = DEFAULT_FPIR
    prior: float = DEFAULT_PRIOR
    share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse options that cannot be honoured, before any work is done."""
        check_fpir(self.fpir)
        if not 0 < self.prior < 1:
            raise ConfigError(f"a prior of {self.prior:g} is no probability; give a value between 0 and 1")
        if not 0 < self.share <= 1:
            raise ValueError(f"a share in (0, 1] is needed, got {self.share}")

    def rate(self, people: int) -> float:
        """False-accept rate of one comparison; no higher than the calibration knows."""
        return min(self.share * self.fpir / people, self.calibration.rates[0])

    def extrapolates(self, people: int) -> bool:
        """Whether so low a rate is beyond what the calibration supports."""
        return not _supported(self.calibration, self.rate(people))

    def accepting(self, people: int, seconds: float) -> float:
        """The lowest cosine that keeps the rate among so many people."""
        return rate_threshold(self.calibration, self.rate(people), seconds)

    def threshold(self, people: int, seconds: float) -> float:
        """The lowest cosine that could be "known": the rate is kept, and the evidence is nineteen to one."""
        llr = SAME_LLR + math.log(people) - math.log(self.prior / (1 - self.prior))
        return max(self.accepting(people, seconds), self.calibration.crossing(llr, seconds))

    def lasting(self, people: int) -> float | None:
        """Seconds of speech from which on nine of ten people enrolled are known; None where no duration does."""
        if not self.calibration.reached:
            return SHORT_SECONDS
        reaching = zip(self.calibration.durations, self.calibration.reached, strict=True)
        return next((one for one, cosine in reaching if cosine >= self.threshold(people, one)), None)


def required(calibration: Calibration | None, model: str) -> Calibration:
    """A model's calibration, without which strangers cannot be told.

    Raises:
        ConfigError: there is none.
    """
    if calibration is None:
        raise ConfigError(f"{model} has no calibration, so it cannot tell strangers; choose another model")
    return calibration


def rate_threshold(calibration: Calibration, rate: float, seconds: float) -> float:
    """The lowest cosine to accept at a false-accept rate, beyond the tabulated rates by a straight line.

    The tails of cosines between strangers fall about like those of a normal distribution: there the threshold is a
    straight line in the normal quantile of the rate. The line starts at the lowest tabulated rate and rises as steeply
    as the steepest chord that ends there, over the four lowest rates, so that a flat stretch in the table of few
    speakers does not lower it.

    Args:
        calibration: with at least two rates below 1, if the rate is lower than they are.
        rate: in (0, 1].
        seconds: of speech on the shorter side.

    Raises:
        ConfigError: the rate is above those tabulated, or there are too few of them to draw a line.
    """
    lowest = calibration.rates[-1]
    if _supported(calibration, rate):
        return calibration.threshold(max(rate, lowest), seconds)
    start, quantile = calibration.threshold(lowest, seconds), _quantile(lowest)
    slopes = [
        (start - calibration.threshold(one, seconds)) / (quantile - _quantile(one))
        for one in calibration.rates[-TAIL:-1]
        if one < 1
    ]
    if not slopes:
        return calibration.threshold(rate, seconds)  # refuses
    return start + max(0.0, *slopes) * (_quantile(rate) - quantile)


def share_below(calibration: Calibration, cosine: float, seconds: float) -> float:
    """At most what share of target trials has a lower cosine, as far as the calibration tells.

    Args:
        calibration: the model's.
        cosine: in [-1, 1].
        seconds: of speech on the shorter side.
    """
    shorter = max(seconds, calibration.durations[0])
    told = bool(calibration.reached) and cosine <= np.interp(
        math.log(shorter), np.log(calibration.durations), calibration.reached
    )
    return 1 - MOST if told else 1.0


def _supported(calibration: Calibration, rate: float) -> bool:
    """Whether a rate is no lower than those tabulated; what rounding makes of FPIR / n does not count."""
    return rate >= calibration.rates[-1] * (1 - 1e-9)


def _quantile(rate: float) -> float:
    """Standard deviations above the mean that a normal variable exceeds so often."""
    return -NormalDist().inv_cdf(rate)
