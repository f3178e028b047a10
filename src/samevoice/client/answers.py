"""What a service answers, as values: the names of the fields are those of its JSON.

Times are seconds of the recording, moments are ISO 8601 in UTC.

Knows: fields and types, tested against the OpenAPI document. Does not know: how they travel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["user", "enroller", "admin"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest and largest recordings that are taken: clips, and meetings to diarize."""

    clip_bytes: int
    clip_seconds: float
    meeting_bytes: int
    meeting_seconds: float


@dataclass(frozen=True, slots=True)
class Me:
    """Who the service takes the caller for, and what it allows."""

    name: str
    role: Role
    keys: bool
    version: str
    limits: Limits
    fpir: float
    far: float | None


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the service; `used` is true of the one that decides."""

    name: str
    kind: str
    summary: str
    fingerprint: str
    rate: int
    dimension: int
    licences: dict[str, Any]
    installed: bool
    used: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """Do two recordings come from one person? The fields are those of `samevoice.Decision`."""

    verdict: Literal["same", "different", "unsure"]
    score: float | None
    llr: float | None
    probability: float | None
    threshold: float | None
    far: float | None
    prior: float
    speech: tuple[float, float]
    reason: str
    model: str
    warnings: tuple[str, ...]
    calibration: str | None
    impostor_pairs: int | None
    more_speech: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person who may be speaking."""

    name: str
    score: float
    seconds: float
    probability: float


@dataclass(frozen=True, slots=True)
class Identification:
    """Who of the people enrolled speaks? The fields are those of `samevoice.Identification`."""

    verdict: Literal["known", "unknown", "unsure"]
    name: str | None
    probability: float
    nobody: float
    others: float
    threshold: float | None
    fpir: float
    extrapolated: bool
    people: int
    candidates: tuple[Candidate, ...]
    prior: float
    speech: float
    reason: str
    model: str
    calibration: str
    impostor_pairs: int
    warnings: tuple[str, ...]
    more_speech: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """A setting: tolerated rate, threshold, the rate that it keeps, and the predicted share of rejected targets."""

    far: float
    threshold: float
    kept: float
    frr: float | None


@dataclass(frozen=True, slots=True)
class Reached:
    """The cosine that such a share of one person's recordings reaches."""

    share: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the calibration predicts for some seconds of speech, and on what it rests."""

    seconds: float
    far: float
    points: tuple[Point, ...]
    reached: Reached | None
    trials: dict[str, int] | None
    speaker_pairs: int | None
    durations: tuple[float, ...]
    source: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """The process answers."""

    status: Literal["ok"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """The service answers, with this model and so many people: None for callers who may not know."""

    status: Literal["ready", "starting"]
    reason: Literal["starting", "model", "stopping"] | None
    model: str | None
    people: int | None
    version: str


@dataclass(frozen=True, slots=True)
class System:
    """How the service is; `jobs` by state, `uptime` in seconds."""

    uptime: float
    workers: int
    running: int
    waiting: int
    jobs: dict[str, int]
    memory_mb: float | None
    requests: int
    version: str
    gallery: str
    model: str
    people: int
