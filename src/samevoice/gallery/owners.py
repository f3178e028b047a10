"""People in their table, each with a key of its own.

Every person has a data key, wrapped by the master key; all about the person is sealed under it. To destroy the key is
to destroy all that it sealed. It is wrapped together with the name, the number of the row and whether the person is
enrolled or was only heard, so that nobody without the master key gives a voice to another name, or a stranger a login.

Knows: the table of people, how keys are wrapped. Does not know: what is sealed under them (`vault`), transactions.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
from samevoice.gallery.names import name_key, stranger_name
from samevoice.gallery.records import STRANGERS, CounterRecord, PersonRecord

BATCH = 10_000
KEYED = (
    PersonRecord.id,
    PersonRecord.public_id,
    PersonRecord.name,
    PersonRecord.name_key,
    PersonRecord.data_key,
    PersonRecord.stranger,
)
"""What is needed to unwrap somebody's key."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A person's row.

    Args:
        id: number of the row.
        public_id: what others call it.
        name: of the person.
        key: the data key, unwrapped.
        stranger: number of somebody who was heard and is not enrolled; None if enrolled.
    """

    id: int
    public_id: str
    name: str
    key: bytes = field(repr=False)
    stranger: int | None = None


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

    def create(self, connection: Connection, name: str, now: datetime, stranger: int | None = None) -> Owner:
        """A new person with a new key."""
        public_id, key = uuid.uuid4().hex, new_data_key()
        values = {"public_id": public_id, "name": name, "name_key": name_key(name), "created": now, "data_key": b""}
        statement = insert(PersonRecord).values(values).returning(PersonRecord.id)
        owner = Owner(connection.execute(statement).scalar_one(), public_id, name, key, stranger)
        self._bind(connection, owner)
        return owner

    def create_stranger(self, connection: Connection, now: datetime) -> Owner:
        """Somebody who was heard, with the next number: never one that anybody had before."""
        counter = CounterRecord.name == STRANGERS
        while True:
            connection.execute(update(CounterRecord).where(counter).values(value=CounterRecord.value + 1))
            number = connection.execute(select(CounterRecord.value).where(counter)).scalar_one()
            name = stranger_name(number)
            if self.find(connection, name) is None:  # people may have been called so before there were strangers
                return self.create(connection, name, now, number)

    def rename(self, connection: Connection, owner: Owner, to: str) -> None:
        """Give a person another name, which must be nobody else's."""
        self._bind(connection, replace(owner, name=to))

    def promote(self, connection: Connection, owner: Owner) -> Owner:
        """Make a stranger one who is enrolled, with all that is sealed under the key."""
        enrolled = replace(owner, stranger=None)
        self._bind(connection, enrolled)
        return enrolled

    def _bind(self, connection: Connection, owner: Owner) -> None:
        """Write what a person's key is bound to, and the key wrapped with it."""
        key = name_key(owner.name)
        wrapped = self._master.wrap(owner.key, bound_to(owner.id, owner.public_id, owner.name, key, owner.stranger))
        change = update(PersonRecord).where(PersonRecord.id == owner.id)
        connection.execute(change.values(name=owner.name, name_key=key, data_key=wrapped, stranger=owner.stranger))

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
        return None if row is None else Owner(row.id, row.public_id, row.name, self.unwrap(row), row.stranger)

    def unwrap(self, row: Any) -> bytes:
        """A person's data key.

        Args:
            row: with the columns `KEYED`.

        Raises:
            GalleryError: the row was altered, or another master key wrapped the key.
        """
        return self._master.unwrap(row.data_key, _bound(row))


def bound_to(number: int, public_id: str, name: str, key: str, stranger: int | None = None) -> bytes:
    """To what a person's data key is bound: to all by which anybody finds or names the person.

    Args:
        number: of the row.
        public_id: of the person.
        name: of the person.
        key: of the name, see `names.name_key`.
        stranger: number of somebody who is not enrolled.
    """
    if stranger is None:
        return context_of("person", number, public_id, name, key)
    return context_of("stranger", stranger, number, public_id, name, key)


def _bound(row: Any) -> bytes:
    """The same for a row with the columns `KEYED`."""
    return bound_to(row.id, row.public_id, row.name, row.name_key, row.stranger)


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
