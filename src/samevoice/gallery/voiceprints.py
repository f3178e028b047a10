"""What a gallery says about people: who they are, what of them is enrolled, and what probes are compared with.

Knows: embeddings, times. Does not know: tables, keys.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ConfigError
from samevoice.models.embedding import Embedding

LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True)
class NewVoiceprint:
    """An utterance that is to be enrolled.

    Args:
        embedding: of the utterance.
        snr_db: speech level over noise level; None if unknown.
        bandwidth_hz: highest frequency the sound really uses; None if unknown.
        clipped: share of clipped samples, in [0, 1].
        channel: what it was recorded with, in the user's words; may be empty.
        consent: what the person agreed to, in the user's words; None if nobody asked.
        expires: when it is to be forgotten, with a time zone; None for never.
        trace: what knows the same sound again, see `replay.trace_of`; None to know it never.
        audio: the sound itself as a FLAC file, if it is to be kept.

    Raises:
        ConfigError: channel or consent is too long, or holds control characters.
        ValueError: a number is not finite, or the time has no zone.
    """

    embedding: Embedding
    snr_db: float | None = None
    bandwidth_hz: float | None = None
    clipped: float = 0.0
    channel: str = ""
    consent: str | None = None
    expires: datetime | None = None
    trace: bytes | None = None
    audio: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse what a database would refuse later, or differently on another machine."""
        checked_note("channel", self.channel)
        checked_note("consent", self.consent or "")
        numbers = (self.embedding.seconds, self.snr_db, self.bandwidth_hz, self.clipped)
        if not all(math.isfinite(number) for number in numbers if number is not None):
            raise ValueError("what is told about a voiceprint must be finite numbers")
        if self.expires is not None and self.expires.tzinfo is None:
            raise ValueError("the time at which a voiceprint expires needs a time zone")

    def __repr__(self) -> str:
        """What it is of; never the sound or its trace."""
        return f"NewVoiceprint({self.embedding!r})"


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """One enrolled utterance, without its vector.

    Args:
        id: its number in the gallery.
        person: public id of the person.
        model: fingerprint of the model that made it.
        seconds: speech behind it.
        snr_db, bandwidth_hz, clipped, channel, consent, expires: as in `NewVoiceprint`.
        created: when it was enrolled.
        kept_audio: whether the sound was kept.
        needs_audio: whether the person must speak again, since the model changed and no sound was kept.
    """

    id: int
    person: str
    model: str
    seconds: float
    snr_db: float | None
    bandwidth_hz: float | None
    clipped: float
    channel: str
    consent: str | None
    created: datetime
    expires: datetime | None
    kept_audio: bool
    needs_audio: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is enrolled, or was heard and remembered.

    Args:
        id: public id: never changes, never given to anybody else, says nothing about the person.
        name: as the user wrote it.
        created: when first enrolled or heard.
        voiceprints: in the order in which they were enrolled or heard.
        stranger: the number in "unknown-17" of somebody who was heard and not enrolled, whatever the name is by now:
            known in recordings, never let in. None of those enrolled.
    """

    id: str
    name: str
    created: datetime
    voiceprints: tuple[Voiceprint, ...]
    stranger: int | None = None

    @property
    def needs_enrolment(self) -> bool:
        """Whether nothing is left to compare with since the model changed, so that the person must speak again."""
        return self.stranger is None and all(one.needs_audio for one in self.voiceprints)

    def to_json(self) -> dict[str, Any]:
        """Plain data with the field names of this class; times as ISO 8601."""
        told: dict[str, Any] = plain(asdict(self))
        return told


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What probes are compared with: the unit mean of a person's voiceprints of one model.

    Args:
        person: public id.
        name: of the person.
        model: fingerprint.
        vector: unit norm, float32 (d,).
        seconds: speech behind all the voiceprints.
        voiceprints: how many there are.
        stranger: number of somebody who was heard and is not enrolled; None of those enrolled.
    """

    person: str
    name: str
    model: str
    vector: NDArray[np.float32]
    seconds: float
    voiceprints: int
    stranger: int | None = None

    @property
    def embedding(self) -> Embedding:
        """The template as one side of a trial."""
        return Embedding(self.vector, self.model, self.seconds)

    def __repr__(self) -> str:
        """Whose and of what; never the numbers, which are personal data."""
        return f"Template({self.person}, {self.model}, {self.voiceprints} voiceprints, {self.seconds:.1f} s)"


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Templates of many people.

    Args:
        ids: numbers of the people, int64 (n,).
        vectors: unit norm, float32 (n, d).
    """

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ids)

    def __repr__(self) -> str:
        """How many; never the numbers, which are personal data."""
        return f"Templates({len(self)})"


def plain(value: Any) -> Any:
    """The same as plain JSON."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def checked_note(what: str, text: str) -> str:
    """A text that a user wrote about a voiceprint or an event.

    Raises:
        ConfigError: it is too long, or holds control characters or half a surrogate pair.
    """
    if len(text) > LONGEST_NOTE or any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in text):
        raise ConfigError(
            f"the {what} must be a text of at most {LONGEST_NOTE} characters without control characters; shorten it"
        )
    return text
