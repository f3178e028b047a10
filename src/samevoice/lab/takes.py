"""Recordings of single speakers, brought to one rate and kept for a while once they were decoded.

Knows: how a recording or an utterance of a corpus is read. Does not know: speech, conversations.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from samevoice.audio.decode import Source, open_recording
from samevoice.audio.resample import SPAN_SECONDS, mix, waveforms
from samevoice.audio.waveform import Samples
from samevoice.corpora.manifest import Manifest
from samevoice.corpora.sounds import Sounds
from samevoice.errors import DataError
from samevoice.speech.vad import RATE

MOST_SECONDS = 300.0  # of sound in one take: what must fit into memory at once
KEPT_BYTES = 128 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """A recording of one speaker, at most five minutes of it.

    Args:
        name: in messages and lists of sources.
        read: decodes it: mono samples at 16 kHz, shape (n,); the same each time.
    """

    name: str
    read: Callable[[], Samples]


def take(source: Source, name: str) -> Take:
    """The first five minutes of anything that `open_recording` takes.

    Args:
        source: the recording.
        name: where it has none of its own.
    """
    named = str(source) if hasattr(source, "__fspath__") or isinstance(source, str) else name
    return Take(named, partial(_decoded, source, named))


def takes_of(manifest: Manifest) -> dict[str, list[Take]]:
    """The utterances of each named speaker of a corpus; long ones in several takes.

    Args:
        manifest: of a corpus.

    Raises:
        DataError: nobody is named.
    """
    sounds = Sounds(manifest.root, RATE, cache_bytes=0)
    takes: dict[str, list[Take]] = {name: [] for name in manifest.speakers}
    if not takes:
        raise DataError(f"{manifest.root}: no speaker is named; give recordings in a folder per speaker")
    for one in manifest:
        if one.speaker is None:
            continue
        for part in range(max(1, math.ceil(one.seconds / MOST_SECONDS))):
            # The rest of a long recording is no take of its own where it is too short to hold a sample.
            if (start := part * MOST_SECONDS) < one.seconds - 1 / RATE or not part:
                takes[one.speaker].append(Take(one.id, partial(sounds.read, one, start, MOST_SECONDS)))
    return takes


class Shelf:
    """Decoded takes up to a number of bytes; the one that was not used for longest goes first."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        """Begin with nothing."""
        self._most = most
        self._bytes = 0
        self._kept: OrderedDict[Take, Samples] = OrderedDict()

    def __getitem__(self, one: Take) -> Samples:
        """The samples of a take."""
        if one not in self._kept:
            samples = one.read()
            self._kept[one] = samples
            self._bytes += samples.nbytes
            while self._bytes > self._most and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        self._kept.move_to_end(one)
        return self._kept[one]


def _decoded(source: Source, name: str) -> Samples:
    """The beginning of a recording at 16 kHz."""
    recording = open_recording(source, name)
    mono = (mix(block) for block in recording.blocks())
    spans: list[Samples] = []
    for span in waveforms(mono, recording.info.rate, RATE):
        spans.append(span.samples)
        if len(spans) * SPAN_SECONDS >= MOST_SECONDS:
            break
    return np.concatenate(spans)
