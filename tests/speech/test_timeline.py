"""Segments and timelines against brute force on a grid of moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.speech.timeline import Segment, Timeline

# Bounds are multiples of 1/4 s, moments lie in between: nothing rests on rounding.
#
#   0   .25  .5  .75   1
#   |----|----|----|----|     bounds
#     *    *    *    *        moments
#
GRID = np.arange(0.125, 14, 0.25)
bounds = st.builds(lambda start, size: Segment(start / 4, (start + size) / 4), st.integers(0, 40), st.integers(1, 12))
timelines = st.builds(Timeline, st.lists(bounds, max_size=8), st.integers(0, 40).map(lambda quarters: quarters / 4))


def inside(timeline: Timeline) -> set[float]:
    """Which grid moments lie in a timeline, by asking every segment."""
    return {moment for moment in GRID.tolist() if any(moment in segment for segment in timeline)}


def tidy(timeline: Timeline) -> bool:
    ends = [0.0, *(segment.end for segment in timeline)]
    first = all(segment.start > end for segment, end in zip(timeline.segments[1:], ends[1:], strict=False))
    return first and all(segment.end <= timeline.extent for segment in timeline)


@given(st.lists(bounds, max_size=8), st.integers(0, 40))
def test_any_segments_make_a_tidy_timeline(segments: list[Segment], quarters: int) -> None:
    extent = quarters / 4
    timeline = Timeline(segments, extent)
    assert tidy(timeline)
    expected = {m for m in GRID.tolist() if m < extent and any(s.start <= m < s.end for s in segments)}
    assert inside(timeline) == expected
    assert timeline.duration == pytest.approx(len(expected) / 4)
    assert Timeline(reversed(segments), extent) == timeline
    assert Timeline(timeline, extent) == timeline


@given(timelines, timelines)
def test_union_and_intersection(first: Timeline, second: Timeline) -> None:
    either, both = first | second, first & second
    assert tidy(either)
    assert tidy(both)
    assert inside(either) == inside(first) | inside(second)
    assert inside(both) == inside(first) & inside(second)
    assert either.extent == max(first.extent, second.extent)
    assert both.extent == min(first.extent, second.extent)
    assert first | second == second | first
    assert first & second == second & first
    assert either.duration + both.duration == pytest.approx(first.duration + second.duration)


@given(timelines)
def test_gaps_are_the_rest(timeline: Timeline) -> None:
    gaps = timeline.gaps()
    assert tidy(gaps)
    assert inside(gaps) == {m for m in GRID.tolist() if m < timeline.extent} - inside(timeline)
    assert gaps.extent == timeline.extent
    assert gaps.gaps() == timeline
    assert len(timeline & gaps) == 0


@given(timelines)
def test_covers_asks_every_segment(timeline: Timeline) -> None:
    edges = np.arange(0, 56) / 4  # starts lie inside, ends do not
    moments = np.random.default_rng(0).permutation(np.concatenate([GRID, edges, [-1.0]]))
    expected = [any(segment.start <= moment < segment.end for segment in timeline) for moment in moments.tolist()]
    np.testing.assert_array_equal(timeline.covers(moments), expected)


@given(bounds, bounds)
def test_common_part_of_two_segments(first: Segment, second: Segment) -> None:
    part = first & second
    expected = [moment for moment in GRID.tolist() if moment in first and moment in second]
    assert (part is None) == (not expected)
    if part:
        assert part.duration == len(expected) / 4
    assert part == second & first


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (-1, 1), (0, np.inf), (np.nan, 1), (0, np.nan)])
def test_bounds_that_make_no_segment(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="0 <= start < end"):
        Segment(start, end)


@pytest.mark.parametrize("extent", [-1, np.inf, np.nan])
def test_extents_that_make_no_timeline(extent: float) -> None:
    with pytest.raises(ValueError, match="finite extent"):
        Timeline((), extent)


def test_touching_segments_join_and_order_and_text() -> None:
    timeline = Timeline([Segment(2, 3), Segment(0.5, 1), Segment(1, 1.25)], 4)
    assert timeline.segments == (Segment(0.5, 1.25), Segment(2, 3))
    assert str(timeline) == "Timeline(1.8 of 4.0 s in 2)"
    assert str(timeline.segments[0]) == "[0.50, 1.25]"
    assert 0.5 in timeline.segments[0]
    assert 1.25 not in timeline.segments[0]
    assert len(timeline) == 2
