"""The folder of one job: what is kept of a recording that somebody gave to be diarized.

    <id>/job.json       what it is and how it stands; a folder without it is no job
         audio          as it came, until it is heard
         stretches/     what was heard so far, until all is
         sound.flac     to play
         peaks.npy      its outline
         evidence.npz   what was heard
         edits.json     who spoke when, with every step back and forth

A job appears and disappears in one step, by the name of its folder; only its owner can read it.

Knows: names of files, renames, the record. Does not know: sound, diarization, who may see what.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from samevoice.errors import DataError
from samevoice.files import sync_folder, write_atomically

State = Literal["waiting", "running", "done", "failed"]

VERSION = 1
JOB = re.compile(r"[0-9a-f]{32}")  # 128 random bits: nobody guesses one
UNFINISHED = (".new-", ".gone-")  # how the names of folders begin that are made or removed at the moment
RECORD = "job.json"
RECORD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Record:
    """How a job stands.

    Args:
        id: random, 32 hexadecimal digits.
        name: what the caller calls the recording.
        owner: id of the key of who made it.
        state: waiting, running, done or failed.
        created: when it was accepted.
        expires: when it is removed.
        speakers: how many speak, where the caller knows it.
        least: at least so many.
        most: at most so many.
        names: whether the gallery is asked for names.
        seconds: of the recording, once that is known.
        code: short name of what went wrong.
        problem: the same in a sentence.
    """

    id: str
    name: str
    owner: str
    state: State
    created: datetime
    expires: datetime
    speakers: int | None = None
    least: int = 1
    most: int | None = None
    names: bool = False
    seconds: float | None = None
    code: str | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        times = {"created": self.created.isoformat(), "expires": self.expires.isoformat()}
        return {"version": VERSION, **asdict(self), **times}

    @classmethod
    def from_json(cls, content: object) -> Record:
        """Read what `to_json` made.

        Raises:
            DataError: it is something else.
        """
        try:
            values = dict(content)  # type: ignore[call-overload]  # a TypeError where it is no dictionary
            demand(values.pop("version") == VERSION)
            found = cls(**{**values, **{key: _moment(values[key]) for key in ("created", "expires")}})
            demand(found.valid)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError("the record of this job is damaged; delete the job and give the recording again") from error
        return found

    @property
    def valid(self) -> bool:
        """Whether all values are what they should be."""
        numbers = (self.speakers, self.least, self.most)
        texts = (self.id, self.name, self.owner)
        return (
            all(isinstance(one, str) for one in texts)
            and JOB.fullmatch(self.id) is not None
            and self.state in get_args(State)
            and all(one is None or (type(one) is int and one >= 1) for one in numbers)
            and isinstance(self.names, bool)
            and (self.seconds is None or (isinstance(self.seconds, float) and math.isfinite(self.seconds)))
            and all(one is None or isinstance(one, str) for one in (self.code, self.problem))
        )


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the files of a job lie.

    Args:
        path: of the folder, whose name is that of the job.
    """

    path: Path

    @property
    def audio(self) -> Path:
        """The recording as it came."""
        return self.path / "audio"

    @property
    def stretches(self) -> Path:
        """What was heard so far."""
        return self.path / "stretches"

    @property
    def sound(self) -> Path:
        """The recording to play."""
        return self.path / "sound.flac"

    @property
    def peaks(self) -> Path:
        """Its outline."""
        return self.path / "peaks.npy"

    @property
    def evidence(self) -> Path:
        """What was heard."""
        return self.path / "evidence.npz"

    @property
    def edits(self) -> Path:
        """Who spoke when."""
        return self.path / "edits.json"

    def read(self) -> Record:
        """The record.

        Raises:
            DataError: it cannot be read.
        """
        try:
            with (self.path / RECORD).open("rb") as stream:
                found = Record.from_json(json.loads(stream.read(RECORD_BYTES)))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError("the record of this job cannot be read; delete the job and give the recording again") from (
                error
            )
        if found.id != self.path.name:
            raise DataError("the record of this job is another one's; delete the job and give the recording again")
        return found

    def write(self, record: Record) -> None:
        """Replace the record in one step.

        Raises:
            OSError: it cannot be written.
        """
        write_json(self.path / RECORD, record.to_json())

    def tidy(self, state: State) -> None:
        """Remove what a job in that state needs no more; of one that failed nothing is left but its record."""
        if state == "failed":
            for path in self.path.iterdir():
                if path.name != RECORD:
                    _delete(path)
        elif state == "done":
            _delete(self.audio)
            _delete(self.stretches)

    def remove(self) -> None:
        """Remove every byte; the job is gone as soon as this begins.

        Raises:
            OSError: the disk refuses; all that it does not refuse is gone.
        """
        left = self.path
        gone = self.path.with_name(f"{UNFINISHED[1]}{secrets.token_hex(8)}")
        with contextlib.suppress(OSError):  # it is gone already, or its files go one by one
            self.path.rename(gone)
            left = gone
            sync_folder(gone.parent)
        shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):  # as it should be
            shutil.rmtree(left)  # tells why not


def found_in(place: Path) -> Iterator[Folder]:
    """The folders of jobs in a place; what was being made or removed when a service was killed is removed now."""
    for path in sorted(place.iterdir()):
        if path.name.startswith(UNFINISHED):
            shutil.rmtree(path, ignore_errors=True)
        elif JOB.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            if (path / RECORD).exists():
                yield Folder(path)
            else:  # it was removed while it was heard
                shutil.rmtree(path, ignore_errors=True)


def make(place: Path, audio: Path, record: Record) -> Folder:
    """Accept a job: when this returns, it is on disk whole.

    Args:
        place: of all jobs.
        audio: the recording, which is copied, or linked where that can be.
        record: of the job.

    Raises:
        OSError: there is no room, or the place cannot be written.
    """
    new = Folder(place / f"{UNFINISHED[0]}{record.id}")
    new.path.mkdir(mode=0o700)
    try:
        try:
            os.link(audio, new.audio)
        except OSError:  # another disk, or one without links
            shutil.copyfile(audio, new.audio)
        with new.audio.open("rb+") as stream:
            os.fsync(stream.fileno())
        new.write(record)
        sync_folder(new.path)
        folder = Folder(place / record.id)
        new.path.rename(folder.path)
        sync_folder(place)
    except BaseException:
        shutil.rmtree(new.path, ignore_errors=True)
        raise
    return folder


def write_json(path: Path, content: object) -> None:
    """Replace a file of plain values in one step.

    Raises:
        OSError: it cannot be written.
    """
    data = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    write_atomically(path, lambda stream: stream.write(data))


def _delete(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def demand(holds: bool) -> None:
    """Refuse what does not hold.

    Raises:
        ValueError: so.
    """
    if not holds:
        raise ValueError("this is not what was written")


def _moment(text: Any) -> datetime:
    """A moment with its time zone."""
    found = datetime.fromisoformat(text)
    demand(found.tzinfo is not None)
    return found.astimezone(UTC)
