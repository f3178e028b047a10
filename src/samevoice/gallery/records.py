"""Tables of a gallery, the same on SQLite and PostgreSQL.

    people 1 -- n voiceprints 1 -- 0..1 recordings      what was enrolled
    people 1 -- n templates                             one per model: what probes are compared with
    people n -- turns -- n heard                        who spoke when in which recording
    settings, counters                                  about the gallery as a whole
    events                                              what happened, in order; nothing in it is ever changed

Vectors, sound and turns lie here sealed only; a person's key lies here wrapped only.

Knows: columns, keys, what is unique. Does not know: keys of ciphers, transactions. How a database comes to have these
tables is written in `migrations`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from samevoice.gallery.failures import DamagedError

REVISION = "0002"
"""The newest revision in `migrations`: what this version of samevoice reads and writes."""

Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts rows in an INTEGER only, which has 64 bits too
CHANGES, REMOVALS, STRANGERS = "changes", "removals", "strangers"  # names of counters
NEVER_REUSED = {"sqlite_autoincrement": True}


class Checked(TypeDecorator[Any]):
    """A value that is what its column is for, or else an error: SQLite keeps in any column whatever somebody put there.

    Attributes:
        kinds: what the drivers give.
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok = True
    kinds: tuple[type, ...] = (str,)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """What looks at a value before it is read."""
        read = super().result_processor(dialect, coltype)

        def checked(value: Any) -> Any:
            if value is not None and not isinstance(value, self.kinds):
                raise DamagedError
            try:
                return read(value) if read else value
            except (ValueError, OverflowError):
                raise DamagedError from None

        return checked


class Words(Checked):
    """A text."""

    cache_ok = True


class Word(Checked):
    """A text of a limited length."""

    impl = String
    cache_ok = True


class Sealed(Checked):
    """Bytes."""

    impl = LargeBinary
    cache_ok = True
    kinds = (bytes,)


class Whole(Checked):
    """A whole number."""

    impl = BigInteger
    cache_ok = True
    kinds = (int,)


class Count(Checked):
    """A small whole number."""

    impl = Integer
    cache_ok = True
    kinds = (int,)


class Real(Checked):
    """A number."""

    impl = Double
    cache_ok = True
    kinds = (float, int)


class Flag(Checked):
    """Yes or no."""

    impl = Boolean
    cache_ok = True
    kinds = (int,)


class Moment(Checked):
    """A time in UTC; SQLite forgets zones, so they are taken off and put back here."""

    impl = DateTime
    cache_ok = True
    kinds = (str, datetime)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The time as it is stored: UTC without a zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The time as it is read: with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


class Record(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {float: Real, bool: Flag}  # noqa: RUF012 as SQLAlchemy wants it


class SettingRecord(Record):
    """Something said once about the whole gallery: its id, a check of its key."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(Word(64), primary_key=True)
    value: Mapped[bytes] = mapped_column(Sealed)


class CounterRecord(Record):
    """How often something happened; by these numbers an index in another process knows that it is out of date."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(Word(64), primary_key=True)
    value: Mapped[int] = mapped_column(Whole)


class PersonRecord(Record):
    """Somebody, and the key under which all about them is sealed."""

    __tablename__ = "people"
    __table_args__ = (Index("ix_people_stranger", "stranger", unique=True), NEVER_REUSED)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    public_id: Mapped[str] = mapped_column(Word(32), unique=True)
    name: Mapped[str] = mapped_column(Words)
    name_key: Mapped[str] = mapped_column(Words, unique=True)
    created: Mapped[datetime] = mapped_column(Moment)
    data_key: Mapped[bytes] = mapped_column(Sealed)
    stranger: Mapped[int | None] = mapped_column(Count)
    """The number in "unknown-17" of somebody who was heard and is not enrolled; kept when named, None when enrolled."""


class VoiceprintRecord(Record):
    """One enrolled utterance."""

    __tablename__ = "voiceprints"
    __table_args__ = NEVER_REUSED

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    person_id: Mapped[int] = mapped_column(Number, ForeignKey("people.id", ondelete="CASCADE"), index=True)
    model: Mapped[str] = mapped_column(Word(200))
    sealed: Mapped[bytes] = mapped_column(Sealed)
    seconds: Mapped[float]
    snr_db: Mapped[float | None]
    bandwidth_hz: Mapped[float | None]
    clipped: Mapped[float]
    channel: Mapped[str] = mapped_column(Words)
    consent: Mapped[str | None] = mapped_column(Words)
    created: Mapped[datetime] = mapped_column(Moment)
    expires: Mapped[datetime | None] = mapped_column(Moment, index=True)
    trace: Mapped[bytes | None] = mapped_column(Sealed)  # sealed
    needs_audio: Mapped[bool]
    predecessor: Mapped[int | None] = mapped_column(
        Number, ForeignKey("voiceprints.id", ondelete="SET NULL"), unique=True
    )
    """During a migration: the voiceprint of the old model that this one will replace; until then it does not count."""
    heard_id: Mapped[int | None] = mapped_column(Number, ForeignKey("heard.id"), index=True)
    """The recording that a stranger's voiceprint was made from."""


class RecordingRecord(Record):
    """The sound behind a voiceprint, kept only when somebody asked for it."""

    __tablename__ = "recordings"

    voiceprint_id: Mapped[int] = mapped_column(
        Number, ForeignKey("voiceprints.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    sealed: Mapped[bytes] = mapped_column(Sealed)


class TemplateRecord(Record):
    """The unit mean of a person's voiceprints of one model."""

    __tablename__ = "templates"
    __table_args__ = (Index("ix_templates_written", "model", "written", "person_id"),)

    person_id: Mapped[int] = mapped_column(
        Number, ForeignKey("people.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    model: Mapped[str] = mapped_column(Word(200), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(Sealed)
    seconds: Mapped[float]
    voiceprints: Mapped[int] = mapped_column(Count)
    written: Mapped[int] = mapped_column(Whole)
    """What the counter of changes stood at after the transaction that wrote it."""


class HeardRecord(Record):
    """A recording in which people were heard."""

    __tablename__ = "heard"
    __table_args__ = NEVER_REUSED

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    label: Mapped[str] = mapped_column(Words)
    digest: Mapped[str | None] = mapped_column(Word(64), unique=True)
    extent: Mapped[float]
    at: Mapped[datetime] = mapped_column(Moment)


class TurnsRecord(Record):
    """When a person speaks in a recording, sealed under the person's key."""

    __tablename__ = "turns"

    heard_id: Mapped[int] = mapped_column(
        Number, ForeignKey("heard.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    person_id: Mapped[int] = mapped_column(
        Number, ForeignKey("people.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )
    sealed: Mapped[bytes] = mapped_column(Sealed)


class EventRecord(Record):
    """Something that was done, chained to what was done before; never a name."""

    __tablename__ = "events"

    seq: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(Words)
    action: Mapped[str] = mapped_column(Word(64))
    person: Mapped[str | None] = mapped_column(Word(32))
    detail: Mapped[str] = mapped_column(Words)
    previous: Mapped[bytes] = mapped_column(Sealed)
    digest: Mapped[bytes] = mapped_column(Sealed)


def is_current() -> ColumnElement[bool]:
    """That a voiceprint counts now, not only once a migration has ended.

    Of the index on predecessors SQLite believes that it tells voiceprints apart, though nearly all have none; then it
    reads all of them for every person. No index fits this form of the question.
    """
    return func.coalesce(VoiceprintRecord.predecessor, 0) == 0
