"""People's names in paths, and who acts on them.

A name may hold anything, so a slash in it must not look like one of the path's own: "Ada/export" is a person, not the
export of Ada. Routes of this kind are matched against the path as it was sent, in which the name's own slash is %2F,
and only what was matched is decoded. Browsers take "." and ".." for steps in a path even where they are encoded; the
spaces around a name do not count, so these two people are reached as ".%20" and "..%20".

A name goes on from here as text only: into bound parameters, never into a path of the disk or a log line.

Knows: paths, names. Does not know: what is done with people.
Source: RFC 3986, section 2.2 (an encoded delimiter is data); WHATWG URL Standard, "double-dot URL path segment".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar
from urllib.parse import quote, unquote

from fastapi import Depends, Path
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from samevoice.errors import GalleryError
from samevoice.gallery.gallery import Gallery
from samevoice.gallery.names import LONGEST, checked_name
from samevoice.service.access import Caller
from samevoice.service.problems import Refusal
from samevoice.service.state import Service

Result = TypeVar("Result")

MOST_TYPED = 4 * LONGEST  # characters; composing shortens a name to no less than a quarter


class NamedRoute(APIRoute):
    """A route whose parameters may hold any character, percent-encoded."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as it was sent, and decode the parameters afterwards."""
        sent = scope.get("raw_path")
        path = quote(scope["path"]) if sent is None else sent.decode("latin-1")
        match, found = super().matches({**scope, "path": path})
        if match is not Match.NONE:
            # What is no UTF-8 becomes half a surrogate pair, which is then refused as no text.
            decoded = {key: unquote(value, errors="surrogateescape") for key, value in found["path_params"].items()}
            found["path_params"] = decoded
        return match, found


def named(text: str) -> str:
    """A name that somebody sent.

    Raises:
        Refusal: it cannot be one (422).
    """
    try:
        return checked_name(text)
    except GalleryError as error:
        raise Refusal(422, "name", str(error)) from error


async def _named(
    name: Annotated[
        str,
        Path(
            description="The person's name, percent-encoded (a slash as %2F). Upper and lower case are one.",
            max_length=MOST_TYPED,
            examples=["Ada Lovelace"],
        ),
    ],
) -> str:
    """As a dependency: a coroutine, which needs no thread."""
    return named(name)


Named = Annotated[str, Depends(_named)]


async def done_by(service: Service, caller: Caller, work: Callable[[Gallery], Result]) -> Result:
    """Do something with the gallery in a worker; the record of events says that the caller did it.

    Args:
        service: which.
        caller: who asks.
        work: gets the gallery.
    """

    def act() -> Result:
        with service.gallery.acting(caller.name) as gallery:
            return work(gallery)

    return await service.pool.run(act)
