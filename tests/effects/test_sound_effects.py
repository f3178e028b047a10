"""Noise, rooms, speed and channel against what a textbook measures on them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples, Waveform
from samevoice.effects.channel import band_limited, coloured, gain
from samevoice.effects.fourier import fast_size
from samevoice.effects.noise import add_noise, babble, stretch, synthetic_noise
from samevoice.effects.rooms import reverberate, synthetic_response
from samevoice.effects.speed import change_speed

RATE = 16_000


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def energy(samples: NDArray[np.float32]) -> float:
    return sum(float(value) ** 2 for value in samples.tolist())


def level_db(samples: Samples, low: float, high: float) -> float:
    """Mean density of power from `low` to `high` Hz, in dB."""
    frequencies, density = scipy.signal.welch(samples, RATE, nperseg=4_096)
    return float(10 * np.log10(density[(frequencies >= low) & (frequencies <= high)].mean()))


def tone(frequency: float, size: int = RATE) -> Samples:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(size) / RATE)).astype(np.float32)


@given(st.floats(-20, 40), st.integers(2, 4_000), st.floats(-6, 0), st.floats(-6, 0), st.integers(0, 99))
def test_noise_has_exactly_the_ratio_asked_for(snr: float, size: int, loud: float, noisy: float, seed: int) -> None:
    random = generator(seed)
    clean = (10**loud * random.standard_normal(size)).astype(np.float32)
    noise = (10**noisy * random.standard_normal(size)).astype(np.float32)
    # Of a sum in float32 the noise can only be read back to a rounding of the louder of the two.
    added = add_noise(clean, noise, snr).astype(np.float64) - clean
    assert 10 * np.log10(np.sum(clean.astype(np.float64) ** 2) / np.sum(added**2)) == pytest.approx(snr, abs=0.01)
    assert np.corrcoef(added, noise)[0, 1] > 0.9999


def test_silence_has_no_ratio_and_is_left_alone() -> None:
    clean, silence = tone(440), np.zeros(RATE, dtype=np.float32)
    np.testing.assert_array_equal(add_noise(clean, silence, 5), clean)
    np.testing.assert_array_equal(add_noise(silence, clean, 5), silence)


@given(st.integers(1, 30), st.integers(1, 100), st.integers(0, 99))
def test_a_stretch_runs_on_and_begins_again(length: int, size: int, seed: int) -> None:
    taken = stretch(np.arange(length, dtype=np.float32), size, generator(seed)).tolist()
    assert taken == [(taken[0] + place) % length for place in range(size)]


def test_stretches_come_from_all_places() -> None:
    random = generator()
    assert {int(stretch(np.arange(5, dtype=np.float32), 1, random)[0]) for _ in range(200)} == {0, 1, 2, 3, 4}


def test_babble_holds_every_voice_at_the_same_power() -> None:
    loud, faint = tone(1_000), 1e-3 * tone(3_000)
    seen = set()
    for seed in range(12):
        mixed = babble([loud, faint], 6, RATE, generator(seed))
        low, high = (np.abs(np.fft.rfft(mixed))[frequency] for frequency in (1_000, 3_000))
        seen.add((low > 1_000, high > 1_000))
    assert (True, True) in seen  # the faint voice is heard beside the loud one
    one = babble([faint], 1, RATE, generator())
    assert energy(one) / RATE == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("tilt", [0.0, 1.0, 2.0])
def test_synthetic_noise_falls_by_its_tilt(tilt: float) -> None:
    noise = synthetic_noise(20 * RATE, RATE, tilt, generator(1))
    octaves = [level_db(noise, middle / 1.05, middle * 1.05) for middle in (250, 500, 1_000, 2_000, 4_000)]
    slope = np.polyfit(np.arange(5), octaves, 1)[0]
    assert slope == pytest.approx(-10 * np.log10(2) * tilt, abs=0.15)
    assert energy(noise) / len(noise) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("direct_db", [-3.0, 3.0, 12.0])
@pytest.mark.parametrize("rt60", [0.1, 0.3, 0.7, 1.5])
def test_a_made_up_room_decays_in_the_time_asked_for(rt60: float, direct_db: float) -> None:
    for seed in range(10):
        response = synthetic_response(RATE, rt60, direct_db, generator(seed)).astype(np.float64)
        assert response[0] == 1 == np.abs(response).max()
        assert np.abs(response[1:]).max() < 1
        assert -10 * np.log10(np.sum(response[1:] ** 2)) == pytest.approx(direct_db, abs=0.5)
        # Schroeder (1965): integrate backwards; T30 from -5 to -35 dB of the reverberation
        left = np.cumsum(response[:0:-1] ** 2)[::-1]
        decay = 10 * np.log10(left / left[0])
        fitted = (decay <= -5) & (decay >= -35)
        slope = np.polyfit(np.flatnonzero(fitted) / RATE, decay[fitted], 1)[0]
        assert -60 / slope == pytest.approx(rt60, rel=0.15)


@given(st.integers(1, 3_000), st.integers(1, 2_000), st.integers(0, 300), st.integers(0, 99))
def test_reverberation_is_the_convolution_from_the_direct_sound_on(n: int, m: int, early: int, seed: int) -> None:
    random = generator(seed)
    clean = random.standard_normal(n).astype(np.float32)
    response = np.concatenate([0.3 * random.uniform(-1, 1, early), [2.0], random.uniform(-1, 1, m - 1)])
    expected = scipy.signal.convolve(clean.astype(np.float64), response[early:], method="direct")[:n]
    assume(np.sum(expected**2) > 1e-6)
    expected *= np.sqrt(energy(clean) / np.sum(expected**2))
    wet = reverberate(clean, response.astype(np.float32))
    np.testing.assert_allclose(wet, expected, atol=2e-5 * np.abs(expected).max())
    assert energy(wet) == pytest.approx(energy(clean), rel=1e-4)


def test_the_direct_sound_is_the_peak_even_far_from_the_speaker() -> None:
    for seed in range(5):
        response = synthetic_response(RATE, 0.1, -20, generator(seed))
        assert np.abs(response[1:]).max() < response[0] == 1


def test_a_room_does_not_shift_speech(speech: Waveform) -> None:
    room = synthetic_response(RATE, 0.5, 3, generator(2))
    late = np.concatenate([np.zeros(700, dtype=np.float32), room])
    dry = speech.samples
    for response in (room, late):
        match = scipy.signal.correlate(reverberate(dry, response), dry)
        assert int(np.argmax(match)) == len(dry) - 1
    np.testing.assert_array_equal(reverberate(dry, np.zeros(9, dtype=np.float32)), dry)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 1.5, 2.0])
def test_speed_moves_the_pitch_and_the_length(factor: float) -> None:
    played = change_speed(tone(1_000, 31_999), RATE, factor)
    assert len(played) == round(31_999 / factor)
    spectrum = np.abs(np.fft.rfft(played * np.hanning(len(played))))
    assert spectrum.argmax() * RATE / len(played) == pytest.approx(1_000 * factor, abs=1)
    middle = played[len(played) // 4 : -len(played) // 4]
    assert np.abs(middle).max() == pytest.approx(0.5, rel=0.01)


@given(st.integers(1, 500), st.floats(0.5, 2))
@example(1, 2.0)
def test_the_shortest_sounds_survive_a_change_of_speed(size: int, factor: float) -> None:
    played = change_speed(np.ones(size, dtype=np.float32), RATE, factor)
    assert len(played) == max(1, round(size / factor))
    assert np.isfinite(played).all()


def test_a_speed_out_of_range_is_a_mistake() -> None:
    for factor in (0.49, 2.01, np.nan, -1.0):
        with pytest.raises(ValueError, match=r"between 0\.5 and 2\.0"):
            change_speed(tone(440), RATE, factor)


def test_gain_is_in_decibels_and_clips_nothing() -> None:
    loud = gain(tone(440), 20)
    assert np.abs(loud).max() == pytest.approx(5, rel=1e-3)
    np.testing.assert_allclose(gain(loud, -20), tone(440), atol=1e-6)


def test_a_band_is_steep_and_flat_and_its_edges_stand_where_asked() -> None:
    for frequency, passes in ((100, False), (199, False), (301, True), (1_000, True), (3_399, True), (3_501, False)):
        heard = band_limited(tone(frequency), RATE, 300, 3_400)[RATE // 4 : -RATE // 4]
        change = 10 * np.log10(energy(heard) / energy(tone(frequency)[RATE // 4 : -RATE // 4]))
        assert (abs(change) < 0.1) if passes else (change < -50), frequency


@pytest.mark.parametrize(("low", "high"), [(300.0, 3_400.0), (0.0, 4_000.0)])
def test_a_band_delays_nothing_and_leaks_nothing_around_the_ends(low: float, high: float) -> None:
    click = np.zeros(4_001, dtype=np.float32)
    click[2_000] = 1
    heard = band_limited(click, RATE, low, high)
    assert heard.argmax() == 2_000
    np.testing.assert_allclose(heard, heard[::-1], atol=1e-6)
    click[:] = 0
    click[-1] = 1
    assert np.abs(band_limited(click, RATE, low, high)[:1_000]).max() < 1e-3


def test_a_band_wider_than_the_sound_changes_nothing(speech: Waveform) -> None:
    np.testing.assert_allclose(band_limited(speech.samples, RATE, 0, 8_000), speech.samples, atol=1e-6)


def test_colour_follows_its_knots_without_delay() -> None:
    noise = synthetic_noise(20 * RATE, RATE, 0, generator(3))
    knots = [6, -6, 0, 3, -3]  # at 0, 2, 4, 6 and 8 kHz
    heard = coloured(noise, knots)
    for frequency, expected in ((1_000, 0), (2_000, -6), (3_000, -3), (4_000, 0), (6_000, 3), (7_000, 0)):
        span = frequency - 30, frequency + 30
        assert level_db(heard, *span) - level_db(noise, *span) == pytest.approx(expected, abs=0.3)
    click = np.zeros(2_001, dtype=np.float32)
    click[1_000] = 1
    assert coloured(click, knots).argmax() == 1_000


@given(st.integers(1, 10**7))
def test_quick_lengths_are_long_enough_and_not_much_longer(least: int) -> None:
    size = fast_size(least)
    assert least <= size <= max(8, 1.25 * least)
    for prime in (2, 3, 5):
        while size % prime == 0:
            size //= prime
    assert size == 1
