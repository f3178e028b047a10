"""Who of the people enrolled speaks, or nobody of them?

Knows: the form and the answer. Does not know: how people are found.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from samevoice.gallery.gallery import Gallery
from samevoice.gallery.identification import COMPARED, TOP, Identification
from samevoice.scoring.decision import DEFAULT_PRIOR
from samevoice.service.access import User
from samevoice.service.namedpaths import done_by
from samevoice.service.problems import PROBLEMS
from samevoice.service.state import Serving
from samevoice.service.uploads import received

router = APIRouter(tags=["identify"], responses=PROBLEMS)

EXAMPLE: dict[str, JsonValue] = {
    "verdict": "known",
    "name": "Ada Lovelace",
    "probability": 0.998,
    "nobody": 0.001,
    "others": 0.001,
    "threshold": 0.52,
    "fpir": 0.01,
    "extrapolated": True,
    "people": 12,
    "candidates": [{"name": "Ada Lovelace", "score": 0.71, "seconds": 4.2, "probability": 0.998}],
    "prior": 0.5,
    "speech": 4.2,
    "reason": "the odds are 499 to 1 against the other 11 people enrolled and strangers; about 1 % of strangers would "
    "pass, extrapolated from 1,225 pairs of speakers",
    "model": "campplus@2ccf1a00b9ef5a5e",
    "calibration": "0c6d2b9be2f1",
    "impostor_pairs": 1225,
    "warnings": [],
    "more_speech": None,
}


class CandidateBody(BaseModel):
    """Somebody who may be speaking."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    score: float = Field(description="Cosine with what the person was enrolled with.")
    seconds: float = Field(description="Of speech on the shorter side.")
    probability: float = Field(description="That this person speaks, after the evidence on everybody.")


class IdentificationBody(BaseModel):
    """Who speaks; the probabilities of candidates, others and nobody sum to 1."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [EXAMPLE]})

    verdict: Literal["known", "unknown", "unsure"]
    name: str | None = Field(description="Who speaks; null unless known.")
    probability: float = Field(description="Of the likeliest person enrolled; 0 where there is none.")
    nobody: float = Field(description="Probability that nobody enrolled speaks.")
    others: float = Field(description="Probability of all people enrolled that are not among the candidates.")
    threshold: float | None = Field(description="Lowest cosine that could be known here; null where none could be.")
    fpir: float = Field(description="Share of strangers tolerated to pass for anybody enrolled.")
    extrapolated: bool = Field(description="Whether that rate lies beyond what the calibration supports.")
    people: int = Field(description="How many are enrolled.")
    candidates: list[CandidateBody] = Field(description="The likeliest first.")
    prior: float = Field(description="Probability of being enrolled before listening.")
    speech: float = Field(description="Seconds of speech in the recording.")
    reason: str = Field(description="Why this verdict, in a few words.")
    model: str = Field(description="Fingerprint of the model.")
    calibration: str = Field(description="Digest of the calibration that decided.")
    impostor_pairs: int = Field(description="Pairs of different speakers that the rate stands on.")
    warnings: list[str] = Field(description="What about the recording could mislead.")
    more_speech: float | None = Field(description="Seconds that it lacks for a verdict; null where unknown.")


@router.post("/identify", summary="Who is this?", operation_id="identify")
async def identify(
    request: Request,
    service: Serving,
    caller: User,
    audio: Annotated[UploadFile, File(description="Somebody speaking: WAV, FLAC, MP3, Ogg or Opus.")],
    top: Annotated[int, Form(description="How many candidates to name.", ge=1, le=COMPARED)] = TOP,
    fpir: Annotated[
        float | None,
        Form(description="Share of strangers tolerated to pass; that of the service if not given.", gt=0, lt=1),
    ] = None,
    prior: Annotated[
        float, Form(description="Probability of being enrolled before listening.", gt=0, lt=1)
    ] = DEFAULT_PRIOR,
    sequential: Annotated[bool, Form(description="Stop listening as soon as the evidence is enough.")] = False,
) -> IdentificationBody:
    """One of the people enrolled, "unknown", or "unsure" with what would help. Too little speech is no error here."""
    async with received(audio, service) as clip:

        def work(gallery: Gallery) -> Identification:
            rate = service.options.fpir if fpir is None else fpir
            return gallery.identify(clip.sound, top=top, fpir=rate, prior=prior, sequential=sequential)

        found = await done_by(service, caller, work)
    request.state.verdict = found.verdict
    return IdentificationBody.model_validate(found)
