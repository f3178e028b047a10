"""VoxCeleb 1 and 2: [dev|test]/[wav|aac]/id<number>/<video>/<number>.wav or .m4a.

The meta tables (`vox1_meta.csv`, `vox2_meta.csv`, with tabs or commas) give the gender, and the split where no folder
does. Nationality says nothing about the language, which stays unknown.
Source: Nagrani et al., Interspeech 2017; Chung et al., Interspeech 2018.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from samevoice.corpora.found import Found, Problem, gender_of
from samevoice.corpora.text import read_lines
from samevoice.corpora.tree import all_audio, below, subfolders

LAYOUT = "voxceleb: [dev|test]/[wav|aac]/id10001/<video>/<number>.wav (or .m4a)"

DEPTH = 4  # folders between the root and the speakers, as in VoxCeleb/vox1/dev/wav
_SPEAKER = re.compile(r"id\d{5}", re.ASCII)
_SPLITS = {"dev": "train", "train": "train", "test": "test"}


def recognises(root: Path) -> bool:
    """Whether there is a folder of a VoxCeleb speaker with a recording."""
    return any(any(True for _ in all_audio(speaker)) for speaker in _speakers(root, DEPTH))


def read(root: Path) -> Iterator[Found | Problem]:
    """Utterances of all speakers; the video is the session."""
    meta = _meta(root)
    for speaker in _speakers(root, DEPTH):
        gender, listed = meta.get(speaker.name, ("", ""))
        above = [folder.lower() for folder in (root.name, *speaker.relative_to(root).parts)]
        split = next((_SPLITS[name] for name in reversed(above) if name in _SPLITS), listed)
        for file in all_audio(speaker):
            video = file.parent.relative_to(speaker).as_posix()
            yield Found(
                id=below(file.with_suffix(""), speaker.parent),
                speaker=speaker.name,
                path=below(file, root),
                session="" if video == "." else video,
                gender=gender,
                corpus="voxceleb",
                split=split,
            )


def _speakers(folder: Path, depth: int) -> Iterator[Path]:
    """Folders named after speakers, not more than so many folders down."""
    for inner in subfolders(folder):
        if _SPEAKER.fullmatch(inner.name):
            yield inner
        elif depth:
            yield from _speakers(inner, depth - 1)


def _meta(root: Path) -> dict[str, tuple[str, str]]:
    """Speaker -> gender and split, from the tables in the folder, the one above, or those directly in it."""
    found: dict[str, tuple[str, str]] = {}
    for folder in (root.parent, root, *subfolders(root)):
        for path in (folder / "vox1_meta.csv", folder / "vox2_meta.csv"):
            if path.is_file():
                found |= _table(path)
    return found


def _table(path: Path) -> dict[str, tuple[str, str]]:
    """One table; its fields have spaces around them, and some copies have commas instead of tabs."""
    rows = [[field.strip() for field in re.split(r"[\t,]", line)] for _, line in read_lines(path)]
    header = [column.lower() for column in rows[0]] if rows else []
    gender = header.index("gender") if "gender" in header else None
    split = header.index("set") if "set" in header else None

    def field(row: list[str], column: int | None) -> str:
        return row[column].lower() if column is not None and column < len(row) else ""

    return {row[0]: (gender_of(field(row, gender)), _SPLITS.get(field(row, split), "")) for row in rows[1:]}
