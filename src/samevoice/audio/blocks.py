"""Blocks of samples: how long they are, and how any sequence of them is cut anew to one length.

Knows: lengths. Does not know: files, channels, rates of models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.info import DecodeFailure

Block = NDArray[np.float32]  # (frames, channels), or (frames,) once they are mixed

BLOCK_SECONDS = 1.0
BLOCK_VALUES = 4 << 20  # and no more than this over all channels: a header can claim many channels at a high rate


def block_frames(rate: int, channels: int) -> int:
    """How many frames a block holds: one second, or less where many channels at a high rate would need much memory.

    Args:
        rate: sample rate in Hz.
        channels: how many, >= 1.
    """
    return max(1, min(int(BLOCK_SECONDS * rate), BLOCK_VALUES // channels))


def regroup(blocks: Iterable[Block], frames: int) -> Iterator[Block]:
    """The same samples in blocks of `frames` frames each; only the last one may be shorter.

    Args:
        blocks: shape (n, channels) or (n,), in order, of any lengths.
        frames: the wanted length, >= 1.

    Raises:
        DecodeFailure: `blocks` raised it; everything before it has been handed out.
    """
    waiting: list[Block] = []
    held = 0
    failure: DecodeFailure | None = None
    try:
        for block in blocks:
            waiting.append(block)
            held += len(block)
            if held < frames:
                continue
            joined = np.concatenate(waiting) if len(waiting) > 1 else block
            whole = held - held % frames
            for start in range(0, whole, frames):
                yield joined[start : start + frames]
            held -= whole
            waiting = [joined[whole:]] if held else []
    except DecodeFailure as error:
        failure = error
    if held:
        yield np.concatenate(waiting)
    if failure is not None:
        raise failure
