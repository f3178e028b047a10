"""A table of recordings: `manifest.tsv` or `manifest.csv` with a column `path`, and any of the others below.

speaker, session, utterance, language, gender, licence, source (the corpus), split. Speakers and utterances of several
sources are kept apart by the source's name. Rows whose split is "unlabelled" have no speaker; rows with a split of
another use (noise, room responses, ...) are not speech to train on and are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from samevoice.corpora.found import Found, Problem, gender_of
from samevoice.corpora.text import Row, read_table
from samevoice.corpora.tree import stays_below

LAYOUT = "table: manifest.tsv or manifest.csv with the columns path, speaker, session, ..."

NAMES = ("manifest.tsv", "manifest.csv")
SPLITS = frozenset({"train", "dev", "test"})
UNLABELLED = "unlabelled"
NOTHING = "-"  # how tables write an empty field


def recognises(root: Path) -> bool:
    """Whether there is such a file; what is wrong with it, reading tells."""
    return any((root / name).is_file() for name in NAMES)


def read(root: Path) -> Iterator[Found | Problem]:
    """Utterances of the table, or of both."""
    for name in NAMES:
        if (root / name).is_file():
            for row in read_table(root / name, needed=("path",), as_name=name):
                if isinstance(row, Problem):
                    yield row
                elif not stays_below(row["path"]):
                    yield Problem(name, None, f"path {row['path']!r} leads out of the folder; give it from there")
                elif _field(row, "split") in SPLITS | {UNLABELLED, ""}:
                    yield _found(row)


def _found(row: Row) -> Found:
    """The utterance of a row."""
    source, speaker, split = _field(row, "source"), _field(row, "speaker"), _field(row, "split")
    prefix = f"{source}-" if source else ""
    named = _field(row, "utterance")
    return Found(
        id=f"{prefix}{named}" if named else row["path"],
        speaker=f"{prefix}{speaker}" if speaker and split != UNLABELLED else None,
        path=Path(row["path"]).as_posix(),
        session=_field(row, "session"),
        language=_field(row, "language"),
        gender=gender_of(_field(row, "gender")),
        licence=_field(row, "licence"),
        corpus=source or "table",
        split=split if split in SPLITS else "",
    )


def _field(row: Row, column: str) -> str:
    """A field, "" where there is none."""
    value = row.get(column, "")
    return "" if value == NOTHING else value
