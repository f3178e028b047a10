"""Real services for tests: on a free port of this machine, with a new gallery, stopped at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from samevoice.gallery.gallery import Gallery
from samevoice.service.app import open_service
from samevoice.service.keys import Keys, Role
from samevoice.service.options import Options
from samevoice.service.server import Server, listen, make_server
from samevoice.service.state import Service
from samevoice.service.tls import certificate

PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A service that runs.

    Args:
        url: where, without a slash at the end.
        service: its parts.
        server: of uvicorn.
        app: the application.
    """

    url: str
    service: Service
    server: Server
    app: FastAPI

    @property
    def gallery(self) -> Gallery:
        """The people of the service."""
        return self.service.gallery

    @property
    def websocket(self) -> str:
        """The same address for a WebSocket."""
        return self.url.replace("http", "ws", 1)


@contextmanager
def serving(tmp_path: Path, *, ready: bool = True, **options: Any) -> Iterator[Running]:
    """A service in a thread, with a new SQLite gallery and a data folder below `tmp_path`.

    Args:
        tmp_path: a folder.
        ready: wait until the model has answered.
        options: of the service; by default two workers on a free port.
    """
    chosen: dict[str, Any] = {
        "port": 0,
        "workers": 2,
        "model": "campplus",
        "gallery": str(tmp_path / "voices.db"),
        "data": str(tmp_path / "data"),
    }
    tmp_path.mkdir(exist_ok=True)
    told = Options(**chosen | options)
    tls = certificate(told)
    service = open_service(told)
    try:
        socket = listen(told)
    except BaseException:
        service.close()
        raise
    with socket:
        server = make_server(told, service, tls)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
        thread.start()
        try:
            _wait(lambda: server.started and (service.ready.is_set() or not ready), thread)
            url = f"{'https' if told.is_tls else 'http'}://127.0.0.1:{socket.getsockname()[1]}"
            app = server.config.app
            assert isinstance(app, FastAPI)
            yield Running(url, service, server, app)
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
    assert not thread.is_alive(), "the service does not stop"


def new_key(tmp_path: Path, role: Role = "user", name: str | None = None) -> str:
    """A key in the file that `serving` looks into; make one before, so that the service needs keys."""
    token, _ = Keys(tmp_path / "data" / "keys.json").add(name or role, role)
    return token


def bearer(token: str) -> dict[str, str]:
    """The header of a request with a key."""
    return {"Authorization": f"Bearer {token}"}


def _wait(done: Any, thread: threading.Thread) -> None:
    """Until something is so, or the server gave up."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert thread.is_alive(), "the service does not start"
        assert time.monotonic() < end, "the service is not ready"
        time.sleep(0.005)
