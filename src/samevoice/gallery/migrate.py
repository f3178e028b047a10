"""Another model for a gallery: kept sound is embedded anew, everybody else is to be enrolled again.

Voiceprints of the new model grow beside the old ones, each in a transaction of its own, so that a killed migration goes
on where it stopped and the gallery keeps working with the old model. The change from one to the other is one
transaction at the end.

Knows: voiceprints, their successors, which model a gallery has. Does not know: networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, update
from sqlalchemy.orm import aliased

from samevoice.embedder import Model
from samevoice.errors import SamevoiceError
from samevoice.gallery.founding import MODEL, set_model, settings
from samevoice.gallery.records import RecordingRecord, TemplateRecord, VoiceprintRecord
from samevoice.gallery.store import Store, count
from samevoice.models.embedding import Embedding

Tell = Callable[[float], None]
AT_ONCE = 100  # numbers of voiceprints that are read together

Successor = aliased(VoiceprintRecord)


@dataclass(frozen=True, slots=True)
class Migration:
    """What came of it.

    Args:
        model: fingerprint that the gallery has now.
        embedded: voiceprints that were embedded anew, in this run and those before it.
        again: voiceprints without usable sound, whose people are to be enrolled again.
    """

    model: str
    embedded: int
    again: int


def migrate(store: Store, model: Model, *, actor: str = "local", progress: Tell | None = None) -> Migration:
    """Give a gallery another model.

    Args:
        store: the gallery.
        model: the new model.
        actor: who does it, for the record of events.
        progress: is told the fraction done, in [0, 1].

    Raises:
        GalleryError: the gallery cannot be read or written; what is done is kept, and the next call goes on.
    """
    new = model.card.fingerprint
    if store.model() in (None, new):
        store.require_model(new)
        return Migration(new, 0, 0)
    after = 0
    while True:
        while numbers := store.database.read(lambda connection: _waiting(connection, new, after)):  # noqa: B023 called at once
            for number in numbers:
                _succeed(store, number, model)
                after = number
                if progress:
                    progress(store.database.read(lambda connection: _done(connection, new, after)))  # noqa: B023
        found = store.database.write(lambda connection: _change(store, connection, new, after, actor))  # noqa: B023
        if found is not None:
            store.database.scrub()
            return found


def _old(new: str) -> ColumnElement[bool]:
    """That a voiceprint is of another model, with sound kept."""
    return (VoiceprintRecord.model != new) & exists().where(RecordingRecord.voiceprint_id == VoiceprintRecord.id)


def _waiting(connection: Connection, new: str, after: int) -> list[int]:
    """The next voiceprints that can be embedded anew and were not yet."""
    wanted = (
        select(VoiceprintRecord.id)
        .where(_old(new), VoiceprintRecord.id > after)
        .where(~exists().where(Successor.predecessor == VoiceprintRecord.id))
        .order_by(VoiceprintRecord.id)
        .limit(AT_ONCE)
    )
    return list(connection.execute(wanted).scalars())


def _done(connection: Connection, new: str, after: int) -> float:
    """How much of the work lies behind a voiceprint's number."""
    wanted = select(func.count(), func.count().filter(VoiceprintRecord.id <= after)).where(_old(new))
    total, behind = connection.execute(wanted).one()
    return float(behind / total) if total else 1.0


def _succeed(store: Store, number: int, model: Model) -> None:
    """Embed the sound behind a voiceprint and put the result beside it; a sound that will not do is left."""
    sound = store.recording(number)
    if sound is None:  # removed meanwhile
        return
    try:
        voice = model.embed(sound, name=f"the sound of voiceprint {number}")
    except SamevoiceError:
        return
    store.database.write(lambda connection: _insert(store, connection, number, voice))


def _insert(store: Store, connection: Connection, number: int, voice: Embedding) -> None:
    """Add the successor of a voiceprint, unless either is gone or was there before."""
    row = connection.execute(select(VoiceprintRecord).where(VoiceprintRecord.id == number)).mappings().one_or_none()
    known = select(VoiceprintRecord.id).where(VoiceprintRecord.predecessor == number)
    if row is None or connection.execute(known).first() is not None:
        return
    owner = store.vault.owner(connection, row["person_id"])
    store.vault.succeed(connection, owner, row, voice)
    store.vault.renew(connection, owner, voice.model, datetime.now(UTC))
    count(connection, removals=True)


def _change(store: Store, connection: Connection, new: str, after: int, actor: str) -> Migration | None:
    """Let the successors take over, and end the old model; None if somebody was enrolled meanwhile."""
    if _waiting(connection, new, after):
        return None
    heirs = select(VoiceprintRecord.predecessor).where(VoiceprintRecord.predecessor.is_not(None))
    heir = select(Successor.id).where(Successor.predecessor == RecordingRecord.voiceprint_id).scalar_subquery()
    connection.execute(
        update(RecordingRecord).where(RecordingRecord.voiceprint_id.in_(heirs)).values(voiceprint_id=heir)
    )
    embedded = connection.execute(select(func.count()).where(VoiceprintRecord.predecessor.is_not(None))).scalar_one()
    connection.execute(delete(VoiceprintRecord).where(VoiceprintRecord.id.in_(heirs)))
    connection.execute(update(VoiceprintRecord).where(VoiceprintRecord.model != new).values(needs_audio=True))
    again = connection.execute(select(func.count()).where(VoiceprintRecord.needs_audio)).scalar_one()
    connection.execute(delete(TemplateRecord).where(TemplateRecord.model != new))
    old = settings(connection)[MODEL].decode()
    set_model(connection, new)
    count(connection, removals=True)
    store.ledger.append(connection, actor, "migrate", None, old=old, new=new, embedded=embedded, again=again)
    return Migration(new, embedded, again)
