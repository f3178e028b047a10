"""What a service answers about long recordings, as values: jobs, who speaks when, slices.

Times are seconds of the recording, moments are ISO 8601 in UTC.

Knows: fields and types, tested against the OpenAPI document. Does not know: how they travel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a diarization is."""

    id: str
    name: str
    state: Literal["waiting", "running", "done", "failed"]
    progress: float
    eta: float | None
    created: str
    expires: str
    problem: dict[str, Any] | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody speaks."""

    start: float
    end: float
    speaker: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice of a recording."""

    name: str
    seconds: float
    known: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How likely a number of speakers is."""

    speakers: int
    probability: float


@dataclass(frozen=True, slots=True)
class Diarized:
    """Who speaks when, with the edits made so far."""

    recording: str
    extent: float
    turns: tuple[Turn, ...]
    speakers: tuple[Speaker, ...]
    counts: tuple[Count, ...]
    undo: bool
    redo: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Peaks:
    """The outline of a waveform: the largest sample, 0 to 1, of each stretch."""

    seconds: float
    peaks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Length and step of slices, in seconds."""

    length: float
    step: float


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of a recording."""

    start: float
    end: float
    probability: float
    share: float
    level_dbfs: float
    nearest: str | None
    cosine: float | None
    llr: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A recording slice by slice."""

    recording: str
    model: str
    extent: float
    grid: Grid
    slices: tuple[Slice, ...]
    warnings: tuple[str, ...]
