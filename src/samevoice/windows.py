"""The second walk: the speech of a recording as windows of feature frames, in bounded memory.

Speech is chosen as frames, not spliced as samples: features are computed on the sound as it is, and frames whose
middle lies inside speech are kept. Long speech is cut into windows of one length, evenly spread.

Knows: recordings that were listened to, front ends, windows. Does not know: networks, embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.features.frontend import Features, Frontend
from samevoice.models.card import Window
from samevoice.speech.listening import Heard
from samevoice.speech.timeline import Segment, Timeline

EDGE = 1e-6  # seconds: rounding must not cost a span a frame


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Which frames are speech, and how they are cut.

    Args:
        speech: for each frame of the recording, whether it is speech.
        starts: first frame of each window, counted among the frames that are speech.
        length: frames per window; 0 when nothing is speech.
    """

    speech: NDArray[np.bool_]
    starts: tuple[int, ...]
    length: int


def plan_windows(heard: Heard, frontend: Frontend, window: Window) -> Plan:
    """Decide on windows: one of all speech where it fits, else as many as cover it, evenly spread."""
    speech = _spoken(heard, frontend)
    total = int(speech.sum())
    if total <= window.frames:
        return Plan(speech, (0,), total)
    spans = -(-(total - window.frames) // window.hop) + 1
    starts = np.round(np.linspace(0, total - window.frames, spans)).astype(int)
    return Plan(speech, tuple(starts.tolist()), window.frames)


def cut_windows(heard: Heard, plan: Plan, frontend: Frontend, *, quality: str, gain: float) -> Iterator[Features]:
    """The normalised features of each window, holding no more frames than needed.

    Args:
        heard: the recording; walked through once more.
        plan: of the same recording.
        frontend: makes the features.
        quality: name of the resampling filter.
        gain: factor on the samples.

    Raises:
        AudioError: the recording is no longer what was heard.
    """
    stream = _speech_frames(heard, plan.speech, frontend, quality, gain)
    held, offset = np.empty((0, frontend.spec.bands), dtype=np.float32), 0
    for start in plan.starts:
        while offset + len(held) < start + plan.length:
            more = next(stream, None)
            if more is None:
                raise heard.changed()
            held = np.concatenate([held, more])
        held, offset = held[start - offset :], start
        yield frontend.normalise(held[: plan.length])


def cut_spans(
    heard: Heard, spans: Sequence[Segment], frontend: Frontend, *, quality: str, gain: float, most: int
) -> Iterator[Features]:
    """The normalised features of the speech in each span, holding no more frames than the longest span has.

    A span has the frames that it would have as a recording of its own, so far as their middle lies inside speech.

    Args:
        heard: the recording; walked through once more.
        spans: in the order of their starts; they may overlap.
        frontend: makes the features.
        quality: name of the resampling filter.
        gain: factor on the samples.
        most: frames of a span that are kept, the first ones.

    Yields:
        Shape (frames, bands) for each span; no frames where none is speech.

    Raises:
        AudioError: the recording is no longer what was heard.
    """
    speech = _spoken(heard, frontend)
    stream = _frames(heard, len(speech), frontend, quality, gain)
    held, offset = np.empty((0, frontend.spec.bands), dtype=np.float32), 0
    for span in spans:
        first, last = _inside(span, frontend)
        last = min(last, len(speech))
        while offset + len(held) < last:
            more = next(stream, None)
            if more is None:
                raise heard.changed()
            passed = min(max(first - offset, 0), len(held))
            held, offset = np.concatenate([held[passed:], more]), offset + passed
        chosen = held[max(first - offset, 0) : max(last - offset, 0)][speech[first:last]][:most]
        yield frontend.normalise(chosen) if len(chosen) else chosen


def speech_seconds(speech: Timeline, starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many seconds of speech lie between moments.

    Args:
        speech: of the recording.
        starts: seconds, shape (n,).
        ends: seconds, shape (n,), none before its start.

    Returns:
        Shape (n,).
    """
    edges = np.array([0.0, *(edge for segment in speech for edge in (segment.start, segment.end))])
    passed = np.array([0.0, *np.repeat(np.cumsum([segment.duration for segment in speech]), 2)])
    passed[1::2] = passed[:-1:2]  # nothing passes in a pause
    found: NDArray[np.float64] = np.interp(ends, edges, passed) - np.interp(starts, edges, passed)
    return found


def _inside(span: Segment, frontend: Frontend) -> tuple[int, int]:
    """First and one-past-last frame of a span."""
    rate = frontend.spec.rate
    first = int(np.ceil((span.start - EDGE) * rate / frontend.hop))
    return max(first, 0), max(first, 0) + frontend.count(round(span.end * rate) - max(first, 0) * frontend.hop)


def _spoken(heard: Heard, frontend: Frontend) -> NDArray[np.bool_]:
    """For each frame of a recording whether its middle lies inside speech."""
    centre = (frontend.width - frontend.lead) / 2
    frames = np.arange(frontend.count(heard.samples))
    return heard.speech.covers((frames * frontend.hop + centre) / frontend.spec.rate)


def _speech_frames(
    heard: Heard, speech: NDArray[np.bool_], frontend: Frontend, quality: str, gain: float
) -> Iterator[Features]:
    """Features of the frames that are speech, block by block."""
    first = 0
    for features in _frames(heard, len(speech), frontend, quality, gain):
        yield features[speech[first : first + len(features)]]
        first += len(features)


def _frames(heard: Heard, count: int, frontend: Frontend, quality: str, gain: float) -> Iterator[Features]:
    """Features of all frames, block by block, at most as many as there were in the first walk."""
    given = 0
    for features in frontend.walk(block.samples * np.float32(gain) for block in heard.blocks(quality)):
        given += len(features)
        if given > count:
            raise heard.changed()
        yield features
