"""Who spoke when, and who they are.

    for turn in sv.diarize("meeting.wav"):
        print(turn)

Knows: the order of the stages: sound -> evidence -> labels -> turns -> names. Does not know: how each works.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.decode import Source, open_recording
from samevoice.audio.resample import mix, waveforms
from samevoice.audio.waveform import Samples
from samevoice.diarization.agglomerate import Labels
from samevoice.diarization.assembly import Assembly, assemble, turns
from samevoice.diarization.clustering import Telling, Told, tell
from samevoice.diarization.evidence import HOP, Evidence, joined
from samevoice.diarization.hearing import CORE, Listener, Stretch, stretches
from samevoice.diarization.journal import Journal
from samevoice.diarization.turns import Diarization, Turn, writable
from samevoice.embedder import Model
from samevoice.errors import ModelError
from samevoice.loading import DEFAULT_MODEL, load_model
from samevoice.models import store
from samevoice.models.embedding import Embedding
from samevoice.runtime import default_threads
from samevoice.speech.listening import Progress
from samevoice.speech.segmentation import RATE, Segmenter
from samevoice.speech.timeline import Seconds
from samevoice.verification import label

SEGMENTATION = "segmentation"
HEARD = 0.97  # share of the work that hearing is, for progress
LONG: Seconds = 300.0  # a shorter recording is heard again sooner than a journal is worth


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """Somebody in a recording.

    Args:
        name: as the turns have it.
        seconds: in which nobody else speaks.
        embedding: of these.
    """

    name: str
    seconds: Seconds
    embedding: Embedding


@dataclass(frozen=True, slots=True, eq=False)
class Diarized:
    """Who spoke when in one recording.

    Args:
        diarization: the turns.
        speakers: in order of first appearance.
        counts: probability of each number of speakers, likeliest first.
        evidence: what was heard, to tell speakers apart anew.
        labels: the speaker of each piece of evidence, int (p,), by place in `speakers`.
    """

    diarization: Diarization
    speakers: tuple[Speaker, ...]
    counts: tuple[tuple[int, float], ...]
    evidence: Evidence
    labels: Labels

    def __iter__(self) -> Iterator[Turn]:
        """The turns in order of time."""
        return iter(self.diarization)

    def __len__(self) -> int:
        """How many turns there are."""
        return len(self.diarization)

    def __str__(self) -> str:
        """How many speak, how long, in how many turns."""
        return str(self.diarization)

    def renamed(self, names: Mapping[str, str]) -> Diarized:
        """The same with other names; speakers who get one name become one.

        Args:
            names: new names by old ones; whoever is not in it keeps theirs.
        """
        given = [names.get(one.name, one.name) for one in self.speakers]
        order = list(dict.fromkeys(given))
        place = np.array([order.index(name) for name in given], dtype=np.intp)
        people = tuple(
            _together(name, [one for one, its in zip(self.speakers, given, strict=True) if its == name])
            for name in order
        )
        labels = place[self.labels] if len(self.labels) else self.labels
        return replace(self, diarization=self.diarization.renamed(names), speakers=people, labels=labels)


class Diarizer:
    """The networks that hear a recording, ready for use.

    Args:
        model: makes the embeddings.
        segmenter: tells the voices within a window apart.

    Raises:
        ModelError: the model does not work at 16 kHz.
    """

    def __init__(self, model: Model, segmenter: Segmenter) -> None:
        """Put the networks together."""
        if model.card.rate != RATE:
            raise ModelError(f"{model.card.name}: works at {model.card.rate} Hz, diarization at {RATE}; choose another")
        self.model = model
        self._listener = Listener(segmenter, model.describer, model.card.fingerprint)

    def hear(self, stretch: Stretch, recording: str) -> Evidence:
        """What is heard in a stretch.

        Raises:
            ModelError: a network fails.
        """
        return self._listener(stretch, recording)

    def listen(
        self,
        audio: Source,
        *,
        name: str | None = None,
        journal: Journal | None = None,
        progress: Progress | None = None,
    ) -> Evidence:
        """What is heard in a recording, in memory that grows with its speech alone.

        Args:
            audio: anything `open_recording` takes.
            name: what to call it.
            journal: where stretches are kept that were heard.
            progress: is told the fraction done, in [0, 1], where the header gives a duration.

        Raises:
            AudioError: the recording cannot be read.
            ModelError: a network fails.
        """
        recording = open_recording(audio, name)
        info, passed = recording.info, 0

        def samples() -> Iterator[Samples]:
            nonlocal passed
            mono = (mix(block) for block in recording.blocks())
            for block in waveforms(mono, info.rate, RATE, self.model.card.resampler):
                passed += len(block.samples)
                yield block.samples

        parts = journal.read() if journal else []
        for stretch in stretches(samples(), len(parts)):
            parts.append(self.hear(stretch, info.name))
            if journal:
                journal.keep(stretch.number, parts[-1])
            if progress and info.declared:
                progress(min(stretch.number + 1, info.declared * RATE / CORE) * CORE / RATE / info.declared)
        return joined(parts, passed / RATE, (f"{info.name}: {recording.damage}",) if recording.damage else ())


def load_diarizer(model: Model | str | Path = DEFAULT_MODEL, threads: int | None = None) -> Diarizer:
    """Open what diarization needs; nothing is downloaded.

    Args:
        model: a loaded model, or the name or file of one; by default "campplus".
        threads: how many threads inference may use; by default all cores of this process, at most 4.

    Raises:
        ModelError: a model is not there (the message names the command that brings it) or damaged.
        ConfigError: the number of threads is out of range.
    """
    _, graph = store.load(SEGMENTATION)
    count = default_threads() if threads is None else threads
    opened = model if isinstance(model, Model) else load_model(model, threads)
    return Diarizer(opened, Segmenter(graph, threads=count))


def diarize(
    audio: Source,
    *,
    diarizer: Diarizer | None = None,
    telling: Telling | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Diarized:
    """Who speaks when in a recording: "speaker-1" and so on, in order of first appearance.

    A file of more than five minutes is heard in stretches that are kept in the cache until all is done, so that a
    second call goes on where a killed one stopped.

    Args:
        audio: a path, "-", bytes of a file, a binary file object, or a `Waveform`.
        diarizer: from `load_diarizer`; by default one with the default model.
        telling: how speakers are told apart, and how many there are if that is known.
        name: what to call the recording.
        progress: is told the fraction done, in [0, 1].

    Raises:
        AudioError: the recording cannot be read.
        ModelError: a model is missing or damaged.
    """
    diarizer = diarizer or load_diarizer()
    journal = journal_of(audio, diarizer)
    heard = (lambda share: progress(HEARD * share)) if progress else None
    name = name or label(audio, "recording")
    evidence = diarizer.listen(audio, name=name, journal=journal, progress=heard)
    found = told_apart(evidence, tell(evidence, telling))
    if journal:
        journal.remove()
    if progress:
        progress(1.0)
    return found


def finish(parts: Sequence[Evidence], extent: Seconds, telling: Telling | None = None) -> Diarized:
    """The end of a diarization whose stretches were heard one by one.

    Args:
        parts: what `Diarizer.hear` found, in order, at least one.
        extent: seconds of the recording.
        telling: how speakers are told apart.
    """
    evidence = joined(parts, extent)
    return told_apart(evidence, tell(evidence, telling))


def told_apart(evidence: Evidence, told: Told) -> Diarized:
    """Turns and speakers of labelled evidence.

    Args:
        evidence: of the recording.
        told: whose its pieces are.
    """
    assembly = assemble(evidence, told.labels)
    marks = tuple(map(str, range(told.speakers)))
    spoken = Diarization(turns(assembly, marks, evidence.extent), evidence.extent, _title(evidence.recording))
    order = [int(mark) for mark in spoken.speakers]  # of first appearance; who was overruled everywhere is not in it
    found = spoken.renamed({str(speaker): local(place) for place, speaker in enumerate(order)})
    speakers = tuple(
        speaker_of(evidence, told.labels, assembly, speaker, local(place)) for place, speaker in enumerate(order)
    )
    return Diarized(found, speakers, told.counts, evidence, _moved(evidence, told, order))


def local(place: int) -> str:
    """The name of somebody nobody knows, by place in the recording from 0."""
    return f"speaker-{place + 1}"


def journal_of(audio: Source, diarizer: Diarizer) -> Journal | None:
    """Where the stretches of a long file are kept; None for what cannot be found again."""
    if audio == "-" or not isinstance(audio, str | Path):
        return None
    Journal.sweep()
    recording = open_recording(audio)
    if recording.info.declared is not None and recording.info.declared < LONG:
        return None
    try:
        return Journal.of(Path(audio), (diarizer.model.card.fingerprint, store.load(SEGMENTATION)[0].fingerprint))
    except OSError:
        return None


def _title(recording: str) -> str:
    """The name of a file without folder and suffix, as it can be written anywhere."""
    return "".join(letter if writable(letter) else "?" for letter in Path(recording).stem)


def _moved(evidence: Evidence, told: Told, order: Sequence[int]) -> Labels:
    """Labels by place in an order; pieces of those who are not in it go to whom they sound most like."""
    if not order:
        return np.zeros(len(told.labels), dtype=np.intp)
    means = np.stack([_mean(evidence, told.labels == speaker) for speaker in order])
    nearest = (evidence.vectors.astype(np.float64) @ means.T).argmax(axis=1)
    place = np.full(told.speakers, -1)
    place[list(order)] = np.arange(len(order))
    moved: Labels = np.where(place[told.labels] >= 0, place[told.labels], nearest)
    return moved


def _mean(evidence: Evidence, mine: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The direction of some pieces; each counts by its seconds."""
    total = evidence.seconds[mine].astype(np.float64) @ evidence.vectors[mine].astype(np.float64)
    unit: NDArray[np.float64] = total / max(float(np.linalg.norm(total)), np.finfo(np.float64).tiny)
    return unit


def speaker_of(evidence: Evidence, labels: Labels, assembly: Assembly, place: int, name: str) -> Speaker:
    """Somebody, by all pieces of theirs.

    Args:
        evidence: of the recording.
        labels: the speaker of each piece, int (p,).
        assembly: who speaks in each frame.
        place: of the speaker, who has at least one piece.
        name: of the speaker.
    """
    alone = assembly.speaking[:, place] & (assembly.speaking.sum(axis=1) == 1)
    seconds = float(alone.sum() * HOP)
    unit = _mean(evidence, labels == place).astype(np.float32)
    return Speaker(name, seconds, Embedding(unit, evidence.model, seconds))


def _together(name: str, people: Sequence[Speaker]) -> Speaker:
    """One speaker in place of several."""
    seconds = sum(one.seconds for one in people)
    if len(people) == 1:
        return replace(people[0], name=name)
    weights = np.array([max(one.seconds, HOP) for one in people])
    total = weights @ np.stack([one.embedding.vector for one in people]).astype(np.float64)
    unit = (total / np.linalg.norm(total)).astype(np.float32)
    return Speaker(name, seconds, Embedding(unit, people[0].embedding.model, seconds))
