"""Who spoke when, put right by somebody who listens.

    draft = Draft.of(sv.diarize("meeting.wav"))
    draft = draft.rename("speaker-1", "Ann").together(12.5, 301.0).with_speakers(4)
    print(draft.diarized)

Every edit makes a new draft that remembers the one before. What was said is not forgotten when speakers are told apart
anew, what was said last holds, and names stay with those who have most of the speech that went by them.

Knows: the order of drafts, how edits become turns. Does not know: sound, files, pages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from samevoice.diarization import amending
from samevoice.diarization.assembly import Assembly, assemble, turns
from samevoice.diarization.clustering import Constraints, Telling
from samevoice.diarization.diarizer import Diarized, Speaker, local, speaker_of
from samevoice.diarization.edits import Edits
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.hearing import SPAN
from samevoice.diarization.pointing import frame_edge
from samevoice.diarization.turns import Diarization
from samevoice.models.embedding import Embedding
from samevoice.speech.timeline import Seconds


@dataclass(frozen=True, eq=False)
class Draft:
    """Who spoke when, as edited so far.

    Args:
        evidence: what was heard.
        edits: who is who, and what somebody said about it.
        past: the edits before, the latest last.
        future: those that were undone, the next last.
    """

    evidence: Evidence
    edits: Edits
    past: tuple[Edits, ...] = ()
    future: tuple[Edits, ...] = ()

    @classmethod
    def of(cls, diarized: Diarized, telling: Telling | None = None) -> Draft:
        """Begin with what was found.

        Args:
            diarized: so.
            telling: how speakers were told apart.
        """
        names = tuple(one.name for one in diarized.speakers) or (local(0),)
        labels, names = amending.in_order(diarized.labels, names, ())
        edits = Edits(names, labels, telling or Telling(), Constraints(), (), (), diarized.counts)
        return cls(diarized.evidence, edits)

    @classmethod
    def from_json(cls, content: object, evidence: Evidence) -> Draft:
        """Go on with edits that `to_json` made; what was before them is not kept.

        Args:
            content: plain values.
            evidence: that they are about.

        Raises:
            DataError: they are no edits, or about other evidence.
        """
        return cls(evidence, Edits.from_json(content, evidence))

    def to_json(self) -> dict[str, Any]:
        """The edits as plain values, to be kept beside the file of the evidence; names are in it, voices are not."""
        return self.edits.to_json(self.evidence)

    @property
    def names(self) -> tuple[str, ...]:
        """All speakers: those with pieces in order of first appearance, then others."""
        return self.edits.names

    @cached_property
    def diarized(self) -> Diarized:
        """The turns as edited; who has assigned seconds alone, and too few to know the voice, is not in `speakers`."""
        evidence, edits = self.evidence, self.edits
        assembly = self._assembly()
        told = turns(assembly, edits.names, evidence.extent)
        found = Diarization(told, evidence.extent, Path(evidence.recording).stem)
        speakers = [self._speaker(assembly, place, name) for place, name in enumerate(edits.names)]
        return Diarized(found, tuple(one for one in speakers if one), edits.counts, evidence, edits.labels)

    def undo(self) -> Draft:
        """As before the last edit; the same where there was none."""
        if not self.past:
            return self
        return Draft(self.evidence, self.past[-1], self.past[:-1], (*self.future, self.edits))

    def redo(self) -> Draft:
        """As before the last `undo`; the same where there was none, or an edit came after it."""
        if not self.future:
            return self
        return Draft(self.evidence, self.future[-1], (*self.past, self.edits), self.future[:-1])

    def rename(self, speaker: str, name: str) -> Draft:
        """Give a speaker another name.

        Args:
            speaker: by the present name.
            name: the new one, which nobody else has.

        Raises:
            ConfigError: nobody is called so, somebody else has the name, or it is none.
        """
        return self._after(amending.renamed(self.edits, speaker, name))

    def merge(self, one: str, other: str) -> Draft:
        """Say that two speakers are one, who keeps the name of the first, unless only the second's was chosen.

        Args:
            one: whose name stays.
            other: who becomes part of them.

        Raises:
            ConfigError: nobody is called so, or both are the same.
        """
        return self._after(amending.merged(self.edits, one, other))

    def split(self, speaker: str, moments: tuple[Seconds, Seconds] | None = None) -> Draft:
        """Say that a speaker is two; the second gets a new name.

        Args:
            speaker: by name.
            moments: one at which the first speaks, one at which the second does; without them, voices are told apart
                as well as they can be, and the one who speaks longer keeps the name.

        Raises:
            ConfigError: nobody is called so, they do not speak at a moment, or there is too little of them.
        """
        return self._after(amending.split(self.evidence, self.edits, speaker, moments))

    def assign(self, start: Seconds, end: Seconds, speaker: str) -> Draft:
        """Say that some seconds are a speaker's, and nobody else's.

        Pieces that lie inside are theirs from now on, and what was said about these pieces before is taken back.

        Args:
            start: in the recording.
            end: at least 0.3 s later.
            speaker: by name; a new name makes a new speaker.

        Raises:
            ConfigError: it is no name, or these are no such seconds.
        """
        return self._after(amending.assigned(self.evidence, self.edits, start, end, speaker))

    def together(self, one: Seconds, other: Seconds) -> Draft:
        """Say that whoever speaks at two moments is one; all speakers are then told apart anew.

        Args:
            one: a moment at which somebody speaks, in seconds of the recording.
            other: another one.

        Raises:
            ConfigError: nobody speaks at one of them, or both lie in one piece.
        """
        return self._after(amending.joined_at(self.evidence, self.edits, (one, other)))

    def apart(self, one: Seconds, other: Seconds) -> Draft:
        """Say that whoever speaks at two moments is two; all speakers are then told apart anew.

        Args:
            one: a moment at which somebody speaks, in seconds of the recording.
            other: another one.

        Raises:
            ConfigError: nobody speaks at one of them, or both lie in one piece.
        """
        return self._after(amending.parted_at(self.evidence, self.edits, (one, other)))

    def with_speakers(self, number: int | None) -> Draft:
        """Tell so many speakers apart, or as many as there seem to be where it is None.

        What was said holds, even where that makes more or fewer.

        Args:
            number: of speakers, at least 1; None for as many as there seem to be.

        Raises:
            ConfigError: the number is below 1.
        """
        telling = replace(self.edits.telling, speakers=number)
        return self._after(amending.told_anew(self.evidence, self.edits, telling=telling))

    def _after(self, edits: Edits) -> Draft:
        """The draft after an edit; what was undone before it is gone."""
        return Draft(self.evidence, edits, (*self.past, self.edits))

    def _assembly(self) -> Assembly:
        """Who speaks in each frame; what is assigned is certain."""
        edits = self.edits
        heard = assemble(self.evidence, edits.labels, pinned=edits.pinned)
        extra = ((0, 0), (0, len(edits.names) - heard.speaking.shape[1]))
        speaking, confidence = np.pad(heard.speaking, extra), np.pad(heard.confidence, extra)
        for one in edits.assigned:
            place = slice(frame_edge(self.evidence, one.start), frame_edge(self.evidence, one.end))
            speaking[place] = np.arange(len(edits.names)) == edits.names.index(one.speaker)
            confidence[place] = 1.0
        return Assembly(speaking, confidence)

    def _speaker(self, assembly: Assembly, place: int, name: str) -> Speaker | None:
        """Somebody by their pieces, or by the spans whose middle is assigned to them; None without either."""
        evidence = self.evidence
        if (self.edits.labels == place).any():
            return speaker_of(evidence, self.edits.labels, assembly, place, name)
        middles = [frame_edge(evidence, moment) for moment in (evidence.starts + SPAN / 2).tolist()]
        spoken = assembly.speaking[np.minimum(middles, evidence.frames - 1), place] if middles else []
        total = evidence.span_vectors[spoken].astype(np.float64).sum(axis=0)
        length = float(np.linalg.norm(total))
        if not length:
            return None
        seconds = sum(one.end - one.start for one in self.edits.assigned if one.speaker == name)
        return Speaker(name, seconds, Embedding((total / length).astype(np.float32), evidence.model, seconds))
