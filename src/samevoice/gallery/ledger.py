"""The events of a gallery in its tables: added in the same transaction as the change they tell of.

The order of events is the order of commits, since a gallery is written by one process at a time.

Knows: the tables of events and settings. Does not know: how events are chained (`audit`), what they are about.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, type_coerce, update
from sqlalchemy.types import NullType

from samevoice.errors import GalleryError
from samevoice.gallery.audit import START, Detail, Event, Row, chained, first_break, head_of
from samevoice.gallery.records import EventRecord, SettingRecord

HEAD = "events"
BATCH = 10_000


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Whether the events of a gallery are as they were written.

    Args:
        events: how many there are.
        broken: number of the first event that is altered, missing or inserted; None if all are whole.
    """

    events: int
    broken: int | None


class Ledger:
    """The events of one gallery.

    Args:
        key: 32 bytes, for the events of this gallery alone.
    """

    def __init__(self, key: bytes) -> None:
        """Keep the key."""
        self._key = key

    def start(self, connection: Connection) -> None:
        """Begin the chain of a new gallery."""
        connection.execute(insert(SettingRecord).values(key=HEAD, value=head_of(self._key, 0)))

    def append(
        self, connection: Connection, actor: str, action: str, person: str | None = None, **detail: Detail
    ) -> None:
        """Add an event to the transaction.

        Raises:
            GalleryError: the head of the chain was altered; a new one would hide it.
        """
        head = _head(connection)
        count, digest = int.from_bytes(head[:8], "big"), head[8 : 8 + len(START)]
        if not hmac.compare_digest(head_of(self._key, count, digest), head):
            raise GalleryError(
                "the record of events was altered, so that nothing more is written; run: samevoice people audit, and "
                "restore the gallery from a copy"
            )
        event = Event(count + 1, datetime.now(UTC), actor, action, person, detail)
        after = chained(self._key, digest, event)
        connection.execute(
            insert(EventRecord).values(
                seq=event.seq,
                at=event.at,
                actor=actor,
                action=action,
                person=person,
                detail=json.dumps(detail, sort_keys=True),
                previous=digest,
                digest=after,
            )
        )
        head = head_of(self._key, event.seq, after)
        connection.execute(update(SettingRecord).where(SettingRecord.key == HEAD).values(value=head))

    def events(self, connection: Connection, person: str | None, last: int | None) -> list[Event]:
        """Events in order, of one person if given, only the `last` if given; unreadable ones are left out."""
        wanted = select(*COLUMNS).order_by(EventRecord.seq.desc()).limit(last)
        if person is not None:
            wanted = wanted.where(EventRecord.person == person)
        found = (_row(row).event for row in connection.execute(wanted).all()[::-1])
        return [event for event in found if event is not None]

    @staticmethod
    def newest(connection: Connection) -> tuple[int, bytes]:
        """Number and digest of the newest event; 0 and the start of the chain if there is none."""
        newest = select(EventRecord.seq, EventRecord.digest).order_by(EventRecord.seq.desc()).limit(1)
        row = connection.execute(newest).one_or_none()
        return (0, START) if row is None else (row.seq, row.digest)

    @staticmethod
    def holds(connection: Connection, number: int, digest: bytes) -> bool:
        """Whether the event of a number is the one with this digest."""
        known = select(EventRecord.digest).where(EventRecord.seq == number)
        return connection.execute(known).scalar() == digest

    def report(self, connection: Connection) -> AuditReport:
        """Follow the whole chain."""
        events = connection.execute(select(func.count()).select_from(EventRecord)).scalar_one()
        wanted = select(*COLUMNS).order_by(EventRecord.seq).execution_options(yield_per=BATCH)
        with connection.execute(wanted) as rows:
            return AuditReport(events, first_break(self._key, map(_row, rows), _head(connection)))


COLUMNS = tuple(
    type_coerce(column, NullType()).label(column.key)  # as it lies there, since a damaged row is to be seen too
    for column in (
        EventRecord.seq,
        EventRecord.at,
        EventRecord.actor,
        EventRecord.action,
        EventRecord.person,
        EventRecord.detail,
        EventRecord.previous,
        EventRecord.digest,
    )
)


def _head(connection: Connection) -> bytes:
    """The head as it is stored; empty if it is gone."""
    return connection.execute(select(SettingRecord.value).where(SettingRecord.key == HEAD)).scalar() or b""


def _row(row: Any) -> Row:
    """An event as it was found, readable or not."""
    event = None
    if all(isinstance(text, str) for text in (row.actor, row.action, row.person or "", row.detail)):
        try:
            at = row.at if isinstance(row.at, datetime) else datetime.fromisoformat(row.at)
            detail = json.loads(row.detail)
            if isinstance(detail, Mapping):
                event = Event(row.seq, at.replace(tzinfo=UTC), row.actor, row.action, row.person, detail)
        except (ValueError, TypeError, RecursionError):
            pass
    previous, digest = (one if isinstance(one, bytes) else b"" for one in (row.previous, row.digest))
    return Row(event, previous, digest)
