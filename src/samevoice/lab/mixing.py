"""A plan as sound, block by block: everybody at a place in a room, noise behind them, all of it through a codec.

Memory holds one block and what reaches beyond it, however long the conversation.

Knows: effects, levels. Does not know: why somebody speaks where.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from samevoice.audio.waveform import Samples
from samevoice.effects.codecs import round_trip
from samevoice.effects.fourier import mean_power
from samevoice.effects.rooms import reverberate
from samevoice.lab.planning import Placed
from samevoice.lab.takes import Shelf
from samevoice.speech.vad import RATE

LEVEL_DB = -26.0  # of the loudest speaker's speech, below full scale
BLOCK = 20 * RATE
FADE = RATE // 200  # samples in which a cut comes and goes
MARGIN = RATE // 2  # samples before and behind a block that a codec hears too


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """How a conversation sounds.

    Args:
        levels: of each speaker, dB over the loudest, at most 0.
        responses: of the room to each speaker, or none.
        noise: goes round and round, begins anywhere; None for none.
        noise_db: its level over the loudest speaker.
        codec: name, or None.
    """

    levels: tuple[float, ...]
    responses: tuple[Samples, ...]
    noise: Samples | None
    noise_db: float
    codec: str | None

    def blocks(self, placed: Sequence[Placed], shelf: Shelf, size: int) -> Iterator[Samples]:
        """The conversation in blocks of 20 s; what exceeds full scale is cut off.

        Args:
            placed: in order of time.
            shelf: reads the recordings.
            size: samples in all.
        """
        mixed = self._noisy(_mixed(placed, partial(self._heard, shelf), size))
        for block in mixed if self.codec is None else _coded(mixed, self.codec):
            yield np.clip(block, -1, 1)

    def _heard(self, shelf: Shelf, one: Placed) -> Samples:
        """Some phrases as they arrive at the microphone."""
        samples = shelf[one.phrases[0].take][one.phrases[0].first : one.phrases[-1].last]
        gain = one.phrases[0].gain * 10 ** ((LEVEL_DB + self.levels[one.speaker]) / 20)
        dry = (samples * gain).astype(np.float32)
        ramp = np.linspace(0, 1, min(FADE, len(dry) // 2) + 1, dtype=np.float32)[1:]
        dry[: len(ramp)] *= ramp
        dry[len(dry) - len(ramp) :] *= ramp[::-1]
        if not self.responses:
            return dry
        response = self.responses[one.speaker]
        return reverberate(np.pad(dry, (0, len(response))), response)  # with room for the last words to die away

    def _noisy(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """With noise at one level from the beginning to the end."""
        if self.noise is None:
            yield from blocks
            return
        noise = self.noise * np.float32(10 ** ((LEVEL_DB + self.noise_db) / 20) / mean_power(self.noise) ** 0.5)
        place = 0
        for block in blocks:
            yield block + noise[np.arange(place, place + len(block)) % len(noise)]
            place += len(block)


def _mixed(placed: Sequence[Placed], heard: partial[Samples], size: int) -> Iterator[Samples]:
    """All that is said, added up."""
    rest = np.zeros(0, dtype=np.float32)
    following = 0
    for begin in range(0, size, BLOCK):
        count = min(BLOCK, size - begin)
        total = np.pad(rest, (0, max(0, count - len(rest))))
        while following < len(placed) and placed[following].at < begin + count:
            sound, at = heard(placed[following]), placed[following].at - begin
            total = np.pad(total, (0, max(0, at + len(sound) - len(total))))
            total[at : at + len(sound)] += sound
            following += 1
        yield total[:count]
        rest = total[count:]


def _coded(blocks: Iterable[Samples], codec: str) -> Iterator[Samples]:
    """Through a codec, which begins before each block and ends behind it, so that no seam is heard."""
    before = block = empty = np.zeros(0, dtype=np.float32)
    for behind in chain(blocks, [empty]):
        if len(block):
            coded = round_trip(np.concatenate([before, block, behind[:MARGIN]]), RATE, codec)
            yield coded[len(before) : len(before) + len(block)]
            before = block[-MARGIN:]
        block = behind
