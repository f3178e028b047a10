"""A model on a list of trials: every recording embedded once, every trial scored, every measure taken.

What is measured is the evidence that a user gets: the llrs that the model's calibration makes of cosine and duration,
or the cosines of a model without one, for which actDCF, Cllr and its minimum mean nothing. Verdicts are those of
`decide` at the default false-accept rate.

Knows: lists of trials, models, calibrations. Does not know: how results are shown, what was done to the sound.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.decode import Source
from samevoice.corpora.places import place_below
from samevoice.embedder import Model
from samevoice.errors import DataError, SamevoiceError
from samevoice.evaluation.bootstrap import DRAWS, Interval, Statistic, by_speaker
from samevoice.evaluation.metrics import Array, Curve, curve_of
from samevoice.evaluation.report import PRIORS
from samevoice.evaluation.triallist import TrialList
from samevoice.evaluation.trials import Indices, Trials
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import DIFFERENT_LLR, SAME_LLR, Verdict, decide
from samevoice.speech.listening import Progress

MAX_RATED = 200_000_000  # trials times draws: a few minutes
LEAST_DRAWS = 100
SLAB = 1 << 14  # trials whose vectors are held at once
VERDICTS: tuple[Verdict, ...] = ("same", "different", "unsure")

OF_SCORES: Mapping[str, Statistic] = {
    "eer": Curve.eer,
    "min_dcf": partial(Curve.min_dcf, prior=PRIORS[0]),
    "min_dcf_05": partial(Curve.min_dcf, prior=PRIORS[1]),
    "auc": Curve.auc,
}
OF_LLRS: Mapping[str, Statistic] = {
    "act_dcf": partial(Curve.act_dcf, prior=PRIORS[0]),
    "act_dcf_05": partial(Curve.act_dcf, prior=PRIORS[1]),
    "cllr": Curve.cllr,
    "cllr_min": Curve.cllr_min,
}
MEASURES = (*OF_SCORES, *OF_LLRS)


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Recordings as vectors, in the order they were given.

    Args:
        vectors: unit vectors, zeros where there is an error, shape (n, d).
        seconds: of speech in each, 0 where there is an error, shape (n,).
        errors: by row, why a recording could not be used.
    """

    vectors: NDArray[np.float32]
    seconds: Array
    errors: Mapping[int, SamevoiceError]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Whether a row has a vector, shape (n,)."""
        found = np.ones(len(self.seconds), dtype=bool)
        found[list(self.errors)] = False
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Trials with scores, evidence and verdicts; those whose recordings could not be used are left out.

    Args:
        trials: with cosines, rows are the recordings of the list.
        kept: number of each of them in the list, shape (n,).
        seconds: of speech on the shorter side, shape (n,).
        llrs: natural-log likelihood ratios, shape (n,); None for a model without calibration.
        accepted_from: lowest cosine that is "same" by default, shape (n,); None like the llrs.
        verdicts: index of `VERDICTS`, shape (n,); None like the llrs.
        listed: trials of the list.
    """

    trials: Trials
    kept: Indices
    seconds: Array
    llrs: Array | None
    accepted_from: Array | None
    verdicts: Indices | None
    listed: int

    @property
    def evidence(self) -> Trials:
        """The trials with their llrs as scores, or as they are for a model without calibration."""
        return self.trials if self.llrs is None else replace(self.trials, scores=self.llrs)

    @property
    def left_out(self) -> int:
        """Trials that could not be scored."""
        return self.listed - len(self.trials)

    def share(self, verdict: Verdict, *, is_target: bool, chosen: NDArray[np.bool_] | None = None) -> float | None:
        """How many of the target or non-target trials got a verdict; None without calibration or trials.

        Args:
            verdict: which.
            is_target: which trials.
            chosen: only these, shape (n,).
        """
        side = self.trials.is_target == is_target
        side = side if chosen is None else side & chosen
        if self.verdicts is None or not side.any():
            return None
        return float(np.mean(self.verdicts[side] == VERDICTS.index(verdict)))


def find_recordings(names: Sequence[str], root: Path) -> list[Path]:
    """Where the recordings of a list lie; whether they are there shows when they are read.

    Args:
        names: relative to the root, with forward slashes.
        root: folder.

    Raises:
        DataError: there is no such folder, or a name leads out of it.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the one that the names in the list start from")
    found = []
    for name in names:
        try:
            found.append(place_below(root, name))
        except DataError as error:
            raise DataError(f"{name}: leads out of {root}; a list may name only what lies below it") from error
    return found


def require_two_files(listed: TrialList, paths: Sequence[Path]) -> None:
    """Refuse trials of a recording with itself under another name.

    Args:
        listed: the trials.
        paths: of its recordings.

    Raises:
        DataError: there is one.
    """
    _, files = np.unique([os.path.realpath(path) for path in paths], return_inverse=True)
    if len(itself := np.flatnonzero(files[listed.first] == files[listed.second])):
        one = listed[int(itself[0])]
        raise DataError(f"{one.first} and {one.second} are one file; remove the trial from the list")


def embed_all(model: Model, sounds: Iterable[Source], progress: Progress | None = None) -> Embedded:
    """Embed every recording once; those that cannot be used become errors.

    Args:
        model: any.
        sounds: paths or waveforms.
        progress: is told how many are done.
    """
    outcomes = list(model.embed_each(sounds, progress=progress))
    nothing = np.zeros(model.card.dimension, dtype=np.float32)
    errors = {row: one for row, one in enumerate(outcomes) if isinstance(one, SamevoiceError)}
    vectors = [nothing if isinstance(one, SamevoiceError) else one.vector for one in outcomes]
    seconds = [0.0 if isinstance(one, SamevoiceError) else one.seconds for one in outcomes]
    return Embedded(np.stack(vectors), np.array(seconds), errors)


def noise_of(model: Model, paths: Sequence[Path], usable: NDArray[np.bool_], progress: Progress | None = None) -> Array:
    """Signal over noise of every recording in dB, NaN where it cannot be told, shape (n,)."""
    found = np.full(len(paths), np.nan)
    for row in np.flatnonzero(usable).tolist():
        snr = model.listen(paths[row]).report.snr_db
        found[row] = np.nan if snr is None else snr
        if progress:
            progress(row + 1)
    return found


def score(listed: TrialList, calibration: Calibration | None, first: Embedded, second: Embedded | None = None) -> Run:
    """Score all trials whose recordings could be used.

    Args:
        listed: the trials.
        calibration: of the model that made the vectors, if it has one.
        first: the recordings of the list, a row each.
        second: what they became for the second side, such as with noise; None for the same.

    Raises:
        DataError: no target or no non-target trials are left, or the labels contradict each other.
    """
    second = first if second is None else second
    ones, others = listed.first, listed.second
    kept = np.flatnonzero(first.usable[ones] & second.usable[others])
    cosines = np.zeros(len(listed))
    cosines[kept] = paired_cosines(first.vectors, second.vectors, ones[kept], others[kept])
    trials = listed.scored(cosines).where(kept)
    for kind, there in (("target", trials.is_target.any()), ("non-target", not trials.is_target.all())):
        if not there:
            raise DataError(
                f"no {kind} trials are left of {len(listed):,}, since {len(first.errors)} recordings cannot be used; "
                "check --root and the recordings"
            )
    seconds = np.minimum(first.seconds[ones[kept]], second.seconds[others[kept]])
    if calibration is None:
        return Run(trials, kept, seconds, None, None, None, len(listed))
    llrs, cuts = calibration.llrs(trials.scores, seconds), accepted_from(calibration, seconds)
    certain = [trials.scores >= cuts, llrs <= DIFFERENT_LLR]
    verdicts = np.select(certain, [VERDICTS.index("same"), VERDICTS.index("different")], VERDICTS.index("unsure"))
    return Run(trials, kept, seconds, llrs, cuts, verdicts, len(listed))


def paired_cosines(first: NDArray[np.float32], second: NDArray[np.float32], rows: Indices, others: Indices) -> Array:
    """Cosine of row `rows[i]` of one matrix with row `others[i]` of the other, in [-1, 1].

    Args:
        first: unit vectors, shape (n, d).
        second: unit vectors, shape (m, d).
        rows: shape (k,).
        others: shape (k,).
    """
    found = np.empty(len(rows))
    for start in range(0, len(rows), SLAB):
        part = slice(start, start + SLAB)
        found[part] = np.einsum("nd,nd->n", first[rows[part]], second[others[part]])
    return np.clip(found, -1.0, 1.0)


def measure(run: Run, seed: int = 0) -> tuple[dict[str, Interval | None], int]:
    """All measures with 95 % intervals over speakers, and how many draws those rest on.

    Returns:
        An interval for each of `MEASURES`, None for those of llrs where there are none; draws.
    """
    draws = int(np.clip(MAX_RATED // len(run.trials), LEAST_DRAWS, DRAWS))
    return {**dict.fromkeys(MEASURES), **by_speaker(run.evidence, _statistics(run), draws, seed)}, draws


def values(run: Run) -> dict[str, float | None]:
    """The same without intervals."""
    curve = curve_of(run.evidence.targets, run.evidence.non_targets)
    return {**dict.fromkeys(MEASURES), **{name: one(curve) for name, one in _statistics(run).items()}}


def accepted_from(calibration: Calibration, seconds: Array) -> Array:
    """The lowest cosine that `decide` accepts by default, by seconds of speech on the shorter side, shape (n,)."""
    if calibration.max_llr < SAME_LLR:  # too few people for any "same"
        return np.full(len(seconds), np.inf)
    lengths, places = np.unique(seconds, return_inverse=True)
    cuts = [decide(0.0, (length, length), calibration, model="").threshold for length in lengths.tolist()]
    found: Array = np.array(cuts, dtype=np.float64)[places]
    return found


def _statistics(run: Run) -> Mapping[str, Statistic]:
    """What can be measured."""
    return OF_SCORES if run.llrs is None else {**OF_SCORES, **OF_LLRS}
