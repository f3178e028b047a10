"""Speech let through piece by piece is the speech of the whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from samevoice.live.gate import Gate
from samevoice.speech.timeline import Segment, Timeline
from samevoice.speech.vad import Hysteresis

LEVELS = st.sampled_from([0.0, 0.1, 0.34, 0.35, 0.4, 0.49, 0.5, 0.9, 1.0])
HOP = 0.032


@given(
    st.lists(st.lists(LEVELS, max_size=12), max_size=12),
    st.sampled_from([0.0, 0.05, 0.2, 0.5]),
    st.sampled_from([0.0, 0.032, 0.1, 0.3]),
    st.sampled_from([0.0, 0.03, 0.1]),
)
def test_the_pieces_are_the_segments_of_the_whole(
    blocks: list[list[float]], min_speech: float, min_silence: float, padding: float
) -> None:
    rules = Hysteresis(min_speech=min_speech, min_silence=min_silence, padding=padding)
    whole = np.array([one for block in blocks for one in block], dtype=np.float32)
    gate = Gate(rules, HOP)
    pieces: list[Segment] = []
    for block in blocks:
        settled = gate.settled
        fresh = list(gate.push(np.array(block, dtype=np.float32)))
        assert all(piece.start >= settled for piece in fresh)
        pieces += fresh
    pieces += gate.finish()
    assert all(one.end <= other.start for one, other in pairwise(pieces))
    extent = len(whole) * HOP
    assert Timeline(pieces, extent) == rules.segments(whole, HOP, extent)


def test_speech_comes_through_when_it_is_long_enough_and_ends_after_a_pause() -> None:
    gate = Gate(Hysteresis(min_speech=0.2, min_silence=0.1, padding=0.01), 0.05)
    loud, quiet = np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.float32)
    told = [(list(gate.push(window)), gate.speaking) for window in (loud, loud, loud, loud, loud, quiet, quiet)]
    assert told[:3] == [([], False)] * 3
    assert told[3:5] == [([Segment(0.0, 0.2)], True), ([Segment(0.2, 0.25)], True)]
    assert told[5:] == [([], True), ([Segment(0.25, 0.26)], False)]
