"""What somebody may say about who spoke when, and drafts that outlive the service.

Knows: edits as JSON, drafts, names from a gallery, one file. Does not know: jobs, how speakers are told apart.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from samevoice.diarization.amending import AUTOMATIC
from samevoice.diarization.editing import Draft
from samevoice.diarization.edits import Edits
from samevoice.diarization.evidence import Evidence
from samevoice.errors import DataError
from samevoice.gallery.gallery import Gallery
from samevoice.service.jobfiles import Folder, demand, write_json

VERSION = 1
STEPS = 50  # back, that are kept
OPEN = 4  # drafts in memory: an hour of evidence is 5 MB
MOST_BYTES = 1 << 28
MOST_SPEAKERS = 1_000

Name = Annotated[str, Field(min_length=1, max_length=200, description="Of a speaker.", examples=["speaker-1"])]
Moment = Annotated[FiniteFloat, Field(ge=0, description="Seconds of the recording.", examples=[12.5])]


class _Edit(BaseModel):
    """Anything else in an edit is refused: it would be a misunderstanding."""

    model_config = ConfigDict(extra="forbid")


class Rename(_Edit):
    """Give a speaker another name."""

    edit: Literal["rename"]
    speaker: Name
    name: Name


class Merge(_Edit):
    """Two speakers are one, who keeps the name of the first, unless only the second's was chosen."""

    edit: Literal["merge"]
    one: Name
    other: Name


class Split(_Edit):
    """A speaker is two: by voice, or so that each speaks at one of two moments."""

    edit: Literal["split"]
    speaker: Name
    moments: tuple[Moment, Moment] | None = None


class Assign(_Edit):
    """Some seconds are a speaker's, and nobody else's; a new name makes a new speaker."""

    edit: Literal["assign"]
    start: Moment
    end: Moment
    speaker: Name


class Together(_Edit):
    """Whoever speaks at two moments is one; all speakers are told apart anew."""

    edit: Literal["together"]
    one: Moment
    other: Moment


class Apart(_Edit):
    """Whoever speaks at two moments is two; all speakers are told apart anew."""

    edit: Literal["apart"]
    one: Moment
    other: Moment


class Speakers(_Edit):
    """Tell so many speakers apart anew, or as many as there seem to be."""

    edit: Literal["speakers"]
    number: Annotated[int, Field(ge=1, le=MOST_SPEAKERS)] | None


class Undo(_Edit):
    """Take the last edit back."""

    edit: Literal["undo"]


class Redo(_Edit):
    """Take the last undo back."""

    edit: Literal["redo"]


class Names(_Edit):
    """Name the speakers whom the gallery knows; names that somebody chose stay."""

    edit: Literal["names"]


Edit = Annotated[
    Rename | Merge | Split | Assign | Together | Apart | Speakers | Undo | Redo | Names, Field(discriminator="edit")
]


def edited(draft: Draft, edit: Edit, gallery: Gallery, fpir: float) -> Draft:
    """A draft after an edit.

    Args:
        draft: before.
        edit: what somebody says.
        gallery: for `Names`.
        fpir: for `Names`: share of unknown voices tolerated to get anybody's name.

    Raises:
        ConfigError: the edit cannot be made; the draft stays as it was.
        GalleryError: the gallery cannot be read.
    """
    match edit:
        case Rename():
            return draft.rename(edit.speaker, edit.name)
        case Merge():
            return draft.merge(edit.one, edit.other)
        case Split():
            return draft.split(edit.speaker, edit.moments)
        case Assign():
            return draft.assign(edit.start, edit.end, edit.speaker)
        case Together():
            return draft.together(edit.one, edit.other)
        case Apart():
            return draft.apart(edit.one, edit.other)
        case Speakers():
            return draft.with_speakers(edit.number)
        case Undo():
            return draft.undo()
        case Redo():
            return draft.redo()
        case Names():
            return _named(draft, gallery, fpir)


def _named(draft: Draft, gallery: Gallery, fpir: float) -> Draft:
    """The gallery's names for speakers who have none, as one step; two who get one name become one."""
    voices = [one for one in draft.diarized.speakers if AUTOMATIC.fullmatch(one.name)]
    said = gallery.recognise([one.embedding for one in voices], fpir=fpir) if voices else []
    named = draft
    for voice, known in zip(voices, said, strict=True):
        if known.name is not None:
            merging = known.name in named.names
            named = named.merge(known.name, voice.name) if merging else named.rename(voice.name, known.name)
    return named if named is draft else Draft(draft.evidence, named.edits, (*draft.past, draft.edits))


def shown(draft: Draft) -> dict[str, Any]:
    """Who speaks when as plain data, without voices."""
    found = draft.diarized.diarization
    return {
        "recording": found.recording,
        "extent": found.extent,
        "turns": [
            {"start": one.start, "end": one.end, "speaker": one.speaker, "confidence": one.confidence} for one in found
        ],
        "speakers": [
            {"name": name, "seconds": round(found.of(name).duration, 3), "known": AUTOMATIC.fullmatch(name) is None}
            for name in found.speakers
        ],
        "counts": [{"speakers": count, "probability": share} for count, share in draft.edits.counts],
        "undo": bool(draft.past),
        "redo": bool(draft.future),
        "warnings": list(draft.evidence.warnings),
    }


def save(draft: Draft, folder: Folder) -> None:
    """Keep a draft with the steps back and forth.

    Raises:
        OSError: it cannot be written.
    """
    evidence = draft.evidence
    past, future = ([one.to_json(evidence) for one in some[-STEPS:]] for some in (draft.past, draft.future))
    write_json(folder.edits, {"version": VERSION, "now": draft.to_json(), "past": past, "future": future})


def load(folder: Folder) -> Draft:
    """The draft that was kept last.

    Raises:
        DataError: what was kept is damaged.
    """
    evidence = Evidence.load(folder.evidence)
    try:
        with folder.edits.open("rb") as stream:
            content = json.loads(stream.read(MOST_BYTES))
        demand(content["version"] == VERSION)
        past, future = (
            tuple(Edits.from_json(one, evidence) for one in content[some][-STEPS:]) for some in ("past", "future")
        )
        return replace(Draft.from_json(content["now"], evidence), past=past, future=future)
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError("what was kept of the edits is damaged") from error


class Drafts:
    """The drafts that were looked at last; for several threads."""

    def __init__(self) -> None:
        """None is open."""
        self._lock = Lock()
        self._open: OrderedDict[str, _Slot] = OrderedDict()

    def read(self, folder: Folder) -> Draft:
        """The draft of a job.

        Raises:
            DataError: what was kept is damaged.
        """
        with self._slot(folder) as slot:
            return slot.draft or slot.fetched(folder)

    def edit(self, folder: Folder, change: Callable[[Draft], Draft]) -> Draft:
        """Change the draft of a job; when this returns, the change is on disk.

        Args:
            folder: of the job.
            change: makes another draft, or raises.

        Raises:
            DataError: what was kept is damaged.
            OSError: the change cannot be written, and is not made.
        """
        with self._slot(folder) as slot:
            before = slot.draft or slot.fetched(folder)
            after = change(before)
            after = replace(after, past=after.past[-STEPS:])
            if after.edits is not before.edits:
                save(after, folder)
            slot.draft = after
            return after

    def forget(self, folder: Folder) -> None:
        """Let go of the draft of a job."""
        with self._lock:
            self._open.pop(folder.path.name, None)

    @contextmanager
    def _slot(self, folder: Folder) -> Iterator[_Slot]:
        """The place of a job's draft, for one thread at a time."""
        with self._lock:
            slot = self._open.setdefault(folder.path.name, _Slot())
            self._open.move_to_end(folder.path.name)
            slot.users += 1
        try:
            with slot.lock:
                yield slot
        finally:
            with self._lock:
                slot.users -= 1
                # Never one in use: its next user would not see what is being written.
                idle = [name for name, one in self._open.items() if not one.users]
                for name in idle[: max(len(self._open) - OPEN, 0)]:
                    del self._open[name]


class _Slot:
    """Where a draft is held."""

    def __init__(self) -> None:
        """Nothing is held."""
        self.lock = Lock()
        self.users = 0
        self.draft: Draft | None = None

    def fetched(self, folder: Folder) -> Draft:
        """The draft from the disk."""
        self.draft = load(folder)
        return self.draft
