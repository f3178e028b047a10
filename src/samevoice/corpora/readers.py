"""The layouts that can be read: a module each, a line each in `READERS`.

Knows: which readers there are. Does not know: what they do.
"""

from __future__ import annotations

from pathlib import Path

from samevoice.corpora import commonvoice, folders, kaldi, lhotse, librispeech, table, voxceleb
from samevoice.corpora.found import Reader
from samevoice.errors import DataError

READERS: dict[str, Reader] = {
    "table": table,
    "kaldi": kaldi,
    "lhotse": lhotse,
    "librispeech": librispeech,
    "voxceleb": voxceleb,
    "commonvoice": commonvoice,
    "folders": folders,
}
"""Readers by name, in the order in which they are asked: lists first, and last what takes any folder of folders."""


def find_reader(root: Path, name: str | None = None) -> tuple[str, Reader]:
    """The reader for a corpus, with its name.

    Args:
        root: the corpus's folder, or the file that it is.
        name: a key of `READERS`; None to find out.

    Raises:
        DataError: there is no such path or reader, or no reader recognises the corpus.
    """
    if not root.exists():
        raise DataError(f"{root}: no such folder; check the path")
    if name is not None:
        if name not in READERS:
            raise DataError(f"corpus {name!r} is unknown; use one of {', '.join(READERS)}")
        return name, READERS[name]
    for known, reader in READERS.items():
        if reader.recognises(root):
            return known, reader
    raise DataError(f"no recording found in {root}; {layouts()}")


def layouts() -> str:
    """How a corpus may lie on disk, for messages."""
    return "expected layouts: " + "; ".join(reader.LAYOUT for reader in READERS.values())
