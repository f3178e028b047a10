"""Who speaks, one of the people enrolled or nobody of them? The open-set decision over the cosines of one probe.

Nineteen to one, which `decide` asks for before it says "same", means with n people: nineteen times likelier that this
person speaks than that anybody else does, the n - 1 others and all strangers taken together. The prior of being
enrolled is spread evenly over the n people, so each further person asks for more evidence, and a second person close
by takes from the first. Beside it the cosine must reach the threshold of the tolerated rate (`rules`). With one person
and even odds both are what `decide` asks for.

The probabilities come in two steps. Is it anybody enrolled? The evidence for that is the mean likelihood ratio of all
people, never claimed beyond what the calibration could show. And who of them? Their shares of the sum.

Knows: cosines, seconds, calibrations. Does not know: galleries, vectors, how the best people were found.
Source: Brummer and van Leeuwen, "On calibration of language recognition scores", Odyssey 2006 (open-set posteriors from
likelihood ratios); ISO/IEC 19795-1:2021 (FPIR).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from samevoice.errors import ConfigError
from samevoice.gallery.names import shown
from samevoice.gallery.rules import Rules, share_below
from samevoice.scoring.calibration import MAX_LLR, Array
from samevoice.scoring.decision import DIFFERENT_LLR, LEAST_MORE, SAME_LLR, odds, posterior

Verdict = Literal["known", "unknown", "unsure"]

CERTAIN = posterior(SAME_LLR, 0.5)  # of one person; 95 %
EXCLUDED = posterior(DIFFERENT_LLR, 0.5)  # at most, of anybody enrolled; 20 %
TOP = 5  # candidates that a result names
COMPARED = 50  # people whose cosines decide; of all others it is known that they are less alike
ROUNDING = 1e-5  # of a cosine in single precision


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person who may be speaking.

    Args:
        name: of the person.
        score: cosine of the probe with the person's template.
        seconds: of speech on the shorter side.
        probability: that this person speaks, after the evidence on everybody.
    """

    name: str
    score: float
    seconds: float
    probability: float


@dataclass(frozen=True, slots=True)
class Identification:
    """The answer to "who of the people enrolled speaks here?".

    The probabilities of the candidates, of all `others` together and of `nobody` sum to 1.

    Args:
        verdict: "known", "unknown" or "unsure".
        name: who speaks; None unless known.
        probability: of the likeliest person enrolled; 0 where there is none.
        nobody: probability that nobody enrolled speaks.
        others: probability of all people enrolled that are not among the candidates.
        threshold: lowest cosine that could be "known" here: the higher of the one that the tolerated rate asks for and
            the one where the evidence reaches nineteen to one while nobody else is near; None where nothing was scored,
            or where no cosine could be.
        fpir: share of strangers tolerated to pass for anybody enrolled.
        extrapolated: whether that rate, split over the people, lies beyond what the calibration supports.
        people: how many are enrolled.
        candidates: the likeliest people, likeliest first.
        prior: probability of being enrolled before listening.
        speech: seconds of speech in the probe.
        reason: why this verdict, in a few words.
        model: fingerprint of the model.
        calibration: digest of the calibration that decided.
        impostor_pairs: how many pairs of different speakers the rate stands on.
        warnings: what about the probe could mislead.
        more_speech: seconds that the probe lacks for a verdict, as far as known; None where more is not known to help.
    """

    verdict: Verdict
    name: str | None
    probability: float
    nobody: float
    others: float
    threshold: float | None
    fpir: float
    extrapolated: bool
    people: int
    candidates: tuple[Candidate, ...]
    prior: float
    speech: float
    reason: str
    model: str
    calibration: str
    impostor_pairs: int
    warnings: tuple[str, ...] = ()
    more_speech: float | None = None

    def __str__(self) -> str:
        """One clear sentence."""
        who = {"known": shown(self.name or ""), "unknown": "Unknown", "unsure": "Cannot tell"}[self.verdict]
        return f"{who}: {self.reason}."

    def to_json(self) -> dict[str, object]:
        """Plain data with the field names of this class."""
        return asdict(self)


def check_top(top: int) -> None:
    """Refuse a number of candidates that cannot be named: no more than are compared closely.

    Raises:
        ConfigError: so.
    """
    if not 1 <= top <= COMPARED:
        raise ConfigError(f"{top} candidates cannot be named; ask for 1 to {COMPARED}")


def identify(
    scores: ArrayLike,
    names: Sequence[str],
    lengths: ArrayLike,
    seconds: float,
    rules: Rules,
    *,
    people: int,
    top: int = TOP,
    warnings: tuple[str, ...] = (),
    called: str = "enrolled",
) -> Identification:
    """Turn the cosines of a probe with the people enrolled into a verdict.

    With a large gallery the best few people are enough. Of the others it is known that their cosines are no higher
    than the lowest given, which bounds their likelihood ratios; and that those of people who do not speak are 1 on
    average, or below any cosine as many as target trials are below it: a tenth where nine of ten target trials reach
    higher. The lower of both stands for each of them; their templates count as at least as long as the probe.

    Args:
        scores: cosines with the templates of different people, the highest of all enrolled, shape (n,), in any order.
        names: of these people, n.
        lengths: seconds of speech behind each template, shape (n,).
        seconds: of speech in the probe.
        rules: what to decide by.
        people: how many are enrolled, at least n; n = 0 only where nobody is.
        top: how many candidates to name, 1 to 50.
        warnings: to put on record.
        called: what the reason says of the people: "enrolled", or what else they have in common.

    Raises:
        ConfigError: the calibration's rates are too few to extrapolate, or `top` is out of range.
        ValueError: the numbers do not fit together, a score is no cosine, or seconds are negative.
    """
    cosines, spoken = _checked(scores, names, lengths, seconds, people)
    check_top(top)
    if not people:
        return unidentified(f"nobody is {called}", seconds, rules, people=0, warnings=warnings)
    calibration = rules.calibration
    shorter = np.minimum(spoken, seconds)
    unlimited = replace(calibration, max_llr=MAX_LLR)  # between people; what is claimed at last is limited below
    llrs = unlimited.llrs(cosines, shorter)
    ratios = np.exp(llrs)
    rest = 0.0
    if people > len(ratios):
        lowest = float(cosines.min())
        rest = (people - len(ratios)) * min(
            math.exp(unlimited.llr(lowest, seconds)), share_below(calibration, lowest, seconds)
        )
    total = float(ratios.sum()) + rest
    limit = calibration.max_llr
    anybody = posterior(min(max(math.log(total / people), -limit), limit), rules.prior)
    order = sorted(range(len(names)), key=lambda row: (-llrs[row], names[row]))
    candidates = tuple(
        Candidate(names[row], float(cosines[row]), float(shorter[row]), anybody * float(ratios[row]) / total)
        for row in order[:top]
    )
    best = candidates[0]
    possible = posterior(limit, rules.prior) >= CERTAIN  # by all the evidence that can be claimed
    threshold = rules.threshold(people, best.seconds)
    passed = best.score >= rules.accepting(people, best.seconds)
    verdict: Verdict = (
        "known" if passed and best.probability >= CERTAIN else "unknown" if anybody <= EXCLUDED else "unsure"
    )
    found = Identification(
        verdict=verdict,
        name=best.name if verdict == "known" else None,
        probability=best.probability,
        nobody=1 - anybody,
        others=anybody * (float(ratios[order[top:]].sum()) + rest) / total,
        threshold=threshold if possible and threshold <= 1 else None,
        fpir=rules.fpir,
        extrapolated=rules.extrapolates(people),
        people=people,
        candidates=candidates,
        prior=rules.prior,
        speech=seconds,
        reason="",
        model=rules.model,
        calibration=calibration.digest,
        impostor_pairs=calibration.speaker_pairs,
        warnings=warnings,
        more_speech=_more_speech(rules, people, seconds, float(spoken[order[0]])) if verdict == "unsure" else None,
    )
    return replace(found, reason=_reason(found, called))


def unidentified(
    reason: str, seconds: float, rules: Rules, *, people: int, warnings: tuple[str, ...] = ()
) -> Identification:
    """The result when nothing could be scored: the prior stays, and where nobody is enrolled it is nobody."""
    prior = rules.prior if people else 0.0
    return Identification(
        verdict="unsure" if people else "unknown",
        name=None,
        probability=prior / max(people, 1),
        nobody=1 - prior,
        others=prior,
        threshold=None,
        fpir=rules.fpir,
        extrapolated=False,
        people=people,
        candidates=(),
        prior=rules.prior,
        speech=seconds,
        reason=reason,
        model=rules.model,
        calibration=rules.calibration.digest,
        impostor_pairs=rules.calibration.speaker_pairs,
        warnings=warnings,
    )


def _checked(
    scores: ArrayLike, names: Sequence[str], lengths: ArrayLike, seconds: float, people: int
) -> tuple[Array, Array]:
    """Cosines and seconds of the templates, if they fit together."""
    cosines, spoken = np.asarray(scores, dtype=np.float64), np.asarray(lengths, dtype=np.float64)
    if not cosines.shape == spoken.shape == (len(names),):
        raise ValueError(f"{len(names)} names need as many scores and seconds, got {cosines.shape} and {spoken.shape}")
    if not (np.abs(cosines) <= 1 + ROUNDING).all() or not (spoken >= 0).all() or not seconds >= 0:  # also refuses NaN
        raise ValueError("cosines from -1 to 1 and seconds of speech are needed")
    if people < len(names) or (people and not names):
        raise ValueError(f"the best of {people} people are needed, at least one and no more than there are")
    return np.clip(cosines, -1.0, 1.0), spoken


def _more_speech(rules: Rules, people: int, seconds: float, template: float) -> float | None:
    """Seconds that the probe lacks to where nine of ten people enrolled are known, if the template is that long."""
    enough = rules.lasting(people)
    if enough is None or enough <= seconds or enough > template:
        return None
    return max(enough - seconds, LEAST_MORE)


def _reason(found: Identification, called: str) -> str:
    """Why this verdict, in words."""
    strangers = f"{100 * found.fpir:g} % of strangers would pass"
    about = f"about {strangers}, extrapolated from {found.impostor_pairs:,} pairs of speakers"
    best = found.candidates[0]
    if found.verdict == "known":
        others = {1: "", 2: f"the other person {called} and "}.get(
            found.people, f"the other {found.people - 1:,} people {called} and "
        )
        kept = about if found.extrapolated else f"at most {strangers}"
        return f"the odds are {_odds(found.probability)} against {others}strangers; {kept}"
    if found.verdict == "unknown":
        no = f"none of the {found.people:,} people {called} speaks"
        no = no if found.people > 1 else f"{shown(best.name)} does not speak"
        return f"the odds are {_odds(found.nobody)} that {no}"
    second = found.candidates[1] if len(found.candidates) > 1 else None
    if best.probability >= CERTAIN:
        weak = f"{_likely(best)} is likely, but more than {about if found.extrapolated else strangers}"
    elif second and best.probability + second.probability >= CERTAIN:
        weak = f"{_likely(best)} and {_likely(second)} are too close"
    elif best.probability > EXCLUDED:
        weak = f"perhaps {_likely(best)}, which is not enough"
    else:
        weak = (
            f"nobody is likely, but with {_percent(1 - found.nobody)} it is one of the {found.people:,} people {called}"
        )
    if found.threshold is None:
        return f"{weak}; at this tolerated rate and prior no recording of this length is enough"
    if found.more_speech is None:
        return f"{weak}; a further recording would help"
    return f"{weak}; there are {found.speech:.1f} s of speech, {found.more_speech:.1f} s more would help"


def _odds(probability: float) -> str:
    """As people say it: "12 to 1"; never for certain."""
    likely = min(probability, 1 - 1e-12)
    return odds(math.log(likely / (1 - likely)))


def _likely(one: Candidate) -> str:
    """A person and how likely that is."""
    return f"{shown(one.name)} ({_percent(one.probability)})"


def _percent(probability: float) -> str:
    """Without decimals that mean nothing."""
    return f"{100 * probability:.0f} %"
