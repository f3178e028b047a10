"""The routes by topic: each module has a `router`, whose paths are written without the "/v1" that all get."""

from __future__ import annotations

from fastapi import APIRouter

from samevoice.service.routes import (
    audit,
    diarize,
    identify,
    login,
    me,
    models,
    people,
    stream,
    thresholds,
    timeline,
    verify,
)

ROUTERS: tuple[APIRouter, ...] = (
    me.router,
    verify.router,
    people.router,
    identify.router,
    login.router,
    thresholds.router,
    audit.router,
    diarize.router,
    timeline.router,
    stream.router,
    models.router,
)
