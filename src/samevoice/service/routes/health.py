"""Whether the service is alive, whether it is ready, and what it counts; for those who run it."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from samevoice import __version__
from samevoice.service.access import Caller, caller_of_token
from samevoice.service.options import is_loopback
from samevoice.service.problems import PROBLEMS, Refusal
from samevoice.service.state import Service, Serving

TEXT = "text/plain; version=0.0.4; charset=utf-8"
PROMETHEUS = {"text/plain": {"schema": {"type": "string"}, "example": "samevoice_running 0.0\n"}}

router = APIRouter(tags=["health"], responses={code: PROBLEMS[code] for code in (405, 421, 500)})


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether requests can be served now."""

    status: Literal["ready", "starting"]
    reason: Literal["starting", "model", "stopping"] | None = Field(
        description='Why not: it starts, the model does not answer (the log says more), it stops; null for "ready".',
        examples=[None],
    )
    model: str | None = Field(
        description="Fingerprint of the model that decides; null for who may not ask for it.",
        examples=["campplus@0123456789abcdef"],
    )
    people: int | None = Field(description="How many the gallery has; null for who may not see them.", examples=[12])
    version: str = Field(examples=["0.1.0"])


@router.get("/healthz", summary="Is the service alive?", operation_id="health")
async def health() -> Health:
    """Answers at once, however busy the workers are."""
    return Health()


@router.get(
    "/readyz",
    summary="Can it serve requests?",
    operation_id="readiness",
    response_model=Readiness,
    responses={
        503: {"model": Readiness, "description": "Not yet, or no longer: it starts, or shuts down."},
        401: PROBLEMS[401],
        429: PROBLEMS[429],
    },
)
async def readiness(request: Request, service: Serving) -> JSONResponse:
    """200 once the model has answered for the first time; 503 before, and while the service shuts down.

    Without a key that is all; the model is told to whoever has one, the number of people to enrollers and admins. A
    service without keys tells both to everybody who may use it.
    """
    ready = service.ready.is_set() and not service.ending.begun
    caller: Caller | None = request.scope["state"].get("caller")
    if not service.keys.needed:
        caller = caller_of_token(service, None)
    body = Readiness(
        status="ready" if ready else "starting",
        reason=None if ready else _reason(service),
        model=None if caller is None else service.gallery.model.card.fingerprint,
        people=await asyncio.to_thread(service.people.get) if caller is not None and caller.may("enroller") else None,
        version=__version__,
    )
    return JSONResponse(body.model_dump(), 200 if ready else 503)


def _reason(service: Service) -> Literal["starting", "model", "stopping"]:
    """Why a service is not ready."""
    if service.ending.begun:
        return "stopping"
    return "model" if service.failed.is_set() else "starting"


@router.get(
    "/metrics",
    summary="What the service counts, for Prometheus",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": PROMETHEUS}, 401: PROBLEMS[401], 403: PROBLEMS[403], 429: PROBLEMS[429]},
)
async def metrics(request: Request, service: Serving) -> Response:
    """For admins; without keys for this machine only, unless the service was told to show it to everybody."""
    if not service.options.metrics_open:
        _check(request, service)
    return Response(service.metrics.text(), media_type=TEXT)


def _check(request: Request, service: Serving) -> None:
    """Let admins through, and whoever sits at the machine where there are no keys.

    Raises:
        Refusal: 401 or 403.
    """
    caller: Caller | None = request.scope["state"].get("caller")
    if service.keys.needed:
        if caller is None:
            raise Refusal(401, "key", "a key is needed; send one as: Authorization: Bearer sv_...")
        if not caller.may("admin"):
            raise Refusal(403, "role", f"this needs the role admin; your key has the role {caller.role}")
    elif request.client is None or not is_loopback(request.client.host):
        raise Refusal(403, "role", "only this machine may read the metrics of a service without keys")
