"""Logging in with a voice: is it the person of that name who speaks?

What a caller of the role user is told of somebody refused is the same, and takes as long, whether a person of that name
is enrolled or not: so nobody can find out who is.

Knows: the forms, and who may be told what. Does not know: how voices are compared (`loggingin`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from samevoice.errors import GalleryError
from samevoice.gallery.gallery import Gallery
from samevoice.gallery.names import shown
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import LEAST_MORE, SAME_LLR, Decision
from samevoice.service.access import User
from samevoice.service.challenge import DIGITS, LASTS
from samevoice.service.door import AtTheDoor
from samevoice.service.loggingin import Outcome, log_in
from samevoice.service.namedpaths import Named, NamedRoute
from samevoice.service.problems import PROBLEMS
from samevoice.service.state import Serving
from samevoice.service.uploads import received
from samevoice.service.wording import done
from samevoice.verification import calibration_of

router = APIRouter(prefix="/login", tags=["login"], responses=PROBLEMS, route_class=NamedRoute)

Outcomes = Literal["welcome", "refused", "unsure", "speak", "replayed"]

REPLAYED = "the voice is the right one, but this very recording was heard before; speak anew"
BRIEF = "the voice is the right one, but the recording is too short to tell it from an earlier one; speak longer"
SPEAK = "nobody was heard to speak; check the microphone and speak"
STRANGER = "the voice was not recognised as that of this person"
EXAMPLE: dict[str, JsonValue] = {
    "welcome": True,
    "outcome": "welcome",
    "person": "Ada Lovelace",
    "verdict": "same",
    "score": 0.71,
    "llr": 6.9,
    "probability": 0.999,
    "threshold": 0.438,
    "far": 0.01,
    "prior": 0.5,
    "speech": [6.3, 3.4],
    "reason": "the evidence is 992 to 1 for one speaker; at most 1 % of strangers would pass",
    "model": "campplus@2ccf1a00b9ef5a5e",
    "warnings": [],
    "calibration": "0c6d2b9be2f1",
    "impostor_pairs": 1225,
    "more_speech": None,
}


class ChallengeBody(BaseModel):
    """Digits to speak. Whether they were spoken is not heard by this service: somebody has to listen."""

    challenge: str = Field(description="To be sent with the recording, once.", examples=["x5Yb2cQm3v0T9e1LrW8dSg"])
    digits: str = Field(description=f"{DIGITS} random digits.", examples=["4 7 1 9 0 3"])
    expires: datetime = Field(description=f"{LASTS:.0f} s from now.")


class LoginBody(BaseModel):
    """Whether the person is let in, and why."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [EXAMPLE]})

    welcome: bool = Field(description="Whether to let the person in; only this counts.")
    outcome: Outcomes = Field(description='"speak" asks for more speech; "replayed" was heard before.')
    person: str = Field(description="The name as it was sent.")
    verdict: Literal["same", "different", "unsure"]
    score: float | None = Field(description="Cosine; null where nothing was compared, or is not told.")
    llr: float | None = Field(description="Evidence for one speaker, natural logarithm.")
    probability: float | None = Field(description="Of one speaker, at the prior.")
    threshold: float | None = Field(description="Lowest cosine that is let in.")
    far: float | None = Field(description="False-accept rate that was tolerated.")
    prior: float = Field(description="Probability of one speaker before listening.")
    speech: tuple[float | None, float] = Field(
        description="Seconds of speech the person was enrolled with, null where not told, and in this recording."
    )
    reason: str = Field(description="Why, and what to do.")
    model: str = Field(description="Fingerprint of the model.")
    warnings: list[str] = Field(description="What about the recording could mislead.")
    calibration: str | None = Field(description="Digest of the calibration that decided.")
    impostor_pairs: int | None = Field(description="Pairs of different speakers that the rate stands on.")
    more_speech: float | None = Field(description="Seconds that this recording lacks; null where more may not help.")


@router.post("/{name}/challenge", summary="Digits to speak at a login", operation_id="challenge")
async def challenge(door: AtTheDoor, caller: User, name: Named) -> ChallengeBody:
    """Random digits, for one login of one person, for two minutes. Those who are not enrolled get some too.

    A recording that was made before does not hold them; but the digits themselves are not recognised here, so show
    the recording to somebody who listens, or to a recogniser of yours.
    """
    made = door.challenges.issue(name, caller.name)
    return ChallengeBody(challenge=made.id, digits=made.digits, expires=made.expires)


@router.post("/{name}", summary="Log in with a voice", operation_id="login")
async def login(
    request: Request,
    service: Serving,
    door: AtTheDoor,
    caller: User,
    name: Named,
    audio: Annotated[UploadFile, File(description="The person speaking now: WAV, FLAC, MP3, Ogg or Opus.")],
    challenge: Annotated[
        str | None,
        Form(description="Of digits that were asked for before; used up by this.", max_length=200),
    ] = None,
) -> LoginBody:
    """Let the person in, or not. A voice is not a password on its own: it can be recorded and imitated.

    A recording that was enrolled for this person, or let anybody in during the last day, does not count when it comes
    again. Attempts of one caller at one person are limited by the minute (429, code "attempts"); a welcome does not
    count as one, nor does an upload in which there was nothing to compare. Callers of the role user are told of
    nobody refused how near the voice was, nor whether the person is enrolled.
    """
    attempt = door.attempts.begin(name, caller.name)
    trusted = caller.may("enroller")
    try:
        if challenge:
            door.challenges.redeem(challenge, name, caller.name)
        async with received(audio, service) as clip:

            def work(gallery: Gallery) -> Outcome:
                if trusted:
                    _require_enrolled(gallery, name)
                outcome = log_in(gallery, door.earlier, name, clip.sound, far=service.options.far)
                door.forget_gone()  # comparing removed what had expired
                return outcome

            outcome = await done(service, caller, work)
    except Exception:  # nothing was compared
        door.attempts.take_back(attempt)
        raise
    if outcome.welcome or outcome.speechless:
        door.attempts.take_back(attempt)
    body = _body(name, outcome, calibration_of(service.gallery.model), trusted=trusted)
    request.state.verdict = body.outcome
    return body


def _require_enrolled(gallery: Gallery, name: str) -> None:
    """Tell those who may know it why somebody cannot log in.

    Raises:
        UnknownPerson: nobody has that name; says who may have been meant.
        GalleryError: the person was only heard, or was enrolled with another model.
    """
    person = gallery.person(name)
    if person.stranger is not None:
        raise GalleryError(f"{shown(name)} was heard in recordings and never enrolled; enrol this person first")
    if person.needs_enrolment:
        raise GalleryError(f"{shown(name)} has no voiceprint of this model; enrol this person again")


def _body(name: str, outcome: Outcome, calibration: Calibration | None, *, trusted: bool) -> LoginBody:
    """What the caller is told."""
    decision, heard = outcome.decision, outcome.decision.speech[1]
    kind: Outcomes
    if outcome.welcome:
        kind = "welcome"
    elif outcome.replayed:
        kind, decision = "replayed", replace(decision, reason=REPLAYED)
    elif outcome.brief:
        kind, decision = "speak", replace(decision, reason=BRIEF)
    elif outcome.speechless:
        kind, decision = "speak", replace(decision, reason=SPEAK if heard <= 0 else decision.reason)
    else:
        kind = "refused" if decision.verdict == "different" or not trusted else "unsure"
        decision = decision if trusted else _as_of_a_stranger(decision, calibration)
    told: dict[str, Any] = decision.to_json()
    if not trusted and kind != "welcome":
        told["speech"] = (None, heard)
    return LoginBody(welcome=outcome.welcome, outcome=kind, person=name, **told)


def _as_of_a_stranger(decision: Decision, calibration: Calibration | None) -> Decision:
    """A refusal that hangs on this recording alone, and not on whom it was compared with."""
    heard, more = decision.speech[1], None
    enough = calibration.lasting(decision.far, SAME_LLR) if calibration and decision.far else None
    reason = STRANGER
    if enough is not None and enough > heard:
        more = max(enough - heard, LEAST_MORE)
        reason = f"{STRANGER}; there are {heard:.1f} s of speech, {more:.1f} s more would help"
    return replace(
        decision,
        verdict="different",
        score=None,
        llr=None,
        probability=None,
        threshold=None,
        reason=reason,
        more_speech=more,
    )
