"""What a corpus is to everything else: a list of utterances, each with its speaker and where its sound lies.

Knows: utterances, speakers, whole lists. Does not know: how a list is stored, how a corpus lies on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from samevoice.errors import DataError

__all__ = ["Manifest", "Utterance"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of speech of one person.

    Args:
        id: unique in its manifest.
        speaker: unique over all languages and corpora of a manifest; None if nobody said who it is.
        session: what shares room, microphone and day; "" if unknown.
        path: the file, or the archive that holds it; below the manifest's root, with forward slashes.
        member: name inside the archive; None for a file of its own.
        start: where in the file it begins, in seconds.
        seconds: how long it is.
        rate: sample rate of the file in Hz.
        language: code such as "en"; "" if unknown.
        gender: "f", "m", or "" if unknown or neither.
        licence: of the recording; "" if unknown.
        checksum: "sha256:" and 64 hexadecimal digits, of the file or member; "" if it was not taken.
        corpus: which corpus it came from, such as "librispeech".
        split: "train", "dev" or "test" where the corpus itself says so, else "".
    """

    id: str
    speaker: str | None
    session: str
    path: str
    member: str | None
    start: float
    seconds: float
    rate: int
    language: str
    gender: str
    licence: str
    checksum: str
    corpus: str
    split: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A corpus: utterances in order of id.

    Args:
        root: folder that the paths start from.
        utterances: each id once.

    Raises:
        DataError: two utterances have one id.
    """

    root: Path
    utterances: tuple[Utterance, ...]

    def __post_init__(self) -> None:
        """Refuse a list that has an id twice."""
        seen: dict[str, Utterance] = {}
        for one in self.utterances:
            if (first := seen.setdefault(one.id, one)) is not one:
                raise DataError(
                    f"{self.root}: two utterances have the id {one.id!r} ({_place(first)} and {_place(one)}); "
                    "leave one out or rename it"
                )

    def __len__(self) -> int:
        """Number of utterances."""
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        """The utterances."""
        return iter(self.utterances)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Everybody who is named, in order."""
        return tuple(sorted({one.speaker for one in self.utterances if one.speaker is not None}))

    @property
    def seconds(self) -> float:
        """Length of all utterances together."""
        return sum(one.seconds for one in self.utterances)

    def only(self, utterances: Iterable[Utterance]) -> Manifest:
        """The same corpus with some of its utterances.

        Args:
            utterances: those to keep, in their new order.
        """
        return Manifest(self.root, tuple(utterances))


def _place(utterance: Utterance) -> str:
    """Where an utterance lies, for a message."""
    return utterance.path if utterance.member is None else f"{utterance.path}: {utterance.member}"
