"""A dataset of embeddings on disk: a description, and a Parquet file for each block of recordings.

    DATASET/dataset.json                       what it is; see `Description`
    DATASET/embeddings/part-0000000.parquet    id, path, speaker, embedding, speech_seconds, warnings
    DATASET/bad/part-0000000.parquet           id, path, code, reason; only where there is something bad
    DATASET/bad/listing.parquet                likewise, for what the corpus could not even list

A block is done when its file in `embeddings` is there. All files appear whole; their bytes depend on the recordings,
the model and the size of a block alone.

Knows: names of files, what may go on where. Does not know: columns, how embeddings are made or compared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TextIO

from samevoice.batch.listing import Item
from samevoice.batch.parts import Bad, Outcome, bad_file, embeddings_file, place_of, read_columns, rows_in
from samevoice.corpora.scanning import Problem
from samevoice.errors import ConfigError, DataError
from samevoice.files import sync_folder, write_atomically
from samevoice.models.embedding import Embedding

try:
    import fcntl
except ImportError:  # Windows: two runs in one folder do the work twice, with the same result
    fcntl = None  # type: ignore[assignment]

VERSION = 1
DESCRIPTION, LOCK = "dataset.json", ".lock"
GOOD, BAD = "embeddings", "bad"
LISTING = "listing.parquet"
TEMPORARY = ".samevoice-*"  # of `write_atomically`, where it was killed
KIND = "embeddings"


@dataclass(frozen=True, slots=True)
class Description:
    """What a dataset is made of; two runs go on with each other only if all of this is equal.

    Args:
        model: name of the model's card.
        fingerprint: of the model.
        dimension: of its embeddings.
        corpus: digest of the list of recordings.
        recordings: how many there are.
        block: how many of them share a file.
    """

    model: str
    fingerprint: str
    dimension: int
    corpus: str
    recordings: int
    block: int

    @property
    def blocks(self) -> int:
        """Number of files of embeddings, once all are done."""
        return -(-self.recordings // self.block)


class Dataset:
    """A dataset in its folder.

    Args:
        folder: where it lies.
        description: what it is.
    """

    def __init__(self, folder: Path, description: Description) -> None:
        """Name the folder; nothing is read."""
        self.folder = folder
        self.description = description

    def part(self, block: int) -> Path:
        """The file of a block's embeddings."""
        return self.folder / GOOD / _name(block)

    def pending(self) -> list[int]:
        """Blocks that are not done, in order."""
        return [block for block in range(self.description.blocks) if not self.part(block).is_file()]

    def write(self, block: int, items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
        """Store what became of a block; then it is done.

        Raises:
            ConfigError: the files cannot be written.
        """
        pairs = list(zip(items, outcomes, strict=True))
        bad = [(one.id, place_of(one), out) for one, out in pairs if isinstance(out, Bad)]
        good = [(one, out) for one, out in pairs if isinstance(out, Embedding)]
        self._write_bad(_name(block), bad)
        self._put(self.part(block), embeddings_file(good, self.description.dimension))

    def write_problems(self, problems: Sequence[Problem]) -> None:
        """Store what the corpus could not list.

        Raises:
            ConfigError: the file cannot be written.
        """
        places = [one.path if one.member is None else f"{one.path}/{one.member}" for one in problems]
        self._write_bad(
            LISTING, [(at, at, Bad("listing", one.message)) for at, one in zip(places, problems, strict=True)]
        )

    def counts(self) -> tuple[int, int]:
        """How many recordings are embedded, and how many are bad.

        Raises:
            DataError: a file is damaged.
        """
        good = sum(rows_in(path) for path in sorted((self.folder / GOOD).glob("part-*.parquet")))
        return good, sum(rows_in(path) for path in sorted((self.folder / BAD).glob("*.parquet")))

    def bad(self) -> Iterator[tuple[str, Bad]]:
        """Paths of bad recordings, with the reasons.

        Raises:
            DataError: a file is damaged.
        """
        for path in sorted((self.folder / BAD).glob("*.parquet")):
            for row in read_columns(path, ["path", "code", "reason"]).to_pylist():
                yield row["path"], Bad(row["code"], row["reason"])

    def _write_bad(self, name: str, rows: Sequence[tuple[str, str, Bad]]) -> None:
        """Store bad recordings, or take away what an earlier attempt said of them."""
        path = self.folder / BAD / name
        if not rows:
            with _writing(self.folder):
                path.unlink(missing_ok=True)
            return
        self._put(path, bad_file(rows))
        with _writing(self.folder):
            sync_folder(path.parent)  # before the block's other file says that it is done

    def _put(self, path: Path, content: bytes) -> None:
        """Write one file."""
        with _writing(self.folder):
            write_atomically(path, lambda file: file.write(content))


def read_description(folder: Path) -> Description:
    """What a dataset is.

    Raises:
        DataError: there is no dataset in the folder, or its description is damaged or of another version.
    """
    path = folder / DESCRIPTION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{folder}: holds no dataset; make one with: samevoice batch embed") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error}); restore it, or embed the corpus again") from error
    if not isinstance(content, dict) or content.pop("samevoice", None) != KIND:
        raise DataError(f"{path}: describes no dataset of samevoice; give a folder made by samevoice batch embed")
    if (version := content.pop("version", None)) != VERSION:
        raise DataError(f"{path}: has version {version!r}, this samevoice reads {VERSION}; update samevoice")
    kinds = {field.name: int if field.type == "int" else str for field in fields(Description)}
    fits = {name: type(value) for name, value in content.items()} == kinds
    if not fits or min(content["recordings"], content["block"], content["dimension"]) < 1:
        raise DataError(f"{path}: has missing or impossible values; restore it, or embed the corpus again")
    return Description(**content)


@contextmanager
def at_work(folder: Path, wanted: Description) -> Iterator[Dataset]:
    """Begin a dataset, or go on with it; only one run at a time may.

    Args:
        folder: is made if it is not there.
        wanted: what is to be in it.

    Raises:
        ConfigError: another run is at work there, or nothing can be written there.
        DataError: it holds another dataset, a damaged one, or other files.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        begun = (folder / DESCRIPTION).exists()
        foreign = not begun and any(path.is_file() and not _is_ours(path) for path in folder.rglob("*"))
    if begun:
        _check_same(folder, read_description(folder), wanted)
    if foreign:
        raise DataError(f"{folder}: holds other files; name a new or empty folder for the dataset")
    with _alone(folder):
        with _writing(folder):
            _prepare(folder, wanted)
        yield Dataset(folder, wanted)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only run in a folder.

    Raises:
        ConfigError: another run is at work there, or nothing can be written there.
    """
    lock = None
    while lock is None:
        lock = _locked(folder)
    with lock:
        try:
            yield
        finally:
            with suppress(OSError):  # Windows removes no open file
                (folder / LOCK).unlink()


def _locked(folder: Path) -> TextIO | None:
    """The lock file of a folder, locked; None if a run that came to its end has removed just this file.

    Raises:
        ConfigError: another run is at work there, or nothing can be written there.
    """
    with _writing(folder), ExitStack() as stack:
        lock = stack.enter_context((folder / LOCK).open("w"))
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"{folder}: another run is at work there; wait for it, or stop it") from error
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), (folder / LOCK).stat()):
                stack.pop_all()
                return lock
    return None


def _is_ours(path: Path) -> bool:
    """Whether a file may be what a run left that was killed before it had begun."""
    return path.name == LOCK or path.match(TEMPORARY)


def _prepare(folder: Path, description: Description) -> None:
    """The folders and the description, without what a killed run left half written."""
    for inner in (folder, folder / GOOD, folder / BAD):
        inner.mkdir(exist_ok=True)
        for rest in inner.glob(TEMPORARY):
            rest.unlink(missing_ok=True)
    if not (folder / DESCRIPTION).exists():
        text = json.dumps({"samevoice": KIND, "version": VERSION, **asdict(description)}, indent=2) + "\n"
        write_atomically(folder / DESCRIPTION, lambda file: file.write(text.encode()))
        sync_folder(folder)


def _check_same(folder: Path, found: Description, wanted: Description) -> None:
    """Refuse to mix two corpora or two models."""
    if found.fingerprint != wanted.fingerprint:
        raise DataError(
            f"{folder}: holds embeddings by {found.fingerprint}, not by {wanted.fingerprint}; "
            "take that model, or another folder"
        )
    if found.corpus != wanted.corpus:
        raise DataError(
            f"{folder}: holds embeddings of another list of recordings ({found.recordings:,} of them, here are "
            f"{wanted.recordings:,}); give the list as it was, or another folder"
        )
    if found != wanted:
        raise DataError(
            f"{folder}: was begun with blocks of {found.block:,}, not of {wanted.block:,}; leave out --block, "
            "or name another folder"
        )


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say in a sentence that nothing can be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written ({error.strerror or error}); make room or choose another folder, and run "
            "the same command again: finished blocks are kept"
        ) from error


def _name(block: int) -> str:
    """The file of a block."""
    return f"part-{block:07d}.parquet"
