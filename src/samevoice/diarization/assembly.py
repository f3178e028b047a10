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
from samevoice.diarization.evidence import HOP, SCALE, Evidence, Frames
from samevoice.diarization.hearing import ACTIVE, SPAN, SPAN_STEP
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
        confidence: probability that whoever is said to speak does, float32 (frames, k); meaningless elsewhere.
    """

    speaking: Masks
    confidence: Frames


def assemble(evidence: Evidence, labels: Labels, *, refine: bool = True, pinned: Sequence[int] = ()) -> Assembly:
    """Who speaks in each frame.

    Args:
        evidence: of the recording.
        labels: the speaker of each piece, int (p,), from 0.
        refine: let the spans overrule the pieces.
        pinned: pieces that they do not overrule.
    """
    speakers = int(labels.max()) + 1 if len(labels) else 0
    active, speech, crowd = _tracks(evidence, labels, speakers)
    many = (speech > SPEECH).astype(np.int8) + (crowd > CROWD)
    speaking = _loudest(active, many)
    certainty = active / np.maximum(active.sum(axis=1, keepdims=True), FAINTEST)
    if refine and speakers > 1 and len(evidence.starts):
        posterior, known = _spoken(evidence, speaking)
        single = known & (speaking.sum(axis=1) == 1) & ~_active(evidence, pinned)
        weighed = np.log(posterior[single]) + PRIOR * speaking[single]
        weighed -= weighed.max(axis=1, keepdims=True)
        shares = np.exp(weighed)
        certainty[single] = shares / shares.sum(axis=1, keepdims=True)
        speaking[single] = np.arange(speakers) == weighed.argmax(axis=1)[:, None]
    alone = speaking.sum(axis=1, keepdims=True) < 2
    confidence = np.where(alone, certainty * speech[:, None], active)
    return Assembly(speaking, np.clip(confidence, 0.0, 1.0).astype(np.float32))


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
                sure = float(assembly.confidence[first:last, speaker][spoken].mean())
                yield Turn(round(start, 3), round(end, 3), name, round(min(max(sure, 0.0), 1.0), 3))


def _tracks(evidence: Evidence, labels: Labels, speakers: int) -> tuple[Frames, Frames, Frames]:
    """Activity of each speaker (frames, k), probability of speech and of two at once (frames,): means over windows.

    The middle of a window counts most: at its edges the segmentation has heard only one side.
    """
    frames = max(evidence.frames, int(evidence.firsts[-1]) + FRAMES) if len(evidence.firsts) else evidence.frames
    weight = np.hamming(FRAMES).astype(np.float32)
    active = np.zeros((frames, speakers), dtype=np.float32)
    rest, total = np.zeros((frames, 2), dtype=np.float32), np.zeros(frames, dtype=np.float32)
    pieces = np.searchsorted(evidence.windows, np.arange(len(evidence.firsts) + 1))
    for window, first in enumerate(evidence.firsts.tolist()):
        heard = evidence.tracks[window].astype(np.float32) * (weight / SCALE)[:, None]
        place = slice(first, first + FRAMES)
        rest[place] += heard[:, VOICES:]
        total[place] += weight
        mine = np.arange(pieces[window], pieces[window + 1])
        for speaker in set(labels[mine].tolist()):
            voices = evidence.voices[mine[labels[mine] == speaker]]
            active[place, speaker] += heard[:, voices].max(axis=1)
    total = np.maximum(total, FAINTEST)
    rest /= total[:, None]
    active /= total[:, None]
    return active[: evidence.frames], rest[: evidence.frames, 0], rest[: evidence.frames, 1]


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


def _spoken(evidence: Evidence, speaking: Masks) -> tuple[Array, Masks]:
    """The posterior of each speaker in each frame by the nearest span, and where there is one.

    VBx knows vectors whose covariance within a speaker is the identity. Here it is taken to be the same in all
    directions, and measured on the recording itself.
    """
    vectors = evidence.span_vectors.astype(np.float64)
    heard = np.concatenate([np.zeros((1, speaking.shape[1])), np.cumsum(speaking, axis=0)])
    first = np.clip((evidence.starts / HOP).astype(np.int64), 0, len(speaking))
    last = np.clip(((evidence.starts + SPAN) / HOP).astype(np.int64), 0, len(speaking))
    shares = heard[last] - heard[first] + DOUBT
    shares /= shares.sum(axis=1, keepdims=True)
    hard = shares.argmax(axis=1)
    means = np.stack(
        [
            vectors[hard == one].mean(axis=0) if (hard == one).any() else vectors[:0].sum(axis=0)
            for one in range(speaking.shape[1])
        ]
    )
    dimension = vectors.shape[1]
    within = np.square(vectors - means[hard]).sum(axis=1).mean() / dimension
    within = float(np.clip(within, 0.01 / dimension, 0.8 / dimension))
    between = 1.0 / dimension - within  # a unit vector has this much variance in all
    found = vbx(vectors / np.sqrt(within), np.full(dimension, between / within), shares, VBX)
    # A frame is described by the span whose middle is nearest, if there is one so near.
    spans = np.rint(evidence.starts / SPAN_STEP).astype(np.int64)
    wanted = np.rint((frame_times(len(speaking)) - SPAN / 2) / SPAN_STEP).astype(np.int64)
    place = np.clip(np.searchsorted(spans, wanted), 0, len(spans) - 1)
    return np.maximum(found.shares[place], FAINTEST), spans[place] == wanted
