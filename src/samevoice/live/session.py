"""Listening as it happens: what is certain by now, and at the end what `samevoice diarize` says of the whole.

    with sv.Gallery() as people:
        for event in Session(replay("meeting.wav"), load_diarizer(people.model), gallery=people):
            print(event)

Everything is heard twice: as it comes, to tell who speaks now, and in stretches in the background, to tell it better at
the end.

Knows: the order of the stages. Does not know: how each works, what is done with events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

# Blocks must come through one by one here, and not in the spans that later stages take elsewhere.
from samevoice.audio.resample import converted
from samevoice.audio.waveform import Samples, Waveform
from samevoice.diarization import naming
from samevoice.diarization.clustering import Telling
from samevoice.diarization.diarizer import Diarizer, finish
from samevoice.errors import AudioError, ConfigError, NotEnoughSpeech
from samevoice.gallery.rules import DEFAULT_FPIR
from samevoice.gallery.sequential import LOOKS
from samevoice.live.background import Background
from samevoice.live.events import End, Event, Speech, Told
from samevoice.live.feed import Feed, Note
from samevoice.live.follower import Follower
from samevoice.live.gate import Gate
from samevoice.live.intake import Intake
from samevoice.live.ring import KEPT, SpeechRing
from samevoice.live.voices import Recognise, Voices
from samevoice.loading import load_detector
from samevoice.models.embedding import Embedding
from samevoice.speech.timeline import Seconds, Segment
from samevoice.speech.vad import RATE, Hysteresis, SileroVad, everything

if TYPE_CHECKING:
    from samevoice.gallery.gallery import Gallery

__all__ = ["Session"]

BEHIND: Seconds = 2.0  # that are worth telling; then twice as many


class Session:
    """One listening, an iterator of events that ends with `End`.

    Args:
        feed: where sound comes from.
        diarizer: hears it; its model is that of the gallery.
        gallery: the people; None for local names only.
        fpir: share of unknown voices tolerated to get anybody's name; by default 0.01.
        telling: how speakers are told apart at the end.
        detector: finds the speech.
        kept: seconds of speech in the ring; by default 30.

    Raises:
        ConfigError: the ring is too short for the longest look, or the model has no calibration.
        ModelError: a model is missing.
    """

    def __init__(
        self,
        feed: Feed,
        diarizer: Diarizer,
        *,
        gallery: Gallery | None = None,
        fpir: float = DEFAULT_FPIR,
        telling: Telling | None = None,
        detector: SileroVad | None = None,
        kept: Seconds = KEPT,
    ) -> None:
        """Start to fetch sound."""
        if not LOOKS[-1] <= kept < float("inf"):
            raise ConfigError(f"{kept:g} s of speech cannot be kept; give {LOOKS[-1]:g} or more")
        self.ring = SpeechRing(RATE, kept)
        self._feed, self._diarizer, self._gallery = feed, diarizer, gallery
        self._fpir, self._telling = fpir, telling
        self._deaf = diarizer.model.with_detector(everything)
        self._detector = (detector or load_detector()).stream()
        self._gate = Gate(Hysteresis(), SileroVad.hop)
        self._follower = Follower(self.ring, self._describe, Voices(diarizer.model, self._asks()))
        self._recent: Samples = np.empty(0, dtype=np.float32)  # what may still turn out to be speech, and later sound
        self._heard = 0  # samples at 16 kHz
        self._spoken: Seconds | None = None  # where the speech ended that may go on
        self._told: list[Told] = []
        self._worth_telling = BEHIND
        self._intake = Intake(feed)

    def stop(self) -> None:
        """End with what has come so far; a signal handler may call this."""
        self._intake.stop()

    def __iter__(self) -> Iterator[Event]:
        """What happens, as soon as it is certain.

        Raises:
            AudioError: nothing could be heard at all.
            ModelError: a network fails.
            GalleryError: the gallery cannot be read.
        """
        background = Background(lambda stretch: self._diarizer.hear(stretch, self._feed.name))
        try:
            for samples in converted(self._arriving(), self._feed.rate, RATE, self._diarizer.model.card.resampler):
                yield from self._notes()
                if len(samples):
                    background.push(samples)
                    yield from self._hear(samples)
            yield from self._notes()
            yield from self._over()
            parts = background.finish()
        finally:
            background.close()
        if not parts:
            raise AudioError(f"{self._feed.name}: no sound came; is anything recorded?")
        found = finish(parts, self._heard / RATE, self._telling)
        if self._gallery is not None:
            found, _ = naming.recognise(found, self._gallery, fpir=self._fpir)
        yield End(found, self.ring.total / RATE)

    def _arriving(self) -> Iterator[Samples]:
        """Sound as it comes; what else comes with it is kept to be told."""
        for arrived in self._intake:
            if self._feed.paced and arrived.waited >= self._worth_telling:
                text = f"{arrived.waited:.1f} s behind; nothing is lost as long as the source can wait"
                self._told.append(Told(self._heard / RATE, text))
                self._worth_telling *= 2
            elif arrived.waited < BEHIND / 2:
                self._worth_telling = BEHIND
            if isinstance(arrived.item, Note):
                self._told.append(Told(self._heard / RATE, arrived.item.text))
            else:
                yield arrived.item

    def _notes(self) -> Iterator[Event]:
        """What there is to tell."""
        while self._told:
            yield self._told.pop(0)

    def _hear(self, samples: Samples) -> Iterator[Event]:
        """Let speech into the ring, and follow it."""
        self._heard += len(samples)
        self._recent = np.concatenate([self._recent, samples])
        for piece in self._gate.push(self._detector.push(samples)):
            yield from self._speech(piece)
        if self._spoken is not None and not self._gate.speaking:
            yield Speech(self._spoken, on=False)
            self._spoken = None
        settled = min(round(self._gate.settled * RATE), self._heard)
        self._recent = self._recent[len(self._recent) - (self._heard - settled) :]

    def _speech(self, piece: Segment) -> Iterator[Event]:
        """A piece of speech."""
        if self._spoken is not None and piece.start > self._spoken:
            yield Speech(self._spoken, on=False)
            self._spoken = None
        if self._spoken is None:
            yield Speech(piece.start, on=True)
        self._spoken = piece.end
        origin = self._heard - len(self._recent)
        first, last = round(piece.start * RATE), min(round(piece.end * RATE), self._heard)
        yield from self._follower.hear(first, self._recent[first - origin : last - origin])

    def _over(self) -> Iterator[Event]:
        """The end of the sound."""
        for piece in (*self._gate.push(self._detector.finish()), *self._gate.finish()):
            yield from self._speech(piece)
        if self._spoken is not None:
            yield Speech(min(self._spoken, self._heard / RATE), on=False)
        yield from self._follower.finish()

    def _describe(self, speech: Samples) -> Embedding | None:
        """The voice in speech, if that is enough for the model."""
        try:
            return self._deaf.embed(Waveform(speech, RATE), name=self._feed.name)
        except NotEnoughSpeech:
            return None

    def _asks(self) -> Recognise | None:
        """How the gallery is asked."""
        gallery = self._gallery
        if gallery is None:
            return None
        return lambda voice, share: gallery.recognise([voice], fpir=self._fpir * share)[0]
