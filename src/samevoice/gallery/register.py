"""Who is enrolled: reading people and their voiceprints, without vectors, without keys.

Knows: tables. Does not know: what is sealed in them (`vault`), transactions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, true

from samevoice.errors import UnknownPerson
from samevoice.gallery.names import LONGEST, name_key, nearest, shown
from samevoice.gallery.records import (
    EventRecord,
    HeardRecord,
    PersonRecord,
    RecordingRecord,
    VoiceprintRecord,
    is_current,
)
from samevoice.gallery.voiceprints import Person, Voiceprint

MOST_ALIKE = 2000
"""Names that are looked at to find those somebody may have meant."""
WILDCARDS = {"*": "%", "?": "_"}


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is in a gallery.

    Args:
        people: who are enrolled.
        voiceprints: of all of them, and of the strangers.
        again: people who must speak again, see `Person.needs_enrolment`.
        events: in the record.
        strangers: who were heard and not enrolled.
        recordings: in which people were heard.
    """

    people: int
    voiceprints: int
    again: int
    events: int
    strangers: int
    recordings: int


def size(connection: Connection) -> Size:
    """How much there is, counted by the database."""
    usable = exists().where(is_current(), VoiceprintRecord.person_id == PersonRecord.id, ~VoiceprintRecord.needs_audio)
    enrolled = PersonRecord.stranger.is_(None)
    wanted = (
        select(func.count()).select_from(PersonRecord).where(enrolled),
        select(func.count()).where(is_current()),
        select(func.count()).select_from(PersonRecord).where(enrolled, ~usable),
        select(func.count()).select_from(EventRecord),
        select(func.count()).select_from(PersonRecord).where(~enrolled),
        select(func.count()).select_from(HeardRecord),
    )
    return Size(*(connection.execute(one).scalar_one() for one in wanted))


def people(connection: Connection, which: ColumnElement[bool] | None = None) -> list[Person]:
    """The people that fulfil a condition on `PersonRecord`, in the order in which they were enrolled."""
    rows = connection.execute(
        select(
            PersonRecord.public_id,
            PersonRecord.name,
            PersonRecord.created.label("since"),
            PersonRecord.stranger,
            VoiceprintRecord.id,
            VoiceprintRecord.model,
            VoiceprintRecord.seconds,
            VoiceprintRecord.snr_db,
            VoiceprintRecord.bandwidth_hz,
            VoiceprintRecord.clipped,
            VoiceprintRecord.channel,
            VoiceprintRecord.consent,
            VoiceprintRecord.created,
            VoiceprintRecord.expires,
            RecordingRecord.voiceprint_id.label("recording"),
            VoiceprintRecord.needs_audio,
        )
        .join_from(
            PersonRecord,
            VoiceprintRecord,
            and_(VoiceprintRecord.person_id == PersonRecord.id, is_current()),
            isouter=True,
        )
        .join(RecordingRecord, isouter=True)
        .where(true() if which is None else which)
        .order_by(PersonRecord.id, VoiceprintRecord.id)
    )
    return [_person(tuple(rows)) for _, rows in groupby(rows, attrgetter("public_id"))]


def person(connection: Connection, public_id: str) -> Person:
    """The person of a public id, who must be there."""
    return people(connection, PersonRecord.public_id == public_id)[0]


def like(pattern: str) -> ColumnElement[bool]:
    """That a name is like a pattern, in which * stands for any signs and ? for one; without them, that it holds it."""
    key = name_key(pattern)
    signs = "".join(WILDCARDS.get(sign, f"\\{sign}" if sign in "%_\\" else sign) for sign in key)
    if not WILDCARDS.keys() & set(key):
        signs = f"%{signs}%"
    return PersonRecord.name_key.like(signs, escape="\\")


def nobody(connection: Connection, name: str) -> UnknownPerson:
    """The error that says who may have been meant; raise it."""
    key = name_key(name[:LONGEST])
    begins = PersonRecord.name_key.startswith(key[:2], autoescape=True)
    ends = PersonRecord.name_key.endswith(key[-2:], autoescape=True)
    candidates = connection.execute(select(PersonRecord.name).where(or_(begins, ends)).limit(MOST_ALIKE)).scalars()
    meant = " or ".join(shown(one) for one in nearest(name, candidates))
    return UnknownPerson(
        f"nobody is enrolled as {shown(name)}; " + (f"did you mean {meant}?" if meant else "see: samevoice people list")
    )


def _person(rows: Sequence[Any]) -> Person:
    """A person from the rows of the voiceprints; one row without a voiceprint if there are none."""
    first = rows[0]
    return Person(first.public_id, first.name, first.since, tuple(_voiceprints(rows)), first.stranger)


def _voiceprints(rows: Sequence[Any]) -> Iterator[Voiceprint]:
    for row in rows:
        if row.id is not None:
            yield Voiceprint(
                id=row.id,
                person=row.public_id,
                model=row.model,
                seconds=row.seconds,
                snr_db=row.snr_db,
                bandwidth_hz=row.bandwidth_hz,
                clipped=row.clipped,
                channel=row.channel,
                consent=row.consent,
                created=row.created,
                expires=row.expires,
                kept_audio=row.recording is not None,
                needs_audio=row.needs_audio,
            )
