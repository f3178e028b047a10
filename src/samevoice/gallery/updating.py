"""Who may be added to a person that is enrolled already, and which two may become one.

A voice let in changes what every later login is compared with, so the bar is higher than that of a login: all the
evidence that the calibration can claim, the strictest false-accept rate that it supports, and enough speech.

Knows: templates, durations, calibrations. Does not know: audio, where people are kept.
"""

from __future__ import annotations

from samevoice.errors import GalleryError
from samevoice.gallery.coach import GOOD_SPEECH, Advice, whole_tenths
from samevoice.gallery.voiceprints import Template
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.cosine import cosine
from samevoice.scoring.decision import odds


def may_update(score: float, speech: tuple[float, float], calibration: Calibration | None) -> Advice | None:
    """Whether a recording may be added to somebody who is enrolled: None if so, else why not.

    Args:
        score: cosine of the new embedding with the person's template.
        speech: seconds in the new recording and behind the template.
        calibration: the model's.
    """
    if calibration is None:
        return Advice("update", True, "this model has no calibration to tell whose voice it is; enrol under a new name")
    if speech[0] < GOOD_SPEECH:
        found = f"{whole_tenths(speech[0])} s of speech are too little to change a voiceprint"
        return Advice("update", True, f"{found}; speak for {GOOD_SPEECH:g} s or more")
    if score >= update_bar(calibration, min(speech)):
        return None
    llr = calibration.llr(score, min(speech))
    likely = f"{odds(abs(llr))} for {'the same person' if llr >= 0 else 'somebody else'}"
    sentence = f"the evidence is {likely}, not enough to change a voiceprint; record in conditions like the first time"
    return Advice("update", True, sentence)


def may_merge(calibration: Calibration | None, source: Template | None, into: Template | None) -> None:
    """Refuse to make two people one who do not sound so.

    Args:
        calibration: the model's.
        source: the template of one; None where there is none of that model.
        into: the template of the other.

    Raises:
        GalleryError: so.
    """
    if calibration and source and into:
        seconds = min(source.seconds, into.seconds)
        score = cosine(source.embedding, into.embedding)
        if score >= update_bar(calibration, seconds):
            return
        llr = calibration.llr(score, seconds)
        evidence = f"the evidence is {odds(abs(llr))} for {'one person' if llr >= 0 else 'two people'}"
    else:
        evidence = "nothing can be compared"
    raise GalleryError(f"not merged: {evidence}, which is not enough; if you know that it is one person, use --force")


def update_bar(calibration: Calibration, seconds: float) -> float:
    """The lowest cosine with a template that may change it.

    Args:
        calibration: the model's.
        seconds: of speech on the shorter side.
    """
    strictest = calibration.threshold(calibration.rates[-1], seconds)
    return max(strictest, calibration.crossing(calibration.max_llr, seconds))
