"""What the enrolment coach measures in a recording beyond the audio doctor's report.

Knows: sound, timelines of speech, slice embeddings, what a calibration can tell. Does not know: people, advice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.quality import FLOOR, FRAME_SECONDS, MAX_SNR_DB
from samevoice.audio.waveform import Waveform
from samevoice.embedder import Model
from samevoice.errors import NotEnoughSpeech
from samevoice.scoring.calibration import Calibration
from samevoice.speech.listening import Heard
from samevoice.speech.slices import cut_slices, place_slices
from samevoice.speech.timeline import Timeline
from samevoice.speech.vad import everything

PAUSE_SECONDS = 0.1  # of pauses; fewer tell nothing of the noise
QUIET, LOUD = 10, 80  # percentiles: of all frames where there are no pauses, and of the pauses
SLICE_SECONDS = 1.5  # shorter ones say little about a voice
MAX_SLICES = 60  # of one recording: bounds time and memory
LEAST_SLICES = 4  # fewer cannot be parted into two voices
ROUNDS = 20

Vectors = NDArray[np.float32]


def pause_snr(sound: Waveform, speech: Timeline) -> float | None:
    """Speech level over the noise level in dB, at most 60; None without speech.

    Unlike the audio doctor's figure, the mean of the pauses, this one holds where a recording begins or ends within a
    word that the detector does not count: the noise is what four of five frames in the pauses do not exceed.

    Args:
        sound: the recording.
        speech: in it.
    """
    size = round(FRAME_SECONDS * sound.rate)
    count = len(sound.samples) // size
    power = sound.samples[: count * size].reshape(count, size).var(axis=1).astype(np.float64)
    spoken = speech.covers(np.asarray((np.arange(count) + 0.5) * FRAME_SECONDS, dtype=np.float64))
    audible = power > FLOOR  # digital silence says nothing about the room
    voiced, pauses = power[spoken & audible], power[~spoken & audible]
    if not len(voiced):
        return None
    noise = float(np.percentile(power[audible], QUIET))
    if len(pauses) * FRAME_SECONDS >= PAUSE_SECONDS:
        noise = max(noise, float(np.percentile(pauses, LOUD)))
    return min(10.0 * float(np.log10(max(float(voiced.mean()) - noise, FLOOR) / noise)), MAX_SNR_DB)


@dataclass(frozen=True, slots=True)
class Parted:
    """The speech of a recording, parted into the two groups of slices that differ most.

    Args:
        cosine: of the two groups.
        seconds: of speech in the smaller one.
        share: of all speech that is in the smaller one.
    """

    cosine: float
    seconds: float
    share: float

    def above(self, calibration: Calibration) -> float:
        """How far the groups agree beyond what the strictest false-accept rate asks of two recordings."""
        return self.cosine - calibration.threshold(calibration.rates[-1], self.seconds)


def part_voices(heard: Heard, model: Model) -> Parted | None:
    """Look for two voices in the speech of a recording; None where there is too little to part.

    Args:
        heard: the recording, with speech in it.
        model: embeds the slices.

    Raises:
        ModelError: the model fails.
    """
    places = place_slices(heard.speech, SLICE_SECONDS, MAX_SLICES)
    if len(places) < LEAST_SLICES:
        return None
    try:
        found = model.with_detector(everything).embed_many(cut_slices(heard, places, model.card.resampler))
    except NotEnoughSpeech:  # the network takes nothing so short
        return None
    return part(np.stack([one.vector for one in found]), heard.speech.duration)


def part(vectors: Vectors, seconds: float) -> Parted:
    """Two groups of unit vectors by spherical 2-means, begun along their main direction.

    Args:
        vectors: of slices, shape (n, d), n >= 2.
        seconds: of speech in all slices together.
    """
    centred = vectors - vectors.mean(axis=0)
    first = centred @ np.linalg.svd(centred, full_matrices=False)[2][0] > 0
    means = _means(vectors, first)
    for _ in range(ROUNDS):
        moved = vectors @ means[0] > vectors @ means[1]
        if moved.all() or not moved.any() or (moved == first).all():
            break
        first, means = moved, _means(vectors, moved)
    share = float(min(first.mean(), 1 - first.mean()))
    return Parted(float(np.clip(means[0] @ means[1], -1.0, 1.0)), share * seconds, share)


def _means(vectors: Vectors, first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Unit means of the two groups, shape (2, d); of all vectors for a group that is empty."""
    groups = [vectors[side] if side.any() else vectors for side in (first, ~first)]
    means = np.stack([group.mean(axis=0, dtype=np.float64) for group in groups])
    unit: NDArray[np.float64] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return unit
