"""To one channel at the rate a model asks for, block by block, by soxr.

Knows: mixing and rates. Does not know: files, models. The quality of the filter belongs to a model's card,
since embeddings drift when it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from samevoice.audio.blocks import Block, regroup
from samevoice.audio.waveform import Samples, Waveform

QUALITY = "HQ"
SPAN_SECONDS = 20  # what later stages are fed at a time: long enough to be fast, short enough to be small


def mix(block: Block) -> Samples:
    """Average the channels of a block of shape (frames, channels)."""
    if block.shape[1] == 1:
        return block[:, 0]
    mono: Samples = block.mean(axis=1, dtype=np.float32)
    return mono


def waveforms(blocks: Iterable[Samples], rate: int, target: int, quality: str = QUALITY) -> Iterator[Waveform]:
    """Bring mono blocks to another rate and hand them out in spans of 20 s (the last one is shorter).

    The result does not depend on how the input was cut into blocks.

    Args:
        blocks: mono samples, float32 (n,), in order.
        rate: their rate in Hz.
        target: the wanted rate in Hz.
        quality: soxr's name of the filter ("QQ", "LQ", "MQ", "HQ", "VHQ").
    """
    for span in regroup(converted(blocks, rate, target, quality), SPAN_SECONDS * target):
        yield Waveform(span, target)


def resample(waveform: Waveform, target: int, quality: str = QUALITY) -> Waveform:
    """A whole waveform at another rate.

    Args:
        waveform: any waveform.
        target: the wanted rate in Hz.
        quality: soxr's name of the filter.
    """
    if waveform.rate == target:
        return waveform
    pieces = list(converted([waveform.samples], waveform.rate, target, quality))
    return Waveform(np.concatenate(pieces), target)


def converted(blocks: Iterable[Samples], rate: int, target: int, quality: str) -> Iterator[Samples]:
    """Push blocks through a streaming resampler and drain it at the end."""
    if rate == target:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, target, 1, dtype="float32", quality=quality)
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.empty(0, dtype=np.float32), last=True)
