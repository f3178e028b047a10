"""Short slices of the speech in a recording: where they lie, and their sound.

Knows: timelines, recordings that were listened to. Does not know: models, what the slices are for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.speech.listening import Heard
from samevoice.speech.timeline import Seconds, Segment, Timeline

OVERLAP = 2  # slices that hold each moment of speech
EDGE = 1e-6  # seconds: rounding must not put an edge on the wrong side of a pause


def count_slices(speech: Timeline, seconds: Seconds) -> int:
    """How many slices of so many seconds hold all speech, each overlapping the next by at least half."""
    return 1 + int(np.ceil(max(speech.duration - seconds, 0.0) * OVERLAP / seconds))


def place_slices(speech: Timeline, seconds: Seconds, most: int) -> list[Segment]:
    """Where slices lie that overlap by half or, where they would be too many, are spread evenly.

    Args:
        speech: not empty.
        seconds: of speech in each slice, > 0; where there is less, the only slice holds all of it.
        most: slices, >= 1.

    Returns:
        In order, in seconds of the source; pauses within a slice are no part of it.
    """
    length = min(seconds, speech.duration)
    starts = np.linspace(0.0, speech.duration - length, min(count_slices(speech, seconds), most))
    passed = np.cumsum([0.0, *(segment.duration for segment in speech)])  # seconds of speech before each segment
    before = passed[:-1]
    begun = np.maximum(np.searchsorted(before, starts + EDGE, side="right") - 1, 0)
    ended = np.maximum(np.searchsorted(before, starts + length - EDGE, side="left") - 1, 0)
    origins = np.array([segment.start for segment in speech]) - before
    places = zip(starts + origins[begun], starts + length + origins[ended], strict=True)
    return [Segment(float(start), min(float(end), speech.extent)) for start, end in places]


def cut_slices(heard: Heard, places: Sequence[Segment], quality: str) -> list[Waveform]:
    """The sound of slices without their pauses, in memory that does not grow with the length of the recording.

    Args:
        heard: the recording; walked through once more.
        places: in it, each with speech inside.
        quality: name of the resampling filter.

    Raises:
        AudioError: the recording cannot be read any more.
    """
    parts: list[list[NDArray[np.float32]]] = [[] for _ in places]
    passed = 0
    for block in heard.blocks(quality):
        for place, found in zip(places, parts, strict=True):
            first, last = (round(edge * heard.rate) - passed for edge in (place.start, place.end))
            if last <= 0 or first >= len(block.samples):
                continue
            part = block.samples[max(first, 0) : last]
            moments = (passed + max(first, 0) + np.arange(len(part))) / heard.rate
            found.append(part[heard.speech.covers(moments)])
        passed += len(block.samples)
    if not all(parts):
        raise heard.changed()
    return [Waveform(np.concatenate(found), heard.rate) for found in parts]
