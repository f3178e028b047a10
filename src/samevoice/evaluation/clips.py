"""A folder per person: the clips in it as unit vectors, for a calibration on people one knows.

Knows: folders, models, which clips could not be used. Does not know: scores, calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samevoice.corpora.tree import all_audio, subfolders
from samevoice.embedder import Model
from samevoice.errors import DataError, SamevoiceError
from samevoice.scoring.bounds import people_needed
from samevoice.speech.listening import Progress

LEAST_PEOPLE, LEAST_CLIPS = 7, 2  # 21 pairs: with fewer, evidence cannot reach the nineteen to one of "same"
MAX_CLIPS = 2_000  # two million pairs: beyond that, `samevoice evaluate` is the tool
TOLD_RATES = (0.05, 0.01, 0.001)


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Embedded clips of known people.

    Args:
        vectors: unit vectors, shape (n, d).
        seconds: of speech in each, shape (n,).
        people: who speaks in each row.
        files: where each was found.
        failures: (file, reason) of those left out.
    """

    vectors: NDArray[np.float32]
    seconds: NDArray[np.float64]
    people: tuple[str, ...]
    files: tuple[Path, ...]
    failures: tuple[tuple[Path, SamevoiceError], ...] = ()


def find_clips(root: Path) -> dict[str, list[Path]]:
    """The clips of each person, by the name of the folder.

    Args:
        root: holds a folder for each person; folders within it belong to the same person.

    Raises:
        DataError: there is no such folder, it holds no folders with clips, or too few or too many of them.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give one that holds a folder for each person")
    found = {folder.name: list(all_audio(folder)) for folder in subfolders(root)}
    people = {name: files for name, files in found.items() if files}
    if not people:
        raise DataError(f"{root}: holds no folder with clips; put the clips of each person into a folder of their own")
    if (count := sum(len(files) for files in people.values())) > MAX_CLIPS:
        raise DataError(f"{root}: {count:,} clips are more than {MAX_CLIPS:,}; take fewer of each person")
    require_people([name for name, files in people.items() for _ in files], f"{root}:")
    return people


def embed_clips(model: Model, found: Mapping[str, Sequence[Path]], progress: Progress | None = None) -> Clips:
    """Embed the clips; those that cannot be read or hold too little speech are left out and listed.

    Args:
        model: any.
        found: files by person.
        progress: is told how many clips are done.

    Raises:
        DataError: too few can be used, or two people have one recording.
    """
    listed = [(name, file) for name, files in found.items() for file in files]
    failures: list[tuple[Path, SamevoiceError]] = []
    kept: list[tuple[str, Path]] = []
    vectors: list[NDArray[np.float32]] = []
    seconds: list[float] = []
    outcomes = model.embed_each((file for _, file in listed), progress=progress)
    for (name, file), outcome in zip(listed, outcomes, strict=True):
        if isinstance(outcome, SamevoiceError):
            failures.append((file, outcome))
        elif copies := [place for place, vector in enumerate(vectors) if np.array_equal(vector, outcome.vector)]:
            failures.append((file, _copied(file, name, *kept[copies[0]])))
        else:
            kept.append((name, file))
            vectors.append(outcome.vector)
            seconds.append(outcome.seconds)
    names = tuple(name for name, _ in kept)
    first = f" (the first: {failures[0][1]})" if failures else ""
    require_people(names, f"{len(failures)} of {len(listed)} clips cannot be used{first}, so")
    return Clips(np.stack(vectors), np.array(seconds), names, tuple(file for _, file in kept), tuple(failures))


def _copied(file: Path, name: str, person: str, other: Path) -> DataError:
    """What to say of a clip that is another once more.

    Raises:
        DataError: the other belongs to somebody else.
    """
    if person != name:
        raise DataError(f"{file} and {other} are the same recording, under two people; remove one of them")
    return DataError(f"{file}: the same recording as {other}; record another")


def require_people(people: Sequence[str], where: str) -> None:
    """Refuse what tells too little about other people.

    Args:
        people: of each clip.
        where: begins the sentence.

    Raises:
        DataError: fewer than seven people have two clips.
    """
    names, counts = np.unique(np.array(people, dtype=str), return_counts=True)
    enough = int((counts >= LEAST_CLIPS).sum())
    if enough < LEAST_PEOPLE:
        told = ", ".join(f"{people_needed(rate)} people for {100 * rate:g} %" for rate in TOLD_RATES)
        raise DataError(
            f"{where} {enough} of {len(names)} people have {LEAST_CLIPS} clips, at least {LEAST_PEOPLE} are needed; "
            f"add people with 3 clips each: the lowest rate of false accepts takes {told}"
        )
