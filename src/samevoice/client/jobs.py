"""`Job`: a diarization that goes on in the service.

Knows: its operations. Does not know: how requests travel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from samevoice.client.errors import ServiceError, from_problem
from samevoice.client.spoken import Diarized, JobStatus, Peaks
from samevoice.client.transport import Transport

Edit = Literal["rename", "merge", "split", "assign", "together", "apart", "speakers", "undo", "redo", "names"]

POLL_SECONDS = 0.5


class Job:
    """A job of a service.

    Attributes:
        id: what names it; `Client.job` finds it again.
        status: as it was when last asked for.

    Args:
        at: the service.
        status: as the service told it.
    """

    def __init__(self, at: Transport, status: JobStatus) -> None:
        """Keep the parts."""
        self._at = at
        self.id = status.id
        self.status = status

    def __repr__(self) -> str:
        """Id and state."""
        return f"Job({self.id!r}, {self.status.state!r})"

    def refresh(self) -> JobStatus:
        """Ask how far it is."""
        self.status = self._at.ask(JobStatus, "GET", "v1", "diarize", self.id)
        return self.status

    def wait(
        self,
        progress: Callable[[JobStatus], object] | None = None,
        *,
        timeout: float | None = None,
        every: float = POLL_SECONDS,
    ) -> Diarized:
        """Wait for the end.

        Args:
            progress: called with each status.
            timeout: seconds after which waiting ends, while the job goes on; None for ever.
            every: seconds between two questions; by default 0.5.

        Returns:
            Who speaks when.

        Raises:
            AudioError: the recording cannot be read, or another error that the job ended with.
            ServiceError: time is up (code "timeout"), or somebody removed the job (status 404).
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            status = self.refresh()
            if progress is not None:
                progress(status)
            if status.state == "done":
                return self.result()
            if status.state == "failed":
                raise from_problem(status.problem or {})
            if until is not None and time.monotonic() >= until:
                raise ServiceError(f"{self.id}: not done in {timeout:g} s, and goes on; wait again", "timeout")
            time.sleep(every)

    def result(self) -> Diarized:
        """Who speaks when, with the edits made so far."""
        return self._at.ask(Diarized, "GET", "v1", "diarize", self.id, "result")

    def edit(self, edit: Edit, **values: object) -> Diarized:
        """Put something right.

        Args:
            edit: what to do: `rename` (speaker, name), `merge` (one, other), `split` (speaker, moments),
                `assign` (start, end, speaker), `together` or `apart` (one, other), `speakers` (number), `undo`,
                `redo`, `names`.
            values: what it needs.

        Returns:
            Who speaks when, after it.

        Raises:
            ConfigError: it cannot be done.
        """
        return self._at.ask(Diarized, "POST", "v1", "diarize", self.id, "edits", body={"edit": edit, **values})

    def export(self, form: str, target: str | Path) -> None:
        """Write the result to a file.

        Args:
            form: a format, such as "rttm".
            target: the path of the file.
        """
        self._at.save(Path(target), "v1", "diarize", self.id, "export", form)

    def audio(self, target: str | Path) -> None:
        """Write the sound, as FLAC, to a file.

        Args:
            target: path of the file, which is replaced.
        """
        self._at.save(Path(target), "v1", "diarize", self.id, "audio")

    def peaks(self, points: int | None = None) -> Peaks:
        """The outline of the waveform, in at most so many points.

        Args:
            points: how many, at least 1; by default as many as the service likes.
        """
        return self._at.ask(Peaks, "GET", "v1", "diarize", self.id, "peaks", query={"points": points})

    def delete(self) -> None:
        """Stop it, and remove everything of it."""
        self._at.ask(type(None), "DELETE", "v1", "diarize", self.id)
