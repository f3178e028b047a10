"""People in their table, each with a key of its own.

Every person has a data key, wrapped by the master key; all about the person is sealed under it. To destroy the key is
to destroy all that it sealed.

Knows: the table of people, how keys are wrapped. Does not know: what is sealed under them (`vault`), transactions.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from samevoice.gallery.crypto import MasterKey, context_of, new_data_key
from samevoice.gallery.names import name_key
from samevoice.gallery.records import PersonRecord


@dataclass(frozen=True, slots=True)
class Owner:
    """A person's row.

    Args:
        id: number of the row.
        public_id: what others call it.
        name: of the person.
        created: when first enrolled.
        key: the data key, unwrapped.
    """

    id: int
    public_id: str
    name: str
    created: datetime
    key: bytes = field(repr=False)


class Owners:
    """The people of a gallery.

    Args:
        master: the gallery's key.
    """

    def __init__(self, master: MasterKey) -> None:
        """Keep the key."""
        self._master = master

    def find(self, connection: Connection, name: str) -> Owner | None:
        """The person of that name, however it is written; None if there is none.

        Raises:
            GalleryError: the person's key was altered.
        """
        return self.read(connection, PersonRecord.name_key == name_key(name))

    def owner(self, connection: Connection, number: int) -> Owner:
        """The person of a row's number, who must be there.

        Raises:
            GalleryError: the person's key was altered.
        """
        owner = self.read(connection, PersonRecord.id == number)
        if owner is None:
            raise ValueError(f"no person has the number {number}")
        return owner

    def create(self, connection: Connection, name: str, now: datetime) -> Owner:
        """A new person with a new key."""
        public_id, key = uuid.uuid4().hex, new_data_key()
        number = connection.execute(
            insert(PersonRecord)
            .values(
                public_id=public_id,
                name=name,
                name_key=name_key(name),
                created=now,
                data_key=self._master.wrap(key, context_of("person", public_id)),
            )
            .returning(PersonRecord.id)
        ).scalar_one()
        return Owner(number, public_id, name, now, key)

    def read(self, connection: Connection, which: ColumnElement[bool]) -> Owner | None:
        """The one person that fulfils a condition on `PersonRecord`; None if there is none.

        Raises:
            GalleryError: the person's key was altered.
        """
        person = PersonRecord
        row = connection.execute(
            select(person.id, person.public_id, person.name, person.created, person.data_key).where(which)
        ).one_or_none()
        return None if row is None else Owner(*row[:4], self.unwrap(row.data_key, row.public_id))

    def unwrap(self, wrapped: bytes, public_id: str) -> bytes:
        """A person's data key.

        Raises:
            GalleryError: it was altered, or another master key wrapped it.
        """
        return self._master.unwrap(wrapped, context_of("person", public_id))


def remove(connection: Connection, owner: Owner) -> None:
    """Remove a person with the key and all that is sealed under it."""
    connection.execute(delete(PersonRecord).where(PersonRecord.id == owner.id))  # the rest goes by cascade
