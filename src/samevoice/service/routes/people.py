"""Who is enrolled: enrolling, correcting, taking along, forgetting.

Knows: forms and paths on people. Does not know: how people are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, File, Form, Query, Response, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from samevoice.gallery.gallery import Gallery
from samevoice.gallery.names import LONGEST
from samevoice.gallery.voiceprints import LONGEST_NOTE, Person
from samevoice.service.access import Admin, Enroller
from samevoice.service.door import AtTheDoor
from samevoice.service.namedpaths import MOST_TYPED, Named, NamedRoute, named
from samevoice.service.peoplebodies import (
    AdviceBody,
    CheckedBody,
    EnrolledBody,
    PeopleBody,
    PersonBody,
    checked_body,
    person_body,
)
from samevoice.service.problems import PROBLEMS
from samevoice.service.state import Serving
from samevoice.service.uploads import received
from samevoice.service.wording import done

MOST_DAYS = 36_500
PAGE = 100

router = APIRouter(prefix="/people", tags=["people"], responses=PROBLEMS, route_class=NamedRoute)

Name = Annotated[
    str,
    Form(description="Of the person.", min_length=1, max_length=MOST_TYPED, examples=["Ada Lovelace"]),
]
Audio = Annotated[UploadFile, File(description="One utterance of this person alone: WAV, FLAC, MP3, Ogg or Opus.")]
Channel = Annotated[
    str,
    Form(
        description='What it was recorded with, in your words; "telephone" admits narrow-band sound.',
        max_length=LONGEST_NOTE,
        examples=["headset"],
    ),
]


class NewName(BaseModel):
    """What a person is to be called."""

    name: str = Field(min_length=1, max_length=MOST_TYPED, examples=["Ada King"])


class Merger(BaseModel):
    """Whose entry this one is to become part of."""

    into: str = Field(min_length=1, max_length=MOST_TYPED, examples=["Ada Lovelace"])
    force: bool = Field(False, description="Merge though the voices do not show that it is one person.")


class PersonAnswer(BaseModel):
    """A person after a change."""

    person: PersonBody | None = Field(description="Null if nothing is left of the person.")


class Purged(BaseModel):
    """How many voiceprints had expired and were removed."""

    removed: int = Field(examples=[2])


@router.get("", summary="Who is enrolled", operation_id="list_people")
async def list_people(
    service: Serving,
    caller: Enroller,
    pattern: Annotated[
        str | None,
        Query(
            description="Part of a name, or a whole one in which * stands for any signs and ? for one.",
            max_length=LONGEST,
            examples=["Ada*"],
        ),
    ] = None,
    limit: Annotated[int, Query(description="People on a page.", ge=1, le=1_000)] = PAGE,
    after: Annotated[
        str | None, Query(description="`next` of the page before; none for the first.", max_length=LONGEST)
    ] = None,
) -> PeopleBody:
    """Everybody who is enrolled, or was heard in a recording and remembered, a page at a time, the oldest first."""
    people = await done(service, caller, lambda gallery: gallery.people(pattern))
    return _page(people, after or "", limit)


@router.post("", summary="Enrol somebody", operation_id="enrol", status_code=201)
async def enrol(
    service: Serving,
    caller: Enroller,
    name: Name,
    audio: Audio,
    consent: Annotated[
        str | None,
        Form(description="What the person agreed to, in your words.", max_length=LONGEST_NOTE, examples=["asked"]),
    ] = None,
    expires_days: Annotated[
        int | None, Form(description="After how many days to forget it; never if not given.", ge=1, le=MOST_DAYS)
    ] = None,
    channel: Channel = "",
    keep_audio: Annotated[
        bool, Form(description="Keep the sound too, sealed, so that another model can embed it later.")
    ] = False,
    again: Annotated[
        bool, Form(description="Take it in place of voiceprints of another model, on your word that it is one voice.")
    ] = False,
) -> EnrolledBody:
    """Enrol one utterance: of somebody new, or as a further voiceprint of somebody enrolled.

    What would make a bad voiceprint is refused (422, code "refused"), with reasons that say what to do. Adding to
    a person asks for more evidence than a login does. When this answers 201, the voiceprint is on disk.
    """
    who = named(name)
    expires = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
    async with received(audio, service) as clip:

        def work(gallery: Gallery) -> EnrolledBody:
            found = gallery.enrol(
                who,
                clip.sound,
                channel=channel,
                consent=consent or None,
                expires=expires,
                keep_audio=keep_audio,
                again=again,
            )
            advice = [AdviceBody.model_validate(one) for one in found.advice]
            return EnrolledBody(person=person_body(found.person), advice=advice)

        return await done(service, caller, work)


@router.post("/check", summary="Would this recording do?", operation_id="check_recording")
async def check_recording(
    service: Serving, caller: Enroller, name: Name, audio: Audio, channel: Channel = ""
) -> CheckedBody:
    """What enrolling would say about a recording; nothing is stored."""
    who = named(name)
    async with received(audio, service) as clip:

        def work(gallery: Gallery) -> CheckedBody:
            return checked_body(gallery.coach(who, clip.sound, channel=channel))

        return await done(service, caller, work)


@router.post("/purge", summary="Forget what has expired", operation_id="purge_people")
async def purge_people(service: Serving, door: AtTheDoor, caller: Admin) -> Purged:
    """Remove the voiceprints that have expired, and the people of whom nothing is left.

    It happens by itself before anything is compared with them; this is for those who want to see it done.
    """

    def work(gallery: Gallery) -> int:
        removed = gallery.purge()
        door.forget_gone()
        return removed

    return Purged(removed=await done(service, caller, work))


@router.get("/{name}", summary="One person", operation_id="get_person")
async def get_person(service: Serving, caller: Enroller, name: Named) -> PersonBody:
    """Who that is, and what of this person is enrolled; no numbers of the voice."""
    return person_body(await done(service, caller, lambda gallery: gallery.person(name)))


@router.patch("/{name}", summary="Give somebody another name", operation_id="rename_person")
async def rename_person(service: Serving, caller: Admin, name: Named, change: Annotated[NewName, Body()]) -> PersonBody:
    """In all history too; the old name is not kept."""
    new = named(change.name)
    return person_body(await done(service, caller, lambda gallery: gallery.rename(name, new)))


@router.delete("/{name}", summary="Forget somebody", operation_id="delete_person", status_code=204)
async def delete_person(service: Serving, door: AtTheDoor, caller: Admin, name: Named) -> Response:
    """Remove a person, with the key and all that was sealed under it. It cannot be undone, and holds at once."""

    def work(gallery: Gallery) -> None:
        person = gallery.person(name).id
        gallery.delete(name)
        door.earlier.forget(person)

    await done(service, caller, work)
    return Response(status_code=204)


@router.get(
    "/{name}/export",
    summary="All that is known of somebody",
    operation_id="export_person",
    responses={200: {"description": "Everything, unsealed, as one JSON file to take along."}},
)
async def export_person(service: Serving, caller: Admin, name: Named) -> JSONResponse:
    """A copy of the data: name, times, consent, voiceprints, traces, kept sound, recordings, events."""

    def work(gallery: Gallery) -> JSONResponse:
        told: dict[str, Any] = gallery.export(name)
        # The name of the file is the public id: a person's name is never made part of a path, here nor there.
        return JSONResponse(told, headers={"Content-Disposition": f'attachment; filename="person-{told["id"]}.json"'})

    return await done(service, caller, work)


@router.post("/{name}/undo", summary="Take back the last enrolment", operation_id="undo_enrolment")
async def undo_enrolment(service: Serving, door: AtTheDoor, caller: Admin, name: Named) -> PersonAnswer:
    """Take back what was last added to a person: a recording, or the voiceprints that came by a merger."""

    def work(gallery: Gallery) -> Person | None:
        person = gallery.person(name).id
        left = gallery.undo(name)
        if left is None:
            door.earlier.forget(person)
        return left

    left = await done(service, caller, work)
    return PersonAnswer(person=None if left is None else person_body(left))


@router.post("/{name}/merge", summary="Make two people one", operation_id="merge_people")
async def merge_people(
    service: Serving, door: AtTheDoor, caller: Admin, name: Named, merger: Annotated[Merger, Body()]
) -> PersonAnswer:
    """Give all voiceprints of this person to another one, and remove this entry."""
    into = named(merger.into)

    def work(gallery: Gallery) -> Person:
        gone = gallery.person(name).id
        person = gallery.merge(name, into, force=merger.force)
        door.earlier.merge(gone, person.id)
        return person

    return PersonAnswer(person=person_body(await done(service, caller, work)))


def _page(people: Sequence[Person], after: str, limit: int) -> PeopleBody:
    """One page. Where it begins is a place in the order, not a person, who may be gone by then."""
    rest = [one for one in sorted(people, key=_place) if _place(one) > after]
    shown = rest[:limit]
    following = _place(shown[-1]) if len(rest) > limit else None
    return PeopleBody(people=[person_body(one) for one in shown], total=len(people), next=following)


def _place(person: Person) -> str:
    """A text that orders people by when they came, and no two alike."""
    return f"{person.created.astimezone(UTC).isoformat(timespec='microseconds')} {person.id}"
