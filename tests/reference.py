"""Slow oracles: loops that follow a definition word by word. They import nothing of the code they judge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def eer(targets: Sequence[float], non_targets: Sequence[float]) -> float:
    """Equal error rate: walk up all thresholds and interpolate where misses overtake false accepts."""
    points = []
    for cut in [*sorted({*targets, *non_targets}), math.inf]:
        misses = sum(1 for score in targets if score < cut) / len(targets)
        accepts = sum(1 for score in non_targets if score >= cut) / len(non_targets)
        points.append((misses, accepts))
    for (m0, a0), (m1, a1) in itertools.pairwise(points):
        if m1 >= a1:
            # The chord from (m0, a0) to (m1, a1) meets the diagonal: m0 + t (m1 - m0) = a0 + t (a1 - a0).
            t = (a0 - m0) / ((m1 - m0) - (a1 - a0))
            return m0 + t * (m1 - m0)
    raise AssertionError("at the last threshold everything is missed")


def cllr(target_llrs: Sequence[float], non_target_llrs: Sequence[float]) -> float:
    """Mean of log2(1 + 1 / LR) over targets and log2(1 + LR) over non-targets, halved."""
    misses = sum(math.log2(1 + math.exp(-llr)) for llr in target_llrs) / len(target_llrs)
    alarms = sum(math.log2(1 + math.exp(llr)) for llr in non_target_llrs) / len(non_target_llrs)
    return (misses + alarms) / 2


def min_dcf(targets: Sequence[float], non_targets: Sequence[float], prior: float, c_miss: float, c_fa: float) -> float:
    """Least expected cost over all thresholds, over that of accepting all or none, whichever is cheaper."""
    costs = []
    for cut in [*sorted({*targets, *non_targets}), math.inf]:
        misses = sum(1 for score in targets if score < cut) / len(targets)
        accepts = sum(1 for score in non_targets if score >= cut) / len(non_targets)
        costs.append(prior * c_miss * misses + (1 - prior) * c_fa * accepts)
    return min(costs) / min(prior * c_miss, (1 - prior) * c_fa)


def f_measure_grid(targets: Sequence[float], non_targets: Sequence[float]) -> dict[str, float]:
    """The Deep Speaker projects' numbers: a walk over 0.000 ... 0.999, accepting what lies above."""
    best = {"f": -1.0}
    least = math.inf
    for step in range(1000):
        cut = step / 1000
        tp = sum(1 for score in targets if score > cut)
        fp = sum(1 for score in non_targets if score > cut)
        fn, tn = len(targets) - tp, len(non_targets) - fp
        precision = tp / (tp + fp) if tp + fp else 0.0
        recall = tp / (tp + fn)
        f = 2 * precision * recall / (precision + recall + 1e-12)
        if f > best["f"]:
            accuracy = (tp + tn) / (tp + tn + fp + fn)
            best = {"f": f, "tpr": recall, "accuracy": accuracy, "threshold": cut}
        frr, far = fn / (tp + fn), fp / (fp + tn)
        apart = abs(fn * len(non_targets) - fp * len(targets))  # |FRR - FAR| without rounding, times both numbers
        if apart < least:
            least, equal = apart, {"eer": (frr + far) / 2, "eer_threshold": cut}
    return {**best, **equal}


def counted_threshold(impostors: Sequence[float], rate: float) -> float:
    """The lowest impostor score just above which at most a fraction `rate` of them remains; -1 when all may pass."""
    if len(impostors) <= rate * len(impostors):
        return -1.0
    for score in sorted(impostors):
        if sum(1 for other in impostors if other > score) <= rate * len(impostors):
            return score
    raise AssertionError("nothing lies above the highest score")


def kaldi_fbank(samples: NDArray[Any], rate: int = 16_000, bands: int = 80) -> NDArray[np.float64]:
    """Kaldi's fbank (feature-fbank.cc, feature-window.cc, mel-computations.cc) in double precision.

    25 ms Povey windows every 10 ms, snipped edges, no dither, mean removed, pre-emphasis 0.97, power spectrum,
    triangles linear in mel between 20 Hz and half the rate, natural logarithm.
    """
    width, hop = rate * 25 // 1000, rate * 10 // 1000
    size = 1
    while size < width:
        size *= 2
    window = [(0.5 - 0.5 * math.cos(2 * math.pi * n / (width - 1))) ** 0.85 for n in range(width)]

    def mel(hertz: float) -> float:
        return 1127.0 * math.log(1.0 + hertz / 700.0)

    low, high = mel(20.0), mel(rate / 2)
    step = (high - low) / (bands + 1)
    weights = np.zeros((bands, size // 2 + 1))
    for band in range(bands):
        left, centre, right = low + band * step, low + (band + 1) * step, low + (band + 2) * step
        for bin_ in range(size // 2):
            place = mel(bin_ * rate / size)
            if left < place < right:
                up, down = (place - left) / (centre - left), (right - place) / (right - centre)
                weights[band, bin_] = up if place <= centre else down
    frames = []
    for start in range(0, len(samples) - width + 1, hop):
        frame = np.array(samples[start : start + width], dtype=np.float64)
        frame -= frame.mean()
        emphasised = frame.copy()
        for n in range(1, width):
            emphasised[n] = frame[n] - 0.97 * frame[n - 1]
        emphasised[0] = frame[0] - 0.97 * frame[0]
        power = np.abs(np.fft.rfft(emphasised * window, size)) ** 2
        frames.append(np.log(np.maximum(weights @ power, np.finfo(np.float32).eps)))
    return np.array(frames).reshape(-1, bands)
