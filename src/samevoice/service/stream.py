"""Sound from a socket, heard while it comes.

A thread hears, a bounded queue lies between it and the socket. While the queue is full the socket is not read, so the
client has to wait, and nothing is lost. When the client goes away, the thread ends at the next block.

Knows: messages, the queue, the thread, limits. Does not know: keys, how sound is heard.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Annotated, Any

from fastapi import WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from samevoice.audio.waveform import Samples
from samevoice.live.feed import Feed, Note
from samevoice.live.pcm import Decoder, Encoding
from samevoice.service.pool import step_back
from samevoice.service.problems import Refusal
from samevoice.speech.timeline import Seconds

IDLE: Seconds = 30.0  # without a message, or without the client taking one
FINISHING: Seconds = 300.0  # that hearing may take after the end of the sound
LOOK: Seconds = 3.0  # between two looks whether a stream may go on
MOST_BYTES = 1 << 19  # of a message: 16 s at 16 kHz; the server itself closes at twice as many, without a word
MOST_TEXT = 4_096  # characters
BLOCKS = 8  # that wait for the thread, a second or less each
SAMPLE = 2  # bytes
LEAST_RATE, MOST_RATE = 8_000, 192_000
NAME = "stream"

Event = dict[str, Any]
Hear = Callable[["Pipe"], Generator[Event]]
"""What is told about the sound of a pipe; runs in a thread, and is closed there when nobody listens any more."""


class Start(BaseModel):
    """The first message."""

    model_config = ConfigDict(extra="forbid")

    key: str | None = Field(default=None, max_length=200, repr=False)
    rate: Annotated[int, Field(ge=LEAST_RATE, le=MOST_RATE)] = 16_000
    names: bool = True
    coach: bool = False


class Gone(Exception):
    """Nobody listens any more."""


class Pipe:
    """Sound on its way from a socket to a thread.

    Args:
        rate: in Hz.
        most: seconds that are taken.
    """

    def __init__(self, rate: int, most: Seconds) -> None:
        """Nothing is in it."""
        self.rate = rate
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(BLOCKS)
        self._queue: SimpleQueue[bytes | Note | None] = SimpleQueue()
        self._left = round(most * rate) * SAMPLE
        self.most = most
        self._broken = False
        self.ended = False

    async def put(self, raw: bytes) -> None:
        """Add samples; waits where too many wait already. What is more than is taken ends the sound, with a note."""
        taken = raw[: self._left]
        self._left -= len(taken)
        step = self.rate * SAMPLE
        for start in range(0, len(taken), step):
            await self._room.acquire()
            self._queue.put(taken[start : start + step])
        if len(taken) < len(raw):
            self._queue.put(Note(f"a stream ends after {self.most:g} s; what came before was heard; begin another"))
            self.end()

    def end(self) -> None:
        """No more sound will come."""
        self.ended = True
        self._queue.put(None)

    def break_off(self) -> None:
        """Nobody wants to know any more."""
        self._broken = True
        self._queue.put(None)

    def blocks(self) -> Iterator[Samples | Note]:
        """The sound, in the thread.

        Raises:
            Gone: nobody wants to know any more.
        """
        decoder = Decoder(Encoding(self.rate))
        while (found := self._queue.get()) is not None:
            if isinstance(found, Note):
                yield found
            else:
                self._loop.call_soon_threadsafe(self._room.release)
                yield decoder.push(found)
            if self._broken:
                raise Gone
        if self._broken:
            raise Gone

    @property
    def feed(self) -> Feed:
        """The sound for a session."""
        return Feed(NAME, self.rate, self.blocks(), paced=False)


async def started(websocket: WebSocket) -> Start:
    """The first message.

    Raises:
        Refusal: it is no such message, or does not come.
        WebSocketDisconnect: the client went away.
    """
    message = await _next(websocket)
    if not isinstance(message, str):
        raise Refusal(400, "start", 'the first message must be JSON such as {"rate": 16000}; sound comes after it')
    try:
        return Start.model_validate_json(message)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'message'}: {one['msg']}" for one in error.errors()[:5])
        raise Refusal(400, "start", f"the first message is not as the documentation says: {told}") from error


async def follow(
    websocket: WebSocket, pipe: Pipe, hear: Hear, *, ended: Callable[[], object], check: Callable[[], object]
) -> None:
    """Hear what comes until the client ends it, and tell what is heard.

    Args:
        websocket: accepted; the first message was read.
        pipe: for its sound.
        hear: tells what is heard.
        ended: called when the thread has ended, which may be a moment after this comes back.
        check: called every few seconds; what it raises ends the stream.

    Raises:
        Refusal: a message is none of this protocol, or none comes, or it takes too long.
        WebSocketDisconnect: the client went away, or takes no answers.
        Exception: whatever hearing or `check` raises.
    """
    hearing = _thread(websocket, partial(hear, pipe))
    hearing.add_done_callback(lambda done: (done.exception(), ended()))
    beside = [asyncio.ensure_future(_read(websocket, pipe)), asyncio.ensure_future(_watch(pipe, check))]
    try:
        done, _ = await asyncio.wait([hearing, *beside], return_when=asyncio.FIRST_COMPLETED)
        await (hearing if hearing.done() else done.pop())
    finally:
        pipe.break_off()
        for one in beside:
            one.cancel()
        await asyncio.wait(beside)
        for one in beside:
            if not one.cancelled():
                one.exception()  # it has been told, or nobody asks for it


def _thread(websocket: WebSocket, events: Callable[[], Generator[Event]]) -> asyncio.Future[None]:
    """Hear in a thread; done when it ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def end(error: Exception | None) -> None:
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failed: Exception | None = None
        step_back()
        try:
            with closing(events()) as told:
                for event in told:
                    asyncio.run_coroutine_threadsafe(websocket.send_json(event), loop).result(IDLE)
        except TimeoutError:
            failed = WebSocketDisconnect()
        except Exception as error:
            failed = error
        with suppress(RuntimeError):  # the service has ended meanwhile
            loop.call_soon_threadsafe(end, failed)

    Thread(target=run, name=NAME, daemon=True).start()
    return done


async def _read(websocket: WebSocket, pipe: Pipe) -> None:
    """Take messages until the client goes away; after the end they no longer count.

    Raises:
        Refusal: one is none of this protocol, or none comes.
        WebSocketDisconnect: the client went away.
    """
    while True:
        message = await _next(websocket, patient=pipe.ended)
        if pipe.ended:
            continue
        if isinstance(message, str):
            if not _ends(message):
                raise Refusal(400, "message", 'after the first message come samples, then {"end": true}; nothing else')
            pipe.end()
        elif not message:
            raise Refusal(400, "samples", "a message is empty; send sound in it, or nothing")
        elif len(message) % SAMPLE:
            raise Refusal(400, "samples", "a message holds half a sample; send 16-bit samples of one channel")
        else:
            await pipe.put(message)


async def _watch(pipe: Pipe, check: Callable[[], object]) -> None:
    """Look every few seconds whether a stream may go on; sound slower than it is spoken would hold it for ever.

    Raises:
        Refusal: it takes too long.
        Exception: whatever `check` raises.
    """
    end, finishing = time.monotonic() + pipe.most + IDLE, False
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, LOOK))
        check()
        if pipe.ended and not finishing:
            end, finishing = time.monotonic() + FINISHING, True
    raise Refusal(408, "long", f"a stream may have {pipe.most:g} s, and this one takes longer; begin another")


async def _next(websocket: WebSocket, *, patient: bool = False) -> str | bytes:
    """The next message.

    Raises:
        Refusal: it does not come in time, unless one is patient, or is too large.
        WebSocketDisconnect: the client went away.
    """
    try:
        async with asyncio.timeout(None if patient else IDLE):
            message = await websocket.receive()
    except TimeoutError as error:
        raise Refusal(408, "idle", f"nothing came for {IDLE:g} s; begin another stream") from error
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    raw: bytes | None = message.get("bytes")
    content: str | bytes = (message.get("text") or "") if raw is None else raw
    if len(content) > (MOST_TEXT if isinstance(content, str) else MOST_BYTES):
        raise Refusal(413, "too-large", f"a message is too large; send at most {MOST_BYTES} bytes of sound at once")
    return content


def _ends(message: str) -> bool:
    """Whether a message says that no more sound comes."""
    try:
        return bool(json.loads(message) == {"end": True})
    except (ValueError, RecursionError):
        return False
