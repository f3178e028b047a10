"""The store of a gallery: every change in one transaction, with the event that tells of it.

    with Store.open("voices.db") as store:
        store.add("Ada", NewVoiceprint(embedding))
        store.template("Ada", embedding.model)

Knows: transactions, what must change together. Does not know: audio, decisions, searching; how to read (`archive`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Set
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, delete, select, update

from samevoice.errors import GalleryError
from samevoice.gallery import history, register
from samevoice.gallery.archive import Archive
from samevoice.gallery.audit import Detail
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.database import Database
from samevoice.gallery.founding import default_place, founded, model_of, refuse_other, set_model
from samevoice.gallery.names import checked_name, refuse_reserved, shown
from samevoice.gallery.owners import Owner, remove
from samevoice.gallery.records import CHANGES, REMOVALS, CounterRecord, VoiceprintRecord
from samevoice.gallery.voiceprints import NewVoiceprint, Person, Template, checked_note, plain

Result = TypeVar("Result")
Check = Callable[[Template | None], None]
Comparison = Callable[[Template | None, Template | None], None]

ARRIVALS = ("enrol", "enrol again", "hear", "merge")  # events by which a person gets voiceprints


class Store(Archive):
    """An archive that can be changed."""

    @staticmethod
    def open(place: str | Path | None = None, *, key: MasterKey | None = None, create: bool = True) -> Store:
        """Open a gallery.

        Args:
            place: path of a file, or a URL that starts with postgresql://; `default_place` if None.
            key: the master key; found by `keys.find_keys` if None.
            create: make the gallery, and its key, where there is none.

        Raises:
            GalleryError: it is not there, cannot be opened, is damaged, or has another key.
            ConfigError: the URL or a setting cannot be honoured.
        """
        place = default_place(create=create) if place is None else place
        database = Database.open(place, create=create)
        try:
            return Store(database, *founded(database, place, key, create=create))
        except BaseException:
            database.close()
            raise

    def add(
        self,
        name: str,
        new: NewVoiceprint,
        *,
        actor: str = "local",
        expect: Literal["new", "known", "any"] = "any",
        again: bool = False,
        check: Check | None = None,
    ) -> Person:
        """Enrol an utterance, at the same cost however many people there are.

        Args:
            name: of the person.
            new: the utterance.
            actor: who does it, for the events.
            expect: whether the person must be new, must be enrolled, or may be either. A stranger counts as either:
                what was enrolled replaces what was heard, and the history stays.
            again: take the voiceprint in place of those of another model, where a person has no others: nothing shows
                that it is the same voice.
            check: sees the person's template of the same model as it is now (None if there is none), while nobody
                else can change it; may raise, and nothing is changed. Called again if the database was busy.

        Returns:
            The person with the new voiceprint.

        Raises:
            GalleryError: the name is none, is taken (`expect="new"`) or a stranger's, or the voiceprint has expired
                already.
            FingerprintMismatch: the gallery is bound to another model.
        """
        name = checked_name(name)
        model = new.embedding.model
        replaced = False

        def work(connection: Connection) -> Person:
            nonlocal replaced
            now = datetime.now(UTC)
            refuse_other(model_of(connection), model)
            if new.expires is not None and new.expires <= now:
                raise GalleryError(f"{shown(name)}: the voiceprint would expire at {new.expires}, which is past")
            owner = self.vault.find(connection, name)
            if owner is not None and owner.stranger is None and expect == "new":
                raise GalleryError(f"{shown(name)} is enrolled already; choose another name, or add to this person")
            if owner is None and expect == "known":
                raise register.nobody(connection, name)
            if owner is None:
                refuse_reserved(name, None)
            template = None if owner is None else self.vault.template(connection, owner, model)
            if check is not None:
                check(template)
            bound = model_of(connection) is not None
            anew = bound and owner is not None and template is None and _has_voiceprints(connection, owner)
            if anew and not again:
                raise GalleryError(
                    f"{shown(name)} has voiceprints of another model only: nothing shows that it is the same voice; "
                    "if you know it, enrol again in their place (--again)"
                )
            known = owner is not None
            owner = owner or self.vault.create(connection, name, now)
            heard = owner.stranger
            if heard is not None:
                owner = self.vault.promote(connection, owner)
            number = self.vault.add(connection, owner, new, now)
            replaced = anew or heard is not None
            if replaced:
                others = (VoiceprintRecord.person_id == owner.id, VoiceprintRecord.id != number)
                connection.execute(delete(VoiceprintRecord).where(*others))
            self.vault.renew(connection, owner, model, now)
            count(connection, removals=known)
            was: dict[str, Detail] = {} if heard is None else {"stranger": heard}
            action = "enrol again" if anew else "enrol"
            self._tell(connection, actor, action, owner, voiceprints=[number], model=model, **was)
            return register.person(connection, owner.public_id)

        person = self.database.write(work)
        if replaced:
            self.database.scrub()
        return person

    def require_model(self, model: str) -> None:
        """Bind the gallery to a model, if it is not yet: then only voiceprints of that model are added.

        Args:
            model: fingerprint.

        Raises:
            FingerprintMismatch: it is bound to another.
        """

        def bind(connection: Connection) -> None:
            if model_of(connection) is None:  # another process may have been faster
                set_model(connection, model)

        if self.model() is None:
            self.database.write(bind)
        refuse_other(self.model(), model)

    def rename(self, name: str, to: str, *, actor: str = "local") -> Person:
        """Give a person another name; the old one is not kept.

        Raises:
            GalleryError: somebody else has that name, or it is a stranger's.
        """
        to = checked_name(to)

        def work(connection: Connection) -> Person:
            owner, other = self._owner(connection, name), self.vault.find(connection, to)
            if other is not None and other.id != owner.id:
                raise GalleryError(f"{shown(to)} is enrolled already; choose another name, or merge the two")
            refuse_reserved(to, owner.stranger)
            self.vault.rename(connection, owner, to)
            self._tell(connection, actor, "rename", owner)
            return register.person(connection, owner.public_id)

        return self._scrubbed(work)

    def merge(self, source: str, into: str, *, actor: str = "local", check: Comparison | None = None) -> Person:
        """Give all voiceprints of one person to another, and the history, and remove the one.

        What was heard does not become what is enrolled: of a stranger an enrolled person gets the history only.

        Args:
            source: whose they are.
            into: who gets them.
            actor: who does it, for the events.
            check: sees the templates of both, of the gallery's model (None where there is none); may raise, and nothing
                is changed.

        Raises:
            GalleryError: both names are of one person, or an enrolled person would become part of a stranger.
        """

        def work(connection: Connection) -> Person:
            now = datetime.now(UTC)
            giver, taker = self._owner(connection, source), self._owner(connection, into)
            if giver.id == taker.id:
                raise GalleryError(f"{shown(source)} and {shown(into)} are one person already; name two")
            if giver.stranger is None and taker.stranger is not None:
                raise GalleryError(
                    f"{shown(taker.name)} was heard and is not enrolled; merge the other way round, into "
                    f"{shown(giver.name)}"
                )
            if check is not None:
                model = model_of(connection) or ""
                check(*(self.vault.template(connection, owner, model) for owner in (giver, taker)))
            moved: list[Detail] = []
            if giver.stranger is None or taker.stranger is not None:
                moved = [one.id for one in register.person(connection, giver.public_id).voiceprints]
                for model in self.vault.move(connection, giver, taker):
                    self.vault.renew(connection, taker, model, now)
            history.move(connection, giver, taker)
            remove(connection, giver)
            count(connection, removals=True)
            forced = check is None
            self._tell(connection, actor, "merge", taker, source=giver.public_id, voiceprints=moved, forced=forced)
            return register.person(connection, taker.public_id)

        return self._scrubbed(work)

    def remove_last(self, name: str, *, actor: str = "local") -> Person | None:
        """Undo what was last done to a person: an enrolment, or a merger with all voiceprints that came by it.

        Returns:
            The person; None if nothing else was there, so that the person is removed too.

        Raises:
            GalleryError: a merger came last that brought history alone, which stays.
        """

        def work(connection: Connection) -> Person | None:
            owner = self._owner(connection, name)
            here = {one.id: one.model for one in register.person(connection, owner.public_id).voiceprints}
            if not here:  # a stranger whose recordings were forgotten
                raise GalleryError(f"{shown(name)} has no voiceprint that could be taken back; see: people delete")
            newest = self._came_last(connection, owner, here.keys())
            stays = self._forget(connection, owner, {number: here[number] for number in here.keys() & set(newest)})
            self._tell(connection, actor, "roll back", owner, voiceprints=newest)
            return register.person(connection, owner.public_id) if stays else None

        return self._scrubbed(work)

    def delete(self, name: str, *, actor: str = "local") -> None:
        """Remove a person with the key and all that was sealed under it; the events keep the public id only.

        In a file nothing is left when this returns. A server keeps old rows, the wrapped key among them, in its log and
        its backups until it recycles them: they tell nothing without the master key, but with it they do (see `rekey`).
        """

        def work(connection: Connection) -> None:
            owner = self._owner(connection, name)
            remove(connection, owner)
            count(connection, removals=True)
            self._tell(connection, actor, "delete", owner)

        self._scrubbed(work)

    def purge(self, before: datetime | None = None, *, actor: str = "local", patient: bool = True) -> int:
        """Remove the voiceprints that have expired, and the people of whom nothing is left.

        Args:
            before: a time with its zone; now if None.
            actor: who does it, for the events.
            patient: wait until nobody reads the old state any more, so that no copy is left when this returns.

        Returns:
            How many voiceprints were removed.
        """

        def work(connection: Connection) -> int:
            rows = connection.execute(
                select(VoiceprintRecord.person_id, VoiceprintRecord.id, VoiceprintRecord.model)
                .where(VoiceprintRecord.expires <= (before or datetime.now(UTC)))
                .order_by(VoiceprintRecord.person_id)
            ).all()
            for person, expired in groupby(rows, attrgetter("person_id")):
                owner, gone = self.vault.owner(connection, person), {row.id: row.model for row in expired}
                self._forget(connection, owner, gone)
                self._tell(connection, actor, "purge", owner, voiceprints=sorted(gone))
            return len(rows)

        return self._scrubbed(work, patient=patient)

    def export(self, name: str, *, actor: str = "local") -> dict[str, Any]:
        """All that is known of one person, as plain JSON: vectors, traces and kept sounds (base64), and events."""

        def work(connection: Connection) -> dict[str, Any]:
            owner = self._owner(connection, name)
            self._tell(connection, actor, "export", owner)
            person = register.person(connection, owner.public_id)
            vectors, sounds = self.vault.vectors(connection, owner), self.vault.recordings(connection, owner)
            told = asdict(person)
            for voiceprint in told["voiceprints"]:
                number = voiceprint["id"]
                voiceprint["vector"] = vectors[number].tolist()
                sound = sounds.get(number)
                voiceprint["audio_flac"] = None if sound is None else base64.b64encode(sound).decode()
            traces = self.vault.traces(connection, owner.public_id)
            told["traces"] = [base64.b64encode(trace).decode() for trace in traces]
            told["recordings"] = history.told_of(connection, owner)
            told["events"] = [asdict(event) for event in self.ledger.events(connection, owner.public_id, None)]
            everything: dict[str, Any] = plain(told)
            return everything

        return self.database.write(work)

    def _scrubbed(self, work: Callable[[Connection], Result], *, patient: bool = True) -> Result:
        """A change that removes something: when it returns, no copy is left in the file or its log."""
        result = self.database.write(work)
        self.database.scrub(patient=patient)
        return result

    def _forget(self, connection: Connection, owner: Owner, gone: dict[int, str]) -> bool:
        """Remove voiceprints, given with their models; whether the person is still there."""
        heirs = select(VoiceprintRecord.id, VoiceprintRecord.model).where(VoiceprintRecord.predecessor.in_(gone))
        gone = gone | {row.id: row.model for row in connection.execute(heirs)}
        connection.execute(delete(VoiceprintRecord).where(VoiceprintRecord.id.in_(gone)))
        stays = _has_voiceprints(connection, owner)
        for model in set(gone.values()) if stays else ():
            self.vault.renew(connection, owner, model, datetime.now(UTC))
        if not stays:
            remove(connection, owner)
        count(connection, removals=True)
        return stays

    def _came_last(self, connection: Connection, owner: Owner, here: Set[int]) -> list[Detail]:
        """What came to a person by the last event that brought some of the voiceprints that are here.

        Raises:
            GalleryError: history alone came after it, and is still there.
        """
        for event in reversed(self.ledger.events(connection, owner.public_id, None)):
            came = event.detail.get("voiceprints")
            if event.action not in ARRIVALS or not isinstance(came, list):
                continue
            if event.action == "merge" and not came and history.has_turns(connection, owner.id):
                raise GalleryError(
                    f"what came to {shown(owner.name)} last is the history of another entry, which cannot be parted "
                    "again; forget the recordings with: samevoice recordings forget, or the person with: samevoice "
                    "people delete"
                )
            if here & set(came):
                return came
        return [max(here)]

    def _tell(self, connection: Connection, actor: str, action: str, owner: Owner, **detail: Detail) -> None:
        self.ledger.append(connection, checked_note("actor", actor), action, owner.public_id, **detail)


def _has_voiceprints(connection: Connection, owner: Owner) -> bool:
    """Whether a person has voiceprints, of whichever model."""
    one = select(VoiceprintRecord.id).where(VoiceprintRecord.person_id == owner.id).limit(1)
    return connection.execute(one).scalar() is not None


def count(connection: Connection, *, removals: bool) -> None:
    """Tell indexes in other processes that templates changed, once all are written.

    Counted as removals too unless all that is new comes after the rest.
    A template that an old person gets for another model counts as a change too, for its number is an old one.
    """
    for name in (CHANGES, REMOVALS) if removals else (CHANGES,):
        connection.execute(
            update(CounterRecord).where(CounterRecord.name == name).values(value=CounterRecord.value + 1)
        )
