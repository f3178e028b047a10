"""What a page shows while somebody records: the level, seconds of speech, how far the voice is above the noise.

Light: speech is looked for, voices are not. Nothing is kept but the levels of the last half minute.

Knows: levels, probabilities of speech. Does not know: sockets, people.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from typing import Any

import numpy as np

from samevoice.audio.blocks import regroup
from samevoice.audio.quality import FLOOR, MAX_SNR_DB, decibels
from samevoice.audio.resample import QUALITY, converted
from samevoice.audio.waveform import Samples
from samevoice.live.gate import Gate
from samevoice.speech.timeline import Seconds
from samevoice.speech.vad import RATE, ByProbability, Hysteresis

TOLD = RATE // 4  # samples from one event to the next
FRAME = RATE // 100  # samples whose level is kept: 10 ms, as the audio doctor takes them
KEPT: Seconds = 30.0
LEAST = 30  # frames of speech, and of pause, that are enough to compare


def coached(blocks: Iterable[Samples], rate: int, detector: ByProbability) -> Generator[dict[str, Any]]:
    """Levels as the sound comes, four a second, then the end.

    Args:
        blocks: mono samples.
        rate: in Hz.
        detector: finds the speech.
    """
    coach = _Coach(detector)
    for block in regroup((one for one in converted(blocks, rate, RATE, QUALITY) if len(one)), TOLD):
        yield coach.hear(block)
    yield coach.end()


class _Coach:
    """Levels of one recording."""

    def __init__(self, detector: ByProbability) -> None:
        """Nothing was heard."""
        self._stream = detector.stream()
        self._rules = Hysteresis()
        self._hop = detector.hop
        self._gate = Gate(self._rules, self._hop)
        self._powers: deque[float] = deque(maxlen=round(KEPT * RATE / FRAME))  # of frames
        self._found: deque[float] = deque(maxlen=round(KEPT / self._hop))  # probabilities of speech
        self._heard = self._windows = 0
        self._speech = 0.0

    def hear(self, block: Samples) -> dict[str, Any]:
        """The level of a block, which is `TOLD` long unless it is the last one, and what is known by now."""
        self._heard += len(block)
        found = self._stream.push(block)
        self._windows += len(found)
        self._found.extend(found.tolist())
        frames = block[: len(block) // FRAME * FRAME].reshape(-1, FRAME)
        self._powers.extend(frames.var(axis=1).tolist())  # a constant offset is no noise
        self._speech += sum(piece.duration for piece in self._gate.push(found))
        snr = self._snr()
        return {
            "event": "level",
            "time": round(self._heard / RATE, 3),
            "dbfs": round(decibels(float(np.square(block, dtype=np.float64).mean())), 1),
            "speech": round(self._speech, 2),
            "snr_db": None if snr is None else round(snr, 1),
            "speaking": self._gate.speaking,
        }

    def end(self) -> dict[str, Any]:
        """How much there was."""
        for piece in (*self._gate.push(self._stream.finish()), *self._gate.finish()):
            self._speech += piece.duration
        return {"event": "end", "time": round(self._heard / RATE, 3), "speech": round(self._speech, 2)}

    def _snr(self) -> float | None:
        """Level of speech over that of noise in dB, as the audio doctor takes it; None where there is too little."""
        power = np.array(self._powers)
        hop, count = self._hop, len(self._found)
        times = (np.arange(len(power)) + 0.5 - len(power)) * FRAME / RATE + self._heard / RATE
        times -= (self._windows - count) * hop  # from the first window that is kept
        speech = self._rules.segments(np.array(self._found, dtype=np.float32), hop, count * hop).covers(times)
        audible = power > FLOOR
        voiced, pauses = power[speech & audible], power[~speech & audible]
        if len(voiced) < LEAST:
            return None
        quiet = float(np.percentile(power[audible], 10))
        noise = max(quiet, float(pauses.mean()) if len(pauses) >= LEAST else 0.0, FLOOR)
        return min(decibels(max(float(voiced.mean()) - noise, FLOOR) / noise), MAX_SNR_DB)
