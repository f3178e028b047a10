"""Mixing and changing the rate: the same numbers as soxr in one go, however the sound was cut."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.audio.resample import SPAN_SECONDS, mix, resample, waveforms
from samevoice.audio.waveform import Samples, Waveform

PAIRS = [(8_000, 16_000), (16_000, 8_000), (48_000, 16_000), (16_000, 48_000), (8_000, 48_000), (44_100, 16_000)]


def cut(samples: Samples, points: list[int]) -> list[Samples]:
    return np.split(samples, sorted(points))


@settings(max_examples=60)
@given(pair=st.sampled_from(PAIRS), points=st.lists(st.integers(0, 12_000), max_size=12), seed=st.integers(0, 99))
def test_blocks_do_not_matter(pair: tuple[int, int], points: list[int], seed: int) -> None:
    rate, target = pair
    sound = np.random.default_rng(seed).uniform(-0.5, 0.5, 12_000).astype(np.float32)
    whole = soxr.resample(sound, rate, target, quality="HQ")
    (wave,) = waveforms(cut(sound, points), rate, target)
    assert wave.rate == target
    assert len(wave.samples) == len(whole)
    np.testing.assert_allclose(wave.samples, whole, atol=2e-6)


@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_a_tone_keeps_its_pitch_and_level(rate: int, target: int) -> None:
    """Judged by the formula of a sine, not by soxr."""
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate)
    got = resample(Waveform(tone, rate), target)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * target) / target)
    assert len(got.samples) == 2 * target
    inner = slice(target // 4, -target // 4)
    np.testing.assert_allclose(got.samples[inner], expected[inner], atol=1e-4)


def test_what_the_lower_rate_cannot_hold_is_removed() -> None:
    tone = np.sin(2 * np.pi * 6_000 * np.arange(32_000) / 16_000)
    assert np.abs(resample(Waveform(tone, 16_000), 8_000).samples[2_000:-2_000]).max() < 1e-3


def test_same_rate_is_left_alone(speech: Waveform) -> None:
    assert resample(speech, speech.rate) is speech
    (whole,) = waveforms(cut(speech.samples, [5, 17_000]), 16_000, 16_000)
    np.testing.assert_array_equal(whole.samples, speech.samples)


def test_spans_are_full_except_the_last() -> None:
    seconds = 2 * SPAN_SECONDS + 5
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, seconds * 8_000).astype(np.float32)
    spans = list(waveforms(np.array_split(sound, seconds), 8_000, 16_000))
    assert [span.duration for span in spans] == [SPAN_SECONDS, SPAN_SECONDS, 5.0]
    joined = np.concatenate([span.samples for span in spans])
    np.testing.assert_allclose(joined, soxr.resample(sound, 8_000, 16_000), atol=2e-6)


def test_nothing_in_nothing_out() -> None:
    assert list(waveforms([], 8_000, 16_000)) == []
    assert list(waveforms([], 16_000, 16_000)) == []


def test_mix_is_the_mean_of_the_channels() -> None:
    block = np.random.default_rng(1).uniform(-1, 1, (50, 3)).astype(np.float32)
    expected = [sum(float(value) for value in row) / 3 for row in block]
    np.testing.assert_allclose(mix(block), expected, atol=1e-6)
    np.testing.assert_array_equal(mix(block[:, :1]), block[:, 0])
