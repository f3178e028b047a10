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
BODY = 513  # cosines by which what lies before the tail is kept


@dataclass(frozen=True, slots=True)
class Tail:
    """The cosines of strangers: as they were found, and from `start` on those of a normal distribution.

    Args:
        start: cosine at which the tail begins.
        share: of all pairs at or above it.
        deviation: of the normal distribution.
        body: cosines that equal shares of all pairs lie between, rising, from the least to `start`, shape (n,).
    """

    start: float
    share: float
    deviation: float
    body: NDArray[np.float64]

    def rates(self, cosines: NDArray[np.float32]) -> NDArray[np.float64]:
        """The share of strangers at least that much alike."""
        found = np.interp(cosines, self.body, np.linspace(1, self.share, len(self.body)))
        beyond = np.maximum(cosines.astype(np.float64) - self.start, 0) / self.deviation
        scaled = (_deviate(self.share) + beyond) / math.sqrt(2)
        tail = np.array([math.erfc(one) / 2 for one in scaled.tolist()], dtype=np.float64)
        return np.where(cosines > self.start, tail, found)

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
    body = np.quantile(cosines, np.linspace(0, 1 - far, BODY)).astype(np.float64)
    deviation = float(high - low) / (_deviate(far) - _deviate(near))
    return Tail(float(high), far, max(deviation, FLATTEST), body)


def _deviate(rate: float) -> float:
    """The standard normal deviate that a share exceeds."""
    return -NormalDist().inv_cdf(rate)
