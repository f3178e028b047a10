"""Another model for a gallery: kept sound is embedded anew, everybody else is to be enrolled again.

Voiceprints of the new model grow beside the old ones, each in a transaction of its own, so that a killed migration goes
on where it stopped and the gallery keeps working with the old model. The change from one to the other is one
transaction at the end: every voiceprint takes over what its successor holds and stays the one it was, with its number.

Knows: voiceprints, their successors, which model a gallery has. Does not know: networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, update
from sqlalchemy.orm import aliased

from samevoice.embedder import Model
from samevoice.errors import AudioError, GalleryError, NotEnoughSpeech
from samevoice.gallery.founding import model_of, set_model
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
        again: voiceprints of people of whom no usable sound was kept, so that they are to be enrolled again.
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
        GalleryError: the gallery cannot be read or written, or is being given yet another model; what is done is kept,
            and the next call goes on.
        ModelError: the model fails; likewise.
    """
    new = model.card.fingerprint
    if store.model() is None:
        store.require_model(new)
    if store.model() != new:
        store.database.write(lambda connection: _drop_others(connection, new))
    found, after = None, 0
    while found is None:
        for number in _waiting_in(store, new, after):
            _succeed(store, number, model)
            after = number
            if progress:
                progress(store.database.read(partial(_done, new=new, after=after)))
        found = store.database.write(partial(_change, store=store, new=new, after=after, actor=actor))
    store.database.scrub()
    return found


def _drop_others(connection: Connection, new: str) -> None:
    """Forget what a migration to yet another model left unfinished."""
    connection.execute(delete(VoiceprintRecord).where(_other(new)))
    others = TemplateRecord.model.not_in([new, model_of(connection)])
    if connection.execute(delete(TemplateRecord).where(others)).rowcount:
        count(connection, removals=True)


def _other(new: str) -> ColumnElement[bool]:
    """That a voiceprint is a successor that a migration to yet another model made."""
    return VoiceprintRecord.predecessor.is_not(None) & (VoiceprintRecord.model != new)


def _old(new: str) -> ColumnElement[bool]:
    """That a voiceprint is of another model, with sound kept."""
    return (VoiceprintRecord.model != new) & exists().where(RecordingRecord.voiceprint_id == VoiceprintRecord.id)


def _waiting_in(store: Store, new: str, after: int) -> Iterator[int]:
    """The voiceprints that can be embedded anew and were not yet, in order, until none is left."""
    while numbers := store.database.read(partial(_waiting, new=new, after=after)):
        yield from numbers
        after = numbers[-1]


def _waiting(connection: Connection, new: str, after: int) -> list[int]:
    """The next of them after a number."""
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
    except (AudioError, NotEnoughSpeech):
        return
    store.database.write(lambda connection: _insert(store, connection, number, voice))


def _insert(store: Store, connection: Connection, number: int, voice: Embedding) -> None:
    """Add the successor of a voiceprint, unless that is gone or somebody else was faster."""
    row = connection.execute(select(VoiceprintRecord).where(VoiceprintRecord.id == number)).mappings().one_or_none()
    known = select(VoiceprintRecord.id).where(VoiceprintRecord.predecessor == number)
    if row is None or row["model"] == voice.model or connection.execute(known).first() is not None:
        return
    owner = store.vault.owner(connection, row["person_id"])
    store.vault.succeed(connection, owner, row, voice)
    store.vault.renew(connection, owner, voice.model, datetime.now(UTC))
    count(connection, removals=True)


def _change(connection: Connection, store: Store, new: str, after: int, actor: str) -> Migration | None:
    """Let the successors take over, and end the old model; None if somebody was enrolled meanwhile.

    Raises:
        GalleryError: somebody began to give the gallery yet another model.
    """
    old = model_of(connection)
    if old == new:  # from the beginning, or another process was faster
        return Migration(new, 0, _again(connection, new))
    if _waiting(connection, new, after):
        return None
    if other := connection.execute(select(VoiceprintRecord.model).where(_other(new))).scalar():
        raise GalleryError(f"the gallery is being given another model, {other}; end that, then run this again")
    embedded = _take_over(connection)
    _wake(store, connection, new)
    connection.execute(update(VoiceprintRecord).where(VoiceprintRecord.model != new).values(needs_audio=True))
    connection.execute(delete(TemplateRecord).where(TemplateRecord.model != new))
    again = _again(connection, new)
    set_model(connection, new)
    count(connection, removals=True)
    store.ledger.append(connection, actor, "migrate", None, old=old, new=new, embedded=embedded, again=again)
    return Migration(new, embedded, again)


def _take_over(connection: Connection) -> int:
    """Give every voiceprint what its successor holds, which ends the successor; how many there were."""
    heir = select(Successor).where(Successor.predecessor == VoiceprintRecord.id).correlate(VoiceprintRecord)
    values = {
        name: heir.with_only_columns(getattr(Successor, name)).scalar_subquery()
        for name in ("model", "sealed", "seconds", "needs_audio")
    }
    succeeded = select(Successor.predecessor).where(Successor.predecessor.is_not(None))
    connection.execute(update(VoiceprintRecord).where(VoiceprintRecord.id.in_(succeeded)).values(values))
    return connection.execute(delete(VoiceprintRecord).where(VoiceprintRecord.predecessor.is_not(None))).rowcount


def _wake(store: Store, connection: Connection, new: str) -> None:
    """Make those count again that slept since the gallery had the new model before."""
    asleep = (VoiceprintRecord.model == new, VoiceprintRecord.needs_audio)
    people = connection.execute(select(VoiceprintRecord.person_id).where(*asleep).distinct()).scalars().all()
    connection.execute(update(VoiceprintRecord).where(*asleep).values(needs_audio=False))
    for person in people:
        store.vault.renew(connection, store.vault.owner(connection, person), new, datetime.now(UTC))


def _again(connection: Connection, new: str) -> int:
    """How many voiceprints belong to people with nothing to compare with."""
    known = exists().where(TemplateRecord.person_id == VoiceprintRecord.person_id, TemplateRecord.model == new)
    wanted = select(func.count()).select_from(VoiceprintRecord).where(VoiceprintRecord.needs_audio, ~known)
    return int(connection.execute(wanted).scalar_one())
