"""Ports for services of tests."""

from __future__ import annotations

import socket
from contextlib import closing


def free_port() -> str:
    """A port that nobody listens at."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])
