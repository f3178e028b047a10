"""The sound of listed utterances, at one rate, from files and archives, as often and from as many threads as needed.

Knows: where utterances lie, a cache. Does not know: decoding, batches, augmentation.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from samevoice.audio.waveform import Samples, check_rate
from samevoice.corpora.decoding import Pcm, as_samples, decode, frames_of
from samevoice.corpora.manifest import Utterance
from samevoice.corpora.members import read_member
from samevoice.corpora.places import place_below

LONG_SECONDS = 60.0  # from here on only what is asked for is decoded, and it is not kept
CACHE_BYTES = 1 << 30


class Sounds:
    """Reads utterances of a corpus; whole short ones are kept in memory, those used last.

    What is read does not depend on what was read before. Any number of threads may share one.
    """

    def __init__(self, root: Path, rate: int, *, cache_bytes: int = CACHE_BYTES) -> None:
        """Prepare to read.

        Args:
            root: of the manifest.
            rate: of what is handed out, in Hz.
            cache_bytes: how much decoded sound to keep, at 2 bytes per sample; 0 for none.

        Raises:
            AudioError: the rate is out of range.
        """
        check_rate(rate, "sounds")
        self.root = root
        self.rate = rate
        self._cache = _Cache(cache_bytes)

    def read(self, utterance: Utterance, start: float = 0.0, seconds: float | None = None) -> Samples:
        """A stretch of an utterance.

        Args:
            utterance: from the manifest.
            start: seconds after the utterance's own start.
            seconds: how long; None for up to its end, and never beyond it.

        Returns:
            Mono samples in [-1, 1) in steps of 16 bits, shape (n,); n follows from `seconds` alone unless the
            utterance ends before.

        Raises:
            AudioError: the file cannot be decoded, or is more than 0.1 s shorter than the manifest promises.
            DataError: the file lies outside the corpus, or its archive is unusable.
            ValueError: nothing of the utterance lies there.
        """
        whole = frames_of(utterance, self.rate)
        if not 0 <= start < math.inf or not (seconds is None or 0 < seconds < math.inf):
            raise ValueError(f"{utterance.id}: {seconds} s from {start} s are no stretch")
        first = round(start * self.rate)
        last = whole if seconds is None else first + round(seconds * self.rate)
        if last == whole + 1 and first > 0:  # both were rounded up, and a batch needs equal lengths
            first -= 1
        last = min(last, whole)
        if first >= last and whole:  # an utterance of no sample at all is a bad file, not a bad request
            raise ValueError(f"{utterance.id}: nothing lies at {start} s of its {utterance.seconds} s")
        if utterance.seconds > LONG_SECONDS:
            return as_samples(self._decoded(utterance, first, last))
        key = (utterance.path, utterance.member, utterance.start, utterance.seconds)
        pcm = self._cache.get(key)
        if pcm is None:
            pcm = self._decoded(utterance, 0, whole)
            self._cache.put(key, pcm)
        return as_samples(pcm[first:last])

    def _decoded(self, utterance: Utterance, first: int, last: int) -> Pcm:
        """Samples of an utterance from its file or archive."""
        place, name = place_below(self.root, utterance.path), name_of(self.root, utterance)
        source: Path | bytes = place
        if utterance.member is not None:
            source = read_member(place, utterance.member)
        return np.concatenate([*decode(source, name, utterance, self.rate, first, last)])


def name_of(root: Path, utterance: Utterance) -> str:
    """What to call the file of an utterance in messages."""
    member = f" ({utterance.member})" if utterance.member is not None else ""
    return f"{root / utterance.path}{member}"


Key = tuple[str, str | None, float, float]


class _Cache:
    """Decoded utterances, up to a number of bytes; the one that was not used for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._kept: OrderedDict[Key, Pcm] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Pcm | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Key, pcm: Pcm) -> None:
        with self._lock:
            if key in self._kept or pcm.nbytes > self._most:
                return
            self._kept[key] = pcm
            self._bytes += pcm.nbytes
            while self._bytes > self._most:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
