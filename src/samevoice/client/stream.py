"""The client's end of a stream: sound goes up while events come down.

Knows: the messages of `/v1/stream`. Does not know: where sound comes from.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from samevoice.client.errors import ServiceError, ServiceUnreachable, from_problem
from samevoice.client.transport import CONNECT_SECONDS, Transport

Name = Literal["ready", "speech", "identity", "change", "note", "level", "end"]


@dataclass(frozen=True, slots=True)
class Heard:
    """An event of a stream.

    Args:
        event: what kind it is.
        time: in seconds of the sound; None for "ready".
        values: the rest, by name: `on` of "speech", `name` and `probability` of "identity", `text` of "note",
            `dbfs` of "level", `diarization` of "end".
    """

    event: Name
    time: float | None
    values: dict[str, Any]


def listen(at: Transport, chunks: Iterable[bytes], *, rate: int, names: bool, coach: bool) -> Iterator[Heard]:
    """Events as they come; see `Client.stream`.

    Raises:
        SamevoiceError: what the service told before it closed.
        ServiceUnreachable: nobody listens there, or the connection broke before the end.
    """
    secure = at.url.scheme == "https"
    url = str(at.url.copy_with(scheme="wss" if secure else "ws")).rstrip("/") + "/v1/stream"
    greeting: dict[str, object] = {"rate": rate, "names": names, "coach": coach}
    if key := at.key:
        greeting["key"] = key  # in the first message, since a browser can set no header here
    try:
        line = connect(url, open_timeout=CONNECT_SECONDS, ssl=at.context if secure else None, max_size=None)
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        raise ServiceUnreachable(
            f"{at.url}: the service cannot be reached ({error}); check the address and that it runs"
        ) from error
    failures: list[BaseException] = []
    sender = threading.Thread(target=_send, args=(line, chunks, failures), daemon=True)
    with line:
        line.send(json.dumps(greeting))
        try:
            for message in line:
                event = _event(at, message)
                if event.event == "ready":
                    sender.start()
                yield event
                if event.event == "end":
                    return
        except ConnectionClosed as closed:
            raise _lost(at, failures, str(closed.rcvd or "")) from closed
        if not failures:
            raise _lost(at, failures, "")
    raise failures[0]


def _send(line: ClientConnection, chunks: Iterable[bytes], failures: list[BaseException]) -> None:
    """Send the sound; whoever records it may fail, and then the stream ends with that."""
    try:
        for chunk in filter(None, chunks):  # the service refuses empty ones
            line.send(chunk)
        line.send(json.dumps({"end": True}))
    except ConnectionClosed:
        return  # the other side tells why
    except BaseException as error:
        failures.append(error)
        with contextlib.suppress(Exception):
            line.close()


def _event(at: Transport, message: str | bytes) -> Heard:
    """What a message tells."""
    try:
        values = json.loads(message)
        name = values.pop("event")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ServiceError(f"{at.url}: answered, but not as samevoice does; check the address") from None
    if name == "problem":
        raise from_problem(values, values.get("status"))
    return Heard(cast("Name", name), values.pop("time", None), values)


def _lost(at: Transport, failures: list[BaseException], reason: str) -> BaseException:
    """Why the stream ended before its end."""
    why = f" ({reason})" if reason else ""
    return failures[0] if failures else ServiceUnreachable(f"{at.url}: the stream broke off{why}; begin again")
