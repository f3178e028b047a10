"""The work of a job: a recording is made ready to play, then heard, then told apart.

Each stretch of two minutes that was heard is kept, so that a job that was killed goes on where it stopped.

Knows: the order of the steps, how far they are. Does not know: who waits for them, records, callers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from samevoice.diarization.clustering import Telling, tell
from samevoice.diarization.diarizer import HEARD, Diarized, Diarizer, told_apart
from samevoice.diarization.editing import Draft
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.hearing import CORE
from samevoice.diarization.journal import Journal
from samevoice.diarization.naming import recognise
from samevoice.errors import DataError, SamevoiceError
from samevoice.gallery.gallery import Gallery
from samevoice.service.edits import save
from samevoice.service.jobfiles import Folder, Record
from samevoice.service.peaks import length, prepare
from samevoice.speech.segmentation import RATE
from samevoice.speech.timeline import Seconds

PREPARED = 0.05  # share of the work until hearing begins

Tell = Callable[[float], object]
"""Hears the share of the work that is done, in [0, 1]; what it raises stops the work."""


class Stretches(Journal):
    """A journal that tells how far it is.

    Args:
        folder: where stretches are kept.
        told: hears how many there are.
    """

    def __init__(self, folder: Folder, told: Callable[[int], object]) -> None:
        """Look at nothing yet."""
        super().__init__(folder.stretches)
        self._told = told

    def read(self) -> list[Evidence]:
        """The stretches heard before the job was stopped."""
        parts = super().read()
        self._told(len(parts))
        return parts

    def keep(self, number: int, part: Evidence) -> None:
        """Keep a stretch; on a full disk the work goes on without."""
        super().keep(number, part)
        self._told(number + 1)


def ready(folder: Folder, record: Record, *, most: Seconds, told: Tell) -> Seconds:
    """Make what is played, unless it is there already.

    Args:
        folder: of the job.
        record: of the job.
        most: seconds a recording may have.
        told: hears how far it is.

    Returns:
        Seconds of the recording.

    Raises:
        AudioError: the recording cannot be read, or is too long.
        DataError: it is gone from the disk.
        OSError: the files cannot be written.
    """
    if not folder.audio.exists():
        raise DataError(f"{record.name}: is gone from the disk of the service; give the recording again")
    seconds = length(folder.sound) if folder.peaks.exists() else None
    if seconds is not None:
        return seconds

    def share(done: float) -> object:
        return told(PREPARED * done)

    return prepare(folder.audio, record.name, folder.sound, folder.peaks, most=most, told=share)


def heard(folder: Folder, record: Record, seconds: Seconds, diarizer: Diarizer, told: Tell) -> Diarized:
    """Who speaks when.

    Args:
        folder: of the job.
        record: of the job.
        seconds: of the recording.
        diarizer: hears it.
        told: hears how far it is.

    Raises:
        AudioError: the recording cannot be read.
        ModelError: a network fails.
    """

    def share(stretches: int) -> object:
        done = min(stretches * CORE / RATE / seconds, 1.0)
        return told(PREPARED + (HEARD - PREPARED) * done)

    evidence = diarizer.listen(folder.audio, name=record.name, journal=Stretches(folder, share))
    return told_apart(evidence, tell(evidence, telling_of(record)))


def named(found: Diarized, gallery: Gallery, fpir: float) -> Diarized:
    """With the gallery's names; where it cannot be asked, that is a warning, and hours of work are not lost."""
    try:
        return recognise(found, gallery, fpir=fpir)[0]
    except SamevoiceError as error:
        warnings = (*found.evidence.warnings, f"names were not asked for: {error}")
        return replace(found, evidence=replace(found.evidence, warnings=warnings))


def keep(found: Diarized, folder: Folder, record: Record) -> None:
    """Put what was found on disk.

    Raises:
        OSError: it cannot be written.
    """
    draft = Draft.of(found, telling_of(record))
    draft.evidence.save(folder.evidence)
    save(draft, folder)


def telling_of(record: Record) -> Telling:
    """How speakers are told apart.

    Raises:
        ConfigError: bounds that nothing can meet.
    """
    return Telling(record.speakers, record.least, record.most)
