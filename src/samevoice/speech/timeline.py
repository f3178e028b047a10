"""When something happens: segments, and ordered sets of them, in seconds of the source file.

Knows: intervals. Does not know: audio, speech, people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Seconds = float


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """The half-open interval from `start` to `end`, in seconds; 0 <= start < end.

    Raises:
        ValueError: the bounds are out of order, negative or not finite.
    """

    start: Seconds
    end: Seconds

    def __post_init__(self) -> None:
        """Refuse intervals that are empty, backwards, before the file, or not numbers."""
        if not 0 <= self.start < self.end < float("inf"):
            raise ValueError(f"a segment needs 0 <= start < end, got {self.start} and {self.end}")

    def __and__(self, other: Segment) -> Segment | None:
        """The common part, or None where the two do not overlap."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Segment(start, end) if start < end else None

    def __contains__(self, moment: Seconds) -> bool:
        """Whether a moment lies inside (the start does, the end does not)."""
        return self.start <= moment < self.end

    def __str__(self) -> str:
        """Both bounds to the hundredth."""
        return f"[{self.start:.2f}, {self.end:.2f}]"

    @property
    def duration(self) -> Seconds:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Timeline:
    """Sorted, disjoint segments inside a recording of `extent` seconds.

    Overlapping or touching segments are joined and parts beyond the extent cut off, so any iterable of
    segments makes a valid timeline.

    Raises:
        ValueError: the extent is negative or not finite.
    """

    segments: tuple[Segment, ...]
    extent: Seconds

    def __init__(self, segments: Iterable[Segment], extent: Seconds) -> None:
        """Sort, join and clip the segments."""
        if not 0 <= extent < float("inf"):
            raise ValueError(f"a timeline needs a finite extent >= 0, got {extent}")
        joined: list[Segment] = []
        for segment in sorted(segments):
            end = min(segment.end, extent)
            if segment.start >= end:
                continue
            if joined and segment.start <= joined[-1].end:
                joined[-1] = Segment(joined[-1].start, max(joined[-1].end, end))
            else:
                joined.append(Segment(segment.start, end))
        object.__setattr__(self, "segments", tuple(joined))
        object.__setattr__(self, "extent", float(extent))

    def __iter__(self) -> Iterator[Segment]:
        """The segments in order of time."""
        return iter(self.segments)

    def __len__(self) -> int:
        """How many segments there are."""
        return len(self.segments)

    def __str__(self) -> str:
        """How much of the extent is covered, and in how many segments."""
        return f"Timeline({self.duration:.1f} of {self.extent:.1f} s in {len(self)})"

    def __or__(self, other: Timeline) -> Timeline:
        """Whatever lies in either, over the longer extent."""
        return Timeline((*self.segments, *other.segments), max(self.extent, other.extent))

    def __and__(self, other: Timeline) -> Timeline:
        """Whatever lies in both, over the shorter extent."""
        common: list[Segment] = []
        mine, theirs = 0, 0
        while mine < len(self.segments) and theirs < len(other.segments):
            first, second = self.segments[mine], other.segments[theirs]
            if (part := first & second) is not None:
                common.append(part)
            if first.end <= second.end:
                mine += 1
            else:
                theirs += 1
        return Timeline(common, min(self.extent, other.extent))

    @property
    def duration(self) -> Seconds:
        """Seconds covered by all segments together."""
        return sum(segment.duration for segment in self.segments)

    def gaps(self) -> Timeline:
        """What the segments leave free, over the same extent."""
        edges = [0.0, *(edge for segment in self.segments for edge in (segment.start, segment.end)), self.extent]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return Timeline((Segment(start, end) for start, end in pairs if start < end), self.extent)

    def covers(self, moments: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which moments lie inside a segment.

        Args:
            moments: seconds, shape (n,).

        Returns:
            Booleans of the same shape.
        """
        if not self.segments:
            return np.zeros(len(moments), dtype=np.bool_)
        starts = np.array([segment.start for segment in self.segments])
        ends = np.array([segment.end for segment in self.segments])
        index = np.searchsorted(starts, moments, side="right") - 1
        inside: NDArray[np.bool_] = (index >= 0) & (moments < ends[np.maximum(index, 0)])
        return inside
