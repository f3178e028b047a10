"""The page's files, and the two shipped models that it runs by itself where no sound is to leave a device.

Knows: where files lie, and under which addresses. Does not know: what is in them, routes.
"""

from __future__ import annotations

from pathlib import Path

from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from samevoice.models import shipped

WEB = Path(__file__).parent / "web"
MODELS = ("/models/small.onnx", "/models/vad.onnx")


class Page:
    """Files, with ETags, for requests that no route takes.

    Args:
        otherwise: for what is no request for a file.
    """

    def __init__(self, otherwise: ASGIApp) -> None:
        """Find the files."""
        self._files = StaticFiles(directory=WEB, html=True)
        self._models = StaticFiles(directory=shipped.path_of("small").parent)
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or "\0" in scope["path"]:
            await self._otherwise(scope, receive, send)
        elif scope["path"] in MODELS:
            below = {**scope, "root_path": scope.get("root_path", "") + "/models"}  # as if mounted there
            await self._models(below, receive, send)
        else:
            await self._files(scope, receive, send)
