"""Voice activity: from blocks of sound to a timeline of speech.

A detector is anything that turns blocks of waveform into a `Timeline` in seconds of the source. Silero's
network (brought by the model store) is the default; the seeds' level gates live in `energy`.

Knows: probabilities per window and how they become segments. Does not know: where the network's file lies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples, Waveform
from samevoice.errors import AudioError
from samevoice.runtime import Session, open_session
from samevoice.speech.timeline import Seconds, Segment, Timeline

RATE = 16_000
WINDOW = 512  # new samples per probability: 32 ms
CONTEXT = 64  # samples of the past that each window sees again
STATE_SHAPE = (2, 1, 128)


class VoiceActivityDetector(Protocol):
    """Where somebody speaks; a single waveform is given as a list of one."""

    def __call__(self, blocks: Iterable[Waveform], /) -> Timeline:
        """The timeline of speech over consecutive blocks of one recording."""


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """How probabilities become segments.

    Args:
        onset: speech begins at this probability.
        offset: and ends below this one, <= onset.
        min_speech: shorter segments are dropped, in seconds.
        min_silence: shorter pauses are bridged, in seconds.
        padding: what is added on both sides, in seconds.
    """

    onset: float = 0.5
    offset: float = 0.35
    min_speech: Seconds = 0.2
    min_silence: Seconds = 0.1
    padding: Seconds = 0.03

    def segments(self, probabilities: NDArray[np.float32], hop: Seconds, extent: Seconds) -> Timeline:
        """Cut a sequence of probabilities into segments of speech.

        Args:
            probabilities: shape (n,), one per `hop` seconds from time 0, in [0, 1].
            hop: seconds per probability.
            extent: seconds of the recording.
        """
        above = probabilities >= self.onset
        # A run of windows above the offset counts when at least one of them reaches the onset.
        candidates = [(first, last) for first, last in runs(probabilities >= self.offset) if above[first:last].any()]
        spoken = [(first + int(np.argmax(above[first:last])), last) for first, last in candidates]
        bridged: list[tuple[int, int]] = []
        for first, last in spoken:
            if bridged and (first - bridged[-1][1]) * hop < self.min_silence:
                bridged[-1] = (bridged[-1][0], last)
            else:
                bridged.append((first, last))
        long_enough = ((first * hop, last * hop) for first, last in bridged if (last - first) * hop >= self.min_speech)
        padded = (Segment(max(start - self.padding, 0.0), end + self.padding) for start, end in long_enough)
        return Timeline(padded, extent)


class Stream(Protocol):
    """Probabilities of speech as the sound comes; they are those of the whole, however it is cut."""

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """Those that can be told with these samples, the next ones at 16 kHz, shape (n,)."""

    def finish(self) -> NDArray[np.float32]:
        """Those of what is left at the end."""


class ByProbability(ABC):
    """A detector that gives a probability for every stretch of `hop` seconds, and segments by hysteresis.

    Args:
        hysteresis: how probabilities become segments.
    """

    hop: ClassVar[Seconds]

    def __init__(self, hysteresis: Hysteresis | None) -> None:
        """Keep the rule."""
        self._hysteresis = hysteresis or Hysteresis()

    @abstractmethod
    def stream(self) -> Stream:
        """The same network for a recording that is still going on."""

    def __call__(self, blocks: Iterable[Waveform], /) -> Timeline:
        """The timeline of speech over consecutive 16 kHz blocks of one recording."""
        probabilities, extent = self.probabilities(blocks)
        return self._hysteresis.segments(probabilities, self.hop, extent)

    def probabilities(self, blocks: Iterable[Waveform]) -> tuple[NDArray[np.float32], Seconds]:
        """The probability of speech in each stretch, and the length of the recording in seconds.

        The answer does not depend on how the recording was cut into blocks.

        Args:
            blocks: consecutive waveforms at 16 kHz.

        Raises:
            AudioError: a block has another rate.
        """
        stream, total = self.stream(), 0
        found: list[NDArray[np.float32]] = []
        for block in blocks:
            if block.rate != RATE:
                raise AudioError(f"voice activity detection works at {RATE} Hz, got {block.rate} Hz; resample first")
            total += len(block.samples)
            found.append(stream.push(block.samples))
        return np.concatenate([*found, stream.finish()]), total / RATE


class SileroVad(ByProbability):
    """Silero's voice activity network, a whole block per call.

    Args:
        graph: the serialised network: windows (n, 576) and state (2, 1, 128) to probabilities (n,) and state.
        threads: how many threads one call may use.
        hysteresis: how probabilities become segments.

    Raises:
        ModelError: ONNX Runtime cannot read the graph.
    """

    hop = WINDOW / RATE

    def __init__(self, graph: bytes, *, threads: int = 1, hysteresis: Hysteresis | None = None) -> None:
        """Open the network; nothing is kept between recordings."""
        super().__init__(hysteresis)
        self._session = open_session(graph, "silero", threads=threads)

    def stream(self) -> SileroStream:
        """The same network for a recording that is still going on."""
        return SileroStream(self._session)


class SileroStream:
    """Probabilities of speech as the sound comes; they are those of the whole, however it is cut.

    Args:
        session: the network.
    """

    def __init__(self, session: Session) -> None:
        """Begin before the first sample."""
        self._session = session
        self._state = np.zeros(STATE_SHAPE, dtype=np.float32)
        self._rest = np.zeros(CONTEXT, dtype=np.float32)

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """Probabilities of the windows that are complete with these samples.

        Args:
            samples: the next ones at 16 kHz, any number, shape (n,).
        """
        joined = np.concatenate([self._rest, samples])
        count = (len(joined) - CONTEXT) // WINDOW
        self._rest = joined[count * WINDOW :]
        return self._run(joined, count) if count else np.empty(0, dtype=np.float32)

    def finish(self) -> NDArray[np.float32]:
        """The probability of what is left at the end, filled up with silence: one, or none."""
        left, self._rest = self._rest, self._rest[:CONTEXT]
        if len(left) == CONTEXT:
            return np.empty(0, dtype=np.float32)
        return self._run(np.pad(left, (0, CONTEXT + WINDOW - len(left))), 1)

    def _run(self, samples: Samples, count: int) -> NDArray[np.float32]:
        """Probabilities of `count` windows; the state goes on."""
        views = np.lib.stride_tricks.sliding_window_view(samples, CONTEXT + WINDOW)[::WINDOW][:count]
        fed = {"windows": np.ascontiguousarray(views), "state": self._state}
        probabilities, self._state = self._session.run(None, fed)
        return np.asarray(probabilities, dtype=np.float32)


def everything(blocks: Iterable[Waveform], /) -> Timeline:
    """A detector that keeps the whole recording, to measure a model alone."""
    extent = sum(block.duration for block in blocks)
    return Timeline([Segment(0.0, extent)], extent)


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one-past-last index of every stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]
