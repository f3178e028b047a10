"""Error rates and the cost of evidence, exact under ties and in any order of trials.

Knows: scores of target and non-target trials. Does not know: where they come from.
Source: Brummer, "Measuring, refining and calibrating speaker and language information extracted from speech",
PhD thesis, Stellenbosch 2010 (ROC convex hull, Cllr).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def error_rates(targets: Array, non_targets: Array) -> tuple[Array, Array]:
    """Miss and false-accept rates at every distinct threshold, from accepting all to accepting none.

    A trial is accepted when its score is at least the threshold, so tied scores move together.

    Args:
        targets: scores of trials with one speaker, shape (n,), n >= 1.
        non_targets: scores of trials with two speakers, shape (m,), m >= 1.

    Returns:
        (p_miss, p_fa), each shape (k + 1,) for k distinct scores; p_miss ascends, p_fa descends.

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    for scores, side in ((targets, "target"), (non_targets, "non-target")):
        if not len(scores):
            raise ValueError(f"no {side} trials; both kinds are needed")
        if not np.isfinite(scores).all():
            raise ValueError(f"a {side} score is not finite")
    cuts = np.unique(np.concatenate([targets, non_targets]))
    misses = np.searchsorted(np.sort(targets), cuts, side="left") / len(targets)
    accepted = 1.0 - np.searchsorted(np.sort(non_targets), cuts, side="left") / len(non_targets)
    return np.append(misses, 1.0), np.append(accepted, 0.0)


def eer(targets: Array, non_targets: Array) -> float:
    """Equal error rate, interpolated linearly on the full ROC; a fraction.

    Args:
        targets: scores of trials with one speaker, shape (n,).
        non_targets: scores of trials with two speakers, shape (m,).

    Raises:
        ValueError: a side is empty or a score is not finite.
    """
    p_miss, p_fa = error_rates(targets, non_targets)
    gap = p_miss - p_fa  # never falls: from -1 at the lowest threshold to 1 at the highest
    after = int(np.argmax(gap >= 0))
    rise = gap[after] - gap[after - 1]
    share = -gap[after - 1] / rise
    return float(p_miss[after - 1] + share * (p_miss[after] - p_miss[after - 1]))


def cllr(target_llrs: Array, non_target_llrs: Array) -> float:
    """Cost of log-likelihood ratios in bits: 0 for perfect evidence, 1 for none.

    Args:
        target_llrs: natural-log likelihood ratios of trials with one speaker, shape (n,).
        non_target_llrs: the same for two speakers, shape (m,).

    Raises:
        ValueError: a side is empty or a value is not finite.
    """
    error_rates(target_llrs, non_target_llrs)
    misses = np.logaddexp(0.0, -target_llrs).mean()
    alarms = np.logaddexp(0.0, non_target_llrs).mean()
    return float((misses + alarms) / (2 * np.log(2.0)))
