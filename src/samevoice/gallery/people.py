"""Who is enrolled or was heard, and what they may ask for: to see, to correct, to take along, to be forgotten.

No model is needed.

Knows: the store, the cache files that must forget too. Does not know: models, audio, decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from samevoice.gallery.audit import Event
from samevoice.gallery.cache import forget
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.history import Recording
from samevoice.gallery.indexes import neighbours_of
from samevoice.gallery.ledger import AuditReport
from samevoice.gallery.remembering import forget as forget_recording
from samevoice.gallery.store import Store
from samevoice.gallery.voiceprints import Person, checked_note

__all__ = ["People"]

Result = TypeVar("Result")

_caller: ContextVar[str | None] = ContextVar("caller", default=None)


class People:
    """The people of a gallery; for several threads and processes at once.

    Attributes:
        store: where they are.

    Args:
        place: path of a file, or a URL that starts with postgresql://; by default `$SAMEVOICE_GALLERY`, or a file in
            the user's data folder.
        key: the master key; by default found as `keys` says.
        create: make the gallery, and its key, where there is none.
        actor: who does what is done, for the record of events.

    Raises:
        GalleryError: the gallery cannot be opened, or has another key.
        ConfigError: a setting cannot be honoured.
    """

    def __init__(
        self,
        place: str | Path | None = None,
        *,
        key: MasterKey | None = None,
        create: bool = True,
        actor: str = "local",
    ) -> None:
        """Open the store."""
        self._opener = actor
        self.store = Store.open(place, key=key, create=create)

    @contextmanager
    def acting(self, actor: str) -> Iterator[Self]:
        """Do what is done within the block for somebody else, whom the record of events then names.

            with gallery.acting("front desk") as acting:
                acting.delete("Ada")

        It holds for the thread or task that runs the block, and for no other, so one open gallery serves many callers.

        Args:
            actor: who does it; of every gallery that the block changes.

        Raises:
            ConfigError: that is too long, or holds control characters.
        """
        before = _caller.set(checked_note("actor", actor))
        try:
            yield self
        finally:
            _caller.reset(before)

    def people(self, pattern: str | None = None) -> list[Person]:
        """Who is enrolled or was remembered, in the order in which they came.

        Args:
            pattern: part of a name, or a whole one in which * stands for any signs and ? for one; None for all.
        """
        return self.store.people(pattern)

    def person(self, name: str) -> Person:
        """The person of that name.

        Args:
            name: of the person; capitals and small letters are one.

        Raises:
            UnknownPerson: nobody has it.
        """
        return self.store.person(name)

    def rename(self, name: str, to: str) -> Person:
        """Give a person another name, in all history too; the old one is not kept.

        A stranger who is named stays one who was heard only: known in recordings, never let in. `enrol` ends that.

        Args:
            name: as it is now.
            to: the new one.

        Raises:
            UnknownPerson: nobody has the name.
            GalleryError: somebody else has the new one.
        """
        return self.store.rename(name, to, actor=self._actor)

    def undo(self, name: str) -> Person | None:
        """Take back the last enrolment of a person; None if nothing is left of the person.

        Args:
            name: of the person.

        Raises:
            UnknownPerson: nobody has the name.
            GalleryError: what came last is the history of a stranger who was merged in, which cannot be parted again.
        """
        return self._forgetting(lambda: self.store.remove_last(name, actor=self._actor))

    def delete(self, name: str) -> None:
        """Remove a person with the key and all that was sealed under it.

        Args:
            name: of the person.

        Raises:
            UnknownPerson: nobody has the name.
        """
        self._forgetting(lambda: self.store.delete(name, actor=self._actor))

    def purge(self, before: datetime | None = None, *, patient: bool = True) -> int:
        """Remove the voiceprints that have expired, now or by a given time; how many they were.

        Args:
            before: a time with its zone; by default now.
            patient: wait until nobody reads the old state any more, so that no copy is left when this returns; if not,
                the next change sees to that.
        """
        return self._forgetting(lambda: self.store.purge(before, actor=self._actor, patient=patient))

    def export(self, name: str) -> dict[str, Any]:
        """Everything that is known of one person, as plain JSON.

        Args:
            name: of the person.

        Raises:
            UnknownPerson: nobody has the name.
        """
        return self.store.export(name, actor=self._actor)

    def recordings(self, name: str | None = None) -> list[Recording]:
        """The recordings that were remembered, in the order in which they came; without turns.

        Args:
            name: only those in which this person was heard.

        Raises:
            UnknownPerson: nobody has the name.
        """
        return self.store.heard(name)

    def recording(self, number: int) -> Recording:
        """One of them with all turns, under the names that people have now.

        Args:
            number: its `id`.

        Raises:
            GalleryError: there is none of that number.
        """
        return self.store.heard_recording(number)

    def forget_recording(self, number: int) -> None:
        """Remove a recording with its turns, the voiceprints made of it, and the strangers of whom nothing is left.

        Args:
            number: its `id`.

        Raises:
            GalleryError: there is none of that number.
        """
        self._forgetting(lambda: forget_recording(self.store, number, actor=self._actor))

    def events(self, name: str | None = None, last: int | None = None) -> list[Event]:
        """What was done, in order; of one person if a name is given, only the newest if `last` is.

        Args:
            name: of a person; None for everybody's.
            last: how many of the newest; None for all.
        """
        return self.store.events(name, last)

    def audit(self) -> AuditReport:
        """Whether the record of events is as it was written."""
        return self.store.audit()

    def close(self) -> None:
        """Close all connections."""
        self.store.close()

    def __enter__(self) -> Self:
        """The gallery, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Where it is; no password, no key."""
        return f"{type(self).__name__}({self.store.database.where})"

    @property
    def _actor(self) -> str:
        """Who does what is done here and now."""
        return _caller.get() or self._opener

    def _forgetting(self, remove: Callable[[], Result]) -> Result:
        """Remove something, and leave nothing of it in cache files and the server's index, whatever fails meanwhile."""
        try:
            return remove()
        finally:
            forget(self.store.near, self.store.template_owners, self.store.index_key)
            if (neighbours := neighbours_of(self.store, self.store.model())) is not None:
                neighbours.refresh()
