"""From sound to evidence, a stretch of two minutes at a time.

What is heard in a stretch depends on its sound alone (and five seconds on either side), so a stretch that was heard
before a kill need not be heard again, and memory does not grow with the recording.

Knows: stretches, windows, pieces, spans. Does not know: files, clustering.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples, Waveform
from samevoice.diarization.evidence import ACTIVE, HOP, SCALE, Evidence
from samevoice.diarization.parting import part
from samevoice.models.describer import Describer
from samevoice.speech.segmentation import (
    FRAME,
    FRAMES,
    RATE,
    STEP,
    VOICES,
    WINDOW,
    Segmenter,
    activity,
    frame_times,
    joined,
    overlap,
    speech,
)
from samevoice.speech.timeline import Seconds

STRETCH = 24  # windows that one stretch brings
STRIDE = STEP * FRAME  # samples from one window to the next
CORE = STRETCH * STRIDE  # samples from one stretch to the next: 119.9 s
PASS = 10 * RATE  # samples that the network of the model sees at once

ALONE = 0.6  # seconds alone that are enough to leave out what is not alone
LEAST_PIECE: Seconds = 0.2
SPAN: Seconds = 1.5
SPAN_STEP: Seconds = 0.5
LEAST_SPAN: Seconds = 0.4
CROWDED = 0.4  # probability of overlap above which a moment says little about either voice

Chosen = NDArray[np.bool_]
Rows = NDArray[np.int64]
Times = NDArray[np.float64]
Track = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A part of a recording with what surrounds it.

    Args:
        number: from 0.
        samples: at 16 kHz: one window step of the stretch before, the stretch, and what its last window reaches beyond;
            the last stretch ends with the recording.
        whole: whether another stretch follows.
    """

    number: int
    samples: Samples
    whole: bool


def stretches(blocks: Iterable[Samples], skipped: int = 0) -> Iterator[Stretch]:
    """Cut a recording into stretches.

    Args:
        blocks: consecutive samples at 16 kHz, of any lengths.
        skipped: stretches that are not wanted, from the first.
    """
    number, held = 0, np.empty(0, dtype=np.float32)
    waiting: list[Samples] = []
    count = 0

    def lead() -> int:
        return STRIDE if number else 0

    for block in blocks:
        waiting.append(block)
        count += len(block)
        # A stretch is whole when another one follows it for certain: its last window does not end the recording.
        while count > lead() + CORE - STRIDE + WINDOW:
            held = np.concatenate(waiting)
            if number >= skipped:
                yield Stretch(number, held[: lead() + CORE - STRIDE + WINDOW], whole=True)
            held = held[lead() + CORE - STRIDE :]
            waiting, count = [held], len(held)
            number += 1
    if count and number >= skipped:
        yield Stretch(number, np.concatenate(waiting), whole=False)


class Listener:
    """Hears stretches.

    Args:
        segmenter: tells voices apart within a window.
        describer: of the model.
        fingerprint: of the model.
    """

    def __init__(self, segmenter: Segmenter, describer: Describer, fingerprint: str) -> None:
        """Keep the networks; nothing is kept between stretches."""
        self._segmenter, self._describer, self._fingerprint = segmenter, describer, fingerprint
        self._moment: Seconds = describer.stride / RATE

    def __call__(self, stretch: Stretch, recording: str) -> Evidence:
        """What is heard in a stretch; all times are those of the recording, and the extent is where its samples end."""
        lead = STEP if stretch.number else 0  # frames that belong to the stretch before
        core = stretch.number * (CORE // FRAME)  # its own first frame
        calls = list(self._segmenter.walk([Waveform(stretch.samples, RATE)]))
        firsts = np.concatenate([first for first, _ in calls])
        found = np.concatenate([part for _, part in calls])
        voices, talk, both = activity(found), speech(found), overlap(found)
        track, crowd = joined(talk, firsts), joined(both, firsts)
        sequence, times = self._described(stretch.samples, track)
        times += (core - lead) * HOP
        own = firsts >= lead
        firsts += core - lead
        self._part(firsts[own], voices, np.flatnonzero(own), both, times, sequence)
        windows, numbers, chosen = self._pieces(firsts[own], voices[own], both[own], times)
        vectors = self._describer.embed(sequence, chosen)
        good = np.flatnonzero(vectors.any(axis=1))
        starts, spans = _spans(times, track, crowd, core - lead, core, stretch.whole)
        span_vectors = self._describer.embed(sequence, spans)
        kept = np.flatnonzero(span_vectors.any(axis=1) & (spans.sum(axis=1) * self._moment >= LEAST_SPAN))
        tracks = np.concatenate([voices[own], talk[own, :, None], both[own, :, None]], axis=2)
        return Evidence(
            recording=recording,
            extent=(core - lead) * HOP + len(stretch.samples) / RATE,
            model=self._fingerprint,
            firsts=firsts[own],
            tracks=np.rint(tracks * SCALE).astype(np.uint8),
            windows=windows[good],
            voices=numbers[good],
            seconds=(chosen[good].sum(axis=1) * self._moment).astype(np.float32),
            vectors=vectors[good],
            starts=starts[kept].astype(np.float32),
            span_vectors=span_vectors[kept].astype(np.float16),
        )

    def _described(self, samples: Samples, track: Track) -> tuple[Track, Times]:
        """The moments of a stretch and their times in it, from passes of 10 s in which somebody speaks."""
        parts, times = [], []
        spoken = frame_times(len(track))[track >= ACTIVE]
        for start in range(0, len(samples), PASS):
            part = samples[start : start + PASS]
            if ((spoken >= start / RATE) & (spoken < (start + len(part)) / RATE)).any():
                found = self._describer.sequence(part)
                parts.append(found)
                moments = np.arange(found.shape[1]) * self._describer.stride + self._describer.centre
                times.append((start + moments) / RATE)
        if not parts:
            return np.empty((1, 0), dtype=np.float32), np.empty(0)
        return np.concatenate(parts, axis=1), np.concatenate(times)

    def _part(self, firsts: Rows, voices: Track, own: Rows, both: Track, times: Times, sequence: Track) -> None:
        """Part voices of a window that are two people's."""
        for window, first in zip(own.tolist(), firsts.tolist(), strict=True):
            place = _frame_at(times, first)
            inside = np.flatnonzero((place >= 0) & (place < FRAMES))
            frames = place[inside]
            alone = (voices[window][frames] >= ACTIVE) & (both[window][frames, None] < ACTIVE)
            part(voices[window], alone, inside, frames, sequence, self._describer)

    def _pieces(self, firsts: Rows, voices: Track, both: Track, times: Times) -> tuple[Rows, Rows, Chosen]:
        """The voices that speak in each window: window, number, and the moments that describe them.

        A voice is described by the moments at which it speaks alone, unless these are few.
        """
        windows, numbers, chosen = [], [], []
        for window, (first, active, crowd) in enumerate(zip(firsts.tolist(), voices, both, strict=True)):
            place = _frame_at(times, first)
            inside = np.flatnonzero((place >= 0) & (place < FRAMES))
            speaks = active[place[inside]] >= ACTIVE
            alone = speaks & (crowd[place[inside], None] < ACTIVE)
            for voice in range(VOICES):
                total, solo = speaks[:, voice].sum() * self._moment, alone[:, voice].sum() * self._moment
                used = alone if solo >= min(ALONE, total / 2) else speaks
                if used[:, voice].sum() * self._moment < LEAST_PIECE:
                    continue
                row = np.zeros(len(times), dtype=np.bool_)
                row[inside[used[:, voice]]] = True
                windows.append(window)
                numbers.append(voice)
                chosen.append(row)
        masks = np.stack(chosen) if chosen else np.zeros((0, len(times)), dtype=np.bool_)
        return np.array(windows, dtype=np.int64), np.array(numbers, dtype=np.int64), masks


def _spans(times: Times, track: Track, crowd: Track, origin: int, core: int, whole: bool) -> tuple[Times, Chosen]:
    """Spans on a grid in the time of the recording: their starts, and the moments inside that are one voice's speech.

    Args:
        times: of moments.
        track: probability of speech in each frame.
        crowd: probability of overlap in each frame.
        origin: the first of these frames.
        core: the first frame that is the stretch's own.
        whole: whether another stretch follows, to which all spans after this one's core belong.
    """
    place = np.clip(_frame_at(times, origin), 0, len(track) - 1)
    clear = (track[place] >= ACTIVE) & (crowd[place] < CROWDED)
    end = (core + CORE // FRAME) * HOP if whole else (float(times[-1]) if len(times) else 0.0)
    starts: Times = SPAN_STEP * np.arange(np.ceil(core * HOP / SPAN_STEP), np.ceil(end / SPAN_STEP), dtype=np.float64)
    chosen = clear & (times >= starts[:, None]) & (times < starts[:, None] + SPAN)
    return starts, chosen


def _frame_at(times: Times, first: int) -> Rows:
    """The frame nearest to each moment, counted from the frame `first`."""
    found: Rows = np.rint((times - frame_times(1, first)[0]) / HOP).astype(np.int64)
    return found
