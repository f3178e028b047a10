"""One attempt to log in: the voice is compared, and a recording that was heard before does not count.

Somebody who is not enrolled takes as long as somebody who is: the same sound is embedded and compared, with a vector
that belongs to nobody.

Knows: galleries, voices, traces. Does not know: requests, who may be told what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from samevoice.audio.decode import Recording
from samevoice.audio.resample import resample
from samevoice.audio.waveform import Waveform
from samevoice.embedder import Model
from samevoice.errors import NotEnoughSpeech, UnknownPerson
from samevoice.gallery.coach import AROUND
from samevoice.gallery.gallery import Gallery
from samevoice.gallery.replay import LEAST_WORDS, MAX_SECONDS, RATE, trace_of
from samevoice.gallery.voiceprints import Template
from samevoice.models.embedding import Embedding
from samevoice.scoring.decision import Decision
from samevoice.service.earlier import Earlier, is_alike
from samevoice.speech.listening import Heard
from samevoice.verification import judge

LEAST_TRACE = 2 * LEAST_WORDS  # bytes; a shorter sound could not be known again


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt.

    Args:
        decision: about the person's voice and this one; about nobody's where the person is not enrolled.
        person: public id; None where nobody of that name is enrolled.
        replayed: whether the voice is the person's, in a recording that was heard before.
        brief: whether the voice is the person's, in a recording too short to be known again.
    """

    decision: Decision
    person: str | None
    replayed: bool = False
    brief: bool = False

    @property
    def welcome(self) -> bool:
        """Whether the person is let in."""
        return self.person is not None and self.decision.verdict == "same" and not (self.replayed or self.brief)

    @property
    def speechless(self) -> bool:
        """Whether there was too little speech to compare anything."""
        return self.decision.score is None


def log_in(gallery: Gallery, earlier: Earlier, name: str, audio: Recording, *, far: float | None) -> Outcome:
    """Let somebody in, or not.

    Args:
        gallery: who is enrolled.
        earlier: the recordings of those who were welcome before; gets this one if it is welcome too.
        name: who it is said to be.
        audio: a recording of some minutes at most.
        far: tolerated false-accept rate; None for the usual one.

    Raises:
        AudioError: the recording cannot be read.
        ConfigError: the rate cannot be honoured.
        GalleryError: the gallery cannot be read.
        FingerprintMismatch: the gallery was given another model.
    """
    model = gallery.model
    heard = model.listen(audio, name="recording")
    blocks = [block.samples for block in heard.blocks(model.card.resampler)]
    sound = Waveform(np.concatenate(blocks), heard.rate)
    template, decision = _template(gallery, name), None
    if template is not None:
        try:
            decision = gallery.verify(name, sound, far=far)
        except UnknownPerson:  # expired, or deleted a moment ago
            template = None
    if decision is None:
        decision = _as_nobody(gallery, name, sound, far)
    outcome = Outcome(replace(decision, warnings=heard.report.warnings), template.person if template else None)
    if template is None or decision.verdict != "same":
        return outcome
    traces = tuple(_traces(heard, sound))
    if max(map(len, traces), default=0) < LEAST_TRACE:
        return replace(outcome, brief=True)
    enrolled = gallery.store.traces(template.person)
    return replace(outcome, replayed=is_alike(traces, enrolled) or not earlier.is_new(template.person, traces))


def _template(gallery: Gallery, name: str) -> Template | None:
    """What somebody enrolled is compared with; None, as fast, where nobody of that name can log in.

    The gallery's own answer for somebody unknown names those who may have been meant, which takes its time.
    """
    store, model = gallery.store, gallery.model.card.fingerprint
    if store.model() is not None:
        store.require_model(model)
    owner = store.database.read(lambda connection: store.vault.find(connection, name))
    if owner is None or owner.stranger is not None:
        return None
    return store.database.read(lambda connection: store.vault.template(connection, owner, model))


def _as_nobody(gallery: Gallery, name: str, sound: Waveform, far: float | None) -> Decision:
    """The work of `Gallery.verify`, for a name that nobody has."""
    gallery.store.has_expired()
    _template(gallery, name)
    model = gallery.model
    try:
        voice: Embedding | NotEnoughSpeech = model.embed(sound, name="recording")
    except NotEnoughSpeech as error:
        voice = error
    return judge(_nobody(model), voice, model=model, far=far)


def _nobody(model: Model) -> Embedding:
    """A voice that is nobody's: as good as at right angles to every real one, and with as much speech as need be."""
    vector = np.zeros(model.card.dimension, dtype=np.float32)
    vector[0] = 1.0
    return Embedding(vector, model.card.fingerprint, MAX_SECONDS)


def _traces(heard: Heard, sound: Waveform) -> Iterator[bytes]:
    """Of all speech: a trace ends after a minute, and what was heard before may come later."""
    segments = heard.speech.segments
    start, end = max(segments[0].start - AROUND, 0.0), min(segments[-1].end + AROUND, sound.duration)
    while start < end:
        yield trace_of(resample(sound.cut(start, min(start + MAX_SECONDS, end)), RATE))
        start += MAX_SECONDS
