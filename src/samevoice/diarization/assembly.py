"""From labelled pieces to turns: who speaks in each frame, and how sure that is.

Three things decide about a frame: how many speak (the segmentation's word), whose pieces are active in it (clustering)
and whom the spans around it sound like (VBx). Where two speak, the pieces decide; where one does, the spans may
overrule them, because a window of 10 s sometimes takes two people for one voice.

Knows: evidence, labels, posteriors. Does not know: sound, names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.agglomerate import Array, Labels
from samevoice.diarization.evidence import ACTIVE, HOP, SCALE, Evidence, Frames
from samevoice.diarization.hearing import SPAN, SPAN_STEP
from samevoice.diarization.turns import Turn
from samevoice.diarization.vbx import VbxOptions, vbx
from samevoice.speech.segmentation import FRAMES, VOICES, frame_times
from samevoice.speech.timeline import Seconds

SPEECH = 0.3  # probability of speech from which a frame is somebody's
CROWD = 0.3  # of two at once from which it is two people's
PRESENT = 0.02  # activity below which a voice is not in a frame at all
PRIOR = 4.0  # in natural logarithms: what the pieces' word weighs against the spans'
DOUBT = 0.05  # share that each speaker has in a span before VBx begins
FAINTEST = 1e-6
WITHIN = 0.01, 0.8  # of a unit vector's variance, that much may be within a speaker
BLOCK = 1 << 16  # frames that are looked at together: eighteen minutes
SILENCE: Seconds = 0.3  # pauses of one speaker that are not told
SHORTEST: Seconds = 0.1
OFFSET: Seconds = float(frame_times(1)[0]) - HOP / 2  # where the first frame begins
VBX = VbxOptions(evidence=0.2, regularisation=1.0, stay=0.9, rounds=10)

Masks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """Who speaks in each frame.

    Args:
        speaking: bool (frames, k).
        confidence: probability that whoever is said to speak does, float16 (frames, k); meaningless elsewhere.
    """

    speaking: Masks
    confidence: NDArray[np.float16]


def assemble(evidence: Evidence, labels: Labels, *, refine: bool = True, pinned: Sequence[int] = ()) -> Assembly:
    """Who speaks in each frame.

    Args:
        evidence: of the recording.
        labels: the speaker of each piece, int (p,), from 0.
        refine: let the spans overrule the pieces.
        pinned: pieces that they do not overrule.
    """
    speakers = int(labels.max()) + 1 if len(labels) else 0
    speaking = np.zeros((evidence.frames, speakers), dtype=np.bool_)
    confidence = np.zeros((evidence.frames, speakers), dtype=np.float16)
    blocks = [slice(start, min(start + BLOCK, evidence.frames)) for start in range(0, evidence.frames, BLOCK)]
    for block in blocks:
        active, speech, crowd = _tracks(evidence, labels, speakers, block)
        speaking[block] = _loudest(active, (speech > SPEECH).astype(np.int8) + (crowd > CROWD))
    heard = _posterior(evidence, speaking) if refine and speakers > 1 and len(evidence.starts) else None
    kept = _active(evidence, pinned)
    for block in blocks:
        active, speech, _ = _tracks(evidence, labels, speakers, block)
        now = speaking[block]
        certainty = active / np.maximum(active.sum(axis=1, keepdims=True), FAINTEST)
        if heard is not None:
            posterior, known = _spoken(evidence, heard, block)
            single = known & (now.sum(axis=1) == 1) & ~kept[block]
            weighed = np.log(posterior[single]) + PRIOR * now[single]
            weighed -= weighed.max(axis=1, keepdims=True)
            shares = np.exp(weighed)
            certainty[single] = shares / shares.sum(axis=1, keepdims=True)
            now[single] = np.arange(speakers) == weighed.argmax(axis=1)[:, None]
        alone = now.sum(axis=1, keepdims=True) < 2
        confidence[block] = np.clip(np.where(alone, certainty * speech[:, None], active), 0.0, 1.0)
    return Assembly(speaking, confidence)


def turns(assembly: Assembly, names: tuple[str, ...], extent: Seconds) -> Iterator[Turn]:
    """The turns of all speakers.

    Args:
        assembly: who speaks in each frame.
        names: of the speakers.
        extent: seconds of the recording.
    """
    for speaker, name in enumerate(names):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], assembly.speaking[:, speaker], [False]])))
        runs = edges.reshape(-1, 2)
        if not len(runs):
            continue
        pauses = (runs[1:, 0] - runs[:-1, 1]) * HOP >= SILENCE
        starts, ends = runs[np.concatenate([[True], pauses]), 0], runs[np.concatenate([pauses, [True]]), 1]
        for first, last in zip(starts.tolist(), ends.tolist(), strict=True):
            start, end = max(first * HOP + OFFSET, 0.0), min(last * HOP + OFFSET, extent)
            if end - start >= SHORTEST:
                spoken = assembly.speaking[first:last, speaker]
                sure = float(assembly.confidence[first:last, speaker][spoken].mean(dtype=np.float64))
                yield Turn(round(start, 3), round(end, 3), name, round(min(max(sure, 0.0), 1.0), 3))


def _tracks(evidence: Evidence, labels: Labels, speakers: int, block: slice) -> tuple[Frames, Frames, Frames]:
    """Activity of each speaker (n, k), probability of speech and of two at once (n,) in some frames.

    They are means over windows, whose middle counts most: at its edges the segmentation has heard only one side.
    """
    count = block.stop - block.start
    weight = np.hamming(FRAMES).astype(np.float32)
    active = np.zeros((count, speakers), dtype=np.float32)
    rest, total = np.zeros((count, 2), dtype=np.float32), np.full(count, FAINTEST, dtype=np.float32)
    some = np.flatnonzero((evidence.firsts > block.start - FRAMES) & (evidence.firsts < block.stop))
    for window in some.tolist():
        first = int(evidence.firsts[window]) - block.start
        begin, end = max(-first, 0), min(FRAMES, count - first)
        place, inside = slice(first + begin, first + end), slice(begin, end)
        heard = evidence.tracks[window, inside].astype(np.float32) * (weight[inside] / SCALE)[:, None]
        rest[place] += heard[:, VOICES:]
        total[place] += weight[inside]
        mine = slice(*np.searchsorted(evidence.windows, [window, window + 1]))
        for speaker in set(labels[mine].tolist()):
            voices = evidence.voices[mine][labels[mine] == speaker]
            active[place, speaker] += heard[:, voices].max(axis=1)
    active /= total[:, None]
    rest /= total[:, None]
    return active, rest[:, 0], rest[:, 1]


def _active(evidence: Evidence, pieces: Sequence[int]) -> Masks:
    """The frames in which one of some pieces speaks."""
    found = np.zeros(evidence.frames, dtype=np.bool_)
    for piece in pieces:
        first = evidence.firsts[evidence.windows[piece]]
        speaks = evidence.tracks[evidence.windows[piece], :, evidence.voices[piece]] >= ACTIVE * SCALE
        place = found[first : first + FRAMES]
        place |= speaks[: len(place)]
    return found


def _loudest(active: Frames, many: NDArray[np.int8]) -> Masks:
    """As many speakers in each frame as speak there, the most active ones."""
    speaking = np.zeros(active.shape, dtype=np.bool_)
    if not active.shape[1]:
        return speaking
    rows = np.arange(len(active))
    left = active.copy()
    for count in range(min(2, active.shape[1])):
        best = left.argmax(axis=1)
        present = (many > count) & (left[rows, best] > PRESENT)
        speaking[rows[present], best[present]] = True
        left[rows, best] = -1.0
    return speaking


def _posterior(evidence: Evidence, speaking: Masks) -> Array:
    """Whom each span sounds like, float64 (s, k).

    VBx knows vectors whose covariance within a speaker is the identity. Here it is taken to be the same in all
    directions, and measured on the recording itself.
    """
    vectors = evidence.span_vectors.astype(np.float64)
    first = np.clip((evidence.starts / HOP).astype(np.int64), 0, len(speaking))
    last = np.clip(((evidence.starts + SPAN) / HOP).astype(np.int64), 0, len(speaking))
    shares = np.full((len(vectors), speaking.shape[1]), DOUBT)
    for speaker in range(speaking.shape[1]):
        heard = np.concatenate([[0], np.cumsum(speaking[:, speaker])])
        shares[:, speaker] += heard[last] - heard[first]
    shares /= shares.sum(axis=1, keepdims=True)
    hard = shares.argmax(axis=1)
    within = 0.0  # squared distances from the mean of the speaker
    for speaker in np.unique(hard):
        mine = vectors[hard == speaker]
        within += np.square(mine - mine.mean(axis=0)).sum()
    dimension = vectors.shape[1]
    within = float(np.clip(within / len(vectors), *WITHIN)) / dimension
    between = 1.0 / dimension - within  # a unit vector has this much variance in all
    vectors /= np.sqrt(within)
    return np.maximum(vbx(vectors, np.full(dimension, between / within), shares, VBX).shares, FAINTEST)


def _spoken(evidence: Evidence, posterior: Array, block: slice) -> tuple[Array, Masks]:
    """The posterior of each speaker in some frames by the span whose middle is nearest, and where one is near."""
    spans = np.rint(evidence.starts / SPAN_STEP).astype(np.int64)
    times = frame_times(block.stop - block.start, block.start)
    wanted = np.rint((times - SPAN / 2) / SPAN_STEP).astype(np.int64)
    place = np.clip(np.searchsorted(spans, wanted), 0, len(spans) - 1)
    return posterior[place], spans[place] == wanted
