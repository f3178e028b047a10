"""Where a model errs: the same measures by duration, noise, gender and language of the trials.

Knows: runs, what is told of each recording. Does not know: how it was found out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.corpora.manifest import Manifest
from samevoice.evaluation.metrics import Array, eer
from samevoice.evaluation.trialrun import Run

SECONDS = (1.0, 2.0, 4.0, 8.0)
SNR_DB = (10.0, 20.0, 30.0)
FEW = 30  # trials of a kind; the rule of three then says no more than "below 10 %"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the trials.

    Args:
        by: what they were sorted by.
        name: which they are.
        targets: how many with one speaker.
        non_targets: with two.
        eer: None where a kind is missing.
        false_accepts: share of non-targets said to be "same"; None without calibration or non-targets.
        false_rejects: share of targets said to be "different"; None like that.
        unsure: share of the targets without an answer; None like that.
    """

    by: str
    name: str
    targets: int
    non_targets: int
    eer: float | None
    false_accepts: float | None
    false_rejects: float | None
    unsure: float | None

    @property
    def few(self) -> bool:
        """Whether they are too few to tell this part from others."""
        return min(self.targets, self.non_targets) < FEW

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "few": self.few}


def by_number(run: Run, by: str, numbers: Array, edges: Sequence[float], unit: str) -> list[Part]:
    """Sorted by a number of each trial, such as seconds; a trial at an edge belongs above it.

    Args:
        run: the trials.
        by: what the number is.
        numbers: shape (n,); NaN where unknown.
        edges: ascending.
        unit: of the numbers.
    """
    places = np.where(np.isnan(numbers), len(edges) + 1, np.digitize(numbers, edges))
    between = [f"{low:g} to {high:g} {unit}" for low, high in pairwise(edges)]
    names = [f"below {edges[0]:g} {unit}", *between, f"{edges[-1]:g} {unit} and more", UNKNOWN]
    return [_part(run, by, name, places == place) for place, name in enumerate(names) if (places == place).any()]


def by_label(run: Run, by: str, labels: Sequence[str]) -> list[Part]:
    """Sorted by what is told of both recordings, such as languages.

    Args:
        run: the trials.
        by: what the label is.
        labels: of every recording, "" where unknown.
    """
    sides = np.sort(np.array(labels)[np.stack([run.trials.first, run.trials.second])], axis=0)
    pairs, places = np.unique(sides, axis=1, return_inverse=True)
    names = [UNKNOWN if not one else one if one == other else f"{one} and {other}" for one, other in pairs.T.tolist()]
    groups = {name: np.isin(places.ravel(), [n for n, same in enumerate(names) if same == name]) for name in names}
    return [_part(run, by, name, chosen) for name, chosen in groups.items()]


def _part(run: Run, by: str, name: str, chosen: NDArray[np.bool_]) -> Part:
    """The measures of some trials."""
    trials = run.evidence.where(chosen)
    targets, non_targets = trials.targets, trials.non_targets
    return Part(
        by,
        name,
        len(targets),
        len(non_targets),
        eer(targets, non_targets) if len(targets) and len(non_targets) else None,
        run.share("same", is_target=False, chosen=chosen),
        run.share("different", is_target=True, chosen=chosen),
        run.share("unsure", is_target=True, chosen=chosen),
    )


def break_down(run: Run, snr_db: Array, told: Mapping[str, Sequence[str]]) -> Iterator[Part]:
    """All parts there are.

    Args:
        run: the trials.
        snr_db: of every recording, NaN where unknown.
        told: labels of every recording by what they are, such as "gender".
    """
    yield from by_number(run, "speech on the shorter side", run.seconds, SECONDS, "s")
    noisier = np.fmin(snr_db[run.trials.first], snr_db[run.trials.second])
    yield from by_number(run, "signal over noise on the noisier side", noisier, SNR_DB, "dB")
    for by, labels in told.items():
        yield from by_label(run, by, labels)


def labels_of(corpus: Manifest, paths: Sequence[Path]) -> dict[str, list[str]]:
    """Gender and language of recordings that are files of a corpus, "" where it does not tell.

    Args:
        corpus: any.
        paths: of the recordings.
    """
    known = {os.path.realpath(corpus.root / one.path): one for one in corpus if one.member is None}
    found = [known.get(os.path.realpath(path)) for path in paths]
    return {
        "gender": [one.gender if one else "" for one in found],
        "language": [one.language if one else "" for one in found],
    }
