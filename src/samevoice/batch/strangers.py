"""How alike the strangers of a corpus are, far out where no calibration reaches.

A corpus of many speakers is its own best measure: of N (N - 1) / 2 pairs all but a few are of two people. Their cosines
are close to normal, so that their upper quantiles over those of the normal distribution lie on a line, which is
extrapolated. True pairs move it little, and to the safe side: even if everybody were there twice, they would be one in
N of all pairs, and the line stands on the most alike 5 in N and 50 in N.

Knows: cosines. Does not know: who they belong to, calibration.
Source: Wilk and Gnanadesikan, "Probability plotting methods for the analysis of data", Biometrika 55, 1968 (quantiles
over quantiles).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEAST = 1_000  # cosines, below which there is no tail to speak of
NEAR, FAR = 50.0, 5.0  # pairs for each row: where the line is fixed
MOST_NEAR = 0.5
FLATTEST = 1e-6  # slope; identical recordings may have no spread


@dataclass(frozen=True, slots=True)
class Tail:
    """The upper tail of the cosines of strangers: that of a normal distribution from `start` on.

    Args:
        start: cosine at which it begins.
        share: of all pairs at or above it.
        deviation: of the normal distribution.
    """

    start: float
    share: float
    deviation: float

    def rates(self, cosines: NDArray[np.float32]) -> NDArray[np.float64]:
        """The share of strangers at least that much alike; below the start, the share there."""
        beyond = np.maximum(cosines.astype(np.float64) - self.start, 0) / self.deviation
        scaled = (_deviate(self.share) + beyond) / math.sqrt(2)
        return np.array([math.erfc(one) / 2 for one in scaled.tolist()], dtype=np.float64)

    def threshold(self, rate: float) -> float:
        """The cosine that a share of strangers reaches; may lie above 1, where no cosine is enough."""
        return self.start + self.deviation * max(_deviate(rate) - _deviate(self.share), 0)


def fit(cosines: NDArray[np.float32]) -> Tail | None:
    """The tail of the cosines of all pairs among some rows; None if there are too few to tell.

    Args:
        cosines: shape (m (m - 1) / 2,).
    """
    if len(cosines) < LEAST:
        return None
    rows = math.sqrt(2 * len(cosines))
    near = min(NEAR / rows, MOST_NEAR)
    far = near * FAR / NEAR
    low, high = np.quantile(cosines, [1 - near, 1 - far])
    deviation = float(high - low) / (_deviate(far) - _deviate(near))
    return Tail(float(high), far, max(deviation, FLATTEST))


def _deviate(rate: float) -> float:
    """The standard normal deviate that a share exceeds."""
    return -NormalDist().inv_cdf(rate)
