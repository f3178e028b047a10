"""Kaldi's log mel filter-bank energies.

Povey window of 25 ms every 10 ms, pre-emphasis 0.97, mean removed per frame, no dither, natural logarithm,
edges snipped. Samples stay in [-1, 1]: the published CAM++ inference code does not scale them to 16 bits.

Source: Kaldi, feature-window.cc, feature-fbank.cc and mel-computations.cc.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples
from samevoice.features.frontend import Features, Frontend, FrontendSpec, check_spec

RATE = 16_000  # of the published networks; any other will do
BANDS = 80  # likewise
FRAME_WIDTH_MS = 25
FRAME_HOP_MS = 10
EMPHASIS = 0.97
LOWEST_HZ = 20.0
FLOOR = float(np.finfo(np.float32).eps)
BLOCK = 16  # bands that are summed up at once
CHUNK = 32  # frames at once: they stay in the cache, and matrices of one shape round in one way


class KaldiFbank(Frontend):
    """Log mel energies with their mean over time taken away; the scale of each band is kept.

    Args:
        spec: kind "kaldi-fbank"; no options.

    Raises:
        ModelError: the spec carries an option, or an impossible rate or number of bands.
    """

    def __init__(self, spec: FrontendSpec) -> None:
        """Fix the recipe; no state is kept between calls."""
        check_spec(spec)
        self.spec = spec
        self.width = spec.rate * FRAME_WIDTH_MS // 1000
        self.hop = spec.rate * FRAME_HOP_MS // 1000
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.width) / (self.width - 1))
        self._window = (hann**0.85).astype(np.float32)
        self._size = 1 << (self.width - 1).bit_length()
        self._bank = list(_blocks(mel_bank(spec.rate, self._size, spec.bands)))

    def frames(self, samples: Samples, /, count: int | None = None) -> Features:
        """Log mel energies before mean subtraction, shape (count, bands); see `Frontend.frames`.

        Kaldi snips the edges: there are never more frames than lie inside.
        """
        count = self.count(len(samples)) if count is None else count
        found = np.empty((count, self.spec.bands), dtype=np.float32)
        if count == 0:
            return found
        cut = np.lib.stride_tricks.sliding_window_view
        whole = cut(samples, self.width)[:: self.hop]
        rising = cut(samples[1:] - np.float32(EMPHASIS) * samples[:-1], self.width - 1)[:: self.hop]
        padded = np.zeros((CHUNK, self._size), dtype=np.float32)
        for start in range(0, count, CHUNK):
            stop = min(start + CHUNK, count)
            rows = padded[: stop - start, : self.width]
            mean = whole[start:stop].mean(axis=1, keepdims=True)
            # What pre-emphasis leaves of the mean; the first sample of a frame is taken to follow one like itself.
            np.subtract(rising[start:stop], np.float32(1 - EMPHASIS) * mean, out=rows[:, 1:])
            np.multiply(whole[start:stop, :1] - mean, np.float32(1 - EMPHASIS), out=rows[:, :1])
            rows *= self._window
            spectra = np.fft.rfft(padded, axis=1).astype(np.complex64, copy=False).view(np.float32)
            np.square(spectra, out=spectra)
            energies = np.concatenate([spectra[:, bins] @ weights for bins, weights in self._bank], axis=1)
            np.log(np.maximum(energies[: stop - start], np.float32(FLOOR)), out=found[start:stop])
        return found

    def normalise(self, features: Features, /) -> Features:
        """Subtract each band's mean over the stretch."""
        centred: Features = features - features.mean(axis=0, dtype=np.float32)
        return centred


def mel_bank(rate: int, size: int, bands: int) -> NDArray[np.float32]:
    """Triangles that are linear in mel, between 20 Hz and half the rate.

    Args:
        rate: of the samples, in Hz.
        size: samples per transform, even.
        bands: how many triangles.

    Returns:
        Shape (bands, size // 2 + 1); none reaches the highest bin, as in Kaldi.
    """
    place = _mel(np.arange(size // 2 + 1) * (rate / size))
    low, high = _mel(np.array([LOWEST_HZ, rate / 2]))
    edges = np.linspace(low, high, bands + 2)[:, None]
    step = edges[1] - edges[0]
    triangles = np.maximum(0.0, np.minimum(place - edges[:-2], edges[2:] - place) / step)
    triangles[:, -1] = 0.0
    found: NDArray[np.float32] = triangles.astype(np.float32)
    return found


def _blocks(bank: NDArray[np.float32]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """The bank in blocks of neighbouring bands, each with the bins that it hears: (bins, (2 bins, bands)).

    Most of the bank is zeros; and products this small are not spread over threads, which would wait for one another
    where several processes compute. Energy is that of the real and of the imaginary part, which lie side by side.
    """
    for first in range(0, len(bank), BLOCK):
        bands = bank[first : first + BLOCK]
        heard = np.flatnonzero(bands.any(axis=0))
        low, high = (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, 1)
        yield slice(2 * low, 2 * high), np.repeat(bands[:, low:high].T, 2, axis=0)


def _mel(hertz: NDArray[Any]) -> NDArray[np.float64]:
    """Mel of frequencies."""
    return np.asarray(1127.0 * np.log1p(hertz / 700.0), dtype=np.float64)
