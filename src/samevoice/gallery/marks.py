"""Which tables for approximate search a server has, and how far each of them has come.

Knows: the table of these marks. Does not know: what lies in the tables that it names (`hnsw`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    func,
    inspect,
    select,
    update,
)

_BUILDER = 0x5A3E_701D  # our advisory lock among those of other programs; the number means nothing

MARKS = Table(
    "neighbours",
    MetaData(),
    Column("name", String(64), primary_key=True),
    Column("origin", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("changes", BigInteger, nullable=False),
    Column("removals", BigInteger, nullable=False),
    Column("event", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)


def has_marks(connection: Connection) -> bool:
    """Whether anybody ever turned such a table on."""
    return connection.dialect.name == "postgresql" and inspect(connection).has_table(MARKS.name)


def take_turn(connection: Connection) -> None:
    """Be the only one who changes such tables, until the transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(_BUILDER)))


def drop_rows(connection: Connection) -> None:
    """Drop the tables of all models, since their keys are about to end; the next refresh makes them anew."""
    if has_marks(connection):
        take_turn(connection)
        for name in connection.execute(select(MARKS.c.name)).scalars().all():
            Table(name, MetaData()).drop(connection, checkfirst=True)
        connection.execute(update(MARKS).values(size=0, changes=-1, removals=-1, event=0, digest=b""))


def drop_all(connection: Connection) -> None:
    """Drop the tables of all models, for good."""
    drop_rows(connection)
    if has_marks(connection):
        connection.execute(delete(MARKS))
