"""What the measurements of diarization share: simulated meetings, results that outlive a kill, rows of tables."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.mapping import best_pairs
from samevoice.diarization.scorereport import MEASURES, RULES, Rule, ScoreReport
from samevoice.diarization.scoring import DiarizationScore
from samevoice.diarization.sweep import Clock, Voices, common_speech
from samevoice.diarization.turns import Diarization, Turn
from samevoice.files import write_atomically
from samevoice.lab import Conversation
from samevoice.speech.timeline import Segment, Timeline

Seconds = NDArray[np.float64]
HEAD = "".join(f"{one} | " for one in ("collar", "overlap", *(f"{name} %" for name in MEASURES.values()))).rstrip()


@dataclass(frozen=True, slots=True)
class Meeting:
    """What was said in a meeting, and what was found.

    Args:
        truth: the labels.
        found: the diarization, by local names.
        counts: probability of each number of speakers, likeliest first.
        took: seconds from file to turns.
        said: what a gallery made of each local name: a name or None, and how it is known.
    """

    truth: Diarization
    found: Diarization
    counts: tuple[tuple[int, float], ...]
    took: float
    said: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "truth": _plain(self.truth),
            "found": _plain(self.found),
            "counts": self.counts,
            "took": self.took,
            "said": dict(self.said),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Meeting:
        """What `to_json` gave."""
        return cls(
            _diarization(told["truth"]),
            _diarization(told["found"]),
            tuple((int(count), float(share)) for count, share in told["counts"]),
            float(told["took"]),
            {local: (name, known) for local, (name, known) in told["said"].items()},
        )


def results(
    kept: Path | None, settings: Mapping[str, Any], count: int, make: Callable[[int], Meeting]
) -> Iterator[Meeting]:
    """Meeting after meeting; those that a run before this one has finished are read, not made.

    Args:
        kept: a file of a line of JSON for each meeting, after one that tells the settings; None to keep nothing.
        settings: of the run; a file of other settings is refused.
        count: how many meetings.
        make: one, by number.
    """
    done = [] if kept is None else _lines(kept, dict(settings))
    for number in range(count):
        if number < len(done):
            yield Meeting.from_json(json.loads(done[number]))
            continue
        meeting = make(number)
        if kept is not None:
            with kept.open("a") as file:
                file.write(json.dumps(meeting.to_json()) + "\n")
        yield meeting


def _lines(kept: Path, settings: dict[str, Any]) -> list[str]:
    """The whole lines of a file, but for the settings; what a kill left of a line is cut off."""
    head = json.dumps(settings)
    text = kept.read_text() if kept.exists() else ""
    whole = text[: text.rfind("\n") + 1].splitlines()
    if whole and whole[0] != head:
        raise SystemExit(f"{kept}: is of other settings ({whole[0]}); name another folder")
    lines = whole or [head]
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, lambda file: file.write("".join(f"{line}\n" for line in lines).encode()))
    return lines[1:]


@contextmanager
def folder(named: Path | None) -> Iterator[Path]:
    """A folder to work in: the one that was named, or one that goes."""
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def truth_of(conversation: Conversation, name: str) -> Diarization:
    """The labels of a simulated meeting."""
    turns = (Turn(one.start, one.end, speaker) for one, speaker in conversation.labels)
    return Diarization(turns, conversation.extent, name)


def span(text: str) -> tuple[float, float]:
    """Lowest and highest value, from a command line: 10-30, or 5 for both."""
    low, _, high = text.partition("-")
    return float(low), float(high or low)


def seconds_of(truth: Diarization, found: Diarization, collar: float = 0.0) -> tuple[Seconds, Seconds, Seconds]:
    """Seconds of each speaker of the truth (r,), of each that was found (h,), and of both at once (r, h).

    Args:
        truth: the labels.
        found: what is compared with them.
        collar: seconds around each boundary of the truth that do not count.
    """
    sides = Voices.of(truth), Voices.of(found)
    edges = [edge for turn in truth for edge in (turn.start, turn.end)] if collar else []
    near = Timeline((Segment(max(edge - collar, 0.0), edge + collar) for edge in edges), truth.extent + collar)
    clock = Clock.of(*sides, None).without(near)
    return sides[0].by_speaker(clock), sides[1].by_speaker(clock), common_speech(*sides, clock)


def paired(truth: Diarization, found: Diarization) -> dict[str, str]:
    """Who of the truth each speaker that was found is, one to one, as scoring has it."""
    _, _, both = seconds_of(truth, found)
    places = zip(*(side.tolist() for side in best_pairs(both)), strict=True)
    return {found.speakers[column]: truth.speakers[row] for row, column in places if both[row, column] > 0}


def calibration_error(
    said: Sequence[float], true: Sequence[float], weights: Sequence[float]
) -> tuple[float, list[tuple[float, float, float, float]]]:
    """Expected calibration error over ten bins of what was said, and the bins: weight, lowest of the bin, said, true.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    told, right, weight = (np.asarray(one, dtype=np.float64) for one in (said, true, weights))
    bins = np.minimum((told * 10).astype(int), 9)
    rows = []
    for one in np.unique(bins):
        inside = bins == one
        mass = float(weight[inside].sum())
        means = (float(np.average(values[inside], weights=weight[inside])) for values in (told, right))
        rows.append((mass, one / 10, *means))
    total = sum(row[0] for row in rows)
    return sum(mass * abs(mean - share) for mass, _, mean, share in rows) / total, rows


def wilson(right: int, number: int) -> str:
    """A share with the bounds that hold it with 95 % confidence.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    z = 1.96
    middle = (right + z**2 / 2) / (number + z**2)
    half = z / (number + z**2) * float(np.sqrt(right * (number - right) / number + z**2 / 4))
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    return f"{right} of {number}: {100 * right / number:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def rule_cells(report: ScoreReport, rule: Rule) -> str:
    """The cells below `HEAD` for one rule, with intervals where there are recordings enough."""
    whole, bounds = report.total(rule), report.intervals(rule)
    values = rates(whole)
    cells = [f"{rule[0]:g}", "scored" if rule[1] else "skipped"]
    for name, value in values.items():
        between = "" if bounds is None else f" [{100 * bounds[name].low:.1f}, {100 * bounds[name].high:.1f}]"
        cells.append(f"{100 * value:.1f}{between}")
    return " | ".join(cells)


def rates(one: DiarizationScore) -> dict[str, float]:
    """DER and what it is made of, and JER, as shares."""
    parts = {name: one.rate(getattr(one, name)) for name in ("miss", "false_alarm", "confusion")}
    return {"der": one.der, **parts, "jer": one.jer}


def rule_table(systems: Mapping[str, ScoreReport]) -> None:
    """Print a row for each system and rule."""
    print(f"| who | {HEAD}\n|{'---|' * (HEAD.count('|') + 1)}")
    for rule in RULES:
        for name, report in systems.items():
            print(f"| {name} | {rule_cells(report, rule)} |")


def _plain(diarization: Diarization) -> dict[str, Any]:
    turns = [[turn.start, turn.end, turn.speaker, turn.confidence] for turn in diarization]
    return {"recording": diarization.recording, "extent": diarization.extent, "turns": turns}


def _diarization(told: Mapping[str, Any]) -> Diarization:
    return Diarization((Turn(*turn) for turn in told["turns"]), told["extent"], told["recording"])
