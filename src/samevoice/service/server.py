"""A service on its socket: TLS, shutdown, and what its operator is told.

Knows: uvicorn, addresses. Does not know: routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from samevoice.errors import ConfigError
from samevoice.service import logs
from samevoice.service.app import create_app, open_service
from samevoice.service.connections import Connection
from samevoice.service.ending import GRACE
from samevoice.service.options import Options
from samevoice.service.state import Service
from samevoice.service.tls import Certificate, certificate

MESSAGE_BYTES = 1 << 20  # of one message of a WebSocket: half a minute of sound
BACKLOG = 256
AT_LAST = 2.0  # seconds after the deadline of everything else


class Server(uvicorn.Server):
    """Uvicorn, which says that it is not ready from the moment on in which it is told to stop.

    Args:
        config: of uvicorn.
        service: which is served.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        """Keep the parts."""
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: first what goes on by itself, then what can still be finished, in the end the rest."""
        self._service.stop()
        cutting = asyncio.ensure_future(self._service.ending.cut())
        await super().shutdown(sockets)
        cutting.cancel()


def make_server(options: Options, service: Service, tls: Certificate | None = None) -> Server:
    """A server that is not started yet.

    Args:
        options: of the service.
        service: its parts.
        tls: the certificate; None for plain HTTP.
    """
    config = uvicorn.Config(
        create_app(options, service=service),
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,  # the service has its own, which tells no paths
        server_header=False,
        proxy_headers=False,  # a header that any client can send must not choose whom limits count
        http=Connection,
        timeout_graceful_shutdown=round(GRACE) - 1,  # the last second is for the parts
        ws_max_size=MESSAGE_BYTES,
        backlog=BACKLOG,
        lifespan="on",
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
    )
    return Server(config, service)


def serve(options: Options, *, say: Callable[[str], None]) -> None:
    """Run a service until it is told to stop (SIGINT, SIGTERM).

    Args:
        options: of the service.
        say: is told where the service is and who can reach it, one line at a time.

    Raises:
        SamevoiceError: the service cannot be opened, or its address is taken.
    """
    if hasattr(signal, "SIGPIPE"):  # the command line lets it end a process, and any client that hangs up sends it
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    tls = certificate(options)
    handlers = logs.start(options.log_file)
    guard = threading.Timer(GRACE + AT_LAST, _leave)  # nothing keeps the process for longer
    guard.daemon = True
    try:
        with listen(options) as listening:  # first: nothing is touched where the address is taken
            service = open_service(options)
            service.ending.at_once.add(guard.start)
            try:
                for line in told(options, service, listening.getsockname()[1], tls):
                    say(line)
                server = make_server(options, service, tls)
                with quiet_end(server), spooling(service.uploads):
                    server.run(sockets=[listening])
            finally:
                service.close()
    finally:
        logs.stop(handlers)
        guard.cancel()
    if any(not one.daemon for one in threading.enumerate() if one is not threading.main_thread()):
        _leave()  # a worker cannot be stopped, and the interpreter would wait for it


def _leave() -> None:
    """End the process, whoever still works."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextlib.contextmanager
def spooling(folder: Path) -> Iterator[None]:
    """Forms that come are kept in a folder of ours: the usual one may be small, or in memory.

    Args:
        folder: where.
    """
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def quiet_end(server: Server) -> Iterator[None]:
    """A signal to stop is an ordinary end: uvicorn, when it has stopped, raises it once more for whoever was before."""

    def stop(*_: object) -> None:
        server.should_exit = True

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def listen(options: Options) -> socket.socket:
    """A socket at the address of the service.

    Raises:
        ConfigError: the address is taken, or none of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (UnicodeError, socket.gaierror) as error:
        raise _no_address(options) from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise _no_address(options) from error
        raise ConfigError(
            f"cannot listen at {options.host}, port {options.port} ({error.strerror}); another program may have it: "
            "choose another with --port"
        ) from error


def _no_address(options: Options) -> ConfigError:
    """The error that says so; raise it."""
    return ConfigError(
        f"cannot listen at {options.host}: this is no address of this machine; give one with --host, or 0.0.0.0 for all"
    )


def told(options: Options, service: Service, port: int, tls: Certificate | None) -> list[str]:
    """What the operator is to know."""
    scheme = "http" if tls is None else "https"
    host = f"[{options.host}]" if ":" in options.host else options.host
    if options.host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not listened at
        host = tls.name if tls is not None and tls.name else socket.gethostname()
    lines = [f"samevoice is at {scheme}://{host}:{port}/ (stop it with Ctrl-C)"]
    if service.keys.needed:
        who = "only programs on this machine" if options.is_loopback else "every machine that reaches this one"
        lines.append(f"Who can use it: {who}, with a key (samevoice keys list).")
    elif options.is_loopback:
        lines.append("Who can use it: whoever is at this machine, without a key and with all rights.")
    else:
        lines.append("Who can use it: EVERYBODY who reaches this machine, without a key and with all rights (--open).")
    if tls is None and not options.is_loopback:
        lines.append("Voices travel unencrypted, and browsers open no microphone here: see --self-signed.")
    if tls is not None and tls.digest:
        lines.append(f"The certificate is its own witness; browsers will ask. SHA-256: {tls.digest}")
    return lines
