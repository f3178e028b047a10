"""Voice activity by the tiny network that lies in the package: nothing has to be pulled.

It reads the log mel energies of the front end "kaldi-fbank" as they are, without any mean taken away, and says for each
20 ms how likely they are speech. What it says of a moment hangs on `PAST` frames before and `AHEAD` frames behind it,
so that a recording in blocks needs no more memory than that, and gives the same answers.

Knows: how features are fed in overlapping pieces. Does not know: where the network's file lies, how it was trained.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples
from samevoice.features.frontend import Frontend, build_frontend
from samevoice.features.kinds import default_spec
from samevoice.runtime import Session, open_session
from samevoice.speech.vad import RATE, ByProbability, Hysteresis

FRONTEND = "kaldi-fbank"
PAST, AHEAD = 66, 18  # frames that an answer hangs on, before and behind its own first frame
STEP = 2  # frames per answer
SPAN = 20 * RATE  # samples fed at a time, so that memory does not grow with a block


class TinyVad(ByProbability):
    """The shipped voice activity network, a whole block per call.

    The last 25 ms of a recording may have no probability: a frame of features that reaches beyond the end is not made.

    Args:
        graph: the serialised network: features (1, frames, 80) to speech (1, ceil(frames / 2)).
        threads: how many threads one call may use.
        hysteresis: how probabilities become segments.

    Raises:
        ModelError: ONNX Runtime cannot read the graph.
    """

    hop = 0.02

    def __init__(self, graph: bytes, *, threads: int = 1, hysteresis: Hysteresis | None = None) -> None:
        """Open the network; nothing is kept between recordings."""
        super().__init__(hysteresis)
        self._session = open_session(graph, "vad", threads=threads)
        self._frontend = build_frontend(default_spec(FRONTEND))

    def stream(self) -> TinyStream:
        """The same network for a recording that is still going on."""
        return TinyStream(self._session, self._frontend)


class TinyStream:
    """Probabilities of speech as the sound comes; they are those of the whole, however it is cut.

    Args:
        session: the network.
        frontend: makes its features.
    """

    def __init__(self, session: Session, frontend: Frontend) -> None:
        """Begin before the first sample."""
        self._session = session
        self._frontend = frontend
        self._rest = np.empty(0, dtype=np.float32)  # samples behind the last whole frame's start
        self._frames = np.empty((0, frontend.spec.bands), dtype=np.float32)
        self._told = 0  # answers already given for the first of these frames

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """Probabilities of the moments that can be judged with these samples: all but the last 0.2 s.

        Args:
            samples: the next ones at 16 kHz, any number, shape (n,).
        """
        parts = [self._push(samples[start : start + SPAN]) for start in range(0, len(samples), SPAN)]
        return np.concatenate([np.empty(0, dtype=np.float32), *parts])

    def finish(self) -> NDArray[np.float32]:
        """The probabilities of what is left at the end."""
        return self._tell(-(-len(self._frames) // STEP))

    def _push(self, samples: Samples) -> NDArray[np.float32]:
        """The same for a span of samples."""
        joined = np.concatenate([self._rest, samples])
        frames = self._frontend.frames(joined)
        self._rest = joined[len(frames) * self._frontend.hop :]
        self._frames = np.concatenate([self._frames, frames])
        return self._tell((len(self._frames) - AHEAD + STEP - 1) // STEP)

    def _tell(self, stop: int) -> NDArray[np.float32]:
        """The answers not yet given, up to one; frames that no later answer hangs on are forgotten."""
        if stop <= self._told:
            return np.empty(0, dtype=np.float32)
        (speech,) = self._session.run(None, {"features": self._frames[None]})
        told = np.asarray(speech, dtype=np.float32)[0, self._told : stop]
        forgotten = max(0, stop - PAST // STEP)  # in answers; the stream's first frames stay at its true beginning
        self._frames = self._frames[forgotten * STEP :]
        self._told = stop - forgotten
        return told
