"""People in their table, each with a key of its own.

Every person has a data key, wrapped by the master key; all about the person is sealed under it. To destroy the key is
to destroy all that it sealed.

Knows: the table of people, how keys are wrapped. Does not know: what is sealed under them (`vault`), transactions.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from samevoice.gallery.crypto import MasterKey, context_of, new_data_key
from samevoice.gallery.names import name_key
from samevoice.gallery.records import PersonRecord

BATCH = 10_000


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

    def rewrap(self, connection: Connection, new: MasterKey, progress: Callable[[float], None] | None) -> int:
        """Wrap all keys with another master key; the vault is of no use afterwards.

        Args:
            connection: to the database.
            new: the other key.
            progress: is told the fraction done, in [0, 1].

        Returns:
            How many people there are.

        Raises:
            GalleryError: somebody's key was altered.
        """
        people = connection.execute(select(func.count()).select_from(PersonRecord)).scalar_one()
        done, last = 0, 0
        columns = select(PersonRecord.id, PersonRecord.public_id, PersonRecord.data_key).order_by(PersonRecord.id)
        while rows := connection.execute(columns.where(PersonRecord.id > last).limit(BATCH)).all():
            contexts = [context_of("person", row.public_id) for row in rows]
            keys = [
                new.wrap(self._master.unwrap(row.data_key, context), context)
                for row, context in zip(rows, contexts, strict=True)
            ]
            _put(connection, [row.id for row in rows], keys)
            done, last = done + len(rows), rows[-1].id
            if progress:
                progress(done / people)
        return people

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


def _put(connection: Connection, numbers: list[int], keys: list[bytes]) -> None:
    """Give people, by the numbers of their rows, other wrapped keys."""
    if connection.dialect.name != "postgresql":
        change = update(PersonRecord.__table__).where(PersonRecord.id == bindparam("number"))  # type: ignore[arg-type]
        rows = [{"number": number, "wrapped": key} for number, key in zip(numbers, keys, strict=True)]
        connection.execute(change.values(data_key=bindparam("wrapped")), rows)
        return
    # One statement, and the keys in one piece: a server answers each statement by itself, and reads arrays as text.
    given = func.unnest(literal(numbers, ARRAY(BigInteger))).table_valued("number", with_ordinality="at")
    given = given.render_derived()
    size = len(keys[0])
    key = func.substr(literal(b"".join(keys), LargeBinary), cast((given.c.at - 1) * size + 1, Integer), size)
    connection.execute(update(PersonRecord).where(PersonRecord.id == given.c.number).values(data_key=key))
