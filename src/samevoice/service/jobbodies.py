"""Jobs and who spoke when, as JSON.

Knows: shapes, examples. Does not know: how they come about.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from samevoice.service.jobfiles import State
from samevoice.service.jobs import Job
from samevoice.service.problems import Problem

STATUS = {"disk": 507, "internal": 500}  # of a job that failed by no fault of its recording
UNUSABLE = 422

JOB_EXAMPLE: dict[str, Any] = {
    "id": "7f0c1be1a8d94a5f8d3f6f0f3a1c2b4d",
    "name": "monday.m4a",
    "state": "running",
    "progress": 0.41,
    "eta": 35.2,
    "created": "2026-11-21T09:00:00Z",
    "expires": "2026-11-22T09:00:00Z",
    "problem": None,
    "seconds": 3600.0,
}
RESULT_EXAMPLE: dict[str, Any] = {
    "recording": "monday",
    "extent": 20.1,
    "turns": [{"start": 0.4, "end": 7.9, "speaker": "Ann", "confidence": 0.97}],
    "speakers": [{"name": "Ann", "seconds": 7.5, "known": True}],
    "counts": [{"speakers": 1, "probability": 0.93}, {"speakers": 2, "probability": 0.07}],
    "undo": True,
    "redo": False,
    "warnings": [],
}


class JobBody(BaseModel):
    """A job as it stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [JOB_EXAMPLE]})

    id: str = Field(description="Random; whoever made the job and admins find it by this.")
    name: str = Field(description="What the recording was called when it was sent.")
    state: State
    progress: float = Field(ge=0, le=1, description="Share that is done.")
    eta: float | None = Field(description="Seconds that are left, as far as that is known.")
    created: datetime
    expires: datetime = Field(description="When every byte of it is removed.")
    problem: dict[str, Any] | None = Field(description="Why it failed, as the body of a problem.")
    seconds: float | None = Field(description="Of the recording, once that is known.")

    @classmethod
    def of(cls, job: Job) -> JobBody:
        """What to tell about a job."""
        record = job.record
        problem = None
        if record.problem is not None and record.code is not None:
            problem = Problem(STATUS.get(record.code, UNUSABLE), record.code, record.problem).to_json()
        return cls(
            id=record.id,
            name=record.name,
            state=record.state,
            progress=round(job.progress, 4),
            eta=None if job.eta is None else round(job.eta, 1),
            created=record.created,
            expires=record.expires,
            problem=problem,
            seconds=record.seconds,
        )


class TurnBody(BaseModel):
    """Somebody speaks."""

    start: float = Field(description="Seconds of the recording.")
    end: float
    speaker: str
    confidence: float | None = Field(description="That this speaker and nobody else speaks; null where nobody said.")


class SpeakerBody(BaseModel):
    """Somebody in a recording."""

    name: str
    seconds: float = Field(description="Of all turns.")
    known: bool = Field(description="Whether somebody or the gallery gave the name; false for speaker-1 and so on.")


class CountBody(BaseModel):
    """How likely it is that so many speak."""

    speakers: int
    probability: float


class ResultBody(BaseModel):
    """Who speaks when, as edited so far."""

    model_config = ConfigDict(json_schema_extra={"examples": [RESULT_EXAMPLE]})

    recording: str = Field(description="Its name without folder and suffix.")
    extent: float = Field(description="Its length in seconds.")
    turns: list[TurnBody]
    speakers: list[SpeakerBody] = Field(description="In order of first appearance.")
    counts: list[CountBody] = Field(description="The likeliest first.")
    undo: bool = Field(description="Whether there is an edit to undo.")
    redo: bool = Field(description="Whether there is one to redo.")
    warnings: list[str]


class PeaksBody(BaseModel):
    """The outline of a recording."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"seconds": 20.1, "peaks": [0.02, 0.61, 0.44]}]})

    seconds: float
    peaks: list[float] = Field(description="The highest level in equal parts of the recording, from 0 to 1.")
