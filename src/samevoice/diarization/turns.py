"""Who speaks when: turns, and all the turns of one recording, in seconds of the source file.

Knows: intervals, names as text. Does not know: audio, embeddings, files, who a name stands for.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from samevoice.speech.timeline import Seconds, Segment, Timeline

# Control characters, halves of surrogate pairs, separators of lines: what no file of names could give back.
UNWRITABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))
NO_XML = frozenset("\ufffe\uffff")


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """Somebody speaks from `start` to `end`; two turns are equal whatever their confidence.

    Args:
        start: seconds of the source file, at least 0.
        end: after `start`, finite.
        speaker: any text that is not empty and holds no control characters; blanks are allowed.
        confidence: how sure it is that this speaker and nobody else speaks, in [0, 1]; None where nobody said.

    Raises:
        ValueError: one of these does not hold.
    """

    start: Seconds
    end: Seconds
    speaker: str
    confidence: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no turn."""
        if not 0 <= self.start < self.end < math.inf:
            raise ValueError(f"a turn needs 0 <= start < end, got {self.start} and {self.end}")
        if not self.speaker or not writable(self.speaker):
            raise ValueError(f"a speaker needs a name without control characters, got {self.speaker[:40]!r}")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise ValueError(f"a confidence lies between 0 and 1, got {self.confidence}")

    def __str__(self) -> str:
        """Both bounds to the hundredth, and the name."""
        return f"{self.segment} {self.speaker}"

    @property
    def segment(self) -> Segment:
        """When."""
        return Segment(self.start, self.end)

    @property
    def duration(self) -> Seconds:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who speaks when in one recording.

    Turns are sorted by start, end and speaker. Those of one speaker that overlap or touch are joined: the confidence
    is then the mean, weighted by duration, and None if one of them has none. Those of different speakers may overlap.
    Parts beyond the extent are cut off. So any iterable of turns makes a valid diarization.

    Args:
        turns: in any order.
        extent: length of the recording in seconds.
        recording: its name, without control characters; may be empty.

    Raises:
        ValueError: the extent is negative or not finite, or the name of the recording cannot be written.
    """

    turns: tuple[Turn, ...]
    extent: Seconds
    recording: str = ""

    def __init__(self, turns: Iterable[Turn], extent: Seconds, recording: str = "") -> None:
        """Sort, join and clip the turns."""
        if not 0 <= extent < math.inf:
            raise ValueError(f"a diarization needs a finite extent >= 0, got {extent}")
        if not writable(recording):
            raise ValueError(f"a recording needs a name without control characters, got {recording[:40]!r}")
        by_speaker: dict[str, list[Turn]] = {}
        for turn in sorted(turns):
            if turn.start < extent:
                clipped = turn if turn.end <= extent else replace(turn, end=float(extent))
                by_speaker.setdefault(turn.speaker, []).append(clipped)
        joined = sorted(turn for own in by_speaker.values() for turn in _joined(own))
        object.__setattr__(self, "turns", tuple(joined))
        object.__setattr__(self, "extent", float(extent))
        object.__setattr__(self, "recording", recording)

    def __iter__(self) -> Iterator[Turn]:
        """The turns in order of time."""
        return iter(self.turns)

    def __len__(self) -> int:
        """How many turns there are."""
        return len(self.turns)

    def __str__(self) -> str:
        """How many speak, how long, in how many turns."""
        speech = f"{self.speech.duration:.1f} of {self.extent:.1f} s"
        return f"Diarization({len(self.speakers)} speakers, {speech}, {len(self)} turns)"

    @property
    def speakers(self) -> tuple[str, ...]:
        """Everybody who speaks, in order of first appearance."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))

    def of(self, speaker: str) -> Timeline:
        """When somebody speaks; empty for a name that has no turns.

        Args:
            speaker: by name.
        """
        return Timeline((turn.segment for turn in self.turns if turn.speaker == speaker), self.extent)

    @property
    def speech(self) -> Timeline:
        """When anybody speaks."""
        return Timeline((turn.segment for turn in self.turns), self.extent)

    @property
    def overlap(self) -> Timeline:
        """When two or more speak."""
        edges = sorted(edge for turn in self.turns for edge in ((turn.start, 1), (turn.end, -1)))
        crowded: list[Segment] = []
        speaking = 0
        for (start, change), (end, _) in pairwise(edges):
            speaking += change
            if speaking > 1 and start < end:
                crowded.append(Segment(start, end))
        return Timeline(crowded, self.extent)

    def renamed(self, names: Mapping[str, str]) -> Diarization:
        """The same turns under other names; speakers who get one name are joined.

        Args:
            names: new names by old ones; whoever is not in it keeps theirs.
        """
        turns = (replace(turn, speaker=names.get(turn.speaker, turn.speaker)) for turn in self.turns)
        return Diarization(turns, self.extent, self.recording)


def writable(name: str) -> bool:
    """Whether a name holds no control characters or others that no file would give back."""
    return not any(letter in NO_XML or unicodedata.category(letter) in UNWRITABLE for letter in name)


def _joined(turns: list[Turn]) -> Iterator[Turn]:
    """The turns of one speaker, sorted, with those made one that overlap or touch."""
    parts = turns[:1]
    end = parts[0].end
    for turn in turns[1:]:
        if turn.start > end:
            yield _union(parts, end)
            parts = []
        parts.append(turn)
        end = max(end, turn.end)
    yield _union(parts, end)


def _union(parts: list[Turn], end: Seconds) -> Turn:
    """One turn in place of several that lie one in or beside the other, the earliest first."""
    if len(parts) == 1:
        return parts[0]
    known = [(part.confidence, part.duration) for part in parts if part.confidence is not None]
    confidence = None
    if len(known) == len(parts):
        mean = sum(share * seconds for share, seconds in known) / sum(seconds for _, seconds in known)
        confidence = min(mean, 1.0)  # the sum may round above it
    return Turn(parts[0].start, end, parts[0].speaker, confidence)
