"""What a threshold costs, as far as a model's calibration tells: strangers let in, and the right people sent away.

False accepts are what the calibration measured and bounded. Of false rejects it knows one number for each duration: the
cosine that nine of ten recordings of one person reach. The rest is modelled: cosines of one person and of two are taken
for normal with one variance, the evidence (llr) of the calibration for the ratio of the two. Both together fix mean and
variance of one person's cosines, and the curve goes through the measured point.

On people that no calibration saw, at the default rate and with one side in other conditions, the model says 28.7, 12.0
and 4.8 % for 1, 2 and 3 s of speech, where 26.1, 9.0 and 4.1 % were sent away (benchmarks/decision_quality.py).

With b the slope of the llr in the cosine, m where it is zero, r the cosine that is reached and z = 1.28, the model says
b = 2 (mean - m) / s^2 and r = mean - z s, hence b s^2 - 2 z s - 2 (r - m) = 0.

Knows: calibrations, rates, cosines. Does not know: people, requests.
Source: van Leeuwen and Brummer, "The distribution of calibrated likelihood-ratios in speaker recognition", Interspeech
2013 (normal scores of equal variance and their likelihood ratio).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from samevoice.scoring.calibration import MOST, Calibration
from samevoice.scoring.decision import SAME_LLR

STEPS = 40  # points of a curve, beside the rates that the calibration tabulates


@dataclass(frozen=True, slots=True)
class Point:
    """A setting and what it costs.

    Args:
        far: at most this share of strangers is let in.
        threshold: lowest cosine let in: the higher of what that rate asks for and where evidence is nineteen to one.
        kept: at most this share of strangers reaches that threshold; below `far` where the evidence asks for more.
        frr: share of the right people's attempts that is not let in; None where the calibration does not say.
    """

    far: float
    threshold: float
    kept: float
    frr: float | None


def curve(calibration: Calibration, seconds: float) -> list[Point]:
    """Settings from the highest rate that the calibration knows to the lowest.

    Args:
        calibration: the model's.
        seconds: of speech on the shorter side.
    """
    highest, lowest = calibration.rates[0], calibration.rates[-1]
    steps = np.geomspace(highest, lowest, STEPS)[1:-1].tolist()  # its ends are the table's, which rounding would miss
    rates = sorted({*calibration.rates, *steps}, reverse=True)
    return [point(calibration, rate, seconds) for rate in rates]


def point(calibration: Calibration, far: float, seconds: float) -> Point:
    """What one rate asks for, and costs.

    Raises:
        ConfigError: the calibration does not support the rate.
    """
    threshold = max(calibration.threshold(far, seconds), calibration.crossing(SAME_LLR, seconds))
    kept = min(_kept(calibration, threshold, seconds), far)
    return Point(far, threshold, kept, rejected(calibration, threshold, seconds))


def _kept(calibration: Calibration, cosine: float, seconds: float) -> float:
    """The lowest rate of the table that a threshold keeps."""
    cosines = [calibration.threshold(rate, seconds) for rate in calibration.rates]
    return math.exp(-np.interp(cosine, cosines, -np.log(calibration.rates)))


def reached(calibration: Calibration, seconds: float) -> float | None:
    """The cosine that nine of ten recordings of one person reach; None where it was not measured."""
    if not calibration.reached:
        return None
    return float(np.interp(math.log(seconds), np.log(calibration.durations), calibration.reached))


def rejected(calibration: Calibration, cosine: float, seconds: float) -> float | None:
    """The share of one person's recordings below a cosine; None where the calibration does not say."""
    nine_of_ten = reached(calibration, seconds)
    if nine_of_ten is None:
        return None
    middle = calibration.crossing(0.0, seconds)
    slope = 1.0 / (calibration.crossing(1.0, seconds) - middle)
    z = NormalDist().inv_cdf(MOST)
    root = z**2 + 2 * slope * (nine_of_ten - middle)
    if root < 0:  # no two such distributions have this evidence
        return None
    spread = (z + math.sqrt(root)) / slope
    return NormalDist(nine_of_ten + z * spread, spread).cdf(cosine)
