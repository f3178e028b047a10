"""What is to be embedded: the utterances of a corpus, or the audio files of any folder.

Knows: corpora, folders of files, the digest of a list. Does not know: sound, blocks, datasets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samevoice.corpora.manifest import Utterance
from samevoice.corpora.opening import MANIFEST, is_manifest, open_corpus
from samevoice.corpora.readers import READERS, layouts
from samevoice.corpora.scanning import Problem
from samevoice.corpora.tree import all_audio, audio_files, below, subfolders
from samevoice.errors import DataError

ANY_FOLDERS = "folders"  # the reader that takes what no other one knows


@dataclass(frozen=True, slots=True)
class Item:
    """One recording to embed.

    Args:
        id: unique in its listing.
        speaker: who it is; None if nobody said.
        path: of the file or archive from the listing's root, with forward slashes.
        part: the utterance of a manifest, which may be a part of the file; None for the file as it is.
    """

    id: str
    speaker: str | None
    path: str
    part: Utterance | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All recordings of a corpus, in an order that is always the same.

    Args:
        root: absolute folder that the paths start from.
        items: each id once.
        problems: what the corpus holds beside them and cannot be used.
    """

    root: Path
    items: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the list, in hexadecimal; of names, places and checksums, not of the sound itself."""
        digest = hashlib.sha256()
        for one in self.items:
            part = one.part
            place = (part.member, part.start, part.seconds, part.checksum) if part else ()
            digest.update(json.dumps([one.id, one.speaker, one.path, *place]).encode() + b"\n")
        return digest.hexdigest()


def list_recordings(source: Path) -> Listing:
    """List a manifest, a packed folder, a corpus as it was downloaded, or any folder of audio files.

    A folder of no known layout is walked whole: a recording belongs to the speaker that its first folder names, or to
    nobody if it lies in the folder itself.

    Raises:
        DataError: it is missing or damaged, two utterances have one id, or there is no recording in it.
    """
    if _is_any_folder(source):
        root = source.resolve()
        listing = Listing(root, tuple(_walk(root)))
    else:
        found = open_corpus(source, checksums=False)
        items = tuple(Item(one.id, one.speaker, one.path, one) for one in found.manifest)
        listing = Listing(found.manifest.root.resolve(), items, found.problems)
    if not listing.items:
        raise DataError(f"{source}: holds no recording; give a manifest, a folder of audio files, or {layouts()}")
    return listing


def _is_any_folder(source: Path) -> bool:
    """Whether it is a folder, and nothing says what its files are."""
    if not source.is_dir() or is_manifest(source / MANIFEST):
        return False
    return not any(reader.recognises(source) for name, reader in READERS.items() if name != ANY_FOLDERS)


def _walk(root: Path) -> Iterator[Item]:
    """The recordings of a folder and of those below it."""
    for file in audio_files(root):
        yield Item(file.name, None, file.name)
    for folder in subfolders(root):
        for file in all_audio(folder):
            path = below(file, root)
            yield Item(path, folder.name, path)
