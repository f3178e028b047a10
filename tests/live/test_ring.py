"""The ring against a plain list of samples and times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.live.ring import SpeechRing


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 25)), max_size=12), st.integers(1, 30))
def test_what_is_held_is_the_newest_with_its_times(pushed: list[tuple[int, int]], capacity: int) -> None:
    ring = SpeechRing(10, capacity / 10)
    samples: list[float] = []
    times: list[float] = []
    place = 0
    for pause, count in pushed:
        place += pause
        fresh = np.arange(place, place + count, dtype=np.float32)
        ring.push(place, fresh)
        samples += fresh.tolist()
        times += ((place + np.arange(count)) / 10).tolist()
        place += count
    assert ring.total == len(samples)
    assert len(ring) == min(len(samples), capacity) <= ring.capacity
    assert ring.last(capacity).tolist() == samples[-capacity:]
    assert ring.last(3).tolist() == samples[-capacity:][-3:]
    np.testing.assert_array_equal(ring.times(), times[-capacity:])
    for back in range(1, len(ring) + 1):
        assert ring.time_of(back) == times[-back]


def test_there_is_nothing_beyond_what_is_held() -> None:
    ring = SpeechRing(10, 1.0)
    ring.push(5, np.zeros(4, dtype=np.float32))
    for back in (0, 5, -1):
        with pytest.raises(ValueError, match="not among 4"):
            ring.time_of(back)
    assert ring.seconds == 0.4
