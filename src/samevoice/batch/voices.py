"""The voices of a dataset as one matrix on disk: a row for each speaker, or for each recording.

A speaker's row is the mean of the unit vectors of all recordings, brought to unit norm: what one long recording would
give, which a model embeds window by window and averages likewise.

Knows: parts of a dataset, means. Does not know: scores, thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.batch.dataset import Dataset
from samevoice.batch.parts import read_columns, vectors_of
from samevoice.errors import ConfigError, DataError

CHUNK = 65_536  # rows brought to unit norm at once
FILE = "voices.npy"


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """What is compared.

    Args:
        names: of speakers or recordings, in order of appearance.
        vectors: unit vectors, float32 (n, d), in a file mapped into memory; zeros for a speaker whose recordings
            cancel out.
        seconds: of speech in each, float64 (n,).
        recordings: behind each, int64 (n,).
        unnamed: recordings that nobody is named for, and that were left out.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    seconds: NDArray[np.float64]
    recordings: NDArray[np.int64]
    unnamed: int


def has_speakers(dataset: Dataset) -> bool:
    """Whether anybody is named in a dataset."""
    return any(part.column("speaker").null_count < len(part) for part in _parts(dataset, ["speaker"]))


def gather(dataset: Dataset, folder: Path, *, by_speaker: bool) -> Voices:
    """The voices of a dataset; one part of it is in memory at a time.

    Args:
        dataset: finished.
        folder: for the matrix, which takes 4 n d bytes there.
        by_speaker: one row for each speaker, else one for each recording.

    Raises:
        DataError: the dataset is not finished, or damaged.
        ConfigError: there is no room for the matrix.
    """
    column = "speaker" if by_speaker else "id"
    rows: dict[str, int] = {}
    places: list[NDArray[np.int64]] = []
    seconds: list[NDArray[np.float64]] = []
    for part in _parts(dataset, [column, "speech_seconds"]):
        names = part.column(column).to_pylist()
        places.append(np.array([-1 if one is None else rows.setdefault(one, len(rows)) for one in names], np.int64))
        seconds.append(part.column("speech_seconds").to_numpy())
    of, lengths = np.concatenate(places), np.concatenate(seconds)
    named = of >= 0
    vectors = _matrix(folder, len(rows), dataset.description.dimension)
    for place, part in zip(places, _parts(dataset, ["embedding"]), strict=True):
        kept = place >= 0
        np.add.at(vectors, place[kept], vectors_of(part)[kept])
    for start in range(0, len(rows), CHUNK):
        chunk = vectors[start : start + CHUNK]
        norms = np.linalg.norm(chunk, axis=1, keepdims=True)
        chunk /= np.where(norms > 0, norms, 1)
    return Voices(
        names=tuple(rows),
        vectors=vectors,
        seconds=np.bincount(of[named], lengths[named], len(rows)).astype(np.float64),
        recordings=np.bincount(of[named], minlength=len(rows)).astype(np.int64),
        unnamed=int((~named).sum()),
    )


def _parts(dataset: Dataset, columns: list[str]) -> Iterator[Any]:
    """All parts of a finished dataset, some columns of each."""
    if left := len(dataset.pending()):
        raise DataError(
            f"{dataset.folder}: {left:,} of {dataset.description.blocks:,} blocks are missing; "
            "finish it with: samevoice batch embed"
        )
    for block in range(dataset.description.blocks):
        yield read_columns(dataset.part(block), columns)


def _matrix(folder: Path, rows: int, columns: int) -> NDArray[np.float32]:
    """Zeros in a file; room for all of them is taken at once, since a full disk would end the process later."""
    path = folder / FILE
    if not rows:
        return np.zeros((0, columns), dtype=np.float32)
    try:
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)}
            )
            empty = np.zeros((min(rows, CHUNK), columns), dtype="<f4")
            for start in range(0, rows, CHUNK):
                file.write(empty[: rows - start].data)
        found: NDArray[np.float32] = np.load(path, mmap_mode="r+")
    except OSError as error:
        size = rows * columns * 4 / 1e9
        raise ConfigError(f"{folder}: has no room for {size:.1f} GB ({error.strerror}); name another folder") from error
    return found
