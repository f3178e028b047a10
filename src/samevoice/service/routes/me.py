"""Who asks, what that one may do and within which limits; and how the service is."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter
from pydantic import BaseModel, Field

from samevoice import __version__
from samevoice.service.access import Admin, User
from samevoice.service.keys import Role
from samevoice.service.memory import resident_mb
from samevoice.service.problems import PROBLEMS
from samevoice.service.state import Serving

router = APIRouter(tags=["service"], responses=PROBLEMS)


class Limits(BaseModel):
    """What may be sent."""

    clip_bytes: int = Field(examples=[33_554_432])
    clip_seconds: float = Field(examples=[300.0])
    meeting_bytes: int = Field(examples=[2_147_483_648])
    meeting_seconds: float = Field(examples=[28_800.0])


class Me(BaseModel):
    """The caller as the service sees it."""

    name: str = Field(description="Of the key.", examples=["local"])
    role: Role = Field(examples=["admin"])
    keys: bool = Field(description="Whether this service needs keys.")
    version: str = Field(examples=["0.1.0"])
    limits: Limits
    fpir: float = Field(description="Share of strangers tolerated to pass for somebody enrolled.", examples=[0.01])
    far: float | None = Field(description="Tolerated false-accept rate; null for the usual one.", examples=[0.01])


class System(BaseModel):
    """How the service is."""

    uptime: float = Field(description="Seconds since the start.")
    workers: int = Field(description="How many recordings are worked on at once.")
    running: int = Field(description="Workers that work now.")
    waiting: int = Field(description="Requests that wait for a worker.")
    jobs: dict[str, int] = Field(description="Jobs by state.", examples=[{"running": 1, "done": 3}])
    memory_mb: float | None = Field(description="Memory of the process, in MB; null where the system does not tell.")
    requests: int = Field(description="Requests answered since the start.")
    version: str = Field(examples=["0.1.0"])
    gallery: str = Field(description="Where the people are.", examples=["/data/voices.db"])
    model: str = Field(description="Fingerprint of the model.", examples=["campplus@0123456789abcdef"])
    people: int = Field(description="How many are enrolled.")


@router.get("/me", summary="Who am I here, and what may I send?", operation_id="me")
async def me(caller: User, service: Serving) -> Me:
    """The name and role of the key, the limits of uploads, and the error rates that are tolerated by default.

    `keys` says whether this service needs keys at all; without them everybody who reaches it is an admin.
    """
    options = service.options
    return Me(
        name=caller.name,
        role=caller.role,
        keys=service.keys.needed,
        version=__version__,
        limits=Limits(
            clip_bytes=options.clip_bytes,
            clip_seconds=options.clip_seconds,
            meeting_bytes=options.meeting_bytes,
            meeting_seconds=options.meeting_seconds,
        ),
        fpir=options.fpir,
        far=options.far,
    )


@router.get("/system", summary="How is the service?", operation_id="system")
async def system(_: Admin, service: Serving) -> System:
    """Load, memory, jobs, and where the people are kept, without any password."""
    store = service.gallery.store
    size = await asyncio.to_thread(store.size)
    return System(
        uptime=time.monotonic() - service.started,
        workers=service.pool.workers,
        running=service.pool.running,
        waiting=service.pool.waiting,
        jobs=service.jobs.counts(),
        memory_mb=resident_mb(),
        requests=service.metrics.requests,
        version=__version__,
        gallery=store.database.where,
        model=service.gallery.model.card.fingerprint,
        people=size.people,
    )
