"""Noise at a stated ratio: recorded, made of several voices (babble), or synthetic from white to brown.

Knows: powers of sounds. Does not know: which noise when.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samevoice.audio.waveform import Samples
from samevoice.effects.fourier import mean_power

LOWEST_HZ = 20.0  # below, synthetic noise gets no louder: nobody hears it, and it would take up all the power


def add_noise(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """A sound with noise at a ratio of mean powers.

    Args:
        samples: shape (n,).
        noise: shape (n,), at any level; `stretch` makes it as long.
        snr_db: power of the samples over power of the noise in dB.

    Returns:
        Shape (n,); the samples as they are where they or the noise are silent, since no ratio exists then.
    """
    loudness = mean_power(noise)
    if not loudness:
        return samples
    scale = np.sqrt(mean_power(samples) / loudness / np.power(10.0, snr_db / 10))
    noisy: Samples = (samples + noise.astype(np.float64) * scale).astype(np.float32)
    return noisy


def stretch(sound: Samples, size: int, random: np.random.Generator) -> Samples:
    """So many samples of a sound from a random place on; behind its end it begins again."""
    start = int(random.integers(len(sound)))
    return np.take(sound, np.arange(start, start + size), mode="wrap")


def babble(sounds: Sequence[Samples], count: int, size: int, random: np.random.Generator) -> Samples:
    """Several sounds at once, each at the same power and from a random place.

    Args:
        sounds: what to choose from, with replacement; 3 to 7 voices make babble.
        count: how many at once, at least 1.
        size: length of the result in samples.
        random: chooses sounds and places.
    """
    parts = (stretch(sounds[int(random.integers(len(sounds)))], size, random) for _ in range(count))
    total = np.zeros(size)
    for part in parts:
        total += part / max(np.sqrt(mean_power(part)), np.finfo(np.float32).tiny)
    return total.astype(np.float32)


def synthetic_noise(size: int, rate: int, tilt: float, random: np.random.Generator) -> Samples:
    """Gaussian noise whose power falls with frequency, at a mean power of 1.

    Args:
        size: samples.
        rate: in Hz.
        tilt: power is proportional to 1 / frequency^tilt: 0 for white noise, 1 for pink, 2 for brown.
        random: draws it.
    """
    white = random.standard_normal(size)
    heights = np.maximum(np.fft.rfftfreq(size, 1 / rate), LOWEST_HZ) ** (-tilt / 2)
    noise = np.fft.irfft(np.fft.rfft(white) * heights, size)
    unit: Samples = (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return unit
