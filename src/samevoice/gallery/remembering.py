"""Remember what was heard in a recording, and forget it: each in one transaction, with the events that tell of it.

What is remembered never changes what a login is compared with: only strangers get voiceprints from recordings. A
stranger's first voiceprint is made of the voice as it is; a further one must pass the guard of every update.

A recording of a known digest is replaced: what came from it before goes in the same transaction, so to do it again
changes nothing. Strangers of whom nothing is left then go too.

Knows: transactions, what must change together. Does not know: who is recognised how (`recognition`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from samevoice.errors import GalleryError
from samevoice.gallery import history
from samevoice.gallery.archive import counters
from samevoice.gallery.audit import Detail
from samevoice.gallery.founding import model_of, refuse_other
from samevoice.gallery.history import Source, Spoken
from samevoice.gallery.owners import Owner, remove
from samevoice.gallery.records import HeardRecord, PersonRecord, VoiceprintRecord
from samevoice.gallery.store import Store, count
from samevoice.gallery.voiceprints import NewVoiceprint, Template, checked_note
from samevoice.models.embedding import Embedding

MOST_VOICEPRINTS = 10  # of a stranger; the mean hardly moves with more

Guard = Callable[[Embedding, Template], bool]


class MovedError(Exception):
    """The people changed between the decision and its writing; decide again."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A voice of a recording, and whose it was found to be.

    Args:
        voice: the embedding.
        turns: when it speaks.
        person: public id; None for a new stranger.
    """

    voice: Embedding
    turns: Sequence[Spoken]
    person: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of remembering.

    Args:
        recording: its number.
        people: public id and name of the person of each voice.
    """

    recording: int
    people: tuple[tuple[str, str], ...]


def remember(
    store: Store,
    source: Source,
    decided: Sequence[Decided],
    *,
    expected: tuple[int, int],
    guard: Guard,
    expires: datetime | None = None,
    actor: str = "local",
) -> Kept:
    """Keep who was heard when.

    Args:
        store: the gallery.
        source: the recording.
        decided: its voices that are to be remembered.
        expected: the counters of the store when it was decided whose they are.
        guard: whether a voice may be added to a stranger's template.
        expires: when the voiceprints made here are to be forgotten, with a time zone; None for never.
        actor: who does it, for the record of events.

    Raises:
        MovedError: the counters are others by now; nothing was changed.
        FingerprintMismatch: the gallery is bound to another model.
        GalleryError: the time is past, or the gallery cannot be written.
    """
    replaced = False

    def work(connection: Connection) -> Kept:
        nonlocal replaced
        if counters(connection) != expected:
            raise MovedError
        now = datetime.now(UTC)
        if expires is not None and expires <= now:
            raise GalleryError(f"the voiceprints would expire at {expires}, which is past; give a time to come")
        for one in decided:
            refuse_other(model_of(connection), one.voice.model)
        number = history.number_of(connection, source.digest)
        replaced = number is not None
        before: set[int] = set()
        if number is None:
            number = history.add(connection, source, now)
        else:
            before = _clear(store, connection, number, now)
            values = {"label": source.label, "extent": source.extent, "at": now}
            connection.execute(update(HeardRecord).where(HeardRecord.id == number).values(values))
        writing = _Writing(store, connection, number, now, guard, expires)
        owners = [writing.put(one) for one in decided]
        here = {owner.id: owner for owner in owners}
        gone = _drop_empty(store, connection, before - here.keys())
        if writing.made or before:
            count(connection, removals=replaced or writing.improved)
        actor_ = checked_note("actor", actor)
        store.ledger.append(connection, actor_, "remember", None, recording=number, replaced=replaced)
        for owner in here.values():
            made: list[Detail] = [*writing.made.get(owner.id, ())]
            store.ledger.append(connection, actor_, "hear", owner.public_id, recording=number, voiceprints=made)
        for public_id in gone:
            store.ledger.append(connection, actor_, "delete", public_id, recording=number)
        return Kept(number, tuple((owner.public_id, owner.name) for owner in owners))

    kept = store.database.write(work)
    if replaced:
        store.database.scrub()
    return kept


def forget(store: Store, number: int, *, actor: str = "local") -> None:
    """Remove a recording with its turns and the voiceprints made of it, and the strangers of whom nothing is left.

    Raises:
        GalleryError: there is none of that number.
    """

    def work(connection: Connection) -> None:
        if not history.exists(connection, number):
            raise history.no_recording(number)
        people = _clear(store, connection, number, datetime.now(UTC))
        connection.execute(delete(HeardRecord).where(HeardRecord.id == number))
        gone = _drop_empty(store, connection, people)
        count(connection, removals=True)
        checked = checked_note("actor", actor)
        store.ledger.append(connection, checked, "forget recording", None, recording=number)
        for public_id in gone:
            store.ledger.append(connection, checked, "delete", public_id, recording=number)

    store.database.write(work)
    store.database.scrub()


class _Writing:
    """Voices of one recording on their way into the tables.

    Attributes:
        made: numbers of the voiceprints that people got.
        improved: whether somebody who was there already got one.
    """

    def __init__(
        self,
        store: Store,
        connection: Connection,
        heard: int,
        now: datetime,
        guard: Guard,
        expires: datetime | None,
    ) -> None:
        self._store, self._connection, self._heard = store, connection, heard
        self._now, self._guard, self._expires = now, guard, expires
        self.made: dict[int, list[int]] = {}
        self.improved = False

    def put(self, one: Decided) -> Owner:
        """Keep one voice; whose it is."""
        vault, connection = self._store.vault, self._connection
        if one.person is None:
            owner = vault.create_stranger(connection, self._now)
            self._add(owner, one.voice)
        else:
            known = vault.read(connection, PersonRecord.public_id == one.person)
            if known is None:  # the counters have not moved, so somebody made it up
                raise ValueError(f"nobody has the public id {one.person}")
            owner = known
            if owner.stranger is not None and self._improves(owner, one.voice):
                self._add(owner, one.voice)
                self.improved = True
        history.put(connection, owner, self._heard, one.turns)
        return owner

    def _improves(self, owner: Owner, voice: Embedding) -> bool:
        template = self._store.vault.template(self._connection, owner, voice.model)
        if template is None:  # all that there was came from this recording, or was of another model
            return True
        return template.voiceprints < MOST_VOICEPRINTS and self._guard(voice, template)

    def _add(self, owner: Owner, voice: Embedding) -> None:
        vault, made = self._store.vault, self.made.setdefault(owner.id, [])
        at = self._now + timedelta(microseconds=len(made))  # to which it is bound
        new = NewVoiceprint(replace(voice, warnings=()), expires=self._expires)
        made.append(vault.add(self._connection, owner, new, at, self._heard))
        vault.renew(self._connection, owner, voice.model, self._now)


def _clear(store: Store, connection: Connection, heard: int, now: datetime) -> set[int]:
    """Remove what came from a recording, but not the people; the numbers of those who may be left with nothing."""
    people = history.drop_turns(connection, heard)
    made = VoiceprintRecord.heard_id == heard
    rows = connection.execute(select(VoiceprintRecord.person_id, VoiceprintRecord.model).where(made)).all()
    connection.execute(delete(VoiceprintRecord).where(made))
    for person, model in {(row.person_id, row.model) for row in rows}:
        store.vault.renew(connection, store.vault.owner(connection, person), model, now)
    return people | {row.person_id for row in rows}


def _drop_empty(store: Store, connection: Connection, people: set[int]) -> list[str]:
    """Remove those strangers of whom neither a voiceprint nor a turn is left; their public ids."""
    gone = []
    for number in sorted(people):
        owner = store.vault.owner(connection, number)
        left = select(VoiceprintRecord.id).where(VoiceprintRecord.person_id == number)
        if owner.stranger is None or connection.execute(left).first() or history.has_turns(connection, number):
            continue
        remove(connection, owner)
        gone.append(owner.public_id)
    return gone
