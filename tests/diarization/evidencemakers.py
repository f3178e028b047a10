"""Hand-made evidence: who speaks is known, and so is what each piece and span should sound like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.evidence import HOP, SCALE, Evidence
from samevoice.diarization.hearing import SPAN, SPAN_STEP
from samevoice.speech.segmentation import FRAMES, STEP, VOICES, frame_times

DIMENSION = 64
Said = Sequence[tuple[float, float, int]]  # start, end, person


def people(count: int, seed: int = 0, dimension: int = DIMENSION) -> NDArray[np.float64]:
    """Unit vectors of people who are far from each other, (count, dimension)."""
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.standard_normal((dimension, dimension)))
    return basis[:count]


def evidence_of(
    said: Said, extent: float, *, noise: float = 0.6, seed: int = 0, voices: NDArray[np.float64] | None = None
) -> Evidence:
    """What a flawless segmentation and a noisy model would hear; at most three people within 10 s.

    Args:
        said: who speaks when.
        extent: seconds.
        noise: length of what is added to each unit vector of a piece of one second and of a span.
        seed: of the noise, and of the numbers of voices within each window.
        voices: unit vectors of people, (people, d).
    """
    random = np.random.default_rng(seed)
    count = 1 + max((person for *_, person in said), default=0)
    known = people(count) if voices is None else voices
    total = int(extent / HOP) + 1
    times = frame_times(total + FRAMES)
    active = np.zeros((len(times), count), dtype=np.bool_)
    for start, end, person in said:
        active[(times >= start) & (times < end), person] = True
    last = max(total - FRAMES, 0)
    firsts = np.array([*range(0, last, STEP), last])
    tracks = np.zeros((len(firsts), FRAMES, VOICES + 2), dtype=np.uint8)
    windows: list[int] = []
    numbers: list[int] = []
    owners: list[int] = []
    seconds: list[float] = []
    for window, first in enumerate(firsts.tolist()):
        inside = active[first : first + FRAMES]
        speaking = np.flatnonzero(inside.any(axis=0))
        assert len(speaking) <= VOICES, "the segmentation tells three voices apart"
        given = np.sort(random.permutation(VOICES)[: len(speaking)])
        for voice, person in zip(given.tolist(), speaking.tolist(), strict=True):
            tracks[window, :, voice] = np.where(inside[:, person], 245, 5)
            windows.append(window)
            numbers.append(voice)
            owners.append(person)
            alone = inside[:, person] & (inside.sum(axis=1) == 1)
            seconds.append(HOP * max(alone.sum(), 12))
        tracks[window, :, VOICES] = np.where(inside.any(axis=1), 250, 2)
        tracks[window, :, VOICES + 1] = np.where(inside.sum(axis=1) > 1, 240, 0)
    starts = np.arange(0, max(extent - SPAN, SPAN_STEP), SPAN_STEP)
    heard = np.stack([np.concatenate([[0], np.cumsum(column)]) for column in active.T])
    edges = [np.clip((moment / HOP).astype(int), 0, len(times)) for moment in (starts, starts + SPAN)]
    shares = (heard[:, edges[1]] - heard[:, edges[0]]).T * HOP
    kept = shares.sum(axis=1) >= SPAN / 3
    lengths = np.array(seconds, dtype=np.float32)
    return Evidence(
        recording="made.wav",
        extent=extent,
        model="made",
        firsts=firsts,
        tracks=np.minimum(tracks, SCALE),
        windows=np.array(windows, dtype=np.int64),
        voices=np.array(numbers, dtype=np.int64),
        seconds=lengths,
        vectors=_noisy(known[np.array(owners, dtype=np.intp)], noise / np.sqrt(np.maximum(lengths, 0.25)), random),
        starts=starts[kept].astype(np.float32),
        span_vectors=_noisy(shares[kept] @ known, np.full(kept.sum(), noise), random).astype(np.float16),
    )


def owners_of(evidence: Evidence, said: Said) -> NDArray[np.intp]:
    """The person behind each piece: whoever speaks in most of its frames."""
    count = 1 + max((person for *_, person in said), default=0)
    times = frame_times(evidence.frames + FRAMES)
    active = np.zeros((len(times), count))
    for start, end, person in said:
        active[(times >= start) & (times < end), person] = 1
    found = []
    for window, voice in zip(evidence.windows, evidence.voices, strict=True):
        first = evidence.firsts[window]
        mine = evidence.tracks[window, :, voice] / SCALE - 0.5
        found.append(int((mine @ active[first : first + FRAMES]).argmax()))
    return np.array(found, dtype=np.intp)


def rounds(lengths: Sequence[float], order: Sequence[int], pause: float = 0.5, start: float = 1.0) -> Said:
    """Turns one after the other."""
    said = []
    for person, length in zip(order, lengths, strict=True):
        said.append((start, start + length, person))
        start += length + pause
    return said


def meeting(seconds: float, count: int, seed: int = 0) -> Said:
    """Turns of random lengths, of groups of three people who talk for a while, so that no window holds a fourth."""
    random = np.random.default_rng(seed)
    said: list[tuple[float, float, int]] = []
    moment, group, changed = 0.5, random.permutation(count)[:3], 0.0
    while moment < seconds - 12:
        if moment - changed > 60:
            moment += 11.0
            group, changed = random.permutation(count)[:3], moment
        length = float(np.clip(random.exponential(4.0), 0.8, 15.0))
        said.append((moment, min(moment + length, seconds - 0.5), int(random.choice(group))))
        moment += length + float(random.exponential(0.3)) + 0.05
    return said


def _noisy(
    vectors: NDArray[np.float64], noise: NDArray[np.floating], random: np.random.Generator
) -> NDArray[np.float32]:
    """Unit vectors near the given ones."""
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    found = vectors + noise[:, None] * random.standard_normal(vectors.shape) / np.sqrt(vectors.shape[1])
    unit: NDArray[np.float32] = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
    return unit
