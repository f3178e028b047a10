"""Speaker segmentation: who of at most three voices speaks in each 17 ms of a window of 10 s, two at once included.

A voice's number means nothing beyond its window; which voice of one window is which of the next is for embeddings to
say. What does not depend on the numbers (speech, overlap) is joined into one track over the recording.

Knows: the network's windows, frames and classes. Does not know: where its file lies, embeddings, speakers.
Source: Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization", Interspeech 2023;
the network is `networks/pyannet.py` with the weights of pyannote/segmentation-3.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples, Waveform
from samevoice.errors import AudioError
from samevoice.runtime import open_session
from samevoice.speech.timeline import Seconds

RATE = 16_000
WINDOW = 160_000  # samples of a window, as in training: 10 s
FRAME = 270  # samples from one frame to the next
FIELD = 991  # samples that a frame sees
FRAMES = 589  # of a window
TAIL = 1_600  # samples: less sound than this at the end is not worth a window of its own
LEAST = FIELD + FRAME  # samples that the network can normalise
STEP = 296  # frames from one window to the next, so that each moment is heard twice
BATCH = 8  # windows per call
SETS = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))  # who speaks, by class
VOICES = 3
MEMBERS = np.array([[voice in who for voice in range(VOICES)] for who in SETS], dtype=np.float32)

Frames = NDArray[np.float32]


class Segmenter:
    """The segmentation network, a batch of windows per call.

    Args:
        graph: the serialised network: samples (n, samples) to log-probabilities (n, frames, 7).
        threads: how many threads one call may use.

    Raises:
        ConfigError: the number of threads is out of range.
        ModelError: ONNX Runtime cannot read the graph.
    """

    hop: Seconds = FRAME / RATE

    def __init__(self, graph: bytes, *, threads: int = 1) -> None:
        """Open the network; nothing is kept between calls."""
        self._session = open_session(graph, "segmentation", threads=threads)

    def __call__(self, windows: NDArray[np.float32], /) -> Frames:
        """Segment windows, each by itself.

        Args:
            windows: sound at 16 kHz, shape (n, samples); the network was trained on `WINDOW` samples, needs `LEAST`.

        Returns:
            Natural logarithms of the probability of each of `SETS`, shape (n, frames, 7); 589 frames of 10 s.

        Raises:
            ValueError: the windows have another shape.
        """
        if windows.ndim != 2 or windows.shape[0] < 1 or windows.shape[1] < LEAST:
            raise ValueError(f"segmentation takes windows (n, samples >= {LEAST}), got {windows.shape}")
        (raw,) = self._session.run(None, {"samples": np.ascontiguousarray(windows, dtype=np.float32)})
        return np.asarray(raw, dtype=np.float32)

    def walk(
        self, blocks: Iterable[Waveform], *, step: int = STEP, batch: int = BATCH
    ) -> Iterator[tuple[NDArray[np.int64], Frames]]:
        """Segment a recording; the answer does not depend on how it was cut into blocks.

        Args:
            blocks: consecutive waveforms at 16 kHz.
            step: frames from one window to the next, 1 to 589.
            batch: windows per call, at least 1.

        Yields:
            For each call the first frame of its windows, shape (n,), and their log-probabilities (n, 589, 7).

        Raises:
            AudioError: a block has another rate.
        """
        cut = windows(blocks, step)
        while group := tuple(islice(cut, batch)):
            yield np.array([first for first, _ in group]), self(np.stack([sound for _, sound in group]))


def windows(blocks: Iterable[Waveform], step: int = STEP) -> Iterator[tuple[int, Samples]]:
    """Cut a recording into windows of 10 s.

    The last window ends with the recording, so that it too hears 10 s, and begins on a frame, so that up to 269 samples
    of silence follow; only a recording shorter than 10 s is filled up with more. Less than a tenth of a second at the
    end may be left out.

    Args:
        blocks: consecutive waveforms at 16 kHz.
        step: frames from one window to the next, 1 to 589.

    Yields:
        The first frame of a window and its samples, shape (160000,).

    Raises:
        AudioError: a block has another rate.
        ValueError: the step is out of range.
    """
    if not 1 <= step <= FRAMES:
        raise ValueError(f"windows of {FRAMES} frames are 1 to {FRAMES} frames apart, not {step}")
    sound = np.empty(0, dtype=np.float32)
    first = ahead = 0  # the frame at which `sound` begins, and samples from there to the next window
    for block in blocks:
        if block.rate != RATE:
            raise AudioError(f"speaker segmentation works at {RATE} Hz, got {block.rate} Hz; resample first")
        sound = np.concatenate([sound, block.samples])
        while len(sound) >= ahead + WINDOW:
            sound, first, ahead = sound[ahead:], first + ahead // FRAME, step * FRAME
            yield first, sound[:WINDOW]
    left = max(len(sound) - WINDOW, 0)
    if left >= TAIL or (len(sound) and not ahead):
        late = -(-left // FRAME)
        rest = sound[late * FRAME :]
        yield first + late, np.pad(rest, (0, WINDOW - len(rest)))


def activity(log_probabilities: Frames) -> Frames:
    """Probability that each voice speaks, alone or with another: (..., 7) -> (..., 3)."""
    found: Frames = np.exp(log_probabilities) @ MEMBERS
    return found.clip(0.0, 1.0)


def speech(log_probabilities: Frames) -> Frames:
    """Probability that somebody speaks: (..., 7) -> (...)."""
    return _mass(log_probabilities, 1)


def overlap(log_probabilities: Frames) -> Frames:
    """Probability that two speak at once: (..., 7) -> (...)."""
    return _mass(log_probabilities, 2)


def _mass(log_probabilities: Frames, least: int) -> Frames:
    """Probability that at least so many speak."""
    found: Frames = np.exp(log_probabilities) @ (MEMBERS.sum(axis=1) >= least).astype(np.float32)
    return found.clip(0.0, 1.0)  # a sum of rounded numbers may pass it


def frame_times(count: int, first: int = 0) -> NDArray[np.float64]:
    """The centres of consecutive frames.

    Args:
        count: how many.
        first: number of the first one within the recording.

    Returns:
        Seconds, shape (count,); frame 0 is centred at 0.031 s, and each is 0.016875 s after the one before.
    """
    return (np.arange(first, first + count) * FRAME + FIELD // 2) / RATE


def joined(tracks: Frames, firsts: NDArray[np.int64]) -> Frames:
    """One track of a recording from those of overlapping windows.

    Where windows overlap, they are averaged, the middle of a window counting most (a Hamming window): at its edges the
    network has heard only one side.

    Args:
        tracks: a probability per frame that does not depend on the numbers of voices, shape (n, frames).
        firsts: the frame at which each window begins, rising, shape (n,); no gaps between windows.

    Returns:
        Shape (firsts[-1] + frames,); empty if there are no windows.
    """
    if not len(tracks):
        return np.empty(0, dtype=np.float32)
    count = tracks.shape[1]
    weight = np.hamming(count)
    total, weights = np.zeros((2, int(firsts[-1]) + count))
    for track, first in zip(tracks, firsts, strict=True):
        total[first : first + count] += weight * track
        weights[first : first + count] += weight
    found: Frames = (total / weights).astype(np.float32)
    return found
