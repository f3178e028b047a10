"""From a recording to its timeline.

Two walks, as for an embedding: one to measure the recording and find its speech, one to describe the slices that hold
enough of it. A recording of five minutes or less is decoded once. Memory is bounded by blocks and by the table itself:
ten numbers and an embedding for each slice.

Knows: the order of the stages. Does not know: files, pictures, galleries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.decode import Source
from samevoice.embedder import Model
from samevoice.errors import ConfigError
from samevoice.loading import DEFAULT_MODEL, load_detector, load_model
from samevoice.models.embedding import Embedding
from samevoice.scoring.calibration import Calibration
from samevoice.speech.listening import Progress
from samevoice.speech.timeline import Segment
from samevoice.speech.vad import Hysteresis
from samevoice.timelines.ear import Ear
from samevoice.timelines.grid import Grid, Times
from samevoice.timelines.table import Column, SliceTable
from samevoice.timelines.voices import Vectors, Voices
from samevoice.verification import calibration_of, label
from samevoice.windows import speech_seconds

HEARD = 0.1  # share of the work that the first walk is, for progress


def timeline(
    audio: Source,
    *,
    model: Model | str = DEFAULT_MODEL,
    grid: Grid | None = None,
    reference: Source | Embedding | Voices | None = None,
    hysteresis: Hysteresis | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> SliceTable:
    """Slices of a recording on a fixed grid in true time, each with speech, level and the embedding of its speech.

    A slice has an embedding where it holds at least as much speech as the model needs for any (half a second, where the
    card says nothing else); silence inside it is left out, as it is from whole recordings. Speech is what Silero hears.

    Args:
        audio: a path, "-", bytes of a file, a binary file object, or a `Waveform`.
        model: a loaded model, or the name or file of one; by default "campplus".
        grid: length and step; by default 1.5 s every 0.75 s.
        reference: what to compare the slices with: a recording of one person, an embedding, or `Voices`.
        hysteresis: how probabilities of speech become segments.
        name: what to call the recording.
        progress: is told the fraction done, in [0, 1].

    Raises:
        AudioError: a recording cannot be read.
        NotEnoughSpeech: the reference holds less speech than the model needs.
        ModelError: the model is missing or damaged.
        FingerprintMismatch: another model made the reference.
        ConfigError: the model cannot take slices of that length, or they would be too many.
    """
    model = model if isinstance(model, Model) else load_model(model)
    grid = grid or Grid()
    _check_length(model, grid)
    voices = _voices(reference, model)
    ear = Ear(load_detector(), hysteresis or Hysteresis())
    first = (lambda share: progress(HEARD * share)) if progress else None
    second = (lambda share: progress(HEARD + (1 - HEARD) * share)) if progress else None
    heard = model.with_detector(ear).listen(audio, name=name or label(audio, "recording"), progress=first)
    extent = heard.report.seconds
    starts, ends = grid.slices(extent)
    spans = [Segment(start, end) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    vectors = model.embed_spans(heard, spans, progress=second)
    seconds = speech_seconds(heard.speech, starts, ends)
    calibration = calibration_of(model)
    nearest, cosine, llr = _compared(vectors, seconds, voices, calibration)
    return SliceTable(
        recording=heard.report.name,
        model=model.card.fingerprint,
        grid=grid,
        extent=extent,
        starts=starts,
        ends=ends,
        probability=ear.probability(starts, ends),
        share=np.clip(seconds / (ends - starts), 0.0, 1.0).astype(np.float32),
        level_dbfs=ear.level_dbfs(starts, ends),
        vectors=vectors,
        voices=voices,
        nearest=nearest,
        cosine=cosine,
        llr=llr,
        even=calibration.crossing(0.0, grid.length) if calibration else None,
        speech=heard.speech,
        envelope=ear.envelope(),
        warnings=heard.report.warnings,
    )


def _check_length(model: Model, grid: Grid) -> None:
    """Refuse slices that the network cannot take.

    Raises:
        ConfigError: they are too short, or too long.
    """
    least, most = model.span_seconds
    if not least <= grid.length <= most:
        raise ConfigError(
            f"{model.card.name} takes {least:.4g} to {most:.4g} s of speech at once, and a slice of {grid.length:g} s "
            f"is not; choose another length"
        )


def _voices(reference: Source | Embedding | Voices | None, model: Model) -> Voices | None:
    """What to compare with, made ready before any other work is done."""
    if reference is None:
        return None
    if isinstance(reference, Voices):
        voices = reference
    elif isinstance(reference, Embedding):
        voices = Voices.of("reference", reference)
    else:
        name = label(reference, "reference")
        voices = Voices.of(name, model.embed(reference, name=name))
    voices.require(model.card.fingerprint)
    return voices


def _compared(
    vectors: Vectors, seconds: Times, voices: Voices | None, calibration: Calibration | None
) -> tuple[NDArray[np.int32] | None, Column | None, Column | None]:
    """The nearest voice of each slice, the cosine with it, and the evidence."""
    if voices is None:
        return None, None, None
    embedded = vectors.any(axis=1)
    nearest, cosine = voices.nearest(vectors)
    nearest[~embedded] = -1
    if calibration is None:
        return nearest, cosine, None
    shorter = np.minimum(seconds, voices.seconds[nearest])
    llr = calibration.llrs(cosine.astype(np.float64), shorter).astype(np.float32)
    return nearest, cosine, np.where(embedded, llr, np.float32(0.0))
