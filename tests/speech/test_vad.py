"""From probabilities to segments, against a loop that walks window by window."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.speech.timeline import Segment, Timeline
from samevoice.speech.vad import Hysteresis, runs


@given(st.lists(st.booleans(), max_size=40))
def test_runs_equal_groupby(flags: list[bool]) -> None:
    expected, place = [], 0
    for value, group in itertools.groupby(flags):
        size = len(list(group))
        if value:
            expected.append((place, place + size))
        place += size
    assert runs(np.array(flags, dtype=np.bool_)) == expected


def state_machine(values: list[float], rule: Hysteresis, hop: float) -> list[tuple[int, int]]:
    """On at the onset, off below the offset; then bridge, then drop."""
    spoken: list[tuple[int, int]] = []
    start = None
    for index, value in enumerate([*values, -1.0]):
        if start is None and value >= rule.onset:
            start = index
        elif start is not None and value < rule.offset:
            spoken.append((start, index))
            start = None
    bridged: list[tuple[int, int]] = []
    for first, last in spoken:
        if bridged and (first - bridged[-1][1]) * hop < rule.min_silence:
            first = bridged.pop()[0]
        bridged.append((first, last))
    return [(first, last) for first, last in bridged if (last - first) * hop >= rule.min_speech]


values = st.lists(st.sampled_from([0.0, 0.2, 0.35, 0.4, 0.5, 0.9, 1.0]), max_size=40)


@given(values, st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0]))
def test_hysteresis_equals_a_state_machine(drawn: list[float], min_speech: float, min_silence: float) -> None:
    rule, hop = Hysteresis(min_speech=min_speech, min_silence=min_silence, padding=0.0), 0.25
    got = rule.segments(np.array(drawn), hop, len(drawn) * hop)
    expected = [Segment(first * hop, last * hop) for first, last in state_machine(drawn, rule, hop)]
    assert got == Timeline(expected, len(drawn) * hop)


@given(values, st.sampled_from([0.0, 0.25, 0.6]))
def test_padding_widens_and_stays_inside(drawn: list[float], padding: float) -> None:
    hop, extent = 0.25, max(0.0, len(drawn) * 0.25 - 0.1)
    bare = Hysteresis(padding=0.0).segments(np.array(drawn), hop, extent)
    wide = Hysteresis(padding=padding).segments(np.array(drawn), hop, extent)
    assert wide == Timeline([Segment(max(s.start - padding, 0), s.end + padding) for s in bare], extent)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("..#####..", [(2, 7)]),
        ("..++###++.", [(4, 9)]),  # begins at the onset, ends below the offset
        ("..+++++..", []),  # never reaches the onset
        ("..###++###..", [(2, 10)]),
        ("..###.###..", [(2, 9)]),  # a pause of one window is bridged
        ("..###..###..", [(2, 5), (7, 10)]),
        ("..#..", []),  # too short
        ("", []),
    ],
)
def test_pictures(picture: str, expected: list[tuple[int, int]]) -> None:
    """One sign per 0.1 s: "#" speech, "+" between offset and onset, "." neither."""
    values = np.array([{"#": 0.9, "+": 0.4, ".": 0.1}[sign] for sign in picture], dtype=np.float32)
    rule = Hysteresis(min_speech=0.25, min_silence=0.15, padding=0.0)
    got = rule.segments(values, 0.1, len(picture) / 10)
    assert got.duration == pytest.approx(sum(last - first for first, last in expected) / 10)
    assert [(round(s.start * 10), round(s.end * 10)) for s in got] == expected
