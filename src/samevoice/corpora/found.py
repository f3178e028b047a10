"""What a reader of a corpus reports before any file is opened: utterances with the facts of the layout, and problems.

Knows: the shape of a report and of a reader. Does not know: any layout, sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Found:
    """An utterance as far as the layout tells; the fields of `Utterance` mean the same here.

    Args:
        id: unique in its corpus.
        speaker: who it is; None if nobody said.
        path: below the corpus's folder, with forward slashes; absolute where a list names a file elsewhere.
        session: what shares room, microphone and day.
        member: name inside the archive.
        start: where in the file it begins, in seconds.
        seconds: how long it is; None up to the end of the file.
        language: code such as "en".
        gender: "f", "m" or "".
        licence: of the recording.
        corpus: name of the corpus.
        split: "train", "dev", "test" or "".
        content: bytes of a member that a stream passes by only once; None for what can be opened.
    """

    id: str
    speaker: str | None
    path: str
    session: str = ""
    member: str | None = None
    start: float = 0.0
    seconds: float | None = None
    language: str = ""
    gender: str = ""
    licence: str = ""
    corpus: str = ""
    split: str = ""
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a corpus that was left out.

    Args:
        path: the file, as in `Found`.
        member: name inside the archive; None for a file of its own.
        message: what is wrong with it, and where it helps what to do.
    """

    path: str
    member: str | None
    message: str


class Reader(Protocol):
    """A layout: what a module in `readers.READERS` has."""

    LAYOUT: str
    """How the corpus lies on disk, in one line."""

    def recognises(self, root: Path) -> bool:
        """Whether `root` is a corpus of this layout; says so quickly."""

    def read(self, root: Path) -> Iterator[Found | Problem]:
        """Its utterances, and what is wrong with it.

        Raises:
            DataError: a list cannot be read at all.
        """


_GENDERS = {
    **dict.fromkeys(("f", "female", "female_feminine", "woman"), "f"),
    **dict.fromkeys(("m", "male", "male_masculine", "man"), "m"),
}


def gender_of(text: str) -> str:
    """What a corpus calls a gender as "f" or "m"; "" for anything else."""
    return _GENDERS.get(text.strip().lower(), "")
