"""A client of `samevoice serve`: the same questions, asked of a service instead of in this process.

    from samevoice.client import Client

    with Client("http://localhost:8750", key="sv_...") as voices:
        print(voices.verify("a.wav", "b.wav").verdict)

It needs neither a model nor numpy: only `pip install 'samevoice[client]'`.

Knows: what the OpenAPI document of the service says. Does not know: audio, models, galleries.
"""

from __future__ import annotations

from samevoice.errors import ConfigError

try:
    from samevoice.client.client import Client
    from samevoice.client.jobs import Job
except ModuleNotFoundError as error:
    if error.name not in {"httpx", "websockets"}:
        raise
    raise ConfigError(f"the client needs {error.name}; pip install 'samevoice[client]'") from error
from samevoice.client.errors import ServiceError, ServiceUnreachable

__all__ = ["Client", "Job", "ServiceError", "ServiceUnreachable"]
