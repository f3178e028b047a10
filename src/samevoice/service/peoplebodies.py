"""What the routes on people answer: the shapes of their JSON.

Knows: people, voiceprints, advice. Does not know: routes, galleries.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from samevoice.gallery.coach import Coached
from samevoice.gallery.voiceprints import Person

VOICEPRINT_EXAMPLE: dict[str, JsonValue] = {
    "id": 1,
    "model": "campplus@2ccf1a00b9ef5a5e",
    "seconds": 6.3,
    "snr_db": 31.5,
    "bandwidth_hz": 8000.0,
    "clipped": 0.0,
    "channel": "",
    "consent": "asked on 3 May",
    "created": "2026-05-03T09:12:44.318000+00:00",
    "expires": "2027-05-03T09:12:44.318000+00:00",
    "kept_audio": False,
}
PERSON_EXAMPLE: dict[str, JsonValue] = {
    "id": "6cf20df8292848c495802872828f98fa",
    "name": "Ada Lovelace",
    "created": "2026-05-03T09:12:44.318000+00:00",
    "enrolled": True,
    "voiceprints": [VOICEPRINT_EXAMPLE],
}
ADVICE_EXAMPLE: dict[str, JsonValue] = {
    "code": "short-speech",
    "refuses": False,
    "sentence": "3.2 s of speech will do, but 5 s or more are recognised more surely",
}


class VoiceprintBody(BaseModel):
    """One enrolled utterance; the numbers that a voice became are never told."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [VOICEPRINT_EXAMPLE]})

    id: int = Field(description="Its number in the gallery.")
    model: str = Field(description="Fingerprint of the model that made it.")
    seconds: float = Field(description="Speech behind it.")
    snr_db: float | None = Field(description="Level of speech over that of noise; null if unknown.")
    bandwidth_hz: float | None = Field(description="Highest frequency that the sound really used; null if unknown.")
    clipped: float = Field(description="Share of clipped samples, from 0 to 1.")
    channel: str = Field(description="What it was recorded with, in the words of whoever enrolled it.")
    consent: str | None = Field(description="What the person agreed to; null if nobody wrote it down.")
    created: datetime = Field(description="When it was enrolled.")
    expires: datetime | None = Field(description="When it will be forgotten; null for never.")
    kept_audio: bool = Field(description="Whether the sound was kept, sealed.")


class PersonBody(BaseModel):
    """Somebody who is enrolled, or was heard in a recording and remembered."""

    model_config = ConfigDict(json_schema_extra={"examples": [PERSON_EXAMPLE]})

    id: str = Field(description="Public id: never changes, is never given to anybody else.")
    name: str = Field(description="As it was written.")
    created: datetime = Field(description="When first enrolled or heard.")
    enrolled: bool = Field(
        description="Whether the person can log in; not so if only heard, or enrolled with another model."
    )
    voiceprints: list[VoiceprintBody] = Field(description="In the order in which they were enrolled or heard.")


class PeopleBody(BaseModel):
    """A page of people."""

    people: list[PersonBody]
    total: int = Field(description="How many there are on all pages.", examples=[1])
    next: str | None = Field(
        description="What to send as `after` for the next page; null on the last.", examples=[None]
    )


class AdviceBody(BaseModel):
    """One thing to say about a recording."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [ADVICE_EXAMPLE]})

    code: str = Field(description="Stable short name for machines.")
    refuses: bool = Field(description="Whether the recording cannot be enrolled for this reason.")
    sentence: str = Field(description="What is wrong and what to do.")


class EnrolledBody(BaseModel):
    """What came of an enrolment."""

    person: PersonBody
    advice: list[AdviceBody] = Field(description="What would make the next recording better.")


class CheckedBody(BaseModel):
    """What the coach says about a recording; nothing of it was stored."""

    usable: bool = Field(description="Whether it could be enrolled.", examples=[True])
    speech: float = Field(description="Seconds of speech.", examples=[3.2])
    seconds: float = Field(description="Of the whole recording.", examples=[4.5])
    snr_db: float | None = Field(description="Level of speech over that of noise; null without.", examples=[31.5])
    level_dbfs: float = Field(description="Root mean square, 0 = full scale.", examples=[-24.1])
    clipped: float = Field(description="Share of clipped samples, from 0 to 1.", examples=[0.0])
    bandwidth_hz: float | None = Field(description="Highest frequency really used.", examples=[8000.0])
    advice: list[AdviceBody] = Field(description="Reasons to refuse it first.")


def person_body(person: Person) -> PersonBody:
    """A person as told."""
    return PersonBody(
        id=person.id,
        name=person.name,
        created=person.created,
        enrolled=person.stranger is None and not person.needs_enrolment,
        voiceprints=[VoiceprintBody.model_validate(one) for one in person.voiceprints],
    )


def checked_body(coached: Coached) -> CheckedBody:
    """What the coach found, as told."""
    report = coached.report
    return CheckedBody(
        usable=coached.usable,
        speech=report.speech,
        seconds=report.seconds,
        snr_db=report.snr_db,
        level_dbfs=report.level_dbfs,
        clipped=report.clipped,
        bandwidth_hz=report.bandwidth_hz,
        advice=[AdviceBody.model_validate(one) for one in coached.advice],
    )
