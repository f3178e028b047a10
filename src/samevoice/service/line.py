"""Recordings that are diarized one after another, beside the requests: a queue that outlives the service.

A job that was accepted is on disk before it is answered. After a restart, or a kill, it goes on where it was.

Knows: the queue, states, progress, when a job expires. Does not know: whose a job is, drafts, how recordings are heard.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Condition, Lock, Thread
from typing import Any

from samevoice.diarization.diarizer import Diarizer, load_diarizer
from samevoice.errors import ConfigError, DataError, SamevoiceError
from samevoice.gallery.gallery import Gallery
from samevoice.service import jobfiles, jobwork
from samevoice.service.entry import Entry
from samevoice.service.jobfiles import Folder, Record
from samevoice.service.options import Options
from samevoice.service.pool import step_back
from samevoice.speech.timeline import Seconds

SWEEP: Seconds = 30.0  # between two looks for what has expired
STOPPING: Seconds = 10.0  # that a stretch of two minutes may take to end
THREADS = 1  # of the networks: the others are for those who wait for an answer

log = logging.getLogger("samevoice.service")


class _Stopped(Exception):
    """The work on a job ends here: the service closes, or the job was deleted."""


class Line:
    """Jobs, one after another; for several threads.

    Args:
        place: where their folders are.
        options: limits, and how long jobs are kept.
        gallery: its model hears; its people have names.
        forget: is told of a folder whose job is no longer done.
    """

    def __init__(self, place: Path, options: Options, gallery: Gallery, forget: Callable[[Folder], None]) -> None:
        """Touch nothing yet."""
        self._place, self._options, self._gallery, self._forgotten = place, options, gallery, forget
        self.kept = timedelta(hours=options.keep_hours)
        self._changed = Condition()
        self._entries: dict[str, Entry] = {}
        self._diarizer: Diarizer | None = None
        self._loading = Lock()
        self._speed: float | None = None  # seconds of sound heard in one second
        self._closing = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Find the jobs of before, and go on with them.

        Raises:
            ConfigError: their folder cannot be used.
        """
        try:
            self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in jobfiles.found_in(self._place):
                self._entries[folder.path.name] = self._found(folder)
        except OSError as error:
            raise ConfigError(f"{self._place}: cannot hold jobs ({error.strerror}); choose another with data") from (
                error
            )
        self._thread = Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop at the end of the stretch that is heard; what is not done goes on at the next start."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(STOPPING)

    def add(self, audio: Path, record: Record) -> Entry:
        """Accept a job; when this returns, it outlives the service.

        Args:
            audio: the recording, which stays where it is.
            record: of the job.

        Raises:
            OSError: it cannot be put on disk.
        """
        size, folder = audio.stat().st_size, jobfiles.make(self._place, audio, record)
        with self._changed:
            entry = self._entries[record.id] = Entry(record, folder, size)
            self._changed.notify_all()
        return entry

    def entries(self) -> list[Entry]:
        """All that have not expired, the oldest first."""
        self._sweep()
        with self._changed:
            return sorted(self._entries.values(), key=lambda one: one.record.created)

    def seen(self) -> list[Entry]:
        """Those that are in memory, in any order: a look that touches no file, for the event loop too."""
        with self._changed:
            return list(self._entries.values())

    def get(self, job: str) -> Entry | None:
        """A job by its id, which is looked up here, and never becomes a path."""
        self._sweep()
        with self._changed:
            return self._entries.get(job)

    def diarizer(self) -> Diarizer:
        """The networks that hear, loaded when they are first needed.

        Raises:
            ModelError: one is missing, or does not work at 16 kHz.
        """
        with self._loading:
            if self._diarizer is None:
                self._diarizer = load_diarizer(self._gallery.model, THREADS)
            return self._diarizer

    def left(self, entry: Entry) -> Seconds | None:
        """Seconds until a job is done, as far as that is known."""
        with self._changed:
            seconds = entry.record.seconds
            if entry.record.state != "running" or seconds is None or not self._speed:
                return None
            passed = time.monotonic() - entry.told
            return max((1.0 - entry.progress) * seconds / self._speed - passed, 0.0)

    def remove(self, entry: Entry) -> None:
        """Stop a job and remove every byte of it.

        Raises:
            OSError: the disk refuses to remove some of them.
        """
        try:
            self._remove(entry)
        finally:
            entry.idle.wait(STOPPING)  # whoever works on it removes what it wrote meanwhile

    def fail(self, entry: Entry, code: str, problem: str) -> None:
        """A job has failed; where not even that can be written, it is known until the next start.

        Args:
            entry: the job.
            code: short name of what went wrong.
            problem: the same in a sentence.
        """
        if entry.gone:
            return
        with self._changed:
            entry.record = replace(entry.record, state="failed", code=code, problem=problem)
        self._forgotten(entry.folder)
        try:
            entry.folder.tidy("failed")  # first, since that makes room
            entry.folder.write(entry.record)
        except OSError as error:
            log.error("a failed job cannot be recorded: %s", error.strerror)  # noqa: TRY400

    def _found(self, folder: Folder) -> Entry:
        """A job of before; one that cannot be read has failed, and only admins see it."""
        try:
            record = folder.read()
        except DataError as error:
            made = datetime.now(UTC)
            record = Record(folder.path.name, "recording", "", "failed", made, made + self.kept)
            return Entry(replace(record, code=error.code, problem=str(error)), folder)
        with contextlib.suppress(OSError):  # what cannot be removed now will be with the job
            folder.tidy(record.state)
        size = folder.audio.stat().st_size if folder.audio.exists() else 0
        return Entry(replace(record, state="waiting") if record.state == "running" else record, folder, size)

    def _run(self) -> None:
        """The thread."""
        step_back()
        while True:
            with self._changed:
                waiting = [one for one in self._entries.values() if one.record.state == "waiting"]
                if self._closing:
                    return
                if waiting:
                    entry = min(waiting, key=lambda one: one.record.created)
                    entry.idle.clear()
                else:
                    self._changed.wait(SWEEP)
                    entry = None
            self._sweep()
            if entry is not None:
                self._work(entry)

    def _work(self, entry: Entry) -> None:
        """Do a job; whatever goes wrong with it ends it alone."""
        name = entry.record.name
        try:
            self._hear(entry)
        except _Stopped:
            pass
        except SamevoiceError as error:
            self.fail(entry, error.code, str(error))
        except OSError as error:
            log.warning("a job ends, since the disk refuses it: %s", error.strerror)
            self.fail(entry, "disk", f"{name}: the service cannot keep it ({error.strerror}); try again later")
        except Exception:
            identity = secrets.token_hex(6)
            log.exception("a job failed for a defect (%s)", identity)
            told = f"{name}: something went wrong here, not with the recording; the log has it under {identity}"
            self.fail(entry, "internal", told)
        finally:
            if entry.gone:
                with contextlib.suppress(OSError):
                    _cleared(entry.folder)
            entry.idle.set()

    def _hear(self, entry: Entry) -> None:
        """From the recording to its draft.

        Raises:
            _Stopped: the service closes, or the job was deleted.
            SamevoiceError: the recording cannot be heard.
            OSError: the disk is full.
        """
        folder = entry.folder
        self._tell(entry, 0.0)
        self._change(entry, state="running")
        diarizer = self.diarizer()
        most = self._options.meeting_seconds
        seconds = jobwork.ready(folder, entry.record, most=most, told=lambda share: self._tell(entry, share))
        self._change(entry, seconds=seconds)
        gallery, fpir = self._gallery, self._options.fpir
        found = jobwork.heard(folder, entry.record, seconds, diarizer, lambda share: self._tell(entry, share, True))
        jobwork.keep(jobwork.named(found, gallery, fpir) if entry.record.names else found, folder, entry.record)
        record = replace(entry.record, state="done", expires=datetime.now(UTC) + self.kept)
        folder.write(record)
        folder.tidy("done")
        with self._changed:
            entry.record = record

    def _tell(self, entry: Entry, share: float, hearing: bool = False) -> None:
        """How far a job is.

        Raises:
            _Stopped: nobody wants to know.
        """
        now = time.monotonic()
        with self._changed:
            if self._closing or entry.gone:
                raise _Stopped
            seconds, grown = entry.record.seconds, share - entry.progress
            if hearing and seconds and grown > 0 and entry.progress >= jobwork.PREPARED:
                self._speed = grown * seconds / max(now - entry.told, 1e-3)
            entry.progress, entry.told = share, now
        self._sweep()

    def _change(self, entry: Entry, **changes: Any) -> None:
        """Change a record, on disk first.

        Raises:
            OSError: it cannot be written.
        """
        record = replace(entry.record, **changes)
        entry.folder.write(record)
        with self._changed:
            entry.record = record

    def _remove(self, entry: Entry) -> None:
        """Remove a job; an OSError where the disk refuses."""
        with self._changed:
            entry.gone = True
            self._entries.pop(entry.record.id, None)
        self._forgotten(entry.folder)
        _cleared(entry.folder)

    def _sweep(self) -> None:
        """Remove what has expired; what is being heard may stay until it is done."""
        now = datetime.now(UTC)
        with self._changed:
            expired = [one for one in self._entries.values() if one.record.expires <= now and one.idle.is_set()]
        for entry in expired:
            with contextlib.suppress(OSError):  # it is in the log, and the next start tries again
                self._remove(entry)


def _cleared(folder: Folder) -> None:
    """Remove a folder; where the disk refuses, the log has the OSError too."""
    try:
        folder.remove()
    except OSError as error:
        log.error("the disk refuses to remove a job: %s", error.strerror)  # noqa: TRY400
        raise
