"""What a gallery makes of voices that were found elsewhere: who they are, and to remember them where asked.

    for one in gallery.recognise(voices):
        print(one.name or "somebody", one.known)

Knows: the model of a gallery, its indexes, how recognition and remembering are put together. Does not know: audio; how
the voices were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from samevoice.embedder import Model
from samevoice.errors import FingerprintMismatch, GalleryError
from samevoice.gallery.cache import cache_file
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.history import Source, Spoken
from samevoice.gallery.hnsw import Neighbours
from samevoice.gallery.identification import COMPARED, TOP, check_top
from samevoice.gallery.indexes import index_of
from samevoice.gallery.people import People
from samevoice.gallery.recognition import Recognised, recognised
from samevoice.gallery.remembering import Decided, MovedError, remember
from samevoice.gallery.rules import DEFAULT_FPIR, Rules, required
from samevoice.gallery.search import Index, Match
from samevoice.gallery.sequential import Matches
from samevoice.gallery.strangers import strangers_index
from samevoice.gallery.updating import may_update
from samevoice.gallery.voiceprints import Template
from samevoice.loading import DEFAULT_MODEL, load_model
from samevoice.models.embedding import Embedding
from samevoice.models.store import names as model_names
from samevoice.scoring.cosine import cosine
from samevoice.scoring.decision import DEFAULT_PRIOR
from samevoice.verification import calibration_of

__all__ = ["Remembered", "Voice"]

ATTEMPTS = 100  # to write what was decided before somebody else changes the people


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of a recording, as a diarization found it.

    Args:
        embedding: made with the gallery's model; knows the seconds of speech behind it.
        turns: when the voice speaks.
    """

    embedding: Embedding
    turns: Sequence[Spoken]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What came of remembering a recording.

    Args:
        recording: its number in the gallery.
        voices: whose they are, in the order given; a new stranger has a name now. Whoever has no name was not
            remembered.
    """

    recording: int
    voices: tuple[Recognised, ...]


class Hearing(People):
    """People, with the model that hears them; see `Gallery`."""

    def __init__(
        self,
        place: str | Path | None = None,
        *,
        model: Model | str | Path | None = None,
        threads: int | None = None,
        key: MasterKey | None = None,
        create: bool = True,
        actor: str = "local",
    ) -> None:
        """Open the store; the model waits."""
        super().__init__(place, key=key, create=create, actor=actor)
        self._model = model
        self._threads = threads

    @cached_property
    def model(self) -> Model:
        """The model that makes the voiceprints; a gallery without any takes the one of the first enrolment.

        Raises:
            ModelError: it is missing or damaged.
            FingerprintMismatch: the voiceprints of this gallery were made with another one.
        """
        chosen = self._model
        if chosen is None:
            name, _, _ = (self.store.model() or DEFAULT_MODEL).partition("@")
            chosen = name if name in model_names() else DEFAULT_MODEL  # which is then refused, with advice
        model = chosen if isinstance(chosen, Model) else load_model(chosen, self._threads)
        self._require(model)
        return model

    @cached_property
    def _index(self) -> Index | Neighbours:
        fingerprint = self.model.card.fingerprint
        return index_of(self.store, fingerprint, cache_file(self.store.near, fingerprint))

    @cached_property
    def _strangers(self) -> Index:
        return strangers_index(self.store, self.model.card.fingerprint)

    def recognise(
        self,
        voices: Sequence[Embedding],
        *,
        fpir: float = DEFAULT_FPIR,
        prior: float = DEFAULT_PRIOR,
        top: int = TOP,
        strangers: bool = True,
    ) -> list[Recognised]:
        """Whose are these voices: of people enrolled, of strangers heard before, or of nobody known? Nothing is stored.

        Each voice is asked for by itself, so two may get one name: one person whom a diarization took for two.

        Args:
            voices: embeddings that this gallery's model made.
            fpir: share of unknown voices tolerated to get anybody's name, in (0, 1); by default 0.01. It holds for each
                voice.
            prior: probability that a voice is somebody known, before listening, in (0, 1); by default 0.5.
            top: how many candidates to name for each, at least 1; by default 5.
            strangers: whether those heard before count too; the more people count, the more evidence a name needs.

        Raises:
            FingerprintMismatch: another model made an embedding.
            ConfigError: an option cannot be honoured.
            GalleryError: the gallery cannot be read.
        """
        check_top(top)
        rules = self._rules(fpir, prior)
        for voice in voices:
            if voice.model != rules.model:
                raise FingerprintMismatch(rules.model, voice.model, "embed the voices with the model of the gallery")
        self._refresh()
        if strangers:
            self._strangers.refresh()
        return [self._recognised(voice, rules, top, strangers=strangers) for voice in voices]

    def remember(
        self,
        source: Source,
        voices: Sequence[Voice],
        *,
        fpir: float = DEFAULT_FPIR,
        prior: float = DEFAULT_PRIOR,
        expires: datetime | None = None,
    ) -> Remembered:
        """Recognise the voices of a recording, keep who spoke when, and give new voices a name that stays.

        Voiceprints of people who were not asked are personal data: have a reason, and an end (`expires`).

        A recording of the same digest is replaced. The people who are enrolled get a history, and no voiceprint.

        Args:
            source: what was recorded.
            voices: who spoke in it.
            fpir: as in `recognise`; by default 0.01.
            prior: as in `recognise`; by default 0.5.
            expires: when the voiceprints made of this recording are to be forgotten, with a time zone; None for never.
                A stranger of whom no voiceprint is left is forgotten.

        Raises:
            FingerprintMismatch: another model made an embedding.
            ConfigError: an option cannot be honoured.
            GalleryError: the time is past, or the gallery cannot be written.
            ValueError: a turn goes on beyond the end of the recording.
        """
        if any(turn.end > source.extent for voice in voices for turn in voice.turns):
            raise ValueError(f"a turn ends after {source.extent} s, where the recording does")
        embeddings = [voice.embedding for voice in voices]
        for _ in range(ATTEMPTS):
            self._expire()
            before = self.store.counters()
            whose = self.recognise(embeddings, fpir=fpir, prior=prior)
            self.store.require_model(self.model.card.fingerprint)
            named = [at for at, one in enumerate(whose) if one.name is not None or one.known == "new"]
            decided = [Decided(embeddings[at], voices[at].turns, whose[at].person) for at in named]
            try:
                kept = self._forgetting(
                    lambda decided=decided, before=before: remember(  # type: ignore[misc]
                        self.store,
                        source,
                        decided,
                        expected=before,
                        guard=self._improves,
                        expires=expires,
                        actor=self._actor,
                    )
                )
            except MovedError:
                continue
            for at, (person, name) in zip(named, kept.people, strict=True):
                whose[at] = replace(whose[at], name=name, person=person)
            return Remembered(kept.recording, tuple(whose))
        raise GalleryError(f"{self.store.database.where}: others keep changing the people; try again")

    def _rules(self, fpir: float, prior: float) -> Rules:
        """What to decide by.

        Raises:
            ConfigError: an option cannot be honoured, or the model has no calibration.
        """
        card = self.model.card
        return Rules(required(calibration_of(self.model), card.name), card.fingerprint, fpir, prior)

    def _recognised(self, voice: Embedding, rules: Rules, top: int, *, strangers: bool) -> Recognised:
        enrolled = self._nearest(self._index, voice)
        heard = self._nearest(self._strangers, voice) if strangers else []
        people = max(len(self._index), len(enrolled))
        people += max(len(self._strangers), len(heard)) if strangers else 0
        least = max(self.model.card.min_speech, rules.calibration.durations[0])
        return recognised(voice, enrolled, heard, rules, people=people, top=top, least=least)

    def _nearest(self, index: Index | Neighbours, voice: Embedding) -> list[Match]:
        return index.match(voice.vector, COMPARED) if len(index) else []

    def _improves(self, voice: Embedding, template: Template) -> bool:
        """Whether a voice may be added to a stranger, by the guard of every update."""
        score = cosine(voice, template.embedding)
        return may_update(score, (voice.seconds, template.seconds), calibration_of(self.model)) is None

    def _refresh(self) -> None:
        """See what other processes did, and what has expired.

        Raises:
            FingerprintMismatch: one of them gave the gallery another model.
        """
        self._expire()
        self._index.refresh()
        self._require(self.model)

    def _require(self, model: Model) -> None:
        """Refuse a model that the voiceprints were not made with; where there are none yet, none is chosen by that.

        Raises:
            FingerprintMismatch: it is another.
        """
        if self.store.model() is not None:
            self.store.require_model(model.card.fingerprint)

    def _expire(self) -> None:
        """Forget what has expired before anything is compared with it."""
        if self.store.has_expired():
            self.purge(patient=False)  # nobody who asks need wait until the log is empty

    def _matches(self, voice: Embedding) -> Matches:
        """The people most like a voice."""
        found = self._nearest(self._index, voice)
        if not found:  # nobody is there, unless the model was just changed
            self._require(self.model)
        people = max(len(self._index), len(found)) if found else 0
        return Matches(
            scores=[one.score for one in found],
            names=[one.name for one in found],
            lengths=[one.seconds for one in found],
            people=people,
        )
