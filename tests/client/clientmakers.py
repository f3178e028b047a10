"""A server that answers what a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

DECISION: dict[str, Any] = {
    "verdict": "same",
    "score": 0.8,
    "llr": 4,
    "probability": 0.98,
    "threshold": 0.4,
    "far": 0.01,
    "prior": 0.5,
    "speech": [3.0, 2.5],
    "reason": "far likelier",
    "model": "campplus/1",
    "warnings": ["noise"],
    "calibration": None,
    "impostor_pairs": 1225,
    "more_speech": None,
    "later": "a member of a newer service",
}


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def form(self) -> dict[str, bytes]:
        """The parts of a multipart body, by the standard library's own parser of mail."""
        whole = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + self.body
        parts = cast("list[Message]", BytesParser().parsebytes(whole).get_payload())
        return {
            str(part.get_param("name", header="Content-Disposition")): cast("bytes", part.get_payload(decode=True))
            for part in parts
        }


@dataclass
class Answer:
    """What is answered; without a status the connection is dropped."""

    status: int | None = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None


@dataclass
class Scripted:
    """A running server: answers in turn, the last of them for ever."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


@contextlib.contextmanager
def scripted(*answers: Answer) -> Iterator[Scripted]:
    """A server on a free port."""
    script = Scripted("", list(answers))

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append(Asked(self.command, self.path, self.headers, body))
            answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            if answer.status is None:
                self.close_connection = True
                self.connection.close()
                return
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(content) if answer.promised is None else answer.promised))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a dropped connection is meant
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def problem(status: int, code: str, detail: str = "a sentence", **extras: object) -> Answer:
    """The answer that tells a problem, with Retry-After where there is one."""
    headers = {"Retry-After": str(extras["retry_after"])} if "retry_after" in extras else {}
    return Answer(status, {"status": status, "code": code, "detail": detail, "title": "x", **extras}, headers)
