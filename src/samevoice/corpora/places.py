"""From what a manifest says to a place on disk, and never to one outside the corpus.

Knows: paths. Does not know: manifests, what lies there.
"""

from __future__ import annotations

from pathlib import Path

from samevoice.corpora.tree import stays_below
from samevoice.errors import DataError


def place_below(root: Path, path: str) -> Path:
    """Where a listed file lies. A link inside the corpus may lead out of it: its owner made it.

    Args:
        root: folder of the corpus.
        path: relative, with forward slashes.

    Raises:
        DataError: the path leads out of the folder.
    """
    if not stays_below(path):
        raise DataError(f"{path!r}: does not lie below {root}; a manifest may list only files of its own folder")
    return root / path
