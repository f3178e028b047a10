"""Whatever a user calls a corpus: a manifest, a packed folder, or a corpus as it was downloaded.

Knows: where manifests lie. Does not know: layouts, shards.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from samevoice.corpora.scanning import Scanned, scan
from samevoice.corpora.storage import load_manifest

MANIFEST = "manifest.jsonl"  # of a packed folder
_HEADER_BYTES = 1 << 16


def open_corpus(
    path: Path,
    *,
    corpus: str | None = None,
    licence: str = "",
    checksums: bool = True,
    progress: Callable[[float, float], object] | None = None,
) -> Scanned:
    """List a corpus: read its manifest if there is one, else scan it.

    Args:
        path: a manifest (.jsonl, .parquet), a folder that `pack` made, or the folder, archive or list of a corpus.
        corpus: name of the layout, where it is scanned; None to find out.
        licence: of recordings whose licence the layout does not tell, where it is scanned.
        checksums: whether to take digests, where it is scanned.
        progress: told (utterances done, utterances known so far), where it is scanned.

    Returns:
        The manifest, and what was left out of it.

    Raises:
        DataError: it is missing or damaged, or holds nothing that can be used.
    """
    listed = path / MANIFEST if path.is_dir() else path
    if corpus is None and (path.suffix.lower() == ".parquet" or is_manifest(listed)):
        return Scanned(load_manifest(listed), ())
    return scan(path, corpus, licence=licence, checksums=checksums, progress=progress)


def is_manifest(path: Path) -> bool:
    """Whether a .jsonl file is a manifest of samevoice, and not one of another toolkit."""
    if path.suffix.lower() != ".jsonl" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline(_HEADER_BYTES))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and header.get("samevoice") == "manifest"
