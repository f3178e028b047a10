"""LibriSpeech: [LibriSpeech/]<subset>/<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac.

A folder of subsets, one subset, or any tree of speakers and chapters that is named alike. `SPEAKERS.TXT` gives the
gender where it lies beside the subsets. Source: Panayotov et al., "LibriSpeech", ICASSP 2015.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from samevoice.corpora.found import Found, Problem, gender_of
from samevoice.corpora.text import read_lines
from samevoice.corpora.tree import audio_files, below, subfolders

LAYOUT = "librispeech: [LibriSpeech/]train-clean-100/<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac"

_UTTERANCE = re.compile(r"(\d+)-(\d+)-\d+", re.ASCII)
_SPLITS = re.compile(r"(train|dev|test)(?:-|$)")


def recognises(root: Path) -> bool:
    """Whether one recording lies and is named as in LibriSpeech."""
    return any(
        _named_after(file, chapter)
        for subset in _subsets(root)
        for chapter in _chapters(subset)
        for file in audio_files(chapter)
    )


def read(root: Path) -> Iterator[Found | Problem]:
    """Utterances of all subsets; the chapter is the session."""
    for subset in _subsets(root):
        genders = _genders(subset.parent) or _genders(subset)
        split = match[1] if (match := _SPLITS.match(subset.name)) else ""
        for chapter in _chapters(subset):
            speaker = chapter.parent.name
            for file in audio_files(chapter):
                path = below(file, root)
                if not _named_after(file, chapter):
                    yield Problem(path, None, f"is not named {speaker}-{chapter.name}-<number>; rename or remove it")
                    continue
                yield Found(
                    id=file.stem,
                    speaker=speaker,
                    path=path,
                    session=chapter.name,
                    language="en",
                    gender=genders.get(speaker, ""),
                    licence="CC BY 4.0",
                    corpus="librispeech",
                    split=split,
                )


def _subsets(root: Path) -> list[Path]:
    """Folders that hold speakers."""
    base = root / "LibriSpeech" if (root / "LibriSpeech").is_dir() else root
    return [base] if _numbered(base) else [folder for folder in subfolders(base) if _numbered(folder)]


def _chapters(subset: Path) -> Iterator[Path]:
    """Folders that hold recordings."""
    for speaker in _numbered(subset):
        yield from _numbered(speaker)


def _numbered(folder: Path) -> list[Path]:
    """Folders whose name is a number."""
    return [inner for inner in subfolders(folder) if inner.name.isascii() and inner.name.isdigit()]


def _named_after(file: Path, chapter: Path) -> bool:
    """Whether a recording's name repeats its folders."""
    match = _UTTERANCE.fullmatch(file.stem)
    return match is not None and match.groups() == (chapter.parent.name, chapter.name)


def _genders(folder: Path) -> dict[str, str]:
    """Speaker -> gender from SPEAKERS.TXT: "14 | F | train-clean-360 | 25.03 | name", where the name may have a bar."""
    path = folder / "SPEAKERS.TXT"
    if not path.is_file():
        return {}
    rows = (line.split("|", 2) for _, line in read_lines(path) if not line.startswith(";"))
    return {row[0].strip(): gender_of(row[1]) for row in rows if len(row) > 1}
