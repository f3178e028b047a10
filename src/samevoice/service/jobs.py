"""The jobs of a service, as those see them who may: whoever made one, and admins; for others it is not there.

Knows: callers, drafts, what to tell about a job that is not there, not done or damaged. Does not know: the queue.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, get_args

from samevoice.diarization.diarizer import Diarizer
from samevoice.diarization.editing import Draft
from samevoice.errors import DataError
from samevoice.gallery.gallery import Gallery
from samevoice.service import jobwork
from samevoice.service.edits import Drafts, Edit, edited
from samevoice.service.entry import Entry
from samevoice.service.jobfiles import Folder, Record, State
from samevoice.service.line import Line
from samevoice.service.options import MIB, Options
from samevoice.service.problems import Busy, Refusal, no_room
from samevoice.speech.timeline import Seconds

if TYPE_CHECKING:
    from samevoice.service.access import Caller  # which needs this module to be loaded

FOLDER = "jobs"
STATES: tuple[State, ...] = get_args(State)
BUSY = 60  # seconds after which to try again when too many jobs wait
UNFINISHED: tuple[State, ...] = ("waiting", "running")
MOST_OF_ONE = 16  # unfinished jobs of one key
FLOOR = 256 * MIB  # of the disk, which jobs leave free for the gallery and the rest
ROOM = 2  # times the bytes of a recording: what a job takes on disk until it is done


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks for.

    Args:
        speakers: how many speak, where that is known.
        least: at least so many.
        most: at most so many.
        names: whether the gallery is asked for names.
    """

    speakers: int | None = None
    least: int = 1
    most: int | None = None
    names: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its owner sees it.

    Args:
        record: what it is and how it stands.
        progress: share that is done, in [0, 1].
        eta: seconds that are left, as far as that is known.
    """

    record: Record
    progress: float
    eta: Seconds | None


class Jobs:
    """The jobs of a service; for several threads.

    Args:
        options: the folder, limits, and how long jobs are kept.
        gallery: its model hears; its people have names.
    """

    def __init__(self, options: Options, gallery: Gallery) -> None:
        """Touch nothing yet."""
        self._options, self._gallery = options, gallery
        self._drafts = Drafts()
        self._accepting = Lock()
        self._coming: list[tuple[str, int]] = []  # owners and bytes of jobs that are being put on disk
        self._line = Line(options.folder / FOLDER, options, gallery, self._drafts.forget)

    def start(self) -> None:
        """Find the jobs of before, and go on with them.

        Raises:
            ConfigError: their folder cannot be used.
        """
        self._line.start()

    def close(self) -> None:
        """Stop at the end of the stretch that is heard; what is not done goes on at the next start."""
        self._line.close()

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state; touches no file."""
        found = Counter(entry.record.state for entry in self._line.seen())
        return {state: found[state] for state in STATES}

    def diarizer(self) -> Diarizer:
        """The networks that hear, for live streams too.

        Raises:
            ModelError: one is missing, or does not work at 16 kHz.
        """
        return self._line.diarizer()

    def add(self, audio: Path, name: str, wanted: Wanted, caller: Caller) -> Job:
        """Accept a job; when this returns, it outlives the service.

        Args:
            audio: the recording, which stays where it is.
            name: what the caller calls it.
            wanted: what the caller asks for.
            caller: who.

        Raises:
            ConfigError: bounds of the number of speakers that nothing can meet.
            Busy: too many jobs wait.
            Refusal: too many of this caller do, or there is no room on the disk.
        """
        now = datetime.now(UTC)
        record = Record(
            id=secrets.token_hex(16),
            name=name,
            owner=caller.id,
            state="waiting",
            created=now,
            expires=now + self._line.kept,
            speakers=wanted.speakers,
            least=wanted.least,
            most=wanted.most,
            names=wanted.names,
        )
        jobwork.telling_of(record)
        try:
            with self._accepted(caller, audio.stat().st_size):
                return self._seen(self._line.add(audio, record))
        except OSError as error:
            raise no_room(error) from error

    def of(self, caller: Caller) -> list[Job]:
        """The jobs that a caller may see, the oldest first."""
        return [self._seen(entry) for entry in self._line.entries() if _sees(entry, caller)]

    def find(self, job: str, caller: Caller) -> Job:
        """A job.

        Raises:
            Refusal: the caller may see none of that id.
        """
        return self._seen(self._entry(job, caller))

    def remove(self, job: str, caller: Caller) -> None:
        """Stop a job and remove every byte of it.

        Raises:
            Refusal: the caller may see none of that id, or the disk refuses.
        """
        try:
            self._line.remove(self._entry(job, caller))
        except OSError as error:
            told = "the disk of the service refuses to remove all of this job; tell whoever runs it"
            raise Refusal(500, "disk", told) from error

    def draft(self, job: str, caller: Caller) -> Draft:
        """Who spoke when, as edited so far.

        Raises:
            Refusal: the caller may see no such job, or it is not done.
        """
        return self._drafted(self._done(job, caller), self._drafts.read)

    def edit(self, job: str, caller: Caller, edit: Edit) -> Draft:
        """The draft after an edit; when this returns, it is on disk.

        Raises:
            Refusal: the caller may see no such job, it is not done, or there is no room on the disk.
            ConfigError: the edit cannot be made.
            GalleryError: the gallery cannot be read.
        """

        def change(draft: Draft) -> Draft:
            return edited(draft, edit, self._gallery, self._options.fpir)

        return self._drafted(self._done(job, caller), lambda folder: self._drafts.edit(folder, change))

    def folder(self, job: str, caller: Caller) -> Folder:
        """Where the sound of a job and its outline are.

        Raises:
            Refusal: the caller may see no such job, or it is not done.
        """
        return self._done(job, caller).folder

    @contextmanager
    def _accepted(self, caller: Caller, size: int) -> Iterator[None]:
        """Count a job while it is put on disk, so that many at once cannot be more than may be.

        Raises:
            Busy: too many jobs wait.
            Refusal: too many of this caller do.
            OSError: there is no room on the disk.
        """
        coming = (caller.id, size)
        with self._accepting:
            unfinished = [one for one in self._line.seen() if one.record.state in UNFINISHED]
            taken = [*self._coming, *((one.record.owner, one.size) for one in unfinished)]
            if len(taken) >= self._options.waiting:
                raise Busy(BUSY)
            if caller.has_key and sum(owner == caller.id for owner, _ in taken) >= MOST_OF_ONE:
                told = f"{MOST_OF_ONE} of your recordings are not done yet; give further ones when some are"
                raise Refusal(429, "busy", told, retry_after=BUSY)
            need = FLOOR + ROOM * (size + sum(took for _, took in taken))
            if shutil.disk_usage(self._options.folder).free < need:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._coming.append(coming)
        try:
            yield
        finally:
            with self._accepting:
                self._coming.remove(coming)

    def _entry(self, job: str, caller: Caller) -> Entry:
        """A job that a caller may see."""
        entry = self._line.get(job)
        if entry is None or not _sees(entry, caller):
            raise _unknown()
        return entry

    def _done(self, job: str, caller: Caller) -> Entry:
        """A job that is done."""
        entry = self._entry(job, caller)
        record = entry.record
        if record.state == "failed":
            raise _failed(record.problem or "this job failed; give the recording again")
        if record.state != "done":
            raise Refusal(409, "not-done", f"{record.name}: is still {record.state}; ask again later", retry_after=2)
        return entry

    def _drafted(self, entry: Entry, work: Callable[[Folder], Draft]) -> Draft:
        """Do something with the draft of a job; damaged files make it a failed one."""
        try:
            return work(entry.folder)
        except (DataError, OSError) as error:
            if entry.gone:  # deleted at this moment
                raise _unknown() from error
            if isinstance(error, OSError):
                raise no_room(error) from error
            told = "what was heard of this recording is damaged on the disk of the service; give the recording again"
            self._line.fail(entry, error.code, told)
            raise _failed(told) from error

    def _seen(self, entry: Entry) -> Job:
        """A job as it stands now."""
        record = entry.record
        return Job(record, 1.0 if record.state == "done" else entry.progress, self._line.left(entry))


def _sees(entry: Entry, caller: Caller) -> bool:
    """Whether somebody may see a job."""
    return caller.may("admin") or entry.record.owner == caller.id


def _unknown() -> Refusal:
    """What to tell about a job that is not there for a caller."""
    return Refusal(404, "unknown-job", "there is no such job; it may have expired, or be somebody else's")


def _failed(problem: str) -> Refusal:
    """What to tell about the result of a job that failed."""
    return Refusal(409, "job-failed", problem)
