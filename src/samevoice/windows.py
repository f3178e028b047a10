"""The second walk: the speech of a recording as windows of feature frames, in bounded memory.

Speech is chosen as frames, not spliced as samples: features are computed on the sound as it is, and frames whose
middle lies inside speech are kept. Long speech is cut into windows of one length, evenly spread.

Knows: recordings that were listened to, front ends, windows. Does not know: networks, embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import AudioError
from samevoice.features.frontend import Features, Frontend
from samevoice.models.card import Window
from samevoice.speech.listening import Heard


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
    centre = (frontend.width - frontend.lead) / 2
    frames = np.arange(frontend.count(heard.samples))
    speech = heard.speech.covers((frames * frontend.hop + centre) / frontend.spec.rate)
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
                raise _changed(heard)
            held = np.concatenate([held, more])
        held, offset = held[start - offset :], start
        yield frontend.normalise(held[: plan.length])


def _speech_frames(
    heard: Heard, speech: NDArray[np.bool_], frontend: Frontend, quality: str, gain: float
) -> Iterator[Features]:
    """Features of the frames that are speech, block by block."""
    first = 0
    for features in frontend.walk(block.samples * np.float32(gain) for block in heard.blocks(quality)):
        if first + len(features) > len(speech):
            raise _changed(heard)
        yield features[speech[first : first + len(features)]]
        first += len(features)


def _changed(heard: Heard) -> AudioError:
    """What to say when the second walk meets another recording than the first."""
    return AudioError(f"{heard.recording.info.name}: changed while it was read; wait until it is complete")
