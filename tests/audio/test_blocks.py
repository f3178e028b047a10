"""Cutting blocks anew loses nothing, adds nothing and keeps the order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.audio.blocks import BLOCK_VALUES, Block, block_frames, regroup
from samevoice.audio.info import DecodeFailure


@given(sizes=st.lists(st.integers(0, 50), max_size=12), frames=st.integers(1, 40), channels=st.integers(0, 3))
def test_the_same_samples_in_blocks_of_one_length(sizes: list[int], frames: int, channels: int) -> None:
    shape = (sum(sizes), channels) if channels else (sum(sizes),)
    sound = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    got = list(regroup(np.split(sound, np.cumsum(sizes)[:-1]) if sizes else [], frames))
    lengths = [len(block) for block in got]
    assert lengths[:-1] == [frames] * (len(lengths) - 1)
    assert sum(lengths) == len(sound)
    assert all(1 <= length <= frames for length in lengths)
    if got:
        np.testing.assert_array_equal(np.concatenate(got), sound)


def test_what_came_before_a_failure_is_handed_out() -> None:
    def breaking() -> Iterator[Block]:
        yield np.zeros((7, 1), dtype=np.float32)
        raise DecodeFailure("broken")

    blocks = regroup(breaking(), 5)
    assert [len(next(blocks)), len(next(blocks))] == [5, 2]
    with pytest.raises(DecodeFailure, match="broken"):
        next(blocks)


def test_a_second_unless_that_is_much_memory() -> None:
    assert block_frames(16_000, 2) == 16_000
    assert block_frames(768_000, 64) == BLOCK_VALUES // 64
