"""The guard at the door: no request goes further before it is known who asks, from where, and how often.

It stands before the body is read, so that nobody without a key can fill a disk.

Without keys every program on the machine is let in, and so is every page in its browser unless it is kept out: a page
of a foreign site could ask in its user's name, or have its name point to this machine (DNS rebinding). So a service
without keys answers only under names that cannot be made to point here, and only to its own page.

Knows: Host, Origin, keys, counts. Does not know: roles, bodies.
Source: Fetch standard, "Origin header"; Jackson et al., "Protecting browsers from DNS rebinding attacks", 2007.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from samevoice.service.access import caller_of_token
from samevoice.service.options import Options, is_loopback
from samevoice.service.problems import Refusal
from samevoice.service.state import Service, service_of

API = "/v1/"
KNOWING = ("/metrics", "/readyz")  # which tell more to those who show a key
BEARER = "bearer "


class Guard:
    """Middleware: finds the caller, and sends away who may not ask.

    Args:
        app: what comes next.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Keep what comes next."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, with its caller in `scope["state"]["caller"]`.

        Raises:
            Refusal: 401, 403, 421, 429.
        """
        if scope["type"] in ("http", "websocket"):
            self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        connection = HTTPConnection(scope)
        service = service_of(connection)
        headers = connection.headers
        api = scope["path"].startswith(API)
        if not service.keys.needed:
            _check_host(headers, service.options)
            if api or scope["type"] == "websocket":
                _check_origin(headers, service.options)
        address = connection.client.host if connection.client else "unknown"
        if scope["type"] == "websocket":  # which tells its key in its first message
            service.traffic.count("address", address)
            return
        # Of the rest few look at keys, where one is sent: a page or a health check needs none.
        if not api and not (scope["path"] in KNOWING and "authorization" in headers):
            return
        self._know(scope, service, headers, address)

    def _know(self, scope: Scope, service: Service, headers: Headers, address: str) -> None:
        """Tell the request who asks.

        Requests of a name count together, and so do those that bring no good key from one address.
        """
        sent = headers.get("authorization", "")
        token = sent[len(BEARER) :].strip() if sent.lower().startswith(BEARER) else None
        try:
            caller = caller_of_token(service, token)
        except Refusal:
            service.traffic.count("stranger", address)
            raise
        scope["state"]["caller"] = caller  # the log of a request that is refused names it too
        if service.keys.needed:
            service.traffic.count("caller", caller.name)
        else:
            service.traffic.count("address", address)


def _check_host(headers: Headers, options: Options) -> None:
    """Refuse a name that somebody else could have pointed to this machine.

    Raises:
        Refusal: 421.
    """
    host = _host(headers.get("host", ""))
    if is_loopback(host) or host in _known(options) or (options.open and _is_address(host)):
        return
    detail = "this service does not answer under that name; use its address, or allow the name with --name"
    raise Refusal(421, "host", detail)


def _check_origin(headers: Headers, options: Options) -> None:
    """Refuse a page that is not the service's own.

    Raises:
        Refusal: 403.
    """
    origin = headers.get("origin")
    if origin in options.origins:
        return
    if origin is None:  # which not all requests of pages have; newer browsers say where they come from
        own = headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    else:
        own = _place(origin) == headers.get("host", "").lower() != ""
    if not own:
        raise Refusal(403, "origin", "a page of another site may not use this service; allow it with --origin")


def _place(origin: str) -> str:
    """Name and port in an Origin header; nothing where it is no address at all."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _known(options: Options) -> set[str]:
    """Names of this service."""
    own = {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"} if options.open else set()
    return own | {name.lower() for name in options.hosts}


def _host(header: str) -> str:
    """The name in a Host header, without the port."""
    if "@" in header:  # no browser sends a user here
        return ""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    """Whether it is an IP address, which needs no name server."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
