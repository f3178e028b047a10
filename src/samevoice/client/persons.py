"""What a service answers about people, as values: who is enrolled, who may come in, what was done.

Names are as people gave them: escape them before you put them on a page or a terminal.

Knows: fields and types, tested against the OpenAPI document. Does not know: how they travel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """One enrolment of a person."""

    id: int
    model: str
    seconds: float
    snr_db: float | None
    bandwidth_hz: float | None
    clipped: float
    channel: str
    consent: str | None
    created: str
    expires: str | None
    kept_audio: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the gallery; `id` is never given to anybody else."""

    id: str
    name: str
    created: str
    enrolled: bool
    voiceprints: tuple[Voiceprint, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the people; `next` is what to ask for `after`."""

    people: tuple[Person, ...]
    total: int
    next: str | None

    def __iter__(self) -> Iterator[Person]:
        """The people."""
        return iter(self.people)


@dataclass(frozen=True, slots=True)
class Advice:
    """What about a recording would make a weaker voiceprint; `refuses` if none is made of it."""

    code: str
    refuses: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A voiceprint was stored."""

    person: Person
    advice: tuple[Advice, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a recording would be good for; nothing was stored."""

    usable: bool
    speech: float
    seconds: float
    snr_db: float | None
    level_dbfs: float
    clipped: float
    bandwidth_hz: float | None
    advice: tuple[Advice, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """A person after a change; None if nothing is left."""

    person: Person | None


@dataclass(frozen=True, slots=True)
class Purged:
    """How many voiceprints were removed."""

    removed: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """Digits to read out; they bind a login to a moment, but nobody checks that these very digits were said."""

    challenge: str
    digits: str
    expires: str


@dataclass(frozen=True, slots=True)
class Login:
    """Whether a person may come in: only `welcome` decides, and what a stranger must not learn is None."""

    welcome: bool
    outcome: Literal["welcome", "refused", "unsure", "speak", "replayed"]
    person: str
    verdict: Literal["same", "different", "unsure"]
    score: float | None
    llr: float | None
    probability: float | None
    threshold: float | None
    far: float | None
    prior: float
    speech: tuple[float | None, float]
    reason: str
    model: str
    warnings: tuple[str, ...]
    calibration: str | None
    impostor_pairs: int | None
    more_speech: float | None


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the gallery's record of what was done."""

    seq: int
    at: str
    actor: str
    action: str
    person: str | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Events:
    """What was done, the oldest first."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """How many events there are, and the first that is not as it was written."""

    events: int
    broken: int | None
