"""Connections: how many there may be, and how long one may take to say what it wants.

A connection costs a place, and asks for nothing until the head of a request is complete; without a limit a few hundred
silent ones would keep everybody else away. Bodies have limits of their own (`bodies`), and between two requests the
server waits `timeout_keep_alive`.

Knows: addresses, times, the protocol of uvicorn. Does not know: requests.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from samevoice.service.options import is_loopback
from samevoice.service.problems import Problem

HEAD_SECONDS = 10.0  # from the first byte of a request, or the connection, to the end of the head
MOST = 512  # connections at once
SPARE = 32  # more for this machine: those who look whether the service is well
MOST_OF_ONE = 128  # of an address that is not this machine, which may be that of a proxy


class Connection(H11Protocol):
    """A connection that is given up when the head of its next request does not come."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or hang up where there are too many."""
        super().connection_made(transport)
        if self._is_one_too_many():
            transport.abort()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something came: a part of a head, or of a body."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:  # there is a request, or a WebSocket
            self._unwatch()
        else:
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """Tell that this is no HTTP, in the form of all problems."""
        problem = Problem(400, "request", f"{msg.rstrip('.')}; send HTTP/1.1 as RFC 9112 says")
        response = problem.response({"Connection": "close"})
        for event in (
            h11.Response(status_code=400, headers=response.raw_headers, reason=b"Bad Request"),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_one_too_many(self) -> bool:
        """Whether there are enough connections without this one."""
        host = self.client[0] if self.client else ""
        near = is_loopback(host)
        if len(self.connections) > MOST + (SPARE if near else 0):
            return True
        own = sum((getattr(one, "client", None) or ("",))[0] == host for one in self.connections)
        return not near and own > MOST_OF_ONE

    def _watch(self) -> None:
        """The head has to be complete in time from now on; a part of it gives no more time."""
        if self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _unwatch(self) -> None:
        """The head is complete."""
        if self._late is not None:
            self._late.cancel()
            self._late = None
