"""Explain: what a decision about two recordings rests on, stretch by stretch.

The speech of both recordings is cut into short slices, and every slice of the one is compared with every slice of the
other. Leaving a slice out and embedding the rest tells how much that slice holds the cosine down: measured, not
guessed. The weight of duration is read off the calibration. Noise, bandwidth and clipping are stated as facts: the
calibration does not weigh them, and no number is made up.

Knows: decisions, slices, what the calibration can tell. Does not know: how any of it is drawn.
Source: leaving one out is the jackknife (Quenouille, "Notes on bias in estimation", Biometrika 43, 1956).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.embedder import Model
from samevoice.errors import AudioError, NotEnoughSpeech
from samevoice.models.embedding import Embedding
from samevoice.scoring.cosine import cosine
from samevoice.scoring.decision import DEFAULT_PRIOR, Decision
from samevoice.scoring.explanation import Duration, Explanation, LeftOut, Side, Slice
from samevoice.speech.listening import Heard
from samevoice.speech.slices import count_slices, cut_slices, place_slices
from samevoice.speech.timeline import Segment, Timeline
from samevoice.speech.vad import everything
from samevoice.verification import calibration_of, label, verify

SLICE_SECONDS = 1.5  # shorter ones say little about a voice
MAX_SLICES = 60  # of one recording: bounds time and memory
LONGER = 1.1  # slices that a model refuses are tried again with so much more than it needs
LEAST_RISE = 0.001  # of the cosine; less does not show

Repeatable = str | PathLike[str] | bytes | Waveform
Vectors = NDArray[np.float32]


def explain(
    first: Repeatable,
    second: Repeatable,
    *,
    model: Model,
    far: float | None = None,
    threshold: float | None = None,
    prior: float = DEFAULT_PRIOR,
) -> Explanation:
    """Decide like `verify`, and tell what the decision rests on.

    Takes a few times as long: each recording is walked through again for its slices and without the worst of them.

    Args:
        first: a path, bytes of a file, or a `Waveform`.
        second: the same.
        model: a loaded model.
        far: as in `verify`, like the other options.
        threshold: a cosine that alone decides.
        prior: probability of one speaker before listening.

    Raises:
        AudioError: a recording cannot be read, or only once.
        ModelError: the model fails.
        ConfigError: an option cannot be honoured.
    """
    if any(audio == "-" or hasattr(audio, "read") for audio in (first, second)):
        raise AudioError("a stream can be read only once, and an explanation reads again; save it to a file first")
    decision = verify(first, second, model=model, far=far, threshold=threshold, prior=prior)
    named = ((first, label(first, "first recording")), (second, label(second, "second recording")))
    heard = [model.listen(audio, name=name) for audio, name in named]
    if decision.score is None:
        one, two = (Side(name, found.report, found.speech) for (_, name), found in zip(named, heard, strict=True))
        return Explanation(decision, (one, two), np.empty((0, 0), dtype=np.float32), None)
    mine, theirs = (_voice(audio, name, found, model) for (audio, name), found in zip(named, heard, strict=True))
    similarities: Vectors = np.clip(mine.vectors @ theirs.vectors.T, -1.0, 1.0)
    one = _side(mine, theirs.whole, similarities, decision.score)
    two = _side(theirs, mine.whole, similarities.T, decision.score)
    return Explanation(decision, (one, two), similarities, _duration(decision, model))


@dataclass(frozen=True, slots=True, eq=False)
class _Voice:
    """One recording, embedded as a whole and slice by slice."""

    audio: Repeatable
    name: str
    heard: Heard
    model: Model
    whole: Embedding
    places: list[Segment]
    vectors: Vectors
    seconds: float


def _voice(audio: Repeatable, name: str, heard: Heard, model: Model) -> _Voice:
    """Embed a recording that has enough speech."""
    whole = _told(model, heard.speech).embed(audio, name=name)
    deaf, seconds = model.with_detector(everything), SLICE_SECONDS
    while len(places := place_slices(heard.speech, seconds, MAX_SLICES)) > 1:
        try:
            embedded = deaf.embed_many(cut_slices(heard, places, model.card.resampler))
        except NotEnoughSpeech as error:  # the network takes nothing so short
            seconds = LONGER * max(error.need, seconds)
            continue
        vectors = np.stack([one.vector for one in embedded])
        return _Voice(audio, name, heard, model, whole, places, vectors, seconds)
    return _Voice(audio, name, heard, model, whole, places, whole.vector[None], heard.speech.duration)


def _side(voice: _Voice, other: Embedding, similarities: Vectors, score: float) -> Side:
    """What there is to tell of a recording; similarities of shape (its slices, the other's slices)."""
    rises = _rises(voice.vectors, other.vector)
    told = tuple(
        Slice(place.start, place.end, float(similarity), float(rise))
        for place, similarity, rise in zip(voice.places, similarities.mean(axis=1), rises, strict=True)
    )
    hurting = _without(voice, voice.places[int(np.argmax(rises))], other, score)
    covering = count_slices(voice.heard.speech, voice.seconds)
    return Side(voice.name, voice.heard.report, voice.heard.speech, told, covering, voice.seconds, hurting)


def _rises(vectors: Vectors, other: Vectors) -> NDArray[np.float64]:
    """How much the cosine of the mean of unit vectors (n, d) with another (d,) rises without each, shape (n,)."""
    if len(vectors) == 1:
        return np.zeros(1)  # without it nothing is left
    total = vectors.sum(axis=0, dtype=np.float64)
    sums = np.concatenate([total[None], total - vectors])
    cosines = sums @ other / np.maximum(np.linalg.norm(sums, axis=1), np.finfo(np.float64).tiny)
    rises: NDArray[np.float64] = cosines[1:] - cosines[0]
    return rises


def _without(voice: _Voice, place: Segment, other: Embedding, score: float) -> LeftOut | None:
    """A recording without one slice against the other recording, if that helps."""
    speech = voice.heard.speech
    try:
        left = _told(voice.model, speech & Timeline([place], speech.extent).gaps()).embed(voice.audio, name=voice.name)
    except NotEnoughSpeech:
        return None
    without, calibration = cosine(left, other), calibration_of(voice.model)
    if without - score < LEAST_RISE:
        return None
    llr = calibration.llr(without, min(left.seconds, other.seconds)) if calibration else None
    return LeftOut(place.start, place.end, without, llr)


def _told(model: Model, speech: Timeline) -> Model:
    """The same model, told where the speech is instead of looking for it."""

    def known(blocks: Iterable[Waveform], /) -> Timeline:
        deque(blocks, maxlen=0)  # they are measured in passing
        return speech

    return model.with_detector(known)


def _duration(decision: Decision, model: Model) -> Duration | None:
    """The evidence of the decision's cosine at its duration and at the longest that was calibrated."""
    calibration = calibration_of(model)
    if calibration is None or decision.score is None:
        return None
    seconds, longest = min(decision.speech), calibration.durations[-1]
    llr, llr_longest = (calibration.llr(decision.score, length) for length in (seconds, longest))
    return Duration(seconds, llr, longest, llr_longest)
