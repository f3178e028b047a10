"""Several opinions as one: linear logistic fusion of scores.

Knows: columns of numbers, labels. Does not know: which systems they come from.
Source: Brummer et al., "Fusion of heterogeneous speaker recognition systems in the STBU submission for the NIST
speaker recognition evaluation 2006", IEEE Transactions on Audio, Speech and Language Processing 15, 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.scoring.calibration import Array, logistic_regression

__all__ = ["Fusion"]


@dataclass(frozen=True, slots=True)
class Fusion:
    """llr = bias + the weighted sum of all columns.

    Args:
        bias: of the sum.
        weights: of k columns; a column without use may have any sign.

    Raises:
        ValueError: there are no weights, or a number is not finite.
    """

    bias: float
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what no fit could have made."""
        if not self.weights or not np.isfinite([self.bias, *self.weights]).all():
            raise ValueError("a fusion needs finite weights, at least one")

    @staticmethod
    def fit(columns: Array, is_target: NDArray[np.bool_], prior: float = 0.5) -> Fusion:
        """Fit on development trials; all targets together weigh as the prior says, whatever their number.

        Args:
            columns: of each trial the scores of k systems and side information such as ln(seconds), shape (n, k).
            is_target: whether one speaker spoke both, shape (n,).
            prior: share of targets where the llr has to be at its best, in (0, 1); the llr itself holds no prior.

        Raises:
            ValueError: the shapes do not fit, a number is not finite, a side is empty, a column never varies, or the
                prior is no probability.
        """
        if not 0 < prior < 1:
            raise ValueError(f"a prior lies between 0 and 1, got {prior}")
        if columns.ndim != 2 or is_target.shape != (len(columns),) or not np.isfinite(columns).all():
            raise ValueError(f"finite columns of shape (n, k) and n labels are needed, got {columns.shape}")
        importance = even_importance(is_target, prior)
        # On one scale, since the penalty and the steps of the regression must not depend on a column's unit.
        means, sds = columns.mean(axis=0), columns.std(axis=0)
        if (sds <= 1e-12 * np.abs(means)).any():
            raise ValueError(f"column {int(np.argmin(sds))} never varies; leave it out")
        terms = np.column_stack([np.ones(len(columns)), (columns - means) / sds])
        fitted = logistic_regression(terms, is_target, importance)
        weights = fitted[1:] / sds
        bias = float(fitted[0] - means @ weights) - math.log(prior / (1 - prior))
        return Fusion(bias, tuple(weights.tolist()))

    def llrs(self, columns: Array) -> Array:
        """Evidence for one speaker, natural logarithm, shape (n, k) to (n,).

        Args:
            columns: scores of n trials by k systems, shape (n, k).

        Raises:
            ValueError: there are not as many columns as were fitted.
        """
        if columns.ndim != 2 or columns.shape[1] != len(self.weights):
            raise ValueError(f"{len(self.weights)} columns were fitted, got {columns.shape}")
        found: Array = columns @ np.array(self.weights) + self.bias
        return found


def even_importance(is_target: NDArray[np.bool_], prior: float = 0.5) -> Array:
    """The weight of each trial when all targets together weigh `prior` and all non-targets the rest.

    Raises:
        ValueError: a side is empty.
    """
    targets = int(is_target.sum())
    if not 0 < targets < len(is_target):
        raise ValueError("both target and non-target trials are needed")
    return np.where(is_target, prior / targets, (1 - prior) / (len(is_target) - targets))
