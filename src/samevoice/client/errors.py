"""What can go wrong between a client and a service, and how a problem of the service becomes an error here.

Where the library has an error for it, the client raises that one: code that runs against a service catches what it
would catch without one.

Knows: problem bodies (RFC 9457) with the members `code` and what belongs to it. Does not know: HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from samevoice.errors import (
    AudioError,
    ConfigError,
    DataError,
    EnrolmentRefused,
    GalleryError,
    ModelError,
    NotEnoughSpeech,
    SamevoiceError,
    UnknownPerson,
)

_KINDS: tuple[type[SamevoiceError], ...] = (AudioError, ModelError, GalleryError, UnknownPerson, DataError, ConfigError)
PLAIN = {one.code: one for one in _KINDS} | {"fingerprint": ModelError}  # a problem tells no two fingerprints


class ServiceError(SamevoiceError):
    """The service refused, failed, or answered what this client cannot read.

    Args:
        message: what happened and what to do.
        code: stable short name: "key", "role", "rate", "busy", "too-large", "request", "challenge", "internal", ...
        status: of the HTTP answer; None if it was none of HTTP.
        retry_after: seconds after which it may work; None if the service did not say.
    """

    code = "service"

    def __init__(
        self, message: str, code: str = "service", status: int | None = None, retry_after: float | None = None
    ) -> None:
        """Keep the parts."""
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type[ServiceError], tuple[str, str, int | None, float | None]]:
        """Rebuild from the parts, so that the error survives a trip between processes."""
        return type(self), (str(self), self.code, self.status, self.retry_after)


class ServiceUnreachable(ServiceError):
    """No answer came: nobody listens there, the connection broke, or it took too long.

    Whether something was stored is not known; what the service acknowledged is kept.
    """

    def __init__(
        self, message: str, code: str = "unreachable", status: int | None = None, retry_after: float | None = None
    ) -> None:
        """Keep the parts."""
        super().__init__(message, code, status, retry_after)


def from_problem(
    body: Mapping[str, Any], status: int | None = None, retry_after: float | None = None
) -> SamevoiceError:
    """The error that a problem stands for.

    Args:
        body: the problem; whatever is missing or odd in it is passed over.
        status: of the answer.
        retry_after: seconds, from its header.
    """
    code = body.get("code")
    sentence = str(body.get("detail") or body.get("title") or f"the service answered {status} and gave no reason")
    have, need = _number(body.get("have")), _number(body.get("need"))
    if code == NotEnoughSpeech.code and have is not None and need is not None:
        return NotEnoughSpeech(sentence.rpartition(": ")[0] or "recording", have, need, _texts(body.get("warnings")))
    if code == EnrolmentRefused.code:
        name = sentence.partition(": not enrolled")[0] or "recording"
        return EnrolmentRefused(name, _texts(body.get("reasons")) or (sentence,), _texts(body.get("codes")))
    if isinstance(code, str) and code in PLAIN:
        return PLAIN[code](sentence)
    told = _number(body.get("retry_after"))
    later = retry_after if told is None else told
    return ServiceError(sentence, code if isinstance(code, str) else "service", status, later)


def _number(value: Any) -> float | None:
    """A number, if it is one; JSON of Python knows NaN."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _texts(value: Any) -> tuple[str, ...]:
    """The texts of a list, if it is one."""
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
