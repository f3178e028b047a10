"""Live sound over a WebSocket.

    client   {"key": "sv_...", "rate": 16000, "names": true, "coach": false}
    service  {"event": "ready"}
    client   16-bit little-endian samples of one channel, in messages of any size up to 512 KiB
    client   {"end": true}
    service  {"event": "speech"|"identity"|"change"|"note", ...} as it is heard, then {"event": "end", ...}, then closes

With "coach" there are levels instead: {"event": "level", "time", "dbfs", "speech", "snr_db", "speaking"} four times a
second. A stream that takes more than its seconds and 30 more by the clock is closed with 4408; the key is looked at
again every few seconds, and one that was revoked closes the stream with 4401. One key has half of the streams at most
(4429). What goes wrong is {"event": "problem", ...} with the members of a problem body, and a code of 4400 or more.

Knows: the order of messages, who may stream. Does not know: threads, how sound is heard.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from samevoice.live.feed import Note
from samevoice.live.session import Session
from samevoice.loading import load_detector
from samevoice.service.access import caller_of_token
from samevoice.service.coaching import coached
from samevoice.service.front import CLOSE_CODES
from samevoice.service.problems import Problem, defect, problem_of
from samevoice.service.seats import seats_of
from samevoice.service.state import Service, service_of
from samevoice.service.stream import Pipe, follow, started
from samevoice.speech.vad import ByProbability

BAD, BROKEN = 4400, 1011  # codes of closing: the client's fault, ours
LATER = 10  # seconds after which to try again when there are too many streams

log = logging.getLogger("samevoice.service")
router = APIRouter(tags=["stream"])


@router.websocket("/stream", name="stream")
async def stream(websocket: WebSocket) -> None:
    """Hear what comes, and tell who speaks."""
    service = service_of(websocket)
    await websocket.accept()
    problem: Problem | None = None
    try:
        await _stream(websocket, service)
    except WebSocketDisconnect:
        return
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            identity = str(websocket.scope["state"]["id"])
            log.exception("defect", extra={"fields": {"id": identity, "route": "/v1/stream"}})
            problem = defect(identity)
    with suppress(WebSocketDisconnect, RuntimeError):  # the client went away meanwhile
        if problem is None:
            await websocket.close()
            return
        await websocket.send_json({"event": "problem", **problem.to_json()})
        code = CLOSE_CODES.get(problem.status, BAD if problem.status < 500 else BROKEN)
        await websocket.close(code, problem.code)


async def _stream(websocket: WebSocket, service: Service) -> None:
    """One stream from its first message to its end.

    Raises:
        Refusal: it may not be, or is not as it should be.
        WebSocketDisconnect: the client went away.
    """
    start = await started(websocket)
    caller = websocket.scope["state"]["caller"] = caller_of_token(service, start.key)
    most = service.options.streams  # one key has half of them at most
    leave = seats_of(websocket, "streams", each=max(1, most // 2), most=most, later=LATER).take(caller)
    try:
        await websocket.send_json({"event": "ready"})
        pipe = Pipe(start.rate, service.options.stream_seconds)
    except BaseException:
        leave()
        raise

    def hear(pipe: Pipe) -> Generator[dict[str, Any]]:
        if start.coach:
            sound = (block for block in pipe.blocks() if not isinstance(block, Note))
            detector = service.gallery.model.detector  # that which will judge the recording
            own = detector if isinstance(detector, ByProbability) else load_detector()
            yield from coached(sound, pipe.rate, own)
        else:
            gallery = service.gallery if start.names else None
            session = Session(pipe.feed, service.jobs.diarizer(), gallery=gallery, fpir=service.options.fpir)
            yield from (event.to_json() for event in session)

    await follow(websocket, pipe, hear, ended=leave, check=partial(caller_of_token, service, start.key))
