"""Stress: the same trials once more, with the recordings on the second side changed for the worse.

Knows: lists of trials, models, speech in a recording; a change is a function of samples. Does not know: how noise,
rooms and codecs work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path

import numpy as np

from samevoice.audio.resample import SPAN_SECONDS
from samevoice.audio.waveform import Samples, Waveform
from samevoice.embedder import Model
from samevoice.errors import DataError
from samevoice.evaluation.triallist import TrialList
from samevoice.evaluation.trialrun import Embedded, Run, embed_all, score
from samevoice.speech.listening import Progress
from samevoice.speech.timeline import Timeline
from samevoice.verification import calibration_of

Change = Callable[[Samples, int, np.random.Generator], Samples]

CROPS = (3.0, 2.0, 1.0)  # seconds of speech
MOST_SECONDS = 60.0  # of a recording; what follows is left out, which makes the trials a little harder


@dataclass(frozen=True, slots=True, eq=False)
class Stressed:
    """What came of one condition.

    Args:
        name: of the condition.
        run: its trials; None where none of a kind were left.
    """

    name: str
    run: Run | None


def stress(
    listed: TrialList,
    paths: Sequence[Path],
    model: Model,
    first: Embedded,
    changes: Mapping[str, Change],
    *,
    crops: Sequence[float] = CROPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Stressed]:
    """Score the trials with every change of the second side; the first stays as it is.

    Args:
        listed: the trials.
        paths: of its recordings.
        model: any.
        first: the recordings as they are.
        changes: by name; what comes back is as long as what went in.
        crops: seconds of speech after which a recording ends.
        seed: of what the changes draw; each recording and change has a stream of its own,
            whichever others there are.
        progress: is told the fraction done, in [0, 1].
    """
    rows = [int(row) for row in np.unique(listed.second) if first.usable[row]]
    names = [*changes, *(f"{seconds:g} s of speech" for seconds in crops)]
    sounds = (sound for row in rows for sound in _changed(model, paths[row], changes, crops, (seed, row)))
    total = len(rows) * len(names)
    found = embed_all(model, sounds, None if progress is None else lambda done: progress(done / total))
    results = []
    for place, name in enumerate(names):
        second = _one_change(found, slice(place, None, len(names)), rows, first)
        try:
            results.append(Stressed(name, score(listed, calibration_of(model), first, second)))
        except DataError:  # too little speech is left in too many recordings
            results.append(Stressed(name, None))
    return results


def crop(sound: Waveform, speech: Timeline, seconds: float) -> Waveform:
    """A recording that ends when so much speech has passed; all of it where it holds less.

    What precedes the speech stays, since a detector needs it to find the speech again.

    Args:
        sound: the recording.
        speech: where somebody speaks.
        seconds: of speech.
    """
    left = seconds
    for segment in speech:
        if segment.duration >= left:
            return sound.cut(0.0, segment.start + left)
        left -= segment.duration
    return sound


def _changed(
    model: Model, path: Path, changes: Mapping[str, Change], crops: Sequence[float], seed: tuple[int, int]
) -> Iterator[Waveform]:
    """A recording with each change in turn, then cut to each length."""
    heard = model.listen(path)
    blocks = islice(heard.blocks(model.card.resampler), ceil(MOST_SECONDS / SPAN_SECONDS))
    sound = Waveform(np.concatenate([block.samples for block in blocks]), heard.rate)
    for name, change in changes.items():
        yield Waveform(change(sound.samples, sound.rate, np.random.default_rng((*seed, *name.encode()))), sound.rate)
    for seconds in crops:
        yield crop(sound, heard.speech, seconds)


def _one_change(found: Embedded, places: slice, rows: Sequence[int], first: Embedded) -> Embedded:
    """What one change made of the recordings of a list; those that are on no second side stay as they are."""
    vectors, seconds = first.vectors.copy(), first.seconds.copy()
    vectors[rows], seconds[rows] = found.vectors[places], found.seconds[places]
    errors = {rows[at // places.step]: one for at, one in found.errors.items() if at % places.step == places.start}
    return Embedded(vectors, seconds, {**first.errors, **errors})
