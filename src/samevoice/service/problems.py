"""What a client is told when something is not done: one JSON body for everything (application/problem+json).

Knows: which error has which status. Does not know: routes.
Source: RFC 9457, "Problem Details for HTTP APIs".
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from samevoice.errors import (
    AudioError,
    ConfigError,
    DataError,
    EnrolmentRefused,
    FingerprintMismatch,
    GalleryError,
    ModelError,
    NotEnoughSpeech,
    SamevoiceError,
    UnknownPerson,
)

MEDIA = "application/problem+json"
MOST_FIELDS = 50  # of a request that are told to be wrong
CLIENT_GONE = 499  # nobody reads it; it is for the log

# The narrowest first, since the first that fits counts.
STATUS: tuple[tuple[type[SamevoiceError], int], ...] = (
    (NotEnoughSpeech, 422),
    (AudioError, 422),
    (FingerprintMismatch, 409),
    (ModelError, 503),
    (UnknownPerson, 404),
    (EnrolmentRefused, 422),
    (GalleryError, 409),
    (DataError, 422),
    (ConfigError, 400),
)
HTTP_CODES = {400: "request", 404: "not-found", 405: "method", 413: "too-large"}
HTTP_ADVICE = {
    404: "there is nothing at this address; see /openapi.json",
    405: "this address does not take that method; see /openapi.json",
}
NO_ROOM = "the service has no room on its disk for this; nothing was changed; tell whoever runs it"

log = logging.getLogger("samevoice.service")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something was not done.

    Args:
        status: of HTTP.
        code: stable short name for machines.
        detail: one sentence for people: what, where, what to do.
        extras: further members of the body.
    """

    status: int
    code: str
    detail: str
    extras: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The body."""
        title = "Client Closed Request" if self.status == CLIENT_GONE else HTTPStatus(self.status).phrase
        return {
            "type": f"urn:samevoice:{self.code}",
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.extras,
        }

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The answer; with Retry-After where the body says when to try again."""
        content = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False)
        told = dict(headers or {})
        if "retry_after" in self.extras:
            told.setdefault("Retry-After", str(self.extras["retry_after"]))
        return Response(content, self.status, told, media_type=MEDIA)


class Refusal(HTTPException):
    """A request that is not done, for a reason that lies in the request or in the moment.

    It is an HTTPException so that the framework lets it pass wherever it is raised, while a body is read too.

    Args:
        status: of HTTP.
        code: stable short name for machines.
        detail: one sentence for people.
        headers: of the answer.
        extras: further members of the body, such as retry_after in seconds.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extras: Any
    ) -> None:
        """Keep the parts."""
        super().__init__(status, detail, dict(headers or {}))
        self.problem = Problem(status, code, detail, extras)


class Busy(Refusal):
    """All workers are taken and too many requests wait already."""

    def __init__(self, retry_after: int = 1) -> None:
        """Compose the answer; `retry_after` in seconds."""
        super().__init__(503, "busy", "the service is busy; try again in a moment", retry_after=retry_after)


class Gone(Refusal):
    """The client went away before its work began, so nobody did it."""

    def __init__(self) -> None:
        """Compose what the log gets."""
        super().__init__(CLIENT_GONE, "gone", "the client went away before its turn came")


def no_room(error: OSError) -> Refusal:
    """What to tell when the disk refuses an upload or a job; the log says why."""
    log.error("the disk refuses: %s", error.strerror)
    return Refusal(507, "disk", NO_ROOM)


def problem_of(error: Exception) -> Problem | None:
    """What to tell about an error that was raised on purpose; None for a defect."""
    if isinstance(error, Refusal):
        return error.problem
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors())
    if isinstance(error, HTTPException) and isinstance(error.__cause__, OSError):
        return no_room(error.__cause__).problem  # the framework takes it for a form that cannot be read
    if isinstance(error, HTTPException):
        code = HTTP_CODES.get(error.status_code, f"http-{error.status_code}")
        return Problem(error.status_code, code, HTTP_ADVICE.get(error.status_code, str(error.detail)))
    for kind, status in STATUS:
        if isinstance(error, kind):
            return Problem(status, error.code, str(error), _extras(error))
    return None


def defect(identity: str) -> Problem:
    """What to tell about a defect: nothing but where its report is.

    Args:
        identity: of the request, which the log line has too.
    """
    detail = f"something went wrong here, not with the request; the log of the service has it under {identity}"
    return Problem(500, "internal", detail, {"id": identity})


def install(app: FastAPI) -> None:
    """Answer every expected error of the routes with its problem."""

    async def answer(_: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem is None:
            raise error
        return problem.response(error.headers if isinstance(error, HTTPException) else None)

    for kind in (SamevoiceError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer)


def _extras(error: SamevoiceError) -> dict[str, Any]:
    """What a page can make use of."""
    if isinstance(error, NotEnoughSpeech):
        more = max(round(error.need - error.have, 1), 0.1)
        return {"have": error.have, "need": error.need, "more": more, "warnings": list(error.warnings)}
    if isinstance(error, EnrolmentRefused):
        return {"codes": list(error.codes), "reasons": list(error.reasons)}
    return {}


def _invalid(errors: Iterable[Mapping[str, Any]]) -> Problem:
    """Which parts of a request are wrong; never what they held, which may be personal."""
    first = islice(errors, MOST_FIELDS)
    parts = [{"where": ".".join(map(str, one["loc"])), "what": str(one["msg"])} for one in first]
    told = "; ".join(f"{part['where']}: {part['what']}" for part in parts[:5])
    return Problem(422, "request", f"the request is not as /openapi.json says: {told}", {"fields": parts})


_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "A URN of the code."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people: what, where, what to do."},
        "code": {"type": "string", "description": "Stable short name for machines."},
    },
    "additionalProperties": True,
}


def _documented(description: str, example: Problem) -> dict[str, Any]:
    """A problem as the OpenAPI document shows it."""
    return {"description": description, "content": {MEDIA: {"schema": _SCHEMA, "example": example.to_json()}}}


# What any operation may answer; `responses=PROBLEMS` for those that take no path and no upload, too.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: _documented(
        "An option cannot be honoured, or the body cannot be read.",
        Problem(400, "config", "a prior of 2 is no probability; give a value between 0 and 1"),
    ),
    401: _documented(
        "No key, or none that is valid.",
        Problem(401, "key", "a key is needed; send it as: Authorization: Bearer sv_..."),
    ),
    403: _documented(
        "The key's role may not do this, or the page that asks is a foreign one.",
        Problem(403, "role", "this needs the role admin; your key has the role user"),
    ),
    404: _documented("There is no such thing.", Problem(404, "unknown-person", "nobody is called Ada here")),
    405: _documented("This address does not take that method.", Problem(405, "method", HTTP_ADVICE[405])),
    408: _documented(
        "The body came too slowly.",
        Problem(408, "slow", "the rest of the request did not come; send it again over a better connection"),
    ),
    409: _documented(
        "The gallery is not in a state for this.",
        Problem(409, "gallery", "there is somebody of that name already; choose another"),
    ),
    413: _documented(
        "The upload is too large.", Problem(413, "too-large", "more than 32 MiB; send a shorter recording")
    ),
    421: _documented(
        "A service without keys does not answer under that name.",
        Problem(421, "host", "this service does not answer under that name; use its address"),
    ),
    422: _documented(
        "A recording cannot be used, or the request is not as described here.",
        Problem(
            422,
            "short-speech",
            "first recording: 0.4 s of speech found, at least 1.0 s needed; add 0.6 s more",
            {"have": 0.4, "need": 1.0, "more": 0.6, "warnings": []},
        ),
    ),
    429: _documented(
        "Too many requests.",
        Problem(429, "rate", "too many requests in one minute; wait a little", {"retry_after": 7}),
    ),
    500: _documented("A defect of the service.", defect("8f2c19d04be1")),
    503: _documented("Busy, or not ready.", Busy().problem),
    507: _documented(
        "The disk of the service is full.",
        Problem(507, "disk", NO_ROOM),
    ),
}
