"""What a browser is told about the service's answers: where the page may load from, and what it may do.

Knows: headers. Does not know: routes.
Source: Content Security Policy level 3; OWASP secure headers project.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "connect-src 'self'{sockets}",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# WebAssembly is compiled in this worker alone, which has its own policy: the page's stays as strict as it is.
COMPILING = "/js/local/worker.js"
COMPILES = "; script-src 'self' 'wasm-unsafe-eval'"
YEAR = 365 * 24 * 3600


class SafeHeaders:
    """Middleware: adds the headers to every answer.

    Args:
        app: what comes next.
        tls: whether the service speaks HTTPS.
        lasting: whether browsers are to remember that, and never again take no for an answer.
        shared: whether other origins may read answers (CORS).
    """

    def __init__(self, app: ASGIApp, *, tls: bool, lasting: bool, shared: bool) -> None:
        """Compose what is the same for all."""
        self._app = app
        self._headers = dict(HEADERS)
        if lasting:
            self._headers["Strict-Transport-Security"] = f"max-age={YEAR}"
        if shared:
            self._headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        self._scheme = "wss" if tls else "ws"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add them when the answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                policy = POLICY.format(sockets=self._sockets(scope))
                headers["Content-Security-Policy"] = policy + COMPILES * (scope["path"] == COMPILING)
                if scope["path"].startswith("/v1/"):
                    headers["Cache-Control"] = "no-store"
                else:
                    headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, answer)

    def _sockets(self, scope: Scope) -> str:
        """WebSockets of the own host, which older browsers do not count to 'self'."""
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        plain = host and all(sign.isalnum() or sign in ".-:[]" for sign in host)
        return f" {self._scheme}://{host}" if plain else ""
