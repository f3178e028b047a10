"""What there is to tell of a model on a list of trials: as JSON, and in the words of a terminal.

Knows: runs, measures, parts, conditions. Does not know: pages, sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from samevoice.errors import SamevoiceError
from samevoice.evaluation.bootstrap import Interval
from samevoice.evaluation.breakdown import Part
from samevoice.evaluation.metrics import eer
from samevoice.evaluation.report import FEW, FEW_SPEAKERS, NO_WIDTH, PRIORS
from samevoice.evaluation.stress import Stressed
from samevoice.evaluation.triallist import TrialList
from samevoice.evaluation.trialrun import MEASURES, VERDICTS, Run, values
from samevoice.scoring.decision import Verdict

WORST = 5
TRUTHS = ((0.02, "can be taken at their word"), (0.1, "are nearly true"))  # up to so many bits lost
UNTRUE = "are not true for recordings like these"
NAMES = {
    "eer": "EER",
    "min_dcf": f"minDCF, {PRIORS[0]:g}",
    "act_dcf": f"actDCF, {PRIORS[0]:g}",
    "min_dcf_05": f"minDCF, {PRIORS[1]:g}",
    "act_dcf_05": f"actDCF, {PRIORS[1]:g}",
    "cllr": "Cllr",
    "cllr_min": "Cllr, least",
    "auc": "AUC",
}


@dataclass(frozen=True, slots=True)
class Scored:
    """One trial and what became of it.

    Args:
        first: name of the recording on one side.
        second: on the other.
        is_target: whether one speaker spoke both.
        score: cosine.
        llr: evidence, natural logarithm; None without calibration.
        verdict: None without calibration.
    """

    first: str
    second: str
    is_target: bool
    score: float
    llr: float | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, eq=False)
class TrialReport:
    """A model on a list of trials.

    Args:
        model: fingerprint.
        name: of the list.
        listed: the trials.
        run: with scores.
        measured: an interval for each of `MEASURES`, None where there is no calibration.
        draws: of speakers, behind the intervals.
        errors: by name, why recordings could not be used.
        parts: the breakdown.
        stressed: by condition; None where that was not asked for.
        not_run: conditions that do not work here, and what to do about it.
        calibration: where the model's comes from, in words; None without one.
    """

    model: str
    name: str
    listed: TrialList
    run: Run
    measured: Mapping[str, Interval | None]
    draws: int
    errors: Mapping[str, SamevoiceError]
    parts: Sequence[Part]
    stressed: Sequence[Stressed] | None
    not_run: Mapping[str, str]
    calibration: str | None

    @property
    def speakers(self) -> int:
        """How many there are as far as the list tells; recordings that no target trial joins count as several."""
        trials = self.run.trials
        return len(np.unique(trials.voices[np.concatenate([trials.first, trials.second])]))

    def worst(self, *, is_target: bool) -> list[Scored]:
        """The trials furthest on the wrong side: targets with the least evidence, non-targets with the most."""
        run = self.run
        sign = 1 if is_target else -1
        order = np.lexsort((sign * run.trials.scores, sign * run.evidence.scores))
        rows = order[run.trials.is_target[order] == is_target][:WORST]
        return [self._scored(int(row)) for row in rows]

    def _scored(self, row: int) -> Scored:
        """One trial of the run."""
        run = self.run
        trial = self.listed[int(run.kept[row])]
        return Scored(
            trial.first,
            trial.second,
            trial.is_target,
            float(run.trials.scores[row]),
            None if run.llrs is None else float(run.llrs[row]),
            None if run.verdicts is None else VERDICTS[run.verdicts[row]],
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values; what was not measured is None."""
        trials = self.run.trials
        return {
            "model": self.model,
            "list": self.name,
            **{name: one and one.value for name, one in self.measured.items()},
            "intervals": {name: one and [one.low, one.high] for name, one in self.measured.items()},
            "notes": self.notes(),
            "eer_of_cosines": eer(trials.targets, trials.non_targets),
            "draws": self.draws,
            "priors": {name: PRIORS["_05" in name] for name in MEASURES if "dcf" in name},
            "trials": len(trials),
            "targets": len(trials.targets),
            "non_targets": len(trials.non_targets),
            "recordings": len(self.listed.names) - len(self.errors),
            "speakers": self.speakers,
            "verdicts": _verdicts(self.run),
            "breakdown": [part.to_json() for part in self.parts],
            "stress": None if self.stressed is None else [_condition(one) for one in self.stressed],
            "not_run": dict(self.not_run),
            "worst": [asdict(one) for is_target in (True, False) for one in self.worst(is_target=is_target)],
            "left_out": {
                "trials": self.run.left_out,
                "recordings": [
                    {"name": name, "code": one.code, "message": str(one)} for name, one in self.errors.items()
                ],
            },
        }

    def __str__(self) -> str:
        """A block of lines for people."""
        run, trials = self.run, self.run.trials
        shown = [(name, one) for name, one in self.measured.items() if one is not None]
        left_out = f"{run.left_out:,} of {run.listed:,} left out"
        lines = [
            f"{self.model} on {self.name}",
            f"{len(trials.targets):,} target and {len(trials.non_targets):,} non-target trials, {left_out}",
            f"{self.speakers:,} speakers",
            *self.summary(),
            "",
            f"{'measure':<14}{'value':>9}   95 % interval over speakers",
            *(f"{NAMES[name]:<14}{figure(name, one.value):>9}   {interval(name, one)}" for name, one in shown),
            *self.notes(),
        ]
        for one in self.stressed or ():
            told = "too few trials are left" if one.run is None else f"EER {figure('eer', values(one.run)['eer'])}"
            lines.append(f"{one.name}: {told}")
        return "\n".join([*lines, *(f"{name}: not run; {why}" for name, why in self.not_run.items())])

    def summary(self) -> list[str]:
        """What the figures mean, in sentences."""
        run = self.run
        if run.llrs is None:
            equal = values(run)["eer"]
            told = (
                f"With the threshold that makes both errors equally frequent here {share(equal)} of the trials would "
                "be decided wrongly; on other recordings nobody knows that threshold."
            )
            return ["This model has no calibration: it gives similarities, no answers.", told]
        accepted, rejected, unsure, right = (
            run.share("same", is_target=False),
            run.share("different", is_target=True),
            run.share("unsure", is_target=True),
            run.share("same", is_target=True),
        )
        told = (
            f"Of {len(run.trials.non_targets):,} trials with two people {share(accepted)} were taken for one person. "
            f"Of {len(run.trials.targets):,} with one person {share(right)} were recognised, {share(unsure)} got the "
            f"answer 'cannot tell' and {share(rejected)} were taken for two people."
        )
        cost, least = self.measured["cllr"], self.measured["cllr_min"]
        if not (cost and least):
            return [told]
        lost = cost.value - least.value
        word = next((word for most, word in TRUTHS if lost <= most), UNTRUE)
        return [told, f"The stated probabilities {word}: {lost:.3f} bits of evidence are lost to them per trial."]

    def notes(self) -> list[str]:
        """How far the intervals can be trusted."""
        flawless = any(one is not None and one.low == one.high for one in self.measured.values())
        return [*([NO_WIDTH] if flawless else []), *([FEW_SPEAKERS] if self.speakers < FEW else [])]


def share(value: float | None) -> str:
    """Per cent, with as many digits as tell something."""
    if value is None:
        return "—"
    return f"{100 * value:.2f} %" if 0 < value < 0.1 else f"{100 * value:.3g} %"


def figure(name: str, value: float | None) -> str:
    """A measure as people write it."""
    if name == "eer" or value is None:
        return share(value)
    return f"{value:.4f}" if name == "auc" else f"{value:.3f}"


def interval(name: str, one: Interval | None) -> str:
    """From ... to ..."""
    return "—" if one is None else f"{figure(name, one.low)} to {figure(name, one.high)}"


def _verdicts(run: Run) -> dict[str, dict[str, float | None]] | None:
    """Shares of the answers; None without calibration."""
    if run.verdicts is None:
        return None
    kinds = {"target": True, "non_target": False}
    return {
        kind: {verdict: run.share(verdict, is_target=is_target) for verdict in VERDICTS}
        for kind, is_target in kinds.items()
    }


def _condition(one: Stressed) -> dict[str, Any]:
    """One condition."""
    if one.run is None:
        return {"name": one.name, "trials": 0, **dict.fromkeys(MEASURES), "verdicts": None}
    return {
        "name": one.name,
        "trials": len(one.run.trials),
        "left_out": one.run.left_out,
        **values(one.run),
        "verdicts": _verdicts(one.run),
    }
