"""What can be asked of a gallery; every question sees one state of it.

Knows: reading transactions. Does not know: how anything is changed (`store`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path
from sqlalchemy import Connection, Select, select

from samevoice.gallery import history, register
from samevoice.gallery.audit import Event
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.database import Database
from samevoice.gallery.failures import DamagedError
from samevoice.gallery.founding import model_of
from samevoice.gallery.history import Recording
from samevoice.gallery.layout import Moment, key_of
from samevoice.gallery.ledger import AuditReport, Ledger
from samevoice.gallery.names import checked_name
from samevoice.gallery.owners import Owner
from samevoice.gallery.records import (
    CHANGES,
    REMOVALS,
    CounterRecord,
    PersonRecord,
    TemplateRecord,
    VoiceprintRecord,
)
from samevoice.gallery.register import Size
from samevoice.gallery.vault import Vault, is_stranger
from samevoice.gallery.voiceprints import Person, Template, Templates, checked_note
from samevoice.models.embedding import Embedding

Result = TypeVar("Result")

BATCH = 10_000
LAST = 2**63 - 1  # after every number of a person or of an event


class Archive:
    """People, voiceprints and templates of one gallery; for many threads and many processes at once.

    Every method raises GalleryError when the database cannot be used, and UnknownPerson for a name that nobody has.

    Attributes:
        database: where it all lies.
        key: the master key.
        id: the gallery's own id, the same wherever it is opened from.
        vault: reads and writes people within a transaction.
        ledger: reads and writes events within a transaction.
    """

    def __init__(self, database: Database, key: MasterKey, identity: str, ledger: Ledger) -> None:
        """Keep the parts; `Store.open` makes them."""
        self.database = database
        self.key = key
        self.id = identity
        self.vault = Vault(key)
        self.ledger = ledger

    @property
    def near(self) -> Path:
        """What cache files are named after: the database, or on a server the gallery's id in the user's folder."""
        return self.database.path or user_cache_path("samevoice", appauthor=False) / f"gallery-{self.id}"

    @property
    def index_key(self) -> bytes:
        """Of the checks in the cache files."""
        return key_of(self.key, self.id)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    def __enter__(self) -> Self:
        """The gallery, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Where it is; no password, no key."""
        return f"{type(self).__name__}({self.database.where})"

    def people(self, pattern: str | None = None) -> list[Person]:
        """Who is enrolled or was remembered, in the order in which they came.

        Args:
            pattern: part of a name, or a whole one in which * stands for any signs and ? for one; None for all.
        """
        which = None if pattern is None else register.like(checked_note("pattern", pattern))
        return self.database.read(lambda connection: register.people(connection, which))

    def person(self, name: str) -> Person:
        """The person of that name, however it is written: upper or lower case, wide or composed.

        Raises:
            UnknownPerson: nobody has it; names those that somebody may have meant.
        """

        def work(connection: Connection) -> Person:
            return register.person(connection, self._owner(connection, name).public_id)

        return self.database.read(work)

    def owners(self, model: str, ids: Sequence[int], *, strangers: bool = False) -> dict[int, tuple[str, str, float]]:
        """Public id, name and seconds of speech of templates by the numbers of people; those gone are left out."""
        return self.database.read(lambda connection: self.vault.owners(connection, model, ids, strangers=strangers))

    def template(self, name: str, model: str) -> Template | None:
        """A person's template; None if nothing of the person was enrolled with that model, or all has expired."""
        return self._of(name, lambda connection, owner: self.vault.template(connection, owner, model))

    def templates(self, model: str, *, since: int = 0, strangers: bool = False) -> Iterator[Templates]:
        """The templates of a model in batches of up to 10,000, in the order in which they were written.

        Each batch is one state of the gallery; what is written meanwhile comes too, once more if it came before.

        Args:
            model: fingerprint.
            since: only what was written after the count of changes (see `counters`) was this.
            strangers: those of people who were heard, not of those enrolled.
        """
        after = (int(since), LAST)
        some = partial(self.vault.templates, model=model, most=BATCH, strangers=strangers)
        while batch := self.database.read(partial(some, after=after)):
            templates, after = batch
            yield templates

    def template_ids(self, model: str, *, strangers: bool = False) -> NDArray[np.int64]:
        """Numbers of the people enrolled, or of the strangers, with a template of a model; ascending, int64 (n,)."""
        wanted = select(TemplateRecord.person_id).join(PersonRecord, PersonRecord.id == TemplateRecord.person_id)
        return self._numbers(
            wanted.where(TemplateRecord.model == model, is_stranger() if strangers else ~is_stranger())
        )

    def template_owners(self) -> NDArray[np.int64]:
        """Numbers of the people who have a template of any model, ascending, int64 (n,)."""
        return self._numbers(select(TemplateRecord.person_id).distinct())

    def counters(self) -> tuple[int, int]:
        """How often templates changed, and how often one of them was removed or altered.

        While the second stays the same, all that is new has numbers after those that were there before.
        """
        return self.database.read(counters)

    def moment(self) -> Moment:
        """How far the gallery has come, as an index must know it."""
        return self.database.read(lambda connection: Moment(*counters(connection), *self.ledger.newest(connection)))

    def has_been_at(self, moment: Moment) -> bool:
        """Whether the gallery was at a moment once; not if an older copy of it was put back since."""
        return self.database.read(lambda connection: self.ledger.holds(connection, moment.event, moment.digest))

    def embeddings(self, name: str, model: str) -> list[Embedding]:
        """A person's voiceprints of one model that are not expired, in the order of enrolment."""
        return self._of(
            name, lambda connection, owner: self.vault.embeddings(connection, owner, model, datetime.now(UTC))
        )

    def traces(self, person: str) -> list[bytes]:
        """The traces of the sounds that the person of a public id was enrolled with; none if nobody has it."""
        return self.database.read(lambda connection: self.vault.traces(connection, person))

    def recording(self, number: int) -> bytes | None:
        """The kept sound of a voiceprint, as a FLAC file; None if it was not kept, or is gone."""
        return self.database.read(lambda connection: self.vault.recording(connection, number))

    def heard(self, name: str | None = None) -> list[Recording]:
        """The recordings that were remembered, or those in which a person was heard; without turns."""

        def work(connection: Connection) -> list[Recording]:
            return history.overview(connection, None if name is None else self._owner(connection, name).id)

        return self.database.read(work)

    def heard_recording(self, number: int) -> Recording:
        """One of them, with all turns.

        Raises:
            GalleryError: there is none of that number.
        """
        return self.database.read(lambda connection: history.recording(connection, self.vault, number))

    def has_expired(self) -> bool:
        """Whether there is anything to `purge`."""
        expired = select(VoiceprintRecord.id).where(VoiceprintRecord.expires <= datetime.now(UTC)).limit(1)
        return self.database.read(lambda connection: connection.execute(expired).first() is not None)

    def size(self) -> Size:
        """How much there is."""
        return self.database.read(register.size)

    def model(self) -> str | None:
        """Fingerprint of the model that makes the voiceprints; None if none was chosen yet."""
        return self.database.read(model_of)

    def events(self, name: str | None = None, last: int | None = None) -> list[Event]:
        """What was done, in order.

        Args:
            name: only what concerns this person.
            last: only so many, the newest.
        """

        def work(connection: Connection) -> list[Event]:
            person = None if name is None else self._owner(connection, name).public_id
            return self.ledger.events(connection, person, None if last is None else min(last, LAST))

        return self.database.read(work)

    def audit(self) -> AuditReport:
        """Whether the events are as they were written: the whole chain is read."""
        return self.database.read(self.ledger.report)

    def _numbers(self, wanted: Select[Any]) -> NDArray[np.int64]:
        wanted = wanted.order_by(TemplateRecord.person_id)
        return self.database.read(lambda connection: np.fromiter(connection.execute(wanted).scalars(), dtype=np.int64))

    def _of(self, name: str, ask: Callable[[Connection, Owner], Result]) -> Result:
        """The answer to a question about one person."""
        return self.database.read(lambda connection: ask(connection, self._owner(connection, name)))

    def _owner(self, connection: Connection, name: str) -> Owner:
        owner = self.vault.find(connection, checked_name(name))
        if owner is None:
            raise register.nobody(connection, name)
        return owner


def counters(connection: Connection) -> tuple[int, int]:
    """Changes and removals."""
    rows = connection.execute(select(CounterRecord.name, CounterRecord.value))
    values = {row.name: row.value for row in rows}
    if not {CHANGES, REMOVALS} <= values.keys():
        raise DamagedError
    return values[CHANGES], values[REMOVALS]
