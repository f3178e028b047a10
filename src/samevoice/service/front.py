"""The outermost of a request: its id, its log line, its count, and the answer when something goes wrong.

Knows: requests and answers from outside. Does not know: what they are about.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samevoice.service.ending import Stopping
from samevoice.service.problems import Problem, Refusal, defect, problem_of
from samevoice.service.state import service_of

ID_HEADER = b"x-request-id"
API = "/v1/"
NOWHERE = "none"  # the route of a request that has none; its path may be anything, so it is not told
METHODS = frozenset(("GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "WEBSOCKET"))
CLOSE_CODES = {401: 4401, 403: 4403, 421: 4403, 408: 4408, 429: 4429, 503: 1013}
PLAIN = {
    400: Problem(400, "request", "the header Range cannot be read; see RFC 9110"),
    416: Problem(416, "range", "the file has no such bytes; Content-Range says how many it has"),
}

log = logging.getLogger("samevoice.service")


class Front:
    """Middleware: gives each request an id, a log line and an answer.

    Args:
        app: what comes next.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Keep what comes next."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through; whatever it raises becomes a problem."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        identity = secrets.token_hex(8)
        scope.setdefault("state", {})["id"] = identity
        began = time.monotonic()
        status: int | None = None
        over = False  # what comes after the answer of another is dropped
        ending = service_of(HTTPConnection(scope)).ending

        async def tell(problem: Problem, headers: Mapping[str, str] | None = None) -> None:
            nonlocal over
            if status is None:
                over = True
                await _tell(scope, receive, give, problem, headers)

        async def last() -> None:
            await tell(Stopping().problem)

        async def answer(message: Message) -> None:
            if over:
                return
            plain = _plain(message)
            if plain is None:
                await give(message)
            else:
                await tell(plain, _ranges(message))

        async def give(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (ID_HEADER, identity.encode())]}
            elif message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.close" and status is None:
                status = 403
            await send(message)

        ending.at_last.add(last)
        try:
            await self._app(scope, receive, answer)
        except asyncio.CancelledError:
            if not ending.begun:
                raise
            await last()
        except Exception as error:  # the last one who can catch it: nobody is to see a traceback
            problem = problem_of(error)
            if problem is None:
                log.exception("defect", extra={"fields": {"id": identity, "route": _route(scope)}})
                problem = defect(identity)
            await tell(problem, error.headers if isinstance(error, Refusal) else None)
        finally:
            ending.at_last.discard(last)
            self._note(scope, identity, status, time.monotonic() - began)

    def _note(self, scope: Scope, identity: str, status: int | None, seconds: float) -> None:
        """Count and log a request."""
        method = scope.get("method", "WEBSOCKET")
        method = method if method in METHODS else "OTHER"  # a method is whatever the client says
        route = _route(scope)
        caller = scope["state"].get("caller")
        verdict = scope["state"].get("verdict")
        service_of(HTTPConnection(scope)).metrics.answered(method, route, status or 0, seconds, verdict)
        fields = {
            "id": identity,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "caller": None if caller is None else caller.name,
            "verdict": verdict,
        }
        log.info("request", extra={"fields": fields})


def _plain(message: Message) -> Problem | None:
    """The problem that an answer of the framework tells in plain text: a file was asked for by ranges it has not."""
    if message["type"] != "http.response.start" or message["status"] not in PLAIN:
        return None
    kind = Headers(raw=message["headers"]).get("content-type", "")
    return PLAIN[message["status"]] if kind.startswith("text/plain") else None


def _ranges(message: Message) -> dict[str, str]:
    """What such an answer says of the ranges that there are."""
    return {name: value for name, value in Headers(raw=message["headers"]).items() if name == "content-range"}


async def _tell(
    scope: Scope, receive: Receive, send: Send, problem: Problem, headers: Mapping[str, str] | None
) -> None:
    """Answer with a problem: a WebSocket by closing it."""
    if scope["type"] == "http":
        await problem.response(headers)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": CLOSE_CODES.get(problem.status, 1011), "reason": problem.code})


def _route(scope: Scope) -> str:
    """The template of the route that a request took."""
    route = scope.get("route")
    template = str(getattr(route, "path_format", None) or getattr(route, "path", NOWHERE))
    # Newer versions of the framework know a route by the path that its own router has.
    included = template != NOWHERE and scope["path"].startswith(API) and not template.startswith(API)
    return API + template[1:] if included else template
