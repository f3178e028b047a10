"""Do two recordings come from the same person?"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, JsonValue

import samevoice as sv
from samevoice.scoring.decision import DEFAULT_PRIOR, Decision
from samevoice.service.access import User
from samevoice.service.problems import PROBLEMS
from samevoice.service.state import Service, Serving
from samevoice.service.uploads import Clip, received

EXAMPLE: dict[str, JsonValue] = {
    "verdict": "same",
    "score": 0.731,
    "llr": 7.92,
    "probability": 0.9996,
    "threshold": 0.412,
    "far": 0.01,
    "prior": 0.5,
    "speech": [4.1, 5.3],
    "reason": "the evidence is 2,750 to 1 for one speaker; at most 1 % of strangers would pass",
    "model": "campplus@0123456789abcdef",
    "warnings": [],
    "calibration": "0123456789abcdef",
    "impostor_pairs": 5000,
    "more_speech": None,
}

router = APIRouter(tags=["verify"], responses=PROBLEMS)


class DecisionBody(BaseModel):
    """The verdict, and what explains it; the fields are those of `samevoice.Decision`."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    verdict: Literal["same", "different", "unsure"]
    score: float | None
    llr: float | None
    probability: float | None
    threshold: float | None
    far: float | None
    prior: float
    speech: tuple[float, float]
    reason: str
    model: str
    warnings: list[str]
    calibration: str | None
    impostor_pairs: int | None
    more_speech: float | None


@router.post("/verify", summary="Do two recordings come from the same person?", operation_id="verify")
async def verify(
    request: Request,
    _: User,
    service: Serving,
    first: Annotated[UploadFile, File(description="A recording of one person: WAV, FLAC, MP3, Ogg and more.")],
    second: Annotated[UploadFile, File(description="Another recording.")],
    far: Annotated[
        float | None, Form(description="Tolerated false-accept rate, as a fraction.", examples=[0.01])
    ] = None,
    prior: Annotated[
        float, Form(description="Probability of one speaker before listening.", examples=[0.5])
    ] = DEFAULT_PRIOR,
) -> DecisionBody:
    """Compare two recordings and tell the verdict, the evidence and its reasons. Nothing is kept.

    Too little speech is no error: the verdict is then "unsure", and `reason` says how much more is needed.
    """
    async with received(first, service) as one, received(second, service) as other:
        decision = await service.pool.run(partial(_decide, service, one, other, far, prior))
    request.state.verdict = decision.verdict
    return DecisionBody.model_validate(decision.to_json())


def _decide(service: Service, one: Clip, other: Clip, far: float | None, prior: float) -> Decision:
    """The decision of the library about two files."""
    far = service.options.far if far is None else far
    return sv.verify(one.sound, other.sound, model=service.gallery.model, far=far, prior=prior)
