"""The grid of slices: it covers the recording, lies where it says, and ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.errors import ConfigError
from samevoice.timelines.grid import SEEDS, Grid
from samevoice.timelines.reading import clock, groups

LENGTHS = st.integers(50, 2_000).map(lambda hundredths: hundredths / 100)
EXTENTS = st.floats(1e-4, 20_000)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    length = draw(LENGTHS)
    return Grid(length, draw(st.integers(10, round(length * 100)).map(lambda hundredths: hundredths / 100)))


@given(grids(), EXTENTS)
def test_slices_cover_the_recording_on_an_exact_grid(grid: Grid, extent: float) -> None:
    starts, ends = grid.slices(extent)
    assert starts[0] == 0.0
    assert ends[-1] == extent
    assert (starts < ends).all()
    assert (starts == np.arange(len(starts)) * grid.step).all()  # no drift
    assert np.allclose((ends - starts)[:-1], grid.length, rtol=0, atol=1e-9)
    assert (starts[1:] <= ends[:-1] + 1e-9).all()  # no gap
    last = ends[-1] - starts[-1]
    assert last <= grid.length + 1e-5
    assert len(starts) == 1 or last > grid.length - grid.step - 1e-5


@given(grids(), st.integers(0, 500))
def test_a_recording_of_whole_steps_has_only_whole_slices(grid: Grid, steps: int) -> None:
    extent = grid.length + steps * grid.step
    starts, ends = grid.slices(extent)
    assert len(starts) == steps + 1
    assert ends[-1] == extent  # to the last bit
    assert np.allclose(ends - starts, grid.length)


def test_the_usual_grids() -> None:
    assert Grid() == Grid(1.5, 0.75)
    starts, ends = SEEDS.slices(4.0)
    assert starts.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert np.allclose(ends, [1.6, 2.1, 2.6, 3.1, 3.6, 4.0])
    starts, ends = Grid().slices(0.3)
    assert (starts.tolist(), ends.tolist()) == ([0.0], [0.3])


@pytest.mark.parametrize(
    ("length", "step"), [(0.4, 0.4), (1.5, 1.6), (1.5, 0.05), (np.nan, 0.5), (1.5, np.nan), (np.inf, 1.0)]
)
def test_grids_that_cannot_be(length: float, step: float) -> None:
    with pytest.raises(ConfigError, match="cannot be; give a"):
        Grid(length, step)


def test_too_many_slices() -> None:
    with pytest.raises(ConfigError, match="over 1,000,000 slices"):
        Grid(1.0, 0.1).slices(200_000.0)


@given(st.integers(1, 10_000), st.integers(1, 300))
def test_groups_are_neighbours_of_about_one_size(count: int, most: int) -> None:
    first = groups(count, most)
    sizes = np.diff([*first, count])
    assert first[0] == 0
    assert len(first) == min(count, most)
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(
    ("seconds", "decimals", "told"),
    [(0.0, 1, "0:00.0"), (59.96, 1, "1:00.0"), (62.25, 2, "1:02.25"), (3599.7, 0, "1:00:00"), (7262.0, 0, "2:01:02")],
)
def test_clock(seconds: float, decimals: int, told: str) -> None:
    assert clock(seconds, decimals=decimals) == told
