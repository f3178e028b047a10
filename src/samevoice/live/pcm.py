"""Bare samples: how bytes become sound.

Knows: sample formats. Does not know: where bytes come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.resample import mix
from samevoice.audio.waveform import MAX_CHANNELS, Samples, check_rate, check_samples
from samevoice.errors import ConfigError

WIDTHS = {8, 16, 24, 32}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How samples are written, the channels of one moment side by side, lowest byte first.

    Args:
        rate: in Hz.
        channels: 1 to 64.
        bits: of a sample: 8 (without a sign), 16, 24 or 32; 32 or 64 for floats.
        floating: whether samples are floats.

    Raises:
        AudioError: no recording of speech has such a rate.
        ConfigError: samples are not written like this.
    """

    rate: int = 16_000
    channels: int = 1
    bits: int = 16
    floating: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be decoded."""
        check_rate(self.rate, "samples")
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise ConfigError(f"{self.channels} channels cannot be listened to; give 1 to {MAX_CHANNELS}")
        if self.bits not in ({32, 64} if self.floating else WIDTHS):
            raise ConfigError(f"samples of {self.bits} bits cannot be listened to; use 16 bits")

    def __str__(self) -> str:
        """In words."""
        kind = "floats" if self.floating else "integers"
        return f"{self.bits}-bit {kind} at {self.rate} Hz in {self.channels} channel{'s' * (self.channels != 1)}"

    @property
    def frame(self) -> int:
        """Bytes of one moment."""
        return self.channels * self.bits // 8


class Decoder:
    """Decodes bytes as they come, cut anywhere."""

    def __init__(self, encoding: Encoding) -> None:
        """Begin with the first byte."""
        self._encoding = encoding
        self._frames = 0
        self.left = b""  # of a moment that is not complete

    def push(self, raw: bytes) -> Samples:
        """The moments that are complete with these bytes, mixed to one channel; shape (n,).

        Raises:
            AudioError: floats that are no sound.
        """
        joined = self.left + raw
        whole = len(joined) - len(joined) % self._encoding.frame
        self.left = joined[whole:]
        block = self._values(joined[:whole]).reshape(-1, self._encoding.channels)
        check_samples(block, "samples", offset=self._frames / self._encoding.rate)
        self._frames += len(block)
        return mix(block)

    def _values(self, raw: bytes) -> NDArray[np.float32]:
        """Samples in [-1, 1], as libsndfile scales them."""
        bits = self._encoding.bits
        if self._encoding.floating:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
                return np.frombuffer(raw, dtype=f"<f{bits // 8}").astype(np.float32)
        if bits == 8:
            return (np.frombuffer(raw, dtype=np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
        if bits == 24:  # as the upper bytes of 32
            wide = np.zeros((len(raw) // 3, 4), dtype=np.uint8)
            wide[:, 1:] = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 3)
            raw, bits = wide.tobytes(), 32
        return np.frombuffer(raw, dtype=f"<i{bits // 8}").astype(np.float32) / np.float32(1 << (bits - 1))
