"""Voiceprints, sounds and templates in their tables, sealed: each step within a transaction that `store` has begun.

Knows: tables, what is sealed under which key and bound to what. Does not know: transactions, events, who may do what;
where a person's key comes from (`owners`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, or_, select, tuple_, update

from samevoice.errors import GalleryError
from samevoice.gallery.crypto import STORED, context_of, packed, seal, unpacked, unseal
from samevoice.gallery.failures import DamagedError
from samevoice.gallery.owners import KEYED, Owner, Owners
from samevoice.gallery.records import (
    CHANGES,
    CounterRecord,
    PersonRecord,
    RecordingRecord,
    TemplateRecord,
    VoiceprintRecord,
    is_current,
)
from samevoice.gallery.voiceprints import NewVoiceprint, Template, Templates
from samevoice.models.embedding import Embedding

Place = tuple[int, int]  # count of changes, number of the person

AT_ONCE = 500
"""Values in one question; databases take no more than so many."""
LEAST_NORM = 1e-3
"""Of the sum of a person's vectors; below it they cancel each other out and have no mean."""


class Vault(Owners):
    """What is sealed in a gallery.

    Args:
        master: the gallery's key.
    """

    def add(
        self, connection: Connection, owner: Owner, new: NewVoiceprint, now: datetime, heard: int | None = None
    ) -> int:
        """Insert a voiceprint, with its sound if that is to be kept; the template is not renewed yet.

        Args:
            connection: to the database.
            owner: whose it is.
            new: what is to be kept.
            now: when it was enrolled, or heard.
            heard: number of the recording that it was heard in; None if it was enrolled.

        Returns:
            The voiceprint's number.
        """
        number: int = connection.execute(
            insert(VoiceprintRecord)
            .values(
                person_id=owner.id,
                model=new.embedding.model,
                sealed=seal(owner.key, packed(new.embedding.vector), _voiceprint(owner, new.embedding.model, now)),
                seconds=new.embedding.seconds,
                snr_db=new.snr_db,
                bandwidth_hz=new.bandwidth_hz,
                clipped=new.clipped,
                channel=new.channel,
                consent=new.consent,
                created=now,
                expires=new.expires,
                trace=None if new.trace is None else seal(owner.key, new.trace, _trace(owner)),
                needs_audio=False,
                heard_id=heard,
            )
            .returning(VoiceprintRecord.id)
        ).scalar_one()
        if new.audio is not None:
            sealed = seal(owner.key, new.audio, _recording(owner))
            connection.execute(insert(RecordingRecord).values(voiceprint_id=number, sealed=sealed))
        return number

    def succeed(self, connection: Connection, owner: Owner, row: RowMapping, voice: Embedding) -> None:
        """Insert what will replace a voiceprint when a migration ends; the template is not renewed yet.

        Args:
            connection: to the database.
            owner: whose voiceprint it is.
            row: all columns of the voiceprint.
            voice: the same sound as another model hears it.
        """
        sealed = seal(owner.key, packed(voice.vector), _voiceprint(owner, voice.model, row["created"]))
        new = {"model": voice.model, "sealed": sealed, "seconds": voice.seconds, "predecessor": row["id"]}
        kept = {name: value for name, value in row.items() if name != "id"}
        connection.execute(insert(VoiceprintRecord).values({**kept, **new, "needs_audio": False}))

    def vectors(self, connection: Connection, owner: Owner) -> dict[int, NDArray[np.float32]]:
        """The vectors of all voiceprints of a person, by number."""
        columns = (VoiceprintRecord.id, VoiceprintRecord.model, VoiceprintRecord.created, VoiceprintRecord.sealed)
        rows = connection.execute(select(*columns).where(VoiceprintRecord.person_id == owner.id)).all()
        return {row.id: _opened(owner, row.sealed, _voiceprint(owner, row.model, row.created)) for row in rows}

    def recordings(self, connection: Connection, owner: Owner) -> dict[int, bytes]:
        """The kept sounds of a person, as FLAC files, by number of the voiceprint."""
        rows = connection.execute(
            select(RecordingRecord.voiceprint_id, RecordingRecord.sealed)
            .join(VoiceprintRecord, VoiceprintRecord.id == RecordingRecord.voiceprint_id)
            .where(VoiceprintRecord.person_id == owner.id)
        )
        return {number: unseal(owner.key, sealed, _recording(owner)) for number, sealed in rows}

    def recording(self, connection: Connection, number: int) -> bytes | None:
        """The kept sound of a voiceprint, as a FLAC file; None if there is none."""
        row = connection.execute(
            select(VoiceprintRecord.person_id, RecordingRecord.sealed)
            .join(RecordingRecord, RecordingRecord.voiceprint_id == VoiceprintRecord.id)
            .where(VoiceprintRecord.id == number)
        ).one_or_none()
        if row is None:
            return None
        owner = self.owner(connection, row.person_id)
        return unseal(owner.key, row.sealed, _recording(owner))

    def traces(self, connection: Connection, public_id: str) -> list[bytes]:
        """The traces of the sounds that a person was enrolled with; none if the person is gone."""
        owner = self.read(connection, PersonRecord.public_id == public_id)
        if owner is None:
            return []
        sealed = connection.execute(
            select(VoiceprintRecord.trace)
            .where(VoiceprintRecord.person_id == owner.id, is_current())
            .order_by(VoiceprintRecord.id)
        ).scalars()
        return [unseal(owner.key, one, _trace(owner)) for one in sealed if one is not None]

    def embeddings(self, connection: Connection, owner: Owner, model: str, now: datetime) -> list[Embedding]:
        """A person's voiceprints of one model that are not expired, in the order in which they were enrolled."""
        rows = connection.execute(
            select(VoiceprintRecord.created, VoiceprintRecord.sealed, VoiceprintRecord.seconds)
            .where(VoiceprintRecord.person_id == owner.id, VoiceprintRecord.model == model, _valid(now))
            .order_by(VoiceprintRecord.id)
        )
        return [_embedding(owner, model, row) for row in rows]

    def renew(self, connection: Connection, owner: Owner, model: str, now: datetime) -> None:
        """Make a person's template anew from the voiceprints; without any, there is none. The change is counted later.

        Raises:
            GalleryError: the voiceprints cancel each other out.
        """
        connection.execute(
            delete(TemplateRecord).where(TemplateRecord.person_id == owner.id, TemplateRecord.model == model)
        )
        embeddings = self.embeddings(connection, owner, model, now)
        if not embeddings:
            return
        total: NDArray[np.float64] = np.sum([one.vector for one in embeddings], axis=0, dtype=np.float64)
        norm = float(np.linalg.norm(total))
        if norm < LEAST_NORM:
            raise GalleryError("the recordings of this person contradict each other; enrol another recording")
        mean: NDArray[np.float32] = (total / norm).astype(np.float32)
        connection.execute(
            insert(TemplateRecord).values(
                person_id=owner.id,
                model=model,
                sealed=seal(owner.key, packed(mean), _template(owner.public_id, model)),
                seconds=sum(embedding.seconds for embedding in embeddings),
                voiceprints=len(embeddings),
                written=select(CounterRecord.value + 1).where(CounterRecord.name == CHANGES).scalar_subquery(),
            )
        )

    def template(self, connection: Connection, owner: Owner, model: str) -> Template | None:
        """A person's template; None if there is none of that model."""
        row = connection.execute(
            select(TemplateRecord.sealed, TemplateRecord.seconds, TemplateRecord.voiceprints).where(
                TemplateRecord.person_id == owner.id, TemplateRecord.model == model
            )
        ).one_or_none()
        if row is None:
            return None
        vector = _opened(owner, row.sealed, _template(owner.public_id, model))
        return Template(owner.public_id, owner.name, model, vector, row.seconds, row.voiceprints, owner.stranger)

    def templates(
        self, connection: Connection, model: str, after: Place, most: int, *, strangers: bool = False
    ) -> tuple[Templates, Place] | None:
        """The next templates after a place in the order in which they were written: of the enrolled, or of strangers.

        Returns:
            At most so many, and the place of the last; None if there are no more.
        """
        rows = connection.execute(
            select(TemplateRecord.written, TemplateRecord.person_id, TemplateRecord.sealed, *KEYED)
            .join(PersonRecord, PersonRecord.id == TemplateRecord.person_id)
            .where(TemplateRecord.model == model, tuple_(TemplateRecord.written, TemplateRecord.person_id) > after)
            .where(is_stranger() if strangers else ~is_stranger())
            .order_by(TemplateRecord.written, TemplateRecord.person_id)
            .limit(most)
        ).all()
        if not rows:
            return None
        opened = b"".join(unseal(self.unwrap(row), row.sealed, _template(row.public_id, model)) for row in rows)
        ids = np.array([row.person_id for row in rows], dtype=np.int64)
        vectors = unpacked(opened, len(opened) // (STORED.itemsize * len(rows)))
        return Templates(ids, vectors), (rows[-1].written, rows[-1].person_id)

    def owners(
        self, connection: Connection, model: str, ids: Sequence[int], *, strangers: bool = False
    ) -> dict[int, tuple[str, str, float]]:
        """Public id, name and seconds of speech of the templates of some people, by number; those gone are left out.

        They are people who are enrolled, or strangers if these are wanted; the others are left out too.

        Raises:
            GalleryError: somebody's row was altered, so that the name may be another's.
        """
        found: dict[int, tuple[str, str, float]] = {}
        for start in range(0, len(ids), AT_ONCE):
            some = [int(number) for number in ids[start : start + AT_ONCE]]
            rows = connection.execute(
                select(*KEYED, TemplateRecord.seconds)
                .join(TemplateRecord, TemplateRecord.person_id == PersonRecord.id)
                .where(TemplateRecord.model == model, TemplateRecord.person_id.in_(some))
                .where(is_stranger() if strangers else ~is_stranger())
            )
            for row in rows:
                self.unwrap(row)
                found[row.id] = row.public_id, row.name, row.seconds
        return found

    def move(self, connection: Connection, source: Owner, into: Owner) -> set[str]:
        """Give all voiceprints and sounds of one person to another, sealed anew; templates are not renewed yet.

        Returns:
            The models of what was moved.
        """
        columns = (VoiceprintRecord.id, VoiceprintRecord.model, VoiceprintRecord.created, VoiceprintRecord.trace)
        rows = connection.execute(select(*columns).where(VoiceprintRecord.person_id == source.id)).all()
        vectors = self.vectors(connection, source)
        for number, sound in self.recordings(connection, source).items():
            sealed = seal(into.key, sound, _recording(into))
            connection.execute(
                update(RecordingRecord).where(RecordingRecord.voiceprint_id == number).values(sealed=sealed)
            )
        for row in rows:
            sealed = seal(into.key, packed(vectors[row.id]), _voiceprint(into, row.model, row.created))
            trace = row.trace and seal(into.key, unseal(source.key, row.trace, _trace(source)), _trace(into))
            connection.execute(
                update(VoiceprintRecord)
                .where(VoiceprintRecord.id == row.id)
                .values(person_id=into.id, sealed=sealed, trace=trace)
            )
        return {row.model for row in rows}


def is_stranger() -> ColumnElement[bool]:
    """That a person was heard and is not enrolled."""
    return PersonRecord.stranger.is_not(None)


def _opened(owner: Owner, sealed: bytes, context: bytes) -> NDArray[np.float32]:
    """The vector that was sealed, shape (d,)."""
    content = unseal(owner.key, sealed, context)
    vector: NDArray[np.float32] = unpacked(content, len(content) // STORED.itemsize)[0]
    return vector


def _embedding(owner: Owner, model: str, row: Any) -> Embedding:
    """A voiceprint's vector with the seconds behind it."""
    vector = _opened(owner, row.sealed, _voiceprint(owner, model, row.created))
    try:
        return Embedding(vector, model, row.seconds)
    except ValueError:
        raise DamagedError from None


def _valid(now: datetime) -> ColumnElement[bool]:
    """That a voiceprint is not expired."""
    return or_(VoiceprintRecord.expires.is_(None), VoiceprintRecord.expires > now)


def _voiceprint(owner: Owner, model: str, created: datetime) -> bytes:
    """To what a voiceprint is bound: by its time it cannot change places with another of the same person."""
    return context_of("voiceprint", owner.public_id, model, created.astimezone(UTC).isoformat())


def _recording(owner: Owner) -> bytes:
    return context_of("recording", owner.public_id)


def _trace(owner: Owner) -> bytes:
    return context_of("trace", owner.public_id)


def _template(person: str, model: str) -> bytes:
    return context_of("template", person, model)
