"""What the door remembers from one login to the next: attempts, open challenges, recordings heard before.

It is in memory, so a new start forgets it, and several processes behind one address would each remember their own.

Knows: what there is to remember. Does not know: voices, routes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from sqlalchemy import select
from starlette.requests import HTTPConnection

from samevoice.gallery.records import PersonRecord
from samevoice.service.attempts import Attempts
from samevoice.service.challenge import Challenges
from samevoice.service.earlier import Earlier
from samevoice.service.state import Service, Serving


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """The memory of one service.

    Args:
        service: whose it is.
        attempts: how often somebody tried.
        challenges: digits that were given out and not spoken yet.
        earlier: recordings of those who were welcome.
    """

    service: Service
    attempts: Attempts
    challenges: Challenges
    earlier: Earlier

    def forget_gone(self) -> None:
        """Keep no login of those whom the gallery does not have any more: expired, or removed by another program."""
        kept = self.earlier.people
        there = select(PersonRecord.public_id).where(PersonRecord.public_id.in_(kept))
        found = self.service.gallery.store.database.read(lambda connection: set(connection.execute(there).scalars()))
        for gone in kept - found:
            self.earlier.forget(gone)


async def _door(connection: HTTPConnection, service: Serving) -> Door:
    """As a dependency: a coroutine, so that no two requests make one at once."""
    state = connection.app.state
    door: Door | None = getattr(state, "door", None)
    if door is None or door.service is not service:
        door = state.door = Door(service, Attempts(service.options.logins_per_minute), Challenges(), Earlier())
    return door


AtTheDoor = Annotated[Door, Depends(_door)]
