"""What somebody said about who speaks when, as plain values that a page or a file can keep beside the evidence.

They hold names, numbers of pieces and times, but neither sound nor voices.

Knows: pieces by number, names, seconds, JSON. Does not know: how speakers are told apart.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from samevoice.diarization.agglomerate import Labels
from samevoice.diarization.clustering import Constraints, Method, Telling
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.turns import writable
from samevoice.errors import ConfigError, DataError
from samevoice.speech.timeline import Seconds

VERSION = 1
KEYS = frozenset(
    ("version", "evidence", "names", "labels", "telling", "together", "apart", "pinned", "assigned", "counts")
)


@dataclass(frozen=True, slots=True)
class Assigned:
    """Seconds that are somebody's, and nobody else's, whatever was heard.

    Args:
        start: in the recording.
        end: after `start`.
        speaker: by name.
    """

    start: Seconds
    end: Seconds
    speaker: str


@dataclass(frozen=True, slots=True, eq=False)
class Edits:
    """Who is who, and what somebody said about it.

    Args:
        names: of those who have pieces, in order of first appearance, then of those who only have assigned seconds.
        labels: the speaker of each piece, int (p,), by place in `names`.
        telling: how speakers are told apart.
        constraints: what is known about pieces.
        pinned: pieces somebody pointed at; their frames are overruled by nothing.
        assigned: what lies over the frames; the later over the earlier.
        counts: probability of each number of speakers, likeliest first.
    """

    names: tuple[str, ...]
    labels: Labels
    telling: Telling
    constraints: Constraints
    pinned: tuple[int, ...]
    assigned: tuple[Assigned, ...]
    counts: tuple[tuple[int, float], ...]

    def to_json(self, evidence: Evidence) -> dict[str, Any]:
        """Everything, and a mark of the evidence that it is about.

        Args:
            evidence: so.
        """
        return {
            "version": VERSION,
            "evidence": mark(evidence),
            "names": list(self.names),
            "labels": self.labels.tolist(),
            "telling": asdict(self.telling),
            "together": [list(group) for group in self.constraints.together],
            "apart": [list(pair) for pair in self.constraints.apart],
            "pinned": list(self.pinned),
            "assigned": [[one.start, one.end, one.speaker] for one in self.assigned],
            "counts": [list(count) for count in self.counts],
        }

    @classmethod
    def from_json(cls, content: object, evidence: Evidence) -> Edits:
        """Read what `to_json` made.

        Args:
            content: plain values.
            evidence: of the same recording, heard by the same model.

        Raises:
            DataError: it is something else, or about other evidence.
        """
        try:
            found = _read(content, evidence)
        except (KeyError, TypeError, ValueError, OverflowError, ConfigError) as error:
            raise DataError("the edits are damaged or no edits at all; give what `to_json` made") from error
        if found is None:
            raise DataError("the edits are about another recording, or it was heard anew; give those of this one")
        return found


def mark(evidence: Evidence) -> str:
    """What tells evidence from other evidence; says nothing about voices."""
    digest = hashlib.sha256(f"{evidence.model} {evidence.extent}".encode())
    for array in (evidence.firsts, evidence.windows, evidence.voices, evidence.seconds, evidence.starts):
        digest.update(b"\0" + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def checked_name(name: str) -> str:
    """A name that turns can have.

    Raises:
        ConfigError: it is none.
    """
    if not name or not writable(name):
        raise ConfigError(f"{name[:40]!r} is no name for a speaker; give text without control characters")
    return name


def _read(content: object, evidence: Evidence) -> Edits | None:
    """The edits in plain values, None where they are about other evidence; one of many errors where they are none."""
    if not isinstance(content, dict) or set(content) != KEYS or content["version"] != VERSION:
        raise ValueError("the keys of edits are others")
    if content["evidence"] != mark(evidence):
        return None
    pieces = len(evidence.windows)
    names = tuple(map(checked_name, _listed(content["names"])))
    labels = np.array(_numbers(content["labels"], len(names)), dtype=np.intp)
    constraints = Constraints(
        tuple(tuple(_numbers(group, pieces)) for group in _listed(content["together"])),
        tuple((one, other) for one, other in (_numbers(pair, pieces) for pair in _listed(content["apart"]))),
    )
    constraints.units()
    telling = _telling(content["telling"])
    assigned = tuple(Assigned(start, end, speaker) for start, end, speaker in _listed(content["assigned"]))
    for one in assigned:
        _demand(_is_number(one.start) and _is_number(one.end) and 0 <= one.start < one.end <= evidence.extent)
    counts = tuple((count, share) for count, share in _listed(content["counts"]))
    for count, share in counts:
        _demand(type(count) is int and count >= 0 and _is_number(share) and 0 <= share <= 1)
    heard = len(set(labels.tolist()))
    _demand(len(set(names)) == len(names) and len(labels) == pieces)
    _demand(not pieces or int(labels.max()) == heard - 1)
    _demand({one.speaker for one in assigned} <= set(names) and set(names[heard:]) <= {one.speaker for one in assigned})
    _demand(all(len(set(labels[list(group)].tolist())) == 1 for group in constraints.together))
    _demand(all(labels[one] != labels[other] for one, other in constraints.apart))
    return Edits(names, labels, telling, constraints, tuple(_numbers(content["pinned"], pieces)), assigned, counts)


def _telling(content: dict[str, Any]) -> Telling:
    """How speakers are told apart."""
    for name in ("speakers", "least", "most"):
        _demand(type(content[name]) is int or (content[name] is None and name != "least"))
    _demand(content["method"] in get_args(Method) and _is_number(content["likeness"]))
    return Telling(**content)


def _listed(content: object) -> Sequence[Any]:
    """A list, and no text."""
    if not isinstance(content, list):
        raise TypeError("a list is wanted")
    return content


def _numbers(content: object, below: int) -> list[int]:
    """A list of whole numbers from 0."""
    found = list(_listed(content))
    _demand(all(type(one) is int and 0 <= one < below for one in found))
    return found


def _is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _demand(holds: bool) -> None:
    """Refuse what does not hold."""
    if not holds:
        raise ValueError("these are no edits")
