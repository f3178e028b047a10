"""The record of events: who did what to the gallery, and whether anybody altered it since.

Knows: the answers. Does not know: how events are chained.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from samevoice.service.access import Admin
from samevoice.service.namedpaths import MOST_TYPED, done_by, named
from samevoice.service.problems import PROBLEMS
from samevoice.service.state import Serving

router = APIRouter(prefix="/audit", tags=["audit"], responses=PROBLEMS)


class EventBody(BaseModel):
    """Something that was done."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "seq": 7,
                    "at": "2026-05-03T09:12:44.318000+00:00",
                    "actor": "front desk",
                    "action": "enrol",
                    "person": "6cf20df8292848c495802872828f98fa",
                    "detail": {"voiceprints": [4], "model": "campplus@2ccf1a00b9ef5a5e"},
                }
            ]
        },
    )

    seq: int = Field(description="Its number: 1, 2, 3... without gaps.")
    at: datetime
    actor: str = Field(description="The name of the caller's key; other actors for what was done elsewhere.")
    action: str
    person: str | None = Field(description="Public id of the person concerned, never a name.")
    detail: dict[str, Any]


class EventsBody(BaseModel):
    """Events, the oldest first."""

    events: list[EventBody]


class AuditBody(BaseModel):
    """Whether the record is as it was written."""

    model_config = ConfigDict(from_attributes=True)

    events: int = Field(description="How many there are.", examples=[7])
    broken: int | None = Field(
        description="Number of the first that is altered, missing or inserted; null if all are whole.", examples=[None]
    )


@router.get("", summary="What was done", operation_id="list_events")
async def list_events(
    service: Serving,
    caller: Admin,
    name: Annotated[
        str | None,
        Query(description="Only what concerns this person.", max_length=MOST_TYPED, examples=["Ada Lovelace"]),
    ] = None,
    last: Annotated[int, Query(description="Only so many, the newest.", ge=1, le=10_000)] = 100,
) -> EventsBody:
    """The newest events: enrolments, deletions, exports, mergers, and who did them."""
    who = None if name is None else named(name)
    events = await done_by(service, caller, lambda gallery: gallery.events(who, last))
    return EventsBody(events=[EventBody.model_validate(one) for one in events])


@router.get("/check", summary="Is the record whole?", operation_id="check_events")
async def check_events(service: Serving, caller: Admin) -> AuditBody:
    """Follow the whole chain of events, which takes a while where there are very many."""
    return AuditBody.model_validate(await done_by(service, caller, lambda gallery: gallery.audit()))
