"""A trace of a sound: enough to know the same recording again, too little to hear what was said.

A recording that is enrolled twice, or for somebody else, need not come back bit by bit: a codec, another level, a
telephone line, cut ends or a loudspeaker in a room lie between. What stays is how the energy of coarse bands rises and
falls from one third of a second to the next. Only the signs of these changes are kept, 16 bits every 64 ms (31 bytes
per second): syllables are smeared, and neither pitch nor levels are left. It is still a trace of a person's recording,
so a gallery keeps it sealed.

Knows: samples, bits. Does not know: people, embeddings, files.
Source: Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002 (signs of energy differences along
frequency and time); here coarser by far in time, and of logarithms, so that a microphone's colour drops out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform

RATE = 16_000
MAX_SECONDS = 60.0  # of a sound; what follows leaves no trace
LOWEST_HZ, HIGHEST_HZ = 300.0, 3_400.0  # what a telephone lets through
BITS = 16
WINDOW, HOP = 512, 256  # samples
SPAN = 24  # windows that are averaged: 0.38 s
STEP = 4  # windows from one word of bits to the next: 64 ms
LAG = 6  # words between which energies are compared: 0.38 s
FLOOR = 1e-4  # of a band's mean energy; what lies below counts as silence
LEAST_WORDS = 12  # that two traces must share, of about 2 s of sound
SAME_SOUND = 10.0  # in standard deviations of as many tossed coins; dev: 8.4 at most between other recordings

Array = NDArray[np.float64]


def trace_of(sound: Waveform) -> bytes:
    """The trace of a sound.

    Args:
        sound: at 16 kHz; what follows the first minute is left out.

    Returns:
        Two bytes for every 64 ms; nothing for sounds below 0.8 s. In silence nothing changes, so its words are zero.

    Raises:
        ValueError: the sound has another rate.
    """
    if sound.rate != RATE:
        raise ValueError(f"a trace is made at {RATE} Hz, got {sound.rate} Hz")
    samples = sound.samples[: int(MAX_SECONDS * RATE)]
    if len(samples) < WINDOW:
        return b""
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BITS + 2)
    places = np.searchsorted(np.fft.rfftfreq(WINDOW, 1 / RATE), edges)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW).astype(np.float32), axis=1)) ** 2
    bands = np.add.reduceat(power, places, axis=1, dtype=np.float64)[:, : BITS + 1]
    passed = np.concatenate([np.zeros((1, BITS + 1)), np.cumsum(bands, axis=0)])
    energy = (passed[SPAN:] - passed[:-SPAN])[::STEP]
    if len(energy) <= LAG:
        return b""
    floor = np.maximum(FLOOR * energy.mean(axis=0), np.finfo(np.float32).tiny)
    slopes = np.diff(np.log(energy + floor), axis=1)
    return np.packbits(slopes[LAG:] > slopes[:-LAG], axis=1).tobytes()


def likeness(one: bytes, other: bytes) -> float:
    """How far two traces agree beyond chance where they fit best, in standard deviations.

    Args:
        one: by `trace_of`.
        other: the same; either may be of a part of the other's sound.

    Returns:
        0 where they share too little; from `SAME_SOUND` on they are of one recording.

    Raises:
        ValueError: a trace is not one.
    """
    (mine, mine_heard), (theirs, theirs_heard) = _signs(one), _signs(other)
    if min(len(mine), len(theirs)) < LEAST_WORDS:
        return 0.0
    size = 1 << (len(mine) + len(theirs) - 1).bit_length()
    agreed = _correlated(mine, theirs, size).sum(axis=1)
    shared = BITS * np.round(_correlated(mine_heard, theirs_heard, size)[:, 0])
    enough = shared >= BITS * LEAST_WORDS
    return max(0.0, float((agreed[enough] / np.sqrt(shared[enough])).max(initial=0.0)))


def _signs(trace: bytes) -> tuple[Array, Array]:
    """A trace as +1 and -1, shape (n, 16), 0 in silence; and whether each word holds sound, shape (n, 1)."""
    if len(trace) % (BITS // 8):
        raise ValueError(f"{len(trace)} bytes are no trace of a sound")
    bits = np.unpackbits(np.frombuffer(trace, dtype=np.uint8)).reshape(-1, BITS)
    heard: Array = np.asarray(bits.any(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray((2.0 * bits - 1.0) * heard), heard


def _correlated(one: Array, other: Array, size: int) -> Array:
    """Sums of products of two sets of columns at every shift against each other, shape (size, columns)."""
    spectra = np.fft.rfft(one, size, axis=0) * np.conj(np.fft.rfft(other, size, axis=0))
    found: Array = np.fft.irfft(spectra, size, axis=0)
    return found
