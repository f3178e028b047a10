"""SpecAugment: what is masked, where, and how much of it at most."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from samevoice.errors import ConfigError, ModelError
from samevoice.training.augment.spec import SpecAugment


def generators(seed: int, batch: int) -> list[np.random.Generator]:
    """One for each clip."""
    return [np.random.default_rng([seed, place]) for place in range(batch)]


def masked(
    spec: SpecAugment, batch: int, frames: int, bands: int, seed: int, lengths: list[int] | None
) -> torch.Tensor:
    """Where features of ones became 0."""
    features = torch.ones(batch, frames, bands)
    result = spec(features, None if lengths is None else torch.tensor(lengths), generators(seed, batch))
    assert bool((features == 1).all())
    assert set(result.flatten().tolist()) <= {0.0, 1.0}
    return result == 0


def runs(flags: list[bool]) -> list[int]:
    """Lengths of the stretches of True, by a loop."""
    found = [0]
    for flag in flags:
        if flag:
            found[-1] += 1
        elif found[-1]:
            found.append(0)
    return [one for one in found if one]


@given(
    st.integers(1, 60), st.integers(1, 40), st.integers(0, 4), st.integers(0, 99), st.integers(0, 4), st.integers(0, 9)
)
def test_masks_are_whole_stretches_and_hide_at_most_half(
    frames: int, bands: int, time_masks: int, time_width: int, band_masks: int, band_width: int
) -> None:
    spec = SpecAugment(time_masks, time_width, band_masks, band_width)
    lengths = [frames, max(1, frames // 3), 1]
    hidden = masked(spec, 3, frames, bands, frames + bands, lengths)
    for clip, length in zip(hidden, lengths, strict=True):
        # A mask of time covers all bands, one of bands all frames: rows and columns explain everything.
        times, heights = clip.all(dim=1).tolist(), clip.all(dim=0).tolist()
        for row in range(frames):
            for column in range(bands):
                assert bool(clip[row, column]) == (times[row] or heights[column])
        assert sum(times) <= min(time_masks * time_width, length / 2)
        assert sum(heights) <= min(band_masks * band_width, bands / 2)
        assert not any(times[length:])
        assert len(runs(times)) <= time_masks
        assert len(runs(heights)) <= band_masks


def test_widths_and_places_are_even() -> None:
    widths, places = np.zeros(5, dtype=int), np.zeros(20, dtype=int)
    for clip in masked(SpecAugment(1, 4, 0, 0), 4_000, 20, 3, 0, None):
        rows = clip.all(dim=1).numpy()
        widths[rows.sum()] += 1
        places += rows
    assert np.abs(widths - 800).max() < 100  # 800 +- 4 sigma
    assert places.min() > 0
    # A mask of w frames has 21 - w places, of which w cover a frame that is far from the ends.
    inside = 4_000 * sum(width / (21 - width) for width in range(5)) / 5
    assert np.abs(places[3:-3] - inside).max() < 80  # 4 sigma


def test_each_clip_gets_its_own_masks_and_equal_seeds_the_same() -> None:
    spec = SpecAugment()
    first = masked(spec, 8, 200, 80, 1, None)
    assert torch.equal(first, masked(spec, 8, 200, 80, 1, None))
    assert not torch.equal(first, masked(spec, 8, 200, 80, 2, None))
    assert len({tuple(clip.flatten().tolist()) for clip in first}) == 8
    alone = spec(torch.ones(3, 200, 80), None, generators(1, 8)[2:5])
    assert torch.equal(alone == 0, first[2:5])  # a share of the batch gets what it had in the whole


def test_gradients_and_values_pass_where_nothing_is_masked() -> None:
    features = torch.randn(2, 30, 10, requires_grad=True)
    result = SpecAugment(2, 5, 1, 3)(features, None, generators(0, 2))
    result.sum().backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert torch.equal(features.grad == 0, result == 0)
    assert torch.equal(result[result != 0], features[result != 0])


def test_what_does_not_fit_is_refused() -> None:
    for bad in (-1, 1.5, True):
        with pytest.raises(ConfigError, match=r"mask\.band_width must be a whole number"):
            SpecAugment(band_width=bad)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"got \(3, 4\), None and 3"):
        SpecAugment()(torch.ones(3, 4), None, generators(0, 3))
    with pytest.raises(ModelError, match=r"got \(3, 4, 5\), \(2,\) and 3"):
        SpecAugment()(torch.ones(3, 4, 5), torch.ones(2), generators(0, 3))
    with pytest.raises(ModelError, match=r"got \(3, 4, 5\), None and 2"):
        SpecAugment()(torch.ones(3, 4, 5), None, generators(0, 2))
