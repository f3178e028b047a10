"""Diarizations of several recordings against the truth, under the four rules of the field, with intervals.

A rule is a collar (0 or 0.25 s) and whether overlap is scored; numbers of two rules are never mixed. Intervals are
those of a bootstrap over recordings: seconds of one recording hang together, so recordings are drawn anew.

Knows: recordings by name. Does not know: files.
Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.scoring import DiarizationScore, score, total
from samevoice.diarization.turns import Diarization
from samevoice.errors import DataError
from samevoice.evaluation.bootstrap import DRAWS, Interval, bounds_of
from samevoice.speech.listening import Progress
from samevoice.speech.timeline import Seconds, Timeline

Rule = tuple[Seconds, bool]
Array = NDArray[np.float64]
RULES: tuple[Rule, ...] = tuple((collar, overlap) for collar in (0.0, 0.25) for overlap in (True, False))
MEASURES = {"der": "DER", "miss": "miss", "false_alarm": "false alarm", "confusion": "confusion", "jer": "JER"}
FEW = 5  # recordings; fewer make no interval
COLUMN = 20


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """Scores of several recordings.

    Args:
        recordings: what was scored, by name.
        scores: for each rule the score of each recording, in the same order.
        missing: recordings without a hypothesis; all their speech counts as missed.
        extra: recordings of the hypothesis that have no reference, or are not in the evaluation map; not scored.
        unmapped: recordings of the reference that the evaluation map does not name; not scored.
    """

    recordings: tuple[str, ...]
    scores: Mapping[Rule, tuple[DiarizationScore, ...]]
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """What a reader of the numbers must know."""
        told = (
            (self.missing, "no hypothesis, so that all its speech counts as missed"),
            (self.extra, "in the hypothesis only, so not scored"),
            (self.unmapped, "not in the evaluation map, so not scored"),
        )
        return [f"{name}: {what}" for names, what in told for name in names]

    def total(self, rule: Rule) -> DiarizationScore:
        """All recordings together."""
        return total(self.scores[rule])

    def intervals(self, rule: Rule, draws: int = DRAWS, seed: int = 0) -> dict[str, Interval] | None:
        """Each of `MEASURES` with its bounds; None of fewer than `FEW` recordings.

        Args:
            rule: one of `RULES`.
            draws: of recordings.
            seed: of the draws.
        """
        number = len(self.recordings)
        if number < FEW:
            return None
        generator = np.random.default_rng(seed)
        weights = generator.multinomial(number, np.full(number, 1 / number), size=draws).astype(np.float64)
        values, drawn = _values(self.total(rule)), _drawn(weights, self.scores[rule])
        return {name: Interval(values[name], *bounds_of(drawn[name])) for name in MEASURES}

    def to_json(self, *, files: bool = False) -> dict[str, Any]:
        """The whole report; times in seconds, rates as shares.

        Args:
            files: with the score of each recording.
        """
        counts = self.total(RULES[0])
        told: dict[str, Any] = {
            "recordings": len(self.recordings),
            "rules": [{**_rule(rule), **_told(self.total(rule)), **_bounds(self.intervals(rule))} for rule in RULES],
            "speakers": {
                "exact": counts.exact_counts / counts.recordings,
                "mean_error": counts.count_error / counts.recordings,
                "reference": counts.reference_speakers,
                "hypothesis": counts.hypothesis_speakers,
            },
            "missing": list(self.missing),
            "extra": list(self.extra),
            "unmapped": list(self.unmapped),
        }
        if files:
            told["files"] = [
                {
                    "recording": name,
                    "reference_speakers": self.scores[RULES[0]][row].reference_speakers,
                    "hypothesis_speakers": self.scores[RULES[0]][row].hypothesis_speakers,
                    "rules": [{**_rule(rule), **_told(self.scores[rule][row])} for rule in RULES],
                }
                for row, name in enumerate(self.recordings)
            ]
        return told

    def words(self, *, files: bool = False) -> str:
        """One table, and the count of speakers, for a terminal.

        Args:
            files: with a line for each recording, under the first rule.
        """
        return "\n".join([*(self._files() if files else ()), *self._table()])

    def _table(self) -> Iterator[str]:
        """All recordings under all rules."""
        counts = self.total(RULES[0])
        number, minutes = counts.recordings, counts.reference / 60
        few = "" if number >= FEW else f"; fewer than {FEW} recordings make no interval"
        yield f"{_plural(number, 'recording')}, {minutes:.1f} min of reference speech; rates in %, 95 % interval{few}"
        yield f"{'collar':<8}{'overlap':<9}" + "".join(f"{name:<{COLUMN}}" for name in MEASURES.values()).rstrip()
        for rule in RULES:
            values, bounds = _values(self.total(rule)), self.intervals(rule)
            cells = (_cell(values[name], bounds[name] if bounds else None) for name in MEASURES)
            head = f"{f'{rule[0]:g} s':<8}{'scored' if rule[1] else 'skipped':<9}"
            yield head + "".join(f"{cell:<{COLUMN}}" for cell in cells).rstrip()
        right = f"{counts.exact_counts} of {number} right ({counts.exact_counts / number:.0%})"
        yield f"number of speakers: {right}, {counts.count_error / number:.2f} off on average"

    def _files(self) -> Iterator[str]:
        """A line for each recording: the first rule, and both numbers of speakers."""
        yield f"collar {RULES[0][0]:g} s, overlap scored; rates in %, speakers as reference/hypothesis"
        heads = "".join(f"{name:>13}" for name in (*MEASURES.values(), "speakers"))
        yield f"{heads}  recording"
        for name, one in zip(self.recordings, self.scores[RULES[0]], strict=True):
            cells = "".join(f"{100 * value:>13.1f}" for value in _values(one).values())
            yield f"{cells}{f'{one.reference_speakers}/{one.hypothesis_speakers}':>13}  {name}"
        yield ""


def compare(
    reference: Mapping[str, Diarization],
    hypothesis: Mapping[str, Diarization],
    uem: Mapping[str, Timeline] | None = None,
    *,
    progress: Progress | None = None,
) -> ScoreReport:
    """Score recordings that are matched by name, under all rules.

    Args:
        reference: the truth by recording.
        hypothesis: what is scored.
        uem: what to score of each recording; one that only the map names has no reference speech. Everything of the
            recordings of the reference where it is None.
        progress: takes the number of recordings that are done.

    Raises:
        DataError: there is nothing to score, or no recording of the reference is in the hypothesis.
    """
    names = tuple(reference if uem is None else uem)
    if not names or not any(name in reference for name in names):
        raise DataError("no recording to score; the reference names none, or none that is in the evaluation map")
    if hypothesis and not any(name in hypothesis for name in names):
        ours, theirs = next(name for name in names if name in reference), next(iter(hypothesis))
        raise DataError(
            f"no recording is in both; the reference names {ours[:80]!r}, the hypothesis {theirs[:80]!r}; give "
            "recordings one name"
        )
    silence = Diarization((), 0.0)
    scores: dict[Rule, list[DiarizationScore]] = {rule: [] for rule in RULES}
    for done, name in enumerate(names, 1):
        sides = reference.get(name, silence), hypothesis.get(name, silence)
        for collar, overlap in RULES:
            region = None if uem is None else uem[name]
            scores[collar, overlap].append(score(*sides, collar=collar, overlap=overlap, uem=region))
        if progress is not None:
            progress(done)
    return ScoreReport(
        names,
        {rule: tuple(found) for rule, found in scores.items()},
        missing=tuple(name for name in names if name in reference and name not in hypothesis),
        extra=tuple(name for name in hypothesis if name not in names),
        unmapped=tuple(name for name in reference if name not in names),
    )


def _values(one: DiarizationScore) -> dict[str, float]:
    """Each of `MEASURES`."""
    shares = {name: one.rate(getattr(one, name)) for name in ("miss", "false_alarm", "confusion")}
    return {"der": one.der, **shares, "jer": one.jer}


def _drawn(weights: Array, scores: tuple[DiarizationScore, ...]) -> dict[str, Array]:
    """Each of `MEASURES` for each draw, shape (draws,), where weights of shape (draws, recordings) say what it holds.

    As in `DiarizationScore`, a rate without anything below the line is 1 if there is an error, else 0.
    """

    def summed(name: str) -> Array:
        drawn: Array = weights @ np.array([float(getattr(one, name)) for one in scores])
        return drawn

    def rate(above: Array, below: Array, alone: Array) -> Array:
        return np.divide(above, below, out=(alone > 0).astype(np.float64), where=below > 0)

    speech, invented = summed("reference"), summed("false_alarm")
    errors = {"miss": summed("miss"), "false_alarm": invented, "confusion": summed("confusion")}
    whole = np.sum(list(errors.values()), axis=0)
    rates = {name: rate(seconds, speech, seconds) for name, seconds in {"der": whole, **errors}.items()}
    return {**rates, "jer": rate(summed("jaccard"), summed("scored_speakers"), invented)}


def _rule(rule: Rule) -> dict[str, Any]:
    """A rule in JSON."""
    return {"collar": rule[0], "overlap": rule[1]}


def _told(one: DiarizationScore) -> dict[str, float]:
    """A score in JSON: rates, and the seconds behind them."""
    seconds = {f"{name}_s": getattr(one, name) for name in ("reference", "miss", "false_alarm", "confusion", "correct")}
    return {**_values(one), **seconds}


def _bounds(found: Mapping[str, Interval] | None) -> dict[str, Any]:
    """Intervals in JSON."""
    return {"intervals": None if found is None else {name: [one.low, one.high] for name, one in found.items()}}


def _cell(value: float, bounds: Interval | None) -> str:
    """A rate in per cent with its bounds."""
    told = f"{100 * value:.1f}"
    return told if bounds is None else f"{told} [{100 * bounds.low:.1f}, {100 * bounds.high:.1f}]"


def _plural(number: int, thing: str) -> str:
    """One recording, two recordings."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
