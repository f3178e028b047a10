"""Speech let through piece by piece is the speech of the whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from samevoice.live.gate import Gate
from samevoice.speech.timeline import Timeline
from samevoice.speech.vad import Hysteresis

LEVELS = st.sampled_from([0.0, 0.1, 0.34, 0.35, 0.4, 0.49, 0.5, 0.9, 1.0])


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
    gate = Gate(rules, 0.032)
    pieces, settled = [], 0.0
    for block in blocks:
        for piece in gate.push(np.array(block, dtype=np.float32)):
            assert piece.segment.start >= settled - padding - 1e-9
            pieces.append(piece)
        assert gate.settled >= settled - 1e-9
        settled = gate.settled
        assert all(piece.segment.end <= settled + padding + 1e-9 for piece in pieces)
    pieces += gate.finish()
    extent = len(whole) * 0.032
    assert Timeline((piece.segment for piece in pieces), extent) == rules.segments(whole, 0.032, extent)


def test_speech_comes_through_when_it_is_long_enough() -> None:
    gate = Gate(Hysteresis(min_speech=0.2, min_silence=0.1, padding=0.0), 0.05)
    late = [next(iter(gate.push(np.ones(1, dtype=np.float32))), None) for _ in range(5)]
    assert late[:3] == [None, None, None]
    assert late[3] is not None
    assert (late[3].segment.start, late[3].last) == (0.0, False)
    assert late[4] is not None
    (end,) = gate.push(np.zeros(2, dtype=np.float32)) or (None,)
    assert end.last
