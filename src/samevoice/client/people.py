"""The part of the client about people: who is enrolled, who logs in, what was done.

Knows: paths, fields. Does not know: how requests travel.
"""

from __future__ import annotations

from typing import Any

from samevoice.client.persons import (
    AuditCheck,
    Challenge,
    Checked,
    Enrolled,
    Event,
    Events,
    Left,
    Login,
    Page,
    Person,
    Purged,
)
from samevoice.client.transport import Source, Transport


class People:
    """The people of a service.

    Args:
        at: the service.
    """

    def __init__(self, at: Transport) -> None:
        """Keep the service."""
        self._at = at

    def __repr__(self) -> str:
        """The address, never the key."""
        return f"{type(self).__name__}({str(self._at.url)!r})"

    def people(self, pattern: str | None = None, *, limit: int | None = None, after: str | None = None) -> Page:
        """Some of the people.

        Args:
            pattern: of names.
            limit: how many at most.
            after: `next` of the page before.
        """
        return self._at.ask(Page, "GET", "v1", "people", query={"pattern": pattern, "limit": limit, "after": after})

    def person(self, name: str) -> Person:
        """A person; UnknownPerson if nobody has the name.

        Args:
            name: of the person.
        """
        return self._at.ask(Person, "GET", "v1", "people", name)

    def enrol(
        self,
        name: str,
        audio: Source,
        *,
        consent: str | None = None,
        expires_days: int | None = None,
        channel: str | None = None,
        keep_audio: bool | None = None,
        again: bool | None = None,
    ) -> Enrolled:
        """Store a voiceprint; it is on disk when this returns.

        Args:
            name: of the person.
            audio: path or bytes of a recording in which nobody else speaks.
            consent: what the person agreed to.
            expires_days: after which it is removed.
            channel: what it was recorded with.
            keep_audio: keep the speech too, so that another model can be used later.
            again: take it in place of voiceprints of another model.

        Raises:
            EnrolmentRefused: it would make a bad voiceprint.
            NotEnoughSpeech: it has too little speech.
            GalleryError: the voice is not that of the person who has the name.
        """
        form = {
            "name": name,
            "consent": consent,
            "expires_days": expires_days,
            "channel": channel,
            "keep_audio": keep_audio,
            "again": again,
        }
        return self._at.ask(Enrolled, "POST", "v1", "people", form=form, sounds={"audio": audio})

    def check(self, name: str, audio: Source, *, channel: str | None = None) -> Checked:
        """What a recording would be good for; nothing is stored.

        Args:
            name: of the person who would be enrolled.
            audio: as in `enrol`.
            channel: as in `enrol`.
        """
        form = {"name": name, "channel": channel}
        return self._at.ask(Checked, "POST", "v1", "people", "check", form=form, sounds={"audio": audio})

    def rename(self, name: str, to: str) -> Person:
        """Give a person another name.

        Args:
            name: as it is now.
            to: the new one.
        """
        return self._at.ask(Person, "PATCH", "v1", "people", name, body={"name": to})

    def delete(self, name: str) -> None:
        """Remove a person with everything that is known of them.

        Args:
            name: of the person.
        """
        self._at.ask(type(None), "DELETE", "v1", "people", name)

    def export(self, name: str) -> dict[str, Any]:
        """Everything that is known of a person.

        Args:
            name: of the person.
        """
        return self._at.ask(dict[str, Any], "GET", "v1", "people", name, "export")

    def undo(self, name: str) -> Person | None:
        """Take back the last enrolment of a person; None if nothing is left of the person.

        Args:
            name: of the person.
        """
        return self._at.ask(Left, "POST", "v1", "people", name, "undo").person

    def merge(self, name: str, into: str, *, force: bool = False) -> Person | None:
        """Make two entries one.

        Args:
            name: whose entry goes.
            into: who gets what it holds.
            force: do so though the voices do not show that it is one person.
        """
        body = {"into": into, "force": force}
        return self._at.ask(Left, "POST", "v1", "people", name, "merge", body=body).person

    def purge(self) -> int:
        """Remove voiceprints that have expired; how many they were."""
        return self._at.ask(Purged, "POST", "v1", "people", "purge").removed

    def challenge(self, name: str) -> Challenge:
        """Digits that a person shall read out to log in; the same answer for somebody unknown.

        Args:
            name: of the person.
        """
        return self._at.ask(Challenge, "POST", "v1", "login", name, "challenge")

    def login(self, name: str, audio: Source, *, challenge: str | None = None) -> Login:
        """May this voice come in as that person? Only `welcome` says yes; a voice is not a password on its own.

        Args:
            name: whom the speaker claims to be.
            audio: path or bytes of a recording made just now.
            challenge: the id of the challenge that was read out.

        Raises:
            ServiceError: too many attempts (code "attempts"), or the challenge is none (code "challenge").
            UnknownPerson: nobody has the name; told only to those who may enrol.
        """
        return self._at.ask(Login, "POST", "v1", "login", name, form={"challenge": challenge}, sounds={"audio": audio})

    def audit(self, name: str | None = None, *, last: int | None = None) -> tuple[Event, ...]:
        """What was done, in order; of one person if a name is given, only the newest if `last` is.

        Args:
            name: of a person; None for everybody's.
            last: how many of the newest; None for all.
        """
        return self._at.ask(Events, "GET", "v1", "audit", query={"name": name, "last": last}).events

    def check_audit(self) -> AuditCheck:
        """Whether the record of events is as it was written."""
        return self._at.ask(AuditCheck, "GET", "v1", "audit", "check")
