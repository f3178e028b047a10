"""What a decision rests on: slices of speech, the weight of duration, facts about the sound; as values and words.

Knows: decisions, the audio doctor's facts. Does not know: how any of it is measured (`explaining`) or drawn.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.quality import AudioReport
from samevoice.scoring.decision import Decision, odds
from samevoice.speech.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Slice:
    """A short stretch of the speech in one recording.

    Args:
        start: where it begins, in seconds of the source file.
        end: where it ends; a pause between the two is no part of it.
        similarity: mean cosine with the slices of the other recording.
        rise: how much the cosine of the mean of all slices with the other recording would rise without this one.
    """

    start: float
    end: float
    similarity: float
    rise: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the decision would stand on without one slice, measured by embedding the rest.

    Args:
        start: of the slice, in seconds of the source file.
        end: of the slice.
        score: the cosine without it, higher than the decision's.
        llr: the evidence without it, for the speech that is then left; None for a model without calibration.
    """

    start: float
    end: float
    score: float
    llr: float | None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two recordings.

    Args:
        name: what to call it.
        report: the facts about its sound.
        speech: where somebody speaks.
        slices: in order of time; none where a side has too little speech.
        covering: how many slices would hold all its speech; where there are fewer, they are evenly spread.
        seconds: of speech in each slice; 0 without slices.
        hurts_most: the slice that holds the cosine down most; None where leaving it out does not help.
    """

    name: str
    report: AudioReport
    speech: Timeline
    slices: tuple[Slice, ...] = ()
    covering: int = 0
    seconds: float = 0.0
    hurts_most: LeftOut | None = None


@dataclass(frozen=True, slots=True)
class Duration:
    """What the calibration says about the same cosine with more speech.

    Args:
        seconds: of speech on the shorter side.
        llr: the evidence for it, natural logarithm.
        longest: seconds of speech beyond which the calibration sees no difference.
        llr_longest: what the same cosine would be worth with so much on both sides.
    """

    seconds: float
    llr: float
    longest: float
    llr_longest: float


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """A decision and what it rests on.

    Args:
        decision: as `verify` gives it.
        sides: the first and the second recording.
        similarities: cosine of every slice of the first with every slice of the second, float32 (n, m); (0, 0) where
            a side has too little speech.
        duration: the weight of duration; None for a model without calibration or where nothing was scored.
    """

    decision: Decision
    sides: tuple[Side, Side]
    similarities: NDArray[np.float32]
    duration: Duration | None

    def __str__(self) -> str:
        """The verdict's sentence, then what weighs."""
        return "\n".join([str(self.decision), *self.lines()])

    def lines(self) -> list[str]:
        """What weighs, in plain words without the verdict."""
        said = [] if self.duration is None else [_said_of_duration(self.duration)]
        if self.similarities.size:
            said += [_said_of_slices(self), *(_said_of_hurting(side, self.decision) for side in self.sides)]
        return [*said, *map(_said_of_sound, self.sides), "Noise, bandwidth and clipping are facts, not evidence."]

    def to_json(self) -> dict[str, object]:
        """Plain data without the decision, which has its own `to_json`."""
        return {
            "sides": [asdict(side) for side in self.sides],
            "similarities": self.similarities.tolist(),
            "duration": None if self.duration is None else asdict(self.duration),
        }


def _said_of_duration(duration: Duration) -> str:
    """The weight of duration."""
    short, long = _evidence(duration.llr), _evidence(duration.llr_longest)
    have = f"Duration: the shorter side has {duration.seconds:.1f} s of speech"
    if duration.seconds >= duration.longest or short == long:
        return f"{have}; with more, the same cosine would be worth the same."
    return f"{have}, which make this cosine worth {short}; from {duration.longest:g} s on it would be worth {long}."


def _said_of_slices(explanation: Explanation) -> str:
    """How many slices there are, and how alike."""
    counts = (
        f"{len(side.slices)}{' (evenly spread)' if side.covering > len(side.slices) else ''} of {side.seconds:.1f} s"
        for side in explanation.sides
    )
    cosines = explanation.similarities
    spread = f"{cosines.min():.2f} to {cosines.max():.2f}, {cosines.mean():.2f} on average"
    return f"Slices: {' against '.join(counts)}; their cosines are {spread}."


def _said_of_hurting(side: Side, decision: Decision) -> str:
    """The slice that hurts most."""
    worst = side.hurts_most
    if worst is None:
        return f"{side.name}: leaving out its weakest slice would not raise the cosine."
    gain = f"{worst.score:.3f} instead of {decision.score:.3f}"
    if worst.llr is not None and decision.llr is not None and _evidence(worst.llr) != _evidence(decision.llr):
        gain += f", and the evidence {_evidence(worst.llr)} instead of {_evidence(decision.llr)}"
    return f"{side.name}: {worst.start:.2f} to {worst.end:.2f} s hurts most; without it the cosine would be {gain}."


def _said_of_sound(side: Side) -> str:
    """Noise, bandwidth, clipping."""
    report = side.report
    snr = "noise unknown" if report.snr_db is None else f"speech {report.snr_db:.0f} dB above the noise"
    band = "no sound" if report.bandwidth_hz is None else f"sound up to {report.bandwidth_hz / 1000:.1f} kHz"
    return f"{side.name}: {snr}, {band}, {100 * report.clipped:.2f} % clipped."


def _evidence(llr: float) -> str:
    """Evidence and whom it speaks for."""
    return f"{odds(abs(llr))} for {'one speaker' if llr >= 0 else 'two speakers'}"
