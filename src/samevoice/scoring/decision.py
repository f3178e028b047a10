"""The verdict, and everything that a log line needs to explain it a year later.

Knows: evidence, bounds, reasons. Does not know: audio, networks.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from samevoice.errors import ConfigError
from samevoice.scoring.calibration import Calibration

Verdict = Literal["same", "different", "unsure"]

DEFAULT_FAR = 0.01
DEFAULT_PRIOR = 0.5
# A false "same" lets a stranger in, a false "different" asks for another try: so they need unequal evidence.
SAME_LLR = math.log(19.0)  # nineteen to one: 95 % at even odds
DIFFERENT_LLR = -math.log(4.0)  # four to one: 20 % at even odds
SHORT_SECONDS = 3.0  # with less speech than this, more speech is the first advice, where nothing better is known
LEAST_MORE = 0.1  # seconds; less than this is not asked for

SENTENCES: dict[Verdict, str] = {"same": "Same person", "different": "Different people", "unsure": "Cannot tell"}


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to "do these two recordings come from the same person?".

    Args:
        verdict: "same", "different" or "unsure".
        score: cosine of the two embeddings, in [-1, 1]; None where a recording had too little speech.
        llr: evidence for one speaker, natural logarithm (2.3 = ten times likelier); 0 = none. None for a model
            without calibration.
        probability: of one speaker, at the stated prior; None for a model without calibration.
        threshold: lowest cosine that would be "same" here: the higher of the one that the tolerated false-accept rate
            asks for and the one where evidence reaches nineteen to one; None where nothing was scored.
        far: the false-accept rate that was tolerated, which the threshold keeps with 95 % confidence for other people
            like those of the calibration; None when the caller gave the threshold.
        calibration: digest of the calibration that decided; None like `far`.
        impostor_pairs: how many pairs of different speakers that rate stands on; None like `far`.
        prior: probability of one speaker before listening.
        speech: seconds of speech in the first and the second recording.
        more_speech: seconds that the shorter recording lacks for a verdict, as far as known; None where more of it is
            not known to help.
        reason: why this verdict, in a few words.
        model: fingerprint of the model.
        warnings: what about the recordings could mislead.
    """

    verdict: Verdict
    score: float | None
    llr: float | None
    probability: float | None
    threshold: float | None
    far: float | None
    prior: float
    speech: tuple[float, float]
    reason: str
    model: str
    warnings: tuple[str, ...] = ()
    calibration: str | None = None
    impostor_pairs: int | None = None
    more_speech: float | None = None

    def __str__(self) -> str:
        """One clear sentence."""
        return f"{SENTENCES[self.verdict]}: {self.reason}."

    def to_json(self) -> dict[str, object]:
        """Plain data with the field names of this class."""
        return asdict(self)


def decide(
    score: float,
    speech: tuple[float, float],
    calibration: Calibration | None,
    *,
    model: str,
    far: float | None = None,
    threshold: float | None = None,
    prior: float = DEFAULT_PRIOR,
    warnings: tuple[str, ...] = (),
) -> Decision:
    """Turn a cosine into a verdict.

    Args:
        score: cosine, in [-1, 1].
        speech: seconds of speech on both sides.
        calibration: the model's; None needs a `threshold`.
        model: fingerprint to put on record.
        far: tolerated false-accept rate as a fraction; when neither this nor a threshold is given 0.01, or the lowest
            rate above it that the calibration supports.
        threshold: a cosine that alone decides, without "unsure".
        prior: probability of one speaker before listening, in (0, 1).
        warnings: to put on record.

    Raises:
        ConfigError: far and threshold together, neither of them for a model without calibration, a value out of
            range, or a rate that the calibration trials cannot support.
        ValueError: the score is no cosine, or the speech is negative.
    """
    if not (-1 <= score <= 1 and min(speech) >= 0):  # also refuses NaN
        raise ValueError(f"a cosine from -1 to 1 and seconds of speech are needed, got {score} and {speech}")
    check_options(calibration, far=far, threshold=threshold, prior=prior, model=model)
    seconds = min(speech)
    if threshold is not None:
        verdict: Verdict = "same" if score >= threshold else "different"
        side = "at or above" if score >= threshold else "below"
        reason = f"cosine {score:.3f} is {side} your threshold {threshold:.3f}"
        llr = calibration.llr(score, seconds) if calibration else None
        probability = None if llr is None else posterior(llr, prior)
        return Decision(verdict, score, llr, probability, threshold, None, prior, speech, reason, model, warnings)
    calibration = _required(calibration, model)
    llr = calibration.llr(score, seconds)
    rate = _tolerated(calibration, far)
    cut = max(calibration.threshold(rate, seconds), calibration.crossing(SAME_LLR, seconds))
    able = calibration.max_llr >= SAME_LLR  # a calibration on too few people never has the evidence
    verdict = "same" if able and score >= cut else "different" if llr <= DIFFERENT_LLR else "unsure"
    more = _more_speech(calibration, rate, seconds) if verdict == "unsure" else None
    return Decision(
        verdict=verdict,
        score=score,
        llr=llr,
        probability=posterior(llr, prior),
        threshold=cut,
        far=rate,
        prior=prior,
        speech=speech,
        reason=_reason(verdict, llr, rate, seconds, more),
        model=model,
        warnings=warnings,
        calibration=calibration.digest,
        impostor_pairs=calibration.speaker_pairs,
        more_speech=more,
    )


def undecided(
    reason: str,
    speech: tuple[float, float],
    calibration: Calibration | None,
    *,
    model: str,
    prior: float = DEFAULT_PRIOR,
    warnings: tuple[str, ...] = (),
) -> Decision:
    """The decision when nothing could be scored: no evidence, so the prior stays."""
    llr, probability = (0.0, prior) if calibration else (None, None)
    return Decision("unsure", None, llr, probability, None, None, prior, speech, reason, model, warnings)


def check_options(
    calibration: Calibration | None, *, far: float | None, threshold: float | None, prior: float, model: str
) -> None:
    """Refuse options that cannot be honoured, before any work is done.

    Raises:
        ConfigError: see `decide`.
    """
    if far is not None and threshold is not None:
        raise ConfigError("a false-accept rate and a threshold contradict each other; give one of them")
    if threshold is not None and not -1 <= threshold <= 1:
        raise ConfigError(f"a threshold of {threshold:g} is no cosine; give a value from -1 to 1")
    if not 0 < prior < 1:
        raise ConfigError(f"a prior of {prior:g} is no probability; give a value between 0 and 1")
    if threshold is None:
        calibration = _required(calibration, model)
        calibration.threshold(_tolerated(calibration, far), 1.0)


def _required(calibration: Calibration | None, model: str) -> Calibration:
    """The calibration, which all decisions without a threshold of the caller's need."""
    if calibration is None:
        raise ConfigError(f"{model} has no calibration, so only a threshold can decide; give one (a cosine)")
    return calibration


def _tolerated(calibration: Calibration, far: float | None) -> float:
    """The rate asked for; else the usual one, or the lowest that few calibration trials can support."""
    return max(DEFAULT_FAR, calibration.rates[-1]) if far is None else far


def _more_speech(calibration: Calibration, far: float, seconds: float) -> float | None:
    """Seconds up to where nine of ten recordings of one speaker are recognised."""
    enough = calibration.lasting(far, SAME_LLR) if calibration.reached else SHORT_SECONDS
    return None if enough is None or enough <= seconds else max(enough - seconds, LEAST_MORE)


def posterior(llr: float, prior: float) -> float:
    """Probability of one speaker after the evidence: sigmoid(llr + ln(prior / (1 - prior)))."""
    odds = llr + math.log(prior / (1 - prior))
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


def _reason(verdict: Verdict, llr: float, far: float, seconds: float, more: float | None) -> str:
    """Why this verdict, in words."""
    if verdict == "same":
        return f"the evidence is {odds(llr)} for one speaker; at most {100 * far:g} % of strangers would pass"
    if verdict == "different":
        return f"the evidence is {odds(-llr)} for two speakers"
    weak = f"the evidence is weak ({odds(abs(llr))} for {'one speaker' if llr >= 0 else 'two speakers'})"
    if llr >= SAME_LLR:
        weak = f"the evidence is {odds(llr)} for one speaker, but more than {100 * far:g} % of strangers would pass"
    if more is not None:
        return f"{weak}; the shorter recording has {seconds:.1f} s of speech, {more:.1f} s more would help"
    return f"{weak}; a further recording would help"


def odds(llr: float) -> str:
    """Evidence as people say it: "12 to 1"."""
    ratio = math.exp(llr)
    return f"{ratio:,.0f} to 1" if ratio >= 10 else f"{ratio:.1f} to 1"
