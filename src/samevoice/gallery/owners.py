"""People in their table, each with a key of its own.

Every person has a data key, wrapped by the master key; all about the person is sealed under it. To destroy the key is
to destroy all that it sealed. It is wrapped together with the name and the number of the row, so that nobody without
the master key gives a voice to another name.

Knows: the table of people, how keys are wrapped. Does not know: what is sealed under them (`vault`), transactions.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

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

from samevoice.errors import GalleryError
from samevoice.gallery.crypto import MasterKey, context_of, new_data_key
from samevoice.gallery.names import name_key
from samevoice.gallery.records import PersonRecord

BATCH = 10_000
KEYED = (PersonRecord.id, PersonRecord.public_id, PersonRecord.name, PersonRecord.name_key, PersonRecord.data_key)
"""What is needed to unwrap somebody's key."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A person's row.

    Args:
        id: number of the row.
        public_id: what others call it.
        name: of the person.
        key: the data key, unwrapped.
    """

    id: int
    public_id: str
    name: str
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
            GalleryError: the person's row was altered.
        """
        return self.read(connection, PersonRecord.name_key == name_key(name))

    def owner(self, connection: Connection, number: int) -> Owner:
        """The person of a row's number.

        Raises:
            GalleryError: the person's row was altered, or is not there.
        """
        owner = self.read(connection, PersonRecord.id == number)
        if owner is None:
            raise GalleryError("something is enrolled for a person who is not there; restore the gallery from a copy")
        return owner

    def create(self, connection: Connection, name: str, now: datetime) -> Owner:
        """A new person with a new key."""
        public_id, key = uuid.uuid4().hex, new_data_key()
        values = {"public_id": public_id, "name": name, "name_key": name_key(name), "created": now, "data_key": b""}
        statement = insert(PersonRecord).values(values).returning(PersonRecord.id)
        owner = Owner(connection.execute(statement).scalar_one(), public_id, name, key)
        self.rename(connection, owner, name)
        return owner

    def rename(self, connection: Connection, owner: Owner, to: str) -> None:
        """Give a person another name, which must be nobody else's."""
        key = name_key(to)
        wrapped = self._master.wrap(owner.key, bound_to(owner.id, owner.public_id, to, key))
        change = update(PersonRecord).where(PersonRecord.id == owner.id)
        connection.execute(change.values(name=to, name_key=key, data_key=wrapped))

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
        columns = select(*KEYED).order_by(PersonRecord.id)
        while rows := connection.execute(columns.where(PersonRecord.id > last).limit(BATCH)).all():
            keys = [new.wrap(self.unwrap(row), _bound(row)) for row in rows]
            _put(connection, [row.id for row in rows], keys)
            done, last = done + len(rows), rows[-1].id
            if progress:
                progress(done / people)
        return people

    def read(self, connection: Connection, which: ColumnElement[bool]) -> Owner | None:
        """The one person that fulfils a condition on `PersonRecord`; None if there is none.

        Raises:
            GalleryError: the person's row was altered.
        """
        row = connection.execute(select(*KEYED).where(which)).one_or_none()
        return None if row is None else Owner(row.id, row.public_id, row.name, self.unwrap(row))

    def unwrap(self, row: Any) -> bytes:
        """A person's data key.

        Args:
            row: with the columns `KEYED`.

        Raises:
            GalleryError: the row was altered, or another master key wrapped the key.
        """
        return self._master.unwrap(row.data_key, _bound(row))


def bound_to(number: int, public_id: str, name: str, key: str) -> bytes:
    """To what a person's data key is bound: to all by which anybody finds or names the person.

    Args:
        number: of the row.
        public_id: of the person.
        name: of the person.
        key: of the name, see `names.name_key`.
    """
    return context_of("person", number, public_id, name, key)


def _bound(row: Any) -> bytes:
    """The same for a row with the columns `KEYED`."""
    return bound_to(row.id, row.public_id, row.name, row.name_key)


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
