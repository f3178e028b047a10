"""The gallery as users meet it: enrol once, be known anywhere, be forgotten on request.

    with sv.Gallery("voices.db") as gallery:
        gallery.enrol("Ada", "ada.wav")
        print(gallery.identify("visitor.wav"))

Knows: how coach, store, index and decision are put together. Does not know: tables, ciphers, networks.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import soundfile

from samevoice.audio.decode import Source
from samevoice.embedder import Model
from samevoice.errors import GalleryError, NotEnoughSpeech, UnknownPerson
from samevoice.gallery.coach import Advice, Coached, Known, coach, refuse
from samevoice.gallery.hearing import Hearing
from samevoice.gallery.identification import TOP, Identification, check_top, identify, unidentified
from samevoice.gallery.migrate import Migration, Tell, migrate
from samevoice.gallery.names import checked_name, name_key, shown
from samevoice.gallery.rules import DEFAULT_FPIR
from samevoice.gallery.sequential import identify_early
from samevoice.gallery.updating import may_merge, may_update
from samevoice.gallery.voiceprints import NewVoiceprint, Person, Template, checked_note
from samevoice.models.embedding import Embedding
from samevoice.scoring.cosine import cosine
from samevoice.scoring.decision import DEFAULT_PRIOR, Decision
from samevoice.verification import calibration_of, judge, label

LOOKED_AT = 5  # people whose recordings are compared with a new one


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What came of an enrolment.

    Args:
        person: who has the new voiceprint.
        advice: what would make the next one better.
    """

    person: Person
    advice: tuple[Advice, ...]


class Gallery(Hearing):
    """People and their voiceprints, made with one model; for several threads and processes at once.

    The model is opened when it is first needed: what `People` does works without it.

    Args:
        place: path of a file, or a URL that starts with postgresql://; by default `$SAMEVOICE_GALLERY`, or a file in
            the user's data folder.
        model: a loaded model, or the name or file of one; by default the one that the gallery has, or the usual one.
        threads: for inference, where the model is not loaded yet; by default all cores, at most 4.
        key: the master key; by default found as `keys` says.
        create: make the gallery, and its key, where there is none.
        actor: who does what is done, for the record of events.

    Raises:
        GalleryError: the gallery cannot be opened, or has another key.
        ConfigError: a setting cannot be honoured.
    """

    def enrol(
        self,
        name: str,
        audio: Source,
        *,
        channel: str = "",
        consent: str | None = None,
        expires: datetime | None = None,
        keep_audio: bool = False,
        again: bool = False,
    ) -> Enrolment:
        """Enrol one utterance: of somebody new, or as a further voiceprint of somebody enrolled.

        Adding to a person asks for more evidence than a login, so that nobody else's voice gets in.

        Args:
            name: of the person.
            audio: a path, "-", bytes of a file, a binary file object, or a `Waveform`.
            channel: what it was recorded with, in your words; "telephone" admits narrow-band sound.
            consent: what the person agreed to, in your words.
            expires: when the voiceprint is to be forgotten, with a time zone; None for never.
            keep_audio: keep the sound too, sealed, so that another model can embed it later.
            again: take it in place of voiceprints of another model, which cannot show that it is the same voice.

        Raises:
            EnrolmentRefused: the recording would make a bad voiceprint; says what to do.
            AudioError: it cannot be read.
            ConfigError: channel or consent is too long, or holds control characters.
            GalleryError: the name cannot be one, the time is past, or the gallery cannot be written.
        """
        name = checked_name(name)
        checked_note("channel", channel)
        checked_note("consent", consent or "")
        coached = self.coach(name, audio, channel=channel)
        embedding = coached.embedding
        if embedding is None or not coached.usable:
            coached.refuse()
        report = coached.report
        new = NewVoiceprint(
            embedding=embedding,
            snr_db=report.snr_db,
            bandwidth_hz=report.bandwidth_hz,
            clipped=report.clipped,
            channel=channel,
            consent=consent,
            expires=expires,
            trace=coached.trace,
            audio=_flac(coached) if keep_audio else None,
        )
        self.store.require_model(embedding.model)
        check = partial(self._may_add, report.name, embedding)
        person = self.store.add(name, new, actor=self._actor, again=again, check=check)
        self._strangers.refresh()  # whoever was one leaves the cache too
        return Enrolment(person, coached.advice)

    def coach(self, name: str, audio: Source, *, channel: str = "") -> Coached:
        """What `enrol` would say about a recording; nothing is stored.

        Args:
            name: of the person who would be enrolled.
            audio: as in `enrol`.
            channel: as in `enrol`.

        Raises:
            AudioError: it cannot be read.
            GalleryError: the name cannot be one.
        """
        name = checked_name(name)
        self._refresh()
        self._strangers.refresh()
        coached = coach(
            audio,
            self.model,
            name=label(audio, "recording"),
            channel=channel,
            person=name,
            others=partial(self._alike, name),
            people=max(len(self._index), 1),
        )
        try:
            template = self.store.template(name, self.model.card.fingerprint)
        except UnknownPerson:
            return coached
        reason = self._reason_against(coached.embedding, template)
        return coached if reason is None else replace(coached, advice=(reason, *coached.advice))

    def identify(
        self,
        audio: Source,
        *,
        top: int = TOP,
        fpir: float = DEFAULT_FPIR,
        prior: float = DEFAULT_PRIOR,
        sequential: bool = False,
    ) -> Identification:
        """Who of the people enrolled speaks, or nobody of them? Strangers do not count, see `recognise`.

        Args:
            audio: as in `enrol`.
            top: how many candidates to name, 1 to 50; by default 5.
            fpir: share of strangers tolerated to pass for anybody enrolled, in (0, 1); by default 0.01.
            prior: probability of being enrolled before listening, in (0, 1); by default 0.5.
            sequential: stop as soon as the evidence is enough, with the tolerated share split over all looks.

        Raises:
            AudioError: the recording cannot be read.
            ConfigError: an option cannot be honoured.
        """
        check_top(top)
        model = self.model
        rules = self._rules(fpir, prior)
        self._refresh()
        name = label(audio, "recording")
        try:
            if sequential and len(self._index):
                return identify_early(audio, self._matches, model=model, fpir=fpir, prior=prior, top=top, name=name)
            voice = model.embed(audio, name=name)
        except NotEnoughSpeech as error:
            return unidentified(str(error), error.have, rules, people=len(self._index), warnings=error.warnings)
        found = self._matches(voice)
        return identify(
            found.scores,
            found.names,
            found.lengths,
            voice.seconds,
            rules,
            people=found.people,
            top=top,
            warnings=voice.warnings,
        )

    def verify(
        self,
        name: str,
        audio: Source,
        *,
        far: float | None = None,
        threshold: float | None = None,
        prior: float = DEFAULT_PRIOR,
    ) -> Decision:
        """Is it the person of that name who speaks?

        Args:
            name: of the person.
            audio: as in `enrol`.
            far: tolerated false-accept rate as a fraction; by default 0.01.
            threshold: a cosine that alone decides, in place of `far`.
            prior: probability, before listening, that it is the person, in (0, 1); by default 0.5.

        Raises:
            UnknownPerson: nobody has that name.
            GalleryError: the person must be enrolled, since all voiceprints expired, the model changed, or the person
                was only heard.
            AudioError: the recording cannot be read.
            ConfigError: an option cannot be honoured.
        """
        self._expire()
        template = self.store.template(name, self.model.card.fingerprint)
        if template is None:
            self._require(self.model)
            raise GalleryError(f"{shown(name)} has no voiceprint of this model; enrol this person again")
        if template.stranger is not None:
            raise GalleryError(f"{shown(name)} was heard in recordings and never enrolled; enrol this person first")
        try:
            voice: Embedding | NotEnoughSpeech = self.model.embed(audio, name=label(audio, "recording"))
        except NotEnoughSpeech as error:
            voice = error
        return judge(
            template.embedding,
            voice,
            model=self.model,
            far=far,
            threshold=threshold,
            prior=prior,
            warnings=voice.warnings,
        )

    def merge(self, source: str, into: str, *, force: bool = False) -> Person:
        """Give all voiceprints of one person to another, and the history, and remove the one.

        A stranger gives an enrolled person the history only, so that no login is compared with what was only heard.

        Args:
            source: whose they are.
            into: who gets them.
            force: do so though the voices do not show that it is one person.

        Raises:
            UnknownPerson: nobody has one of the names.
            GalleryError: both are one entry already, the voices are not as alike as an added one must be, or an
                enrolled person would become part of a stranger.
        """
        check = None if force else partial(may_merge, calibration_of(self.model))
        return self._forgetting(lambda: self.store.merge(source, into, actor=self._actor, check=check))

    def migrate(self, model: Model, *, progress: Tell | None = None) -> Migration:
        """Give the gallery another model, which this object then uses too; see `migrate.migrate`.

        Others who have the gallery open are refused with FingerprintMismatch until they open it again.

        Args:
            model: the new one.
            progress: is told the fraction done, in [0, 1].

        Raises:
            GalleryError: the gallery cannot be written; what is done is kept, and the next call goes on.
            ModelError: the model fails; likewise.
        """
        found = self._forgetting(lambda: migrate(self.store, model, actor=self._actor, progress=progress))
        self._model = model
        for known in ("model", "_index", "_strangers"):  # which are made anew when they are needed
            self.__dict__.pop(known, None)
        return found

    def _alike(self, person: str, voice: Embedding) -> Iterator[Known]:
        """Those who sound most like a voice, with the traces of what they were enrolled with.

        Args:
            person: a name as somebody wrote it; whoever has it is called so, in upper or lower case.
            voice: of the recording.
        """
        key = name_key(person)
        for one in self._nearest(self._index, voice)[:LOOKED_AT]:
            name = person if name_key(one.name) == key else one.name
            yield Known(name, one.score, one.seconds, self.store.traces(one.person))
        for one in self._nearest(self._strangers, voice)[:LOOKED_AT]:
            yield Known(person if name_key(one.name) == key else one.name, one.score, one.seconds, heard=True)

    def _may_add(self, recording: str, voice: Embedding, template: Template | None) -> None:
        """Refuse a voice that is not surely the person's.

        Raises:
            EnrolmentRefused: so.
        """
        reason = self._reason_against(voice, template)
        if reason is not None:
            refuse(recording, [reason])

    def _reason_against(self, voice: Embedding | None, template: Template | None) -> Advice | None:
        """Why a voice is not to be added to a template; None if it may be, or there is nothing to compare."""
        if voice is None or template is None:
            return None
        score = cosine(voice, template.embedding)
        return may_update(score, (voice.seconds, template.seconds), calibration_of(self.model))


def _flac(coached: Coached) -> bytes:
    """The sound that became a voiceprint, as a file."""
    file = io.BytesIO()
    soundfile.write(file, coached.sound.samples, coached.sound.rate, "PCM_16", format="FLAC")
    return file.getvalue()
