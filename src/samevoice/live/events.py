"""What listening tells while it goes on.

Times are seconds of the source. Whatever is said before the end is provisional: the end has the diarization of the
whole recording.

Knows: values. Does not know: how they come about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from samevoice.diarization.diarizer import Diarized
from samevoice.diarization.formats.document import to_json
from samevoice.speech.timeline import Seconds

__all__ = ["Change", "End", "Event", "Identity", "Known", "Speech", "Told"]

SOMEBODY = "?"

Known = Literal["enrolled", "stranger", "here", "?"]


@dataclass(frozen=True, slots=True)
class Label:
    """Who speaks, as far as that is known.

    Args:
        name: of somebody in the gallery, "speaker-N" of somebody heard since listening began, or "?".
        known: "enrolled" or "stranger", by the gallery; "here", only from this listening; "?".
        probability: that the name is right, in [0, 1].
    """

    name: str = SOMEBODY
    known: Known = "?"
    probability: float = 0.0

    @property
    def certain(self) -> bool:
        """Whether there is a name."""
        return self.known != "?"


@dataclass(frozen=True, slots=True)
class Speech:
    """Somebody begins or stops to speak.

    Args:
        time: of the first speech, or of the last.
        on: whether it begins.
    """

    time: Seconds
    on: bool

    def to_json(self) -> dict[str, Any]:
        """One line of `--json`."""
        return {"event": "speech", "time": _short(self.time), "on": self.on}


@dataclass(frozen=True, slots=True)
class Identity:
    """A turn was looked at, and this is who it is.

    Args:
        time: of the newest speech that was looked at.
        start: of the turn.
        speech: seconds of it that were heard.
        label: who speaks.
    """

    time: Seconds
    start: Seconds
    speech: Seconds
    label: Label

    def to_json(self) -> dict[str, Any]:
        """One line of `--json`."""
        return {
            "event": "identity",
            "time": _short(self.time),
            "start": _short(self.start),
            "speech": _short(self.speech),
            "name": self.label.name,
            "known": self.label.known,
            "probability": _short(self.label.probability),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """Another voice goes on without a pause.

    Args:
        time: of the newest speech that was looked at.
        start: of the new turn, to about half a second.
        before: who spoke.
    """

    time: Seconds
    start: Seconds
    before: Label

    def to_json(self) -> dict[str, Any]:
        """One line of `--json`."""
        return {"event": "change", "time": _short(self.time), "start": _short(self.start), "before": self.before.name}


@dataclass(frozen=True, slots=True)
class Told:
    """Something about the sound or the machine that a listener should know.

    Args:
        time: when.
        text: a sentence.
    """

    time: Seconds
    text: str

    def to_json(self) -> dict[str, Any]:
        """One line of `--json`."""
        return {"event": "note", "time": _short(self.time), "text": self.text}


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """Listening is over.

    Args:
        diarized: who spoke when, told from the whole.
        speech: seconds that entered the ring.
    """

    diarized: Diarized
    speech: Seconds

    def to_json(self) -> dict[str, Any]:
        """One line of `--json`."""
        found = self.diarized.diarization
        return {
            "event": "end",
            "time": _short(found.extent),
            "speech": _short(self.speech),
            "diarization": to_json(found),
        }


Event = Speech | Identity | Change | Told | End


def _short(value: float) -> float:
    """To the thousandth."""
    return round(value, 3)
