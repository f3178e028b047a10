"""Who spoke when in which recording: what is kept of diarized recordings, and read back with the names of today.

Turns are sealed under the data key of whoever speaks, so they go with the person. What lies open is that somebody was
heard in a recording, its label, its length, its digest and when it was remembered.

Knows: the tables of recordings and turns. Does not know: transactions, voices, who is recognised how.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, true

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery.crypto import context_of, seal, unseal
from samevoice.gallery.failures import DamagedError
from samevoice.gallery.owners import Owner, Owners
from samevoice.gallery.records import HeardRecord, PersonRecord, TurnsRecord
from samevoice.gallery.voiceprints import checked_note, plain

__all__ = ["NamedTurn", "Recording", "Source", "Spoken"]

DIGEST = 64  # hexadecimal digits, of SHA-256
_NUMBERS = range(1, 2**63)  # that a database takes


@dataclass(frozen=True, slots=True, order=True)
class Spoken:
    """Somebody speaks for a while; two are equal whatever their confidence.

    Args:
        start: seconds of the recording, at least 0.
        end: later than that.
        confidence: in [0, 1]; None if nobody said.

    Raises:
        ValueError: it is no time, or no confidence.
    """

    start: float
    end: float
    confidence: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse what could not be drawn."""
        if not 0 <= self.start < self.end < math.inf:  # also refuses NaN
            raise ValueError(f"a turn starts at 0 s or later and ends later, got {self.start} to {self.end}")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise ValueError(f"a confidence is in [0, 1], got {self.confidence}")


@dataclass(frozen=True, slots=True)
class NamedTurn:
    """Somebody speaks for a while, by the present name.

    Args:
        start: seconds of the recording, at least 0.
        end: later than that.
        name: of the person, as it is now.
        person: public id, which stays whatever the name.
        confidence: in [0, 1]; None if nobody said.
    """

    start: float
    end: float
    name: str
    person: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in which people were heard.

    Args:
        id: its number, never given to another.
        label: what the user calls it.
        digest: SHA-256 of its file in hexadecimal; None if it was not given.
        extent: its seconds.
        at: when it was remembered, or last replaced.
        people: present names of those heard in it, in the order in which the gallery came to know them.
        turns: sorted; empty where only an overview was asked for.
    """

    id: int
    label: str
    digest: str | None
    extent: float
    at: datetime
    people: tuple[str, ...] = ()
    turns: tuple[NamedTurn, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data with the field names of this class; times as ISO 8601."""
        told: dict[str, Any] = plain(asdict(self))
        return told


@dataclass(frozen=True, slots=True)
class Source:
    """A recording that is to be remembered.

    Args:
        label: what the user calls it.
        extent: its seconds, positive.
        digest: SHA-256 of its file in hexadecimal, by which it is known again and then replaced; None to know it never.

    Raises:
        ConfigError: the label is empty, too long, or holds control characters or line breaks.
        ValueError: the extent is no positive number, or the digest is none.
    """

    label: str
    extent: float
    digest: str | None = None

    def __post_init__(self) -> None:
        """Refuse what a database would refuse later."""
        if not checked_note("label of a recording", self.label).strip() or len(self.label.splitlines()) > 1:
            raise ConfigError("the label of a recording is one line of text that is not empty; give it such a name")
        if not 0 < self.extent < math.inf:
            raise ValueError(f"a recording lasts for some seconds, got {self.extent}")
        if self.digest is not None and (len(self.digest) != DIGEST or set(self.digest) - set("0123456789abcdef")):
            raise ValueError(f"a digest has {DIGEST} hexadecimal digits in lower case")


def number_of(connection: Connection, digest: str | None) -> int | None:
    """The number of the recording with a digest; None if there is none."""
    known = select(HeardRecord.id).where(HeardRecord.digest == digest)
    return None if digest is None else connection.execute(known).scalar()


def exists(connection: Connection, number: int) -> bool:
    """Whether there is a recording of that number."""
    known = select(HeardRecord.id).where(HeardRecord.id == number)
    return number in _NUMBERS and connection.execute(known).first() is not None


def add(connection: Connection, source: Source, now: datetime) -> int:
    """Insert a recording without turns; its number."""
    values = {"label": source.label, "digest": source.digest, "extent": source.extent, "at": now}
    number: int = connection.execute(insert(HeardRecord).values(values).returning(HeardRecord.id)).scalar_one()
    return number


def put(connection: Connection, owner: Owner, heard: int, turns: Iterable[Spoken]) -> None:
    """Add turns to those that a person has in a recording."""
    told = sorted({*_of(connection, owner, heard), *turns})
    where = (TurnsRecord.heard_id == heard, TurnsRecord.person_id == owner.id)
    connection.execute(delete(TurnsRecord).where(*where))
    content = json.dumps([[one.start, one.end, one.confidence] for one in told], allow_nan=False).encode()
    sealed = seal(owner.key, content, _context(owner, heard))
    connection.execute(insert(TurnsRecord).values(heard_id=heard, person_id=owner.id, sealed=sealed))


def move(connection: Connection, source: Owner, into: Owner) -> None:
    """Give all turns of one person to another, sealed anew."""
    for heard in connection.execute(select(TurnsRecord.heard_id).where(TurnsRecord.person_id == source.id)).scalars():
        put(connection, into, heard, _of(connection, source, heard))


def drop_turns(connection: Connection, heard: int) -> set[int]:
    """Remove all turns of a recording; the numbers of the people who had some."""
    which = TurnsRecord.heard_id == heard
    people = set(connection.execute(select(TurnsRecord.person_id).where(which)).scalars())
    connection.execute(delete(TurnsRecord).where(which))
    return people


def has_turns(connection: Connection, person: int) -> bool:
    """Whether a person, by the number of the row, was heard anywhere."""
    return connection.execute(select(TurnsRecord.heard_id).where(TurnsRecord.person_id == person)).first() is not None


def overview(connection: Connection, person: int | None = None) -> list[Recording]:
    """All recordings, or those in which a person was heard, in the order in which they came; without turns."""
    mine = select(TurnsRecord.heard_id).where(TurnsRecord.person_id == person)
    return _recordings(connection, true() if person is None else HeardRecord.id.in_(mine))


def recording(connection: Connection, owners: Owners, number: int) -> Recording:
    """One recording with all turns.

    Raises:
        GalleryError: there is none of that number, or what is kept of it was altered.
    """
    if not exists(connection, number):
        raise no_recording(number)
    (found,) = _recordings(connection, HeardRecord.id == number)
    rows = connection.execute(select(TurnsRecord.person_id).where(TurnsRecord.heard_id == number)).scalars().all()
    turns: list[NamedTurn] = []
    for owner in [owners.owner(connection, person) for person in rows]:
        told = _of(connection, owner, number)
        turns += [NamedTurn(one.start, one.end, owner.name, owner.public_id, one.confidence) for one in told]
    turns.sort(key=lambda one: (one.start, one.end, one.name))
    return replace(found, turns=tuple(turns))


def told_of(connection: Connection, owner: Owner) -> list[dict[str, Any]]:
    """Where a person was heard, as plain data: the recordings, with that person's turns and nobody else's name."""
    found = []
    for one in overview(connection, owner.id):
        told = {**asdict(one), "turns": [asdict(turn) for turn in _of(connection, owner, one.id)]}
        del told["people"]
        found.append(told)
    return found


def no_recording(number: int) -> GalleryError:
    """The error that says that there is none; raise it."""
    return GalleryError(f"there is no recording {number}; see: samevoice recordings list")


def _recordings(connection: Connection, which: ColumnElement[bool]) -> list[Recording]:
    """Recordings that fulfil a condition on `HeardRecord`, without turns."""
    names: dict[int, list[str]] = {}
    for heard, name in connection.execute(
        select(TurnsRecord.heard_id, PersonRecord.name)
        .join(PersonRecord, PersonRecord.id == TurnsRecord.person_id)
        .join(HeardRecord, HeardRecord.id == TurnsRecord.heard_id)
        .where(which)
        .order_by(PersonRecord.id)
    ):
        names.setdefault(heard, []).append(name)
    columns = (HeardRecord.id, HeardRecord.label, HeardRecord.digest, HeardRecord.extent, HeardRecord.at)
    rows = connection.execute(select(*columns).where(which).order_by(HeardRecord.id)).all()
    return [Recording(*row, people=tuple(names.get(row.id, ()))) for row in rows]


def _of(connection: Connection, owner: Owner, heard: int) -> Sequence[Spoken]:
    """The turns of a person in a recording, sorted; none if there are none.

    Raises:
        GalleryError: they were altered.
    """
    where = (TurnsRecord.heard_id == heard, TurnsRecord.person_id == owner.id)
    sealed = connection.execute(select(TurnsRecord.sealed).where(*where)).scalar()
    if sealed is None:
        return ()
    try:
        return [Spoken(*one) for one in json.loads(unseal(owner.key, sealed, _context(owner, heard)))]
    except (ValueError, TypeError):
        raise DamagedError from None


def _context(owner: Owner, heard: int) -> bytes:
    """To what turns are bound: nobody moves them to another person or another recording."""
    return context_of("turns", owner.public_id, heard)
