"""Bodies of requests: how much may come, how slowly, and whether anybody still waits for the answer.

What a header promises is refused before a byte of it is read; what comes is counted, since a header may lie.

Knows: bytes, seconds, limits by path. Does not know: forms, audio.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samevoice.service.ending import Stopping
from samevoice.service.options import MIB, Options, is_loopback
from samevoice.service.pool import departure
from samevoice.service.problems import Busy, Refusal
from samevoice.service.state import service_of

KIB = 1 << 10
SMALL = 32 * KIB  # bytes of what is no form: parsing it and telling what is wrong with it blocks everybody
AROUND = MIB  # bytes of what surrounds the files of a form
SLOWEST = 8_192  # bytes per second on average, after the first seconds
MEETINGS = ("/v1/diarize",)  # exactly these take an upload of a meeting
LINGER = 2.0  # seconds in which a refused body is read and dropped, so that the client comes to read the answer
MOST_PARTS = 16  # of a form; each may take a MiB of memory before it goes to disk


class Bodies:
    """Middleware: limits the bodies of requests.

    Args:
        app: what comes next.
        options: of the service.
    """

    def __init__(self, app: ASGIApp, options: Options) -> None:
        """Nothing is under way yet."""
        self._app = app
        self._options = options
        self._under_way: set[_Body] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a body that is counted; 400, 408, 413, 503: in too many parts, too slow, too large, too many."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, self._options, self._enter)
        ending = service_of(HTTPConnection(scope)).ending
        ending.at_once.add(body.stop)
        began = False

        async def answer(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                self._under_way.discard(body)  # nobody wants the rest of it, so it keeps nobody else away
                await body.drop()
                if not body.complete:  # else the rest could come for ever
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            body.check()
            departure.set(body.gone)
            await self._app(scope, body.receive, answer)
        except Refusal as refusal:
            if began:
                raise
            await refusal.problem.response(refusal.headers)(scope, receive, answer)
        finally:
            self._under_way.discard(body)
            ending.at_once.discard(body.stop)

    def _enter(self, body: _Body) -> None:
        """Give a body one of the places, since each takes memory and room on disk; no caller gets all of them.

        Raises:
            Busy: there is none.
        """
        self._under_way = {one for one in self._under_way if not one.complete}
        most = max(2, self._options.waiting // 4)
        own = 0 if body.sender is None else sum(one.sender == body.sender for one in self._under_way)
        if len(self._under_way) >= self._options.waiting or own >= most:
            raise Busy
        self._under_way.add(body)


class _Body:
    """One body as it comes."""

    def __init__(self, scope: Scope, receive: Receive, options: Options, enter: Callable[[_Body], None]) -> None:
        """Keep what it may be; `enter` finds a place for it when somebody wants it."""
        headers = Headers(scope=scope)
        self._scope = scope
        self._receive = receive
        self._enter = enter
        self._entered = False
        self._limit = _limit(scope["path"], headers, options)
        self._silence = options.body_seconds
        self._declared = headers.get("content-length", "")
        self._hesitant = headers.get("expect", "").lower() == "100-continue"
        self._received = 0
        self._began = time.monotonic()
        self._left = False
        self._over = False
        self._stopped = False
        self._timer: asyncio.Timeout | None = None
        _, found = parse_options_header(headers.get("content-type", ""))
        self._boundary = b"--" + found[b"boundary"] if b"boundary" in found else b""
        self._tail = b""
        self._parts = 0
        self.complete = self._declared in ("", "0") and "transfer-encoding" not in headers

    @property
    def sender(self) -> str | None:
        """Whose it is, as the guard found: a key, or an address where there are none.

        None for this machine without a key: there those who send well cannot be told from those who do not.
        """
        caller = self._scope["state"].get("caller")
        if caller is not None and caller.has_key:
            return f"key {caller.id}"
        address = (self._scope.get("client") or ("",))[0]
        return None if is_loopback(address) else f"address {address}"

    def check(self) -> None:
        """Refuse a body by what its header promises.

        Raises:
            Refusal: 413.
        """
        if self._declared.isdecimal() and int(self._declared[:18]) > self._limit:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next message.

        Raises:
            Refusal: 408, 413, 503.
        """
        if self._left:
            return {"type": "http.disconnect"}
        if self.complete:
            return self._noted(await self._receive())
        if not self._entered:  # the guard has let it in
            self._enter(self)
            self._entered = True
        message = self._noted(await self._next())
        if self._received > self._limit:
            raise self._too_large()
        self._count_parts(message.get("body", b""))
        return message

    async def gone(self) -> None:
        """Comes back when the client has left; while a body is awaited, only reading it can tell."""
        if not self.complete:
            await asyncio.Event().wait()
        while not self._left:
            self._noted(await self._receive())

    def stop(self) -> None:
        """Wait for the rest no longer, since the service stops."""
        self._stopped = True
        if self._timer is not None:
            self._timer.reschedule(asyncio.get_running_loop().time())

    async def drop(self) -> None:
        """Read what nobody wants, for a moment: a client that still sends does not see an answer."""
        if self.complete or self._over or self._hesitant:
            return
        self._over = True
        try:
            async with asyncio.timeout(LINGER):
                while not (self.complete or self._left):
                    self._noted(await self._receive())
        except TimeoutError:
            return

    async def _next(self) -> Message:
        """The next part of the body, unless it is too slow."""
        allowed = self._began + self._silence + self._received / SLOWEST - time.monotonic()
        try:
            async with asyncio.timeout(0 if self._stopped else min(self._silence, max(allowed, 0))) as self._timer:
                return await self._receive()
        except TimeoutError:
            if self._stopped:
                raise Stopping from None
            self._over = True
            detail = "the rest of the request did not come in time; send it again over a better connection"
            raise Refusal(408, "slow", detail) from None
        finally:
            self._timer = None

    def _count_parts(self, content: bytes) -> None:
        """Count the parts of a form, also where the line between two comes in pieces.

        Raises:
            Refusal: 400, there are too many.
        """
        if not self._boundary:
            return
        content = self._tail + content
        self._parts += content.count(self._boundary)
        # What may be the beginning of a line, and is too short to be a whole one.
        self._tail = content[max(len(content) - len(self._boundary) + 1, content.rfind(self._boundary) + 1) :]
        if self._parts > MOST_PARTS:
            raise Refusal(400, "request", "the form has too many parts; see /openapi.json")

    def _noted(self, message: Message) -> Message:
        """Count a message."""
        if message["type"] == "http.disconnect":
            self._left = True
        else:
            self._received += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        return message

    def _too_large(self) -> Refusal:
        most = f"{self._limit / MIB:.0f} MiB" if self._limit >= MIB else f"{self._limit / KIB:.0f} KiB"
        return Refusal(413, "too-large", f"the request has more than {most}; send less", limit=self._limit)


def _limit(path: str, headers: Headers, options: Options) -> int:
    """How many bytes a request may have."""
    if not headers.get("content-type", "").startswith("multipart/"):
        return SMALL
    if path in MEETINGS:
        return options.meeting_bytes + AROUND
    return 2 * options.clip_bytes + AROUND
