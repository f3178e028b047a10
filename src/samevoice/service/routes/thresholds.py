"""What each setting of the tolerated rate is predicted to cost.

Knows: the answer. Does not know: how it is predicted (`prediction`).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from samevoice.gallery.gallery import Gallery
from samevoice.scoring.calibration import MOST
from samevoice.scoring.decision import DEFAULT_FAR
from samevoice.service.access import User
from samevoice.service.namedpaths import done_by
from samevoice.service.prediction import curve, reached
from samevoice.service.problems import PROBLEMS
from samevoice.service.state import Serving
from samevoice.verification import calibration_of

router = APIRouter(tags=["thresholds"], responses=PROBLEMS)


class PointBody(BaseModel):
    """A setting and what it costs."""

    model_config = ConfigDict(from_attributes=True)

    far: float = Field(description="At most this share of strangers is let in.", examples=[0.01])
    threshold: float = Field(
        description="Lowest cosine let in: what the rate asks for, or what nineteen to one does, if that is more.",
        examples=[0.438],
    )
    kept: float = Field(description="The rate that this threshold keeps, at most `far`.", examples=[0.0046])
    frr: float | None = Field(
        description="Predicted share of the right people's attempts that are not let in; null where nothing tells.",
        examples=[0.048],
    )


class ReachedBody(BaseModel):
    """What was measured of the right people."""

    share: float = Field(description="Of the recordings of one person.", examples=[0.9])
    cosine: float = Field(description="Which so many of them reach.", examples=[0.498])


class ThresholdsBody(BaseModel):
    """What is predicted, and on what it rests; without points for a model that has no calibration."""

    seconds: float = Field(description="Of speech on the shorter side.", examples=[3.0])
    far: float = Field(description="The tolerated rate that logins use.", examples=[0.01])
    points: list[PointBody] = Field(description="From the highest rate to the lowest.")
    reached: ReachedBody | None = Field(description="Where the predicted rejects are measured; null if nowhere.")
    trials: dict[str, int] | None = Field(
        description="Pairs of recordings that the calibration was fitted on.",
        examples=[{"target": 67092, "non_target": 3164292}],
    )
    speaker_pairs: int | None = Field(description="Pairs of different speakers among them.", examples=[1225])
    durations: list[float] = Field(description="Seconds that were measured; others count as the nearest, or between.")
    source: str | None = Field(description="Where the trials came from and what they cannot tell.")


@router.get("/thresholds", summary="What a threshold costs", operation_id="thresholds")
async def thresholds(
    service: Serving,
    caller: User,
    seconds: Annotated[float, Query(description="Of speech on the shorter side.", gt=0, le=3600)] = 3.0,
) -> ThresholdsBody:
    """False accepts are measured, and bounded for other people; false rejects are modelled through a measured point."""

    def work(gallery: Gallery) -> ThresholdsBody:
        calibration = calibration_of(gallery.model)
        far = service.options.far
        if calibration is None:
            return ThresholdsBody(
                seconds=seconds,
                far=DEFAULT_FAR if far is None else far,
                points=[],
                reached=None,
                trials=None,
                speaker_pairs=None,
                durations=[],
                source=None,
            )
        nine_of_ten = reached(calibration, seconds)
        targets, non_targets = calibration.trials
        return ThresholdsBody(
            seconds=seconds,
            far=max(DEFAULT_FAR, calibration.rates[-1]) if far is None else far,
            points=[PointBody.model_validate(one) for one in curve(calibration, seconds)],
            reached=None if nine_of_ten is None else ReachedBody(share=MOST, cosine=nine_of_ten),
            trials={"target": targets, "non_target": non_targets},
            speaker_pairs=calibration.speaker_pairs,
            durations=list(calibration.durations),
            source=calibration.source,
        )

    return await done_by(service, caller, work)
