"""Messages of the gallery in the words of this interface: it has form fields where the command line has options.

Knows: which advice names the command line. Does not know: routes.
"""

from __future__ import annotations

from collections.abc import Callable

from samevoice.errors import EnrolmentRefused, GalleryError
from samevoice.gallery.gallery import Gallery
from samevoice.service.access import Caller
from samevoice.service.namedpaths import Result, done_by
from samevoice.service.state import Service

WORDS = {
    "in their place (--again)": "in their place (again=true)",
    "use --force": 'send "force": true',
    "see: samevoice people list": "see GET /v1/people",
}


async def done(service: Service, caller: Caller, work: Callable[[Gallery], Result]) -> Result:
    """As `namedpaths.done_by`; what goes wrong is told in the words of this interface."""
    try:
        return await done_by(service, caller, work)
    except EnrolmentRefused:  # whose sentences name no commands
        raise
    except GalleryError as error:
        told = said = str(error)
        for word, ours in WORDS.items():
            told = told.replace(word, ours)
        if told == said:
            raise
        raise type(error)(told) from error
