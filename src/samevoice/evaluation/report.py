"""All measures of one test in one value.

Knows: unit vectors and who speaks in each. Does not know: models, sound, where a threshold comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.evaluation.bootstrap import DRAWS, Interval, Statistic, by_speaker
from samevoice.evaluation.metrics import Array, Curve, GridMeasure, f_measure_grid
from samevoice.evaluation.thresholds import Threshold
from samevoice.evaluation.trials import SessionCounts, Trials, all_pairs, count_sessions, one_and_many

PRIORS = (0.01, 0.05)
FEW = 10
FEW_SPEAKERS = f"(fewer than {FEW} speakers: the intervals say nothing about other people)"
NO_WIDTH = "(an interval without width: no error was seen here, which does not mean that none can happen)"


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of many values."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a system tells speakers apart, with 95 % intervals over speakers.

    Args:
        speakers: how many.
        pieces: recordings compared.
        targets: trials with one speaker.
        non_targets: trials with two.
        eer: equal error rate.
        min_dcf_01: least detection cost for a share of targets of 0.01, normalised.
        min_dcf_05: the same for 0.05.
        auc: area under the ROC.
        threshold: given, never fitted on these trials.
        positive_accuracy: share of targets accepted at the threshold (sensitivity); None without one.
        negative_accuracy: share of non-targets rejected there (specificity); None without one.
        same_distance: distances 1 - cosine of targets, d(AP).
        different_distance: those of non-targets, d(AN).
        grid: what the Deep Speaker projects would report, over all pairs.
        one_and_many: the same on their trials, one target and 99 non-targets for each speaker.
        sessions: how many targets share a session; None where nothing was told.
    """

    speakers: int
    pieces: int
    targets: int
    non_targets: int
    eer: Interval
    min_dcf_01: Interval
    min_dcf_05: Interval
    auc: Interval
    threshold: Threshold | None
    positive_accuracy: Interval | None
    negative_accuracy: Interval | None
    same_distance: Spread
    different_distance: Spread
    grid: GridMeasure
    one_and_many: GridMeasure
    sessions: SessionCounts | None

    def to_json(self) -> dict[str, Any]:
        """Plain values; what was not measured is None."""
        return asdict(self)

    def __str__(self) -> str:
        """A block of lines for people; rates in per cent, with their intervals."""
        lines = [
            f"{self.speakers} speakers, {self.pieces:,} pieces",
            f"{self.targets:,} target and {self.non_targets:,} non-target trials",
            *self._session_lines(),
            "",
            f"{'measure':<28}{'value':>9}   95 % interval over speakers",
            *(_row(name, one, scale) for name, one, scale in self._rows()),
            *([NO_WIDTH] if self._flawless() else []),
            *([FEW_SPEAKERS] if self.speakers < FEW else []),
            "",
            _spread("distance, same speaker", self.same_distance),
            _spread("distance, two speakers", self.different_distance),
            _grid("grid, all pairs", self.grid),
            _grid("grid, 1 + 99 per speaker", self.one_and_many),
        ]
        return "\n".join(lines)

    def _rows(self) -> list[tuple[str, Interval, int]]:
        """Name, measure, and 100 where it is shown as per cent."""
        rows = [
            ("EER %", self.eer, 100),
            ("minDCF, prior 0.01", self.min_dcf_01, 1),
            ("minDCF, prior 0.05", self.min_dcf_05, 1),
            ("AUC", self.auc, 1),
        ]
        if self.threshold and self.positive_accuracy and self.negative_accuracy:
            at = f"at {self.threshold.value:.3f}"
            rows.append((f"positives {at} %", self.positive_accuracy, 100))
            rows.append((f"negatives {at} %", self.negative_accuracy, 100))
        return rows

    def _flawless(self) -> bool:
        """Whether a measure met no error in any draw, so that its interval has no width."""
        accuracies = (self.positive_accuracy, self.negative_accuracy)
        return self.eer.high == 0 or any(one is not None and one.low == 1 for one in accuracies)

    def _session_lines(self) -> list[str]:
        """A warning where the positives are easy."""
        if self.sessions is None:
            return []
        counts = self.sessions
        unknown = f", {counts.unknown:,} of unknown sessions" if counts.unknown else ""
        lines = [f"targets: {counts.one:,} within one session, {counts.two:,} across two{unknown}"]
        if counts.one:
            lines.append(
                "targets within one session share room, microphone and day: easier than two recordings of life"
            )
        return lines


def evaluate(
    vectors: NDArray[np.float32],
    speakers: Sequence[str],
    *,
    threshold: Threshold | None = None,
    sessions: Sequence[str] | None = None,
    utterances: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Evaluation:
    """Compare every recording with every other and measure.

    Args:
        vectors: unit vectors, shape (n, d).
        speakers: who speaks in each row; two of them, one with two rows, at least.
        threshold: fitted on other speakers, or given.
        sessions: of every row, "" where unknown; None leaves sessions out.
        utterances: of every row, given with `sessions`; rows of one utterance share a session.
        draws: of speakers, for the intervals.
        seed: of the draws.

    Raises:
        ValueError: there are no target or no non-target trials, a vector is not a finite unit vector, or lengths
            differ.
    """
    thresholds = {} if threshold is None else {"given": threshold}
    found = evaluate_at(vectors, speakers, thresholds, sessions=sessions, utterances=utterances, draws=draws, seed=seed)
    return found.get("given", found[""])


def evaluate_at(
    vectors: NDArray[np.float32],
    speakers: Sequence[str],
    thresholds: Mapping[str, Threshold],
    *,
    sessions: Sequence[str] | None = None,
    utterances: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Evaluation]:
    """The same at several thresholds, with one set of draws for all of them.

    Args:
        vectors: as for `evaluate`, like the other arguments.
        speakers: who speaks in each row.
        thresholds: by name; "" is not one.
        sessions: of every row.
        utterances: of every row.
        draws: of speakers, for the intervals.
        seed: of the draws.

    Returns:
        An evaluation for each name, and under "" the one without a threshold.

    Raises:
        ValueError: as for `evaluate`.
    """
    trials = all_pairs(vectors, speakers)
    targets, non_targets = trials.targets, trials.non_targets
    found = by_speaker(trials, _statistics(thresholds), draws, seed)
    few = one_and_many(vectors, speakers, seed=seed)
    plain = Evaluation(
        speakers=len(trials.names),
        pieces=len(vectors),
        targets=len(targets),
        non_targets=len(non_targets),
        eer=found["eer"],
        min_dcf_01=found["min_dcf_01"],
        min_dcf_05=found["min_dcf_05"],
        auc=found["auc"],
        threshold=None,
        positive_accuracy=None,
        negative_accuracy=None,
        same_distance=_spread_of(1 - targets),
        different_distance=_spread_of(1 - non_targets),
        grid=f_measure_grid(targets, non_targets),
        one_and_many=f_measure_grid(few.targets, few.non_targets),
        sessions=_sessions(trials, sessions, utterances),
    )
    at = {
        name: replace(
            plain,
            threshold=one,
            positive_accuracy=found[f"positive {name}"],
            negative_accuracy=found[f"negative {name}"],
        )
        for name, one in thresholds.items()
    }
    return {"": plain, **at}


def _statistics(thresholds: Mapping[str, Threshold]) -> dict[str, Statistic]:
    """What is measured on each draw of speakers."""
    rare, less_rare = PRIORS
    statistics: dict[str, Statistic] = {
        "eer": Curve.eer,
        "min_dcf_01": partial(Curve.min_dcf, prior=rare),
        "min_dcf_05": partial(Curve.min_dcf, prior=less_rare),
        "auc": Curve.auc,
    }
    for name, one in thresholds.items():
        statistics[f"positive {name}"] = partial(Curve.positive_accuracy, threshold=one.value)
        statistics[f"negative {name}"] = partial(Curve.negative_accuracy, threshold=one.value)
    return statistics


def _sessions(trials: Trials, sessions: Sequence[str] | None, utterances: Sequence[str] | None) -> SessionCounts | None:
    """The counts, where sessions are told."""
    if sessions is None:
        return None
    return count_sessions(
        trials, sessions, [str(row) for row in range(len(sessions))] if utterances is None else utterances
    )


def _spread_of(values: Array) -> Spread:
    """Mean and standard deviation."""
    return Spread(float(values.mean()), float(values.std()))


def _row(name: str, interval: Interval, scale: int) -> str:
    """One measure."""
    digits = 2 if scale == 100 else 4
    value, low, high = (f"{scale * bound:.{digits}f}" for bound in (interval.value, interval.low, interval.high))
    return f"{name:<28}{value:>9}   {low} to {high}"


def _spread(name: str, spread: Spread) -> str:
    """Distances of one kind."""
    return f"{name:<28}{spread.mean:>9.3f}   standard deviation {spread.sd:.3f}"


def _grid(name: str, grid: GridMeasure) -> str:
    """The seeds' measure, which is fitted on the test."""
    return (
        f"{name:<28} F {grid.f:.3f}, TPR {grid.tpr:.3f}, accuracy {grid.accuracy:.3f} at {grid.threshold:.3f} "
        f"(best F on this very test), EER {grid.eer:.3f}"
    )
